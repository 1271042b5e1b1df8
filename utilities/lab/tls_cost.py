"""What TLS costs beside TCP: a heartbeat's commit, and many chassis that connect anew at once.

One ovsdb-server has both remotes, and the two are measured in turn.  The sessions are those of
svc-controller, all in this process, whose own work is in the time, too.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import ovs.poller

from ...controller import southbound
from ...controller.identity import Identity
from ...lib import descriptors, sb, schema, tls_stream
from ...lib.delta import Update
from ...lib.idl import Session
from ...lib.tls import Keys
from ...tests.ovsdb import Database
from ...tests.tls import find_free_port
from .figure import Figure
from .transport import SVC_PKI

SESSIONS = 100
_BEATS = 200
_PATIENCE_S = 120
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Samples:
    """What was measured of one kind of remote."""

    commit_ms: list[float] = field(default_factory=list)
    reconnected_s: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)


def measure(runs: int) -> Iterator[Figure]:
    """Returns the figures, TLS beside TCP."""
    descriptors.use_poll()
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as directory:
        keys = f"{directory}/pki"
        for words in (("init",), ("server", "central"), ("chassis", "hv1")):
            subprocess.run([SVC_PKI, f"--dir={keys}", *words], check=True, capture_output=True)
        database = Database(Path(directory), schema.SOUTHBOUND)
        try:
            samples = _measure(database, keys, runs)
        finally:
            database.stop()
    tls, tcp = samples["ssl"], samples["tcp"]
    yield Figure("TLS: commit of a heartbeat", "ms", tls.commit_ms, "TCP", tcp.commit_ms)
    what = f"{SESSIONS} chassis connect anew"
    yield Figure(f"TLS: {what}", "s", tls.reconnected_s, "TCP", tcp.reconnected_s)
    yield Figure(f"TLS: {what}, server", "ms", tls.server_ms, "TCP", tcp.server_ms)


def _measure(database: Database, keys: str, runs: int) -> dict[str, _Samples]:
    ports = {"ssl": find_free_port(), "tcp": find_free_port()}
    own, server = f"{keys}/chassis/hv1", f"{keys}/server/central"
    database.restart(
        f"--remote=pssl:{ports['ssl']}:127.0.0.1",
        f"--remote=ptcp:{ports['tcp']}:127.0.0.1",
        f"--private-key={server}/privkey.pem",
        f"--certificate={server}/cert.pem",
        f"--ca-cert={server}/sb-cacert.pem",
    )
    names = [f"hv{number}" for number in range(SESSIONS)]
    rows = ({"op": "insert", "table": "Chassis_Private", "row": {"name": name}} for name in names)
    database.transact(*rows)
    tls_stream.register()
    tls_stream.use(Keys(f"{own}/privkey.pem", f"{own}/cert.pem", f"{own}/cacert.pem"))
    samples = {method: _Samples() for method in ports}
    remotes = {method: f"{method}:127.0.0.1:{port}" for method, port in ports.items()}
    for _ in range(runs):
        crowds = {method: _Crowd(remote, names[:1]) for method, remote in remotes.items()}
        for method, taken_ms in _time_commits(crowds).items():
            samples[method].commit_ms.append(statistics.median(taken_ms))
        for crowd in crowds.values():
            crowd.close()
        for method, remote in remotes.items():
            crowd = _Crowd(remote, names)
            used_ms, taken_s = crowd.time_reconnection(database)
            samples[method].server_ms.append(used_ms)
            samples[method].reconnected_s.append(taken_s)
            crowd.close()
    return samples


def _time_commits(crowds: Mapping[str, _Crowd]) -> dict[str, list[float]]:
    """Returns how long commits take in ms, by kind of remote, of which each has its turn."""
    taken_ms: dict[str, list[float]] = {method: [] for method in crowds}
    for number in range(_BEATS):
        for method, crowd in crowds.items():
            taken_ms[method].append(crowd.time_commit(number))
    return taken_ms


class _Crowd:
    """The sessions of many chassis with one remote."""

    def __init__(self, remote: str, names: list[str]) -> None:
        identities = (Identity(name, remote, "br-int", (), offload=True) for name in names)
        self._sessions = [southbound.open_session(each) for each in identities]
        self._beat = Session(
            remote,
            schema.SOUTHBOUND,
            (sb.ChassisPrivate,),
            schema=schema.load(schema.SOUTHBOUND),
            conditions={sb.ChassisPrivate.TABLE: [["name", "==", names[0]]]},
        )
        self._all = [*self._sessions, self._beat]
        self._wait(lambda: all(each.synced and each.connected for each in self._all))

    def time_commit(self, number: int) -> float:
        """Returns how long a heartbeat's transaction takes, in ms."""
        (row,) = self._beat.rows(sb.ChassisPrivate).values()
        changes = [Update(sb.ChassisPrivate.TABLE, row.uuid, {"heartbeat": number})]
        started = time.perf_counter()
        self._beat.commit(changes, "a heartbeat")
        while self._beat.committing:
            poller = ovs.poller.Poller()
            self._beat.wait(poller)
            poller.block()
            self._beat.run()
        return (time.perf_counter() - started) * 1000

    def time_reconnection(self, database: Database) -> tuple[float, float]:
        """Returns the CPU time in ms and the time in s that a new server takes to serve all."""
        before = [each.connection for each in self._all]
        database.restart()
        started = time.perf_counter()
        self._wait(
            lambda: all(
                each.synced and each.connection not in (None, old)
                for each, old in zip(self._all, before, strict=True)
            )
        )
        return _read_cpu_ms(database), time.perf_counter() - started

    def close(self) -> None:
        """Closes all."""
        for each in self._all:
            each.close()

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            poller = ovs.poller.Poller()
            for each in self._all:
                each.run()
                each.wait(poller)
            if condition():
                return
            assert time.monotonic() < deadline, {each.trouble for each in self._all}
            poller.block()


def _read_cpu_ms(database: Database) -> float:
    """Returns the CPU time of the server since it was started."""
    stat = Path(f"/proc/{database.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) * 1000 / _TICKS
