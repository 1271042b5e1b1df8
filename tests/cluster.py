"""Clusters of ovsdb-servers, each member on a unix socket of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from .ovsdb import find_schema, request, wait_until


class Member:
    """A member of a cluster of ovsdb-servers."""

    def __init__(self, directory: Path, database: str, number: int) -> None:
        self.database = database
        self.socket = directory / f"cluster{number}.sock"
        self.remote = f"unix:{self.socket}"
        words = ["setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server", "-vconsole:off"]
        words += [f"--remote=p{self.remote}", f"--unixctl={directory}/cluster{number}.ctl"]
        words.append(f"{directory}/cluster{number}.db")
        self._process = subprocess.Popen(words, cwd=directory)

    def is_connected(self) -> bool:
        return bool(self._state()["connected"])

    def is_leader(self) -> bool:
        return bool(self._state()["leader"])

    def transact(self, *operations: dict[str, Any]) -> list[Any]:
        """Returns the results of a transaction."""
        results: list[Any] = request(self.socket, "transact", [self.database, *operations])
        return results

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _state(self) -> dict[str, Any]:
        select = {"op": "select", "table": "Database", "where": [["name", "==", self.database]]}
        nothing = {"connected": False, "leader": False}
        try:
            [result] = request(self.socket, "transact", ["_Server", select])
        except OSError:
            # No socket yet, or one on which the server does not listen yet.
            return nothing
        rows: list[dict[str, Any]] = result["rows"]
        return rows[0] if rows else nothing


def start_cluster(directory: Path, database: str, count: int = 2) -> list[Member]:
    """Returns the members of a new cluster, followers first; each is to be stopped."""
    for number in range(1, count + 1):
        own = f"unix:{directory}/raft{number}"
        file = str(directory / f"cluster{number}.db")
        if number == 1:
            words = ["create-cluster", file, find_schema(database), own]
        else:
            words = ["join-cluster", file, database, own, f"unix:{directory}/raft1"]
        subprocess.run(["ovsdb-tool", *words], check=True, stderr=subprocess.DEVNULL)
    members = [Member(directory, database, number) for number in range(1, count + 1)]
    try:
        wait_until(lambda: all(each.is_connected() for each in members), "the cluster")
        wait_until(lambda: any(each.is_leader() for each in members), "a leader")
        return sorted(members, key=Member.is_leader)
    except BaseException:
        for each in members:
            each.stop()
        raise
