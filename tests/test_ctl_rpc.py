"""Servers that do not answer, several servers, a cluster, TLS."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

from .ovsdb import Databases, find_schema, request, wait_until
from .svcctl import Svcctl


class Server:
    """A member of a cluster of ovsdb-servers."""

    def __init__(self, directory: Path, number: int) -> None:
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

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _state(self) -> dict[str, Any]:
        select = {"op": "select", "table": "Database", "where": [["name", "==", "SVC_Northbound"]]}
        nothing = {"connected": False, "leader": False}
        try:
            [result] = request(self.socket, "transact", ["_Server", select])
        except OSError:
            # No socket yet, or one on which the server does not listen yet.
            return nothing
        rows: list[dict[str, Any]] = result["rows"]
        return rows[0] if rows else nothing


def test_no_database(svcctl: Svcctl, databases: Databases, tmp_path: Path) -> None:
    databases.nb.stop()
    result = svcctl("show")
    assert result.status == 1
    reason = "database connection failed (No such file or directory)"
    assert result.stderr == f"svcctl: {databases.nb.remote}: {reason}\n"
    for db, reason in (
        ("nonsense", "nonsense: a database is unix:FILE, tcp:IP:PORT or ssl:IP:PORT"),
        ("tcp:127.0.0.1:1", "tcp:127.0.0.1:1: database connection failed (Connection refused)"),
        ("tcp:127.0.0.1:²", "tcp:127.0.0.1:²: a database is unix:FILE, tcp:IP:PORT or"),
        ("tcp:127.0.0.1:99999", "tcp:127.0.0.1:99999: "),
        ("", "no database is given"),
        ("unix:" + "x" * 200, "AF_UNIX path too long"),
        (databases.sb.remote, "the server has no database SVC_Northbound"),
    ):
        result = svcctl(f"--db={db}", "show")
        assert result.status == 1
        assert result.stderr.count("\n") == 1
        assert reason in result.stderr


def test_the_second_server_is_tried(svcctl: Svcctl, databases: Databases) -> None:
    db = f"--db=tcp:127.0.0.1:1,unix:/nono,{databases.nb.remote}"
    svcctl.good(db, "group-add", "g")
    svcctl.good("--no-shuffle-remotes", db, "group-del", "g")


def test_a_cluster_is_reached_through_its_leader(databases: Databases, svcctl: Svcctl) -> None:
    directory = databases.directory
    for number in (1, 2):
        own = f"unix:{directory}/raft{number}"
        database = str(directory / f"cluster{number}.db")
        if number == 1:
            words = ["create-cluster", database, find_schema(databases.nb.name), own]
        else:
            words = ["join-cluster", database, databases.nb.name, own, f"unix:{directory}/raft1"]
        subprocess.run(["ovsdb-tool", *words], check=True, stderr=subprocess.DEVNULL)
    servers = [Server(directory, number) for number in (1, 2)]
    try:
        wait_until(lambda: all(server.is_connected() for server in servers), "the cluster")
        wait_until(lambda: any(server.is_leader() for server in servers), "a leader")
        follower, leader = sorted(servers, key=Server.is_leader)
        both = f"--db={follower.remote},{leader.remote}"
        svcctl.good("--no-shuffle-remotes", both, "group-add", "g")
        svcctl.good(both, "group-add", "h")
        svcctl.good("--no-leader-only", f"--db={follower.remote}", "group-add", "i")
        assert svcctl.good(both, "--bare", "group-list").split() == [
            *(word for name in "ghi" for word in (name, "least", "0", "0"))
        ]
        process = svcctl.start("--timeout=1", f"--db={follower.remote}", "group-list")
        assert (
            process.communicate()[1] == "svcctl: timed out after 1 s while reaching the database\n"
        )
    finally:
        for server in servers:
            server.stop()


def test_tls(databases: Databases, svcctl: Svcctl) -> None:
    directory = databases.directory
    for name in ("ca", "key"):
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        words += ["-nodes", "-subj", f"/CN={name}", "-days", "1"]
        paths = ["-keyout", f"{directory}/{name}.pem", "-out", f"{directory}/{name}.crt"]
        subprocess.run([*words, *paths], check=True, capture_output=True)
    port = find_free_port()
    remote = f"ssl:127.0.0.1:{port}"
    files = {name: f"{directory}/{name}" for name in ("ca.pem", "ca.crt", "key.crt")}
    own = ("-p", files["ca.pem"], "-c", files["ca.crt"])
    database = f"{directory}/tls.db"
    create = ["ovsdb-tool", "create", database, find_schema(databases.nb.name)]
    subprocess.run(create, check=True)
    server = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server", "-vconsole:off"),
            *(f"--remote=pssl:{port}:127.0.0.1", f"--unixctl={directory}/tls.ctl"),
            *(*own, "-C", files["ca.crt"], database),
        ]
    )
    try:
        connect = (f"--db={remote}", *own, "-C", files["ca.crt"])
        wait_until(lambda: svcctl(*connect, "show").status == 0, "the server")
        svcctl.good(*connect, "group-add", "g")
        assert svcctl.good(*connect, "--bare", "group-list").split() == ["g", "least", "0", "0"]
        required = f"{remote}: --private-key, --certificate and --ca-cert are required"
        assert svcctl.bad(f"--db={remote}", "show") == required
        assert "No such file" in svcctl.bad(f"--db={remote}", *own, "-C", "/nono", "show")
        reason = svcctl.bad(f"--db={remote}", *own, "-C", files["key.crt"], "show")
        assert "certificate verify failed" in reason
    finally:
        server.kill()
        server.wait()


def find_free_port() -> int:
    """Returns a TCP port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
