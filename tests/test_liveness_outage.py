"""A southbound that is away, or paused, kills no chassis: real servers, real connections."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import ovs.poller

from ..northd.northd import Northd
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Database, Databases, exchange, wait_until
from .scenario import Scenario


def _make_options(dead_after_ms: int) -> list[Any]:
    """Returns options with a time that is at least two heartbeats long."""
    return ["map", [["heartbeat-interval", "250"], ["chassis-dead-after", str(dead_after_ms)]]]


def test_an_outage_of_the_southbound_kills_no_chassis(databases: Databases, logs: Logs) -> None:
    cloud = Cloud(databases, logs)
    cloud.add_chassis("hv1", "hv2")
    cloud.add_router("tenant-router")
    cloud.nb.insert("SVC_Global", options=_make_options(600))
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    before = _dump(cloud), _find_verdicts(cloud)
    assert all("True" in verdict for verdict in before[1])
    logs.allow(rf"{databases.sb.socket}: connection (attempt failed|closed by peer)")
    databases.sb.stop()
    end = time.monotonic() + 1.5

    def passed() -> bool:
        cloud.northd.run()
        return time.monotonic() > end

    wait_until(passed, "more than chassis-dead-after to pass")
    assert not cloud.northd.settled, "without a southbound it cannot know that all is well"
    databases.sb.start()
    cloud.settle()
    assert (_dump(cloud), _find_verdicts(cloud)) == before
    cloud.laws()
    cloud.northd.close()


def _dump(cloud: Cloud) -> tuple[Any, Any]:
    content = cloud.dump()
    return content["nb"], content["ovn"]


class _Beaters:
    """Chassis that beat through connections of their own, each when its last beat is done."""

    def __init__(self, database: Database, names: Iterable[str]) -> None:
        self._stopped: set[str] = set()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, args=(database, name), daemon=True)
            for name in names
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, *names: str) -> None:
        """Ends the beats of some chassis."""
        self._stopped.update(names)

    def end(self) -> None:
        """Ends all."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _beat(self, database: Database, name: str) -> None:
        operation = {
            "op": "mutate",
            "table": "Chassis_Private",
            "where": [["name", "==", name]],
            "mutations": [["heartbeat", "+=", 1]],
        }
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(str(database.socket))
            while name not in self._stopped and not self._ended.wait(_QUICK_BEAT_S):
                exchange(connection, "transact", [database.name, operation])


_QUICK_BEAT_S = 0.15
_QUICK_DEAD_AFTER_MS = 800
_PAUSE_S = 1.5


def test_a_pause_of_the_southbound_kills_no_chassis(databases: Databases, logs: Logs) -> None:
    cloud = Scenario(databases, logs)
    names = [f"hv{number}" for number in range(10)]
    cloud.add_chassis(*names)
    cloud.nb.insert("SVC_Global", options=_make_options(_QUICK_DEAD_AFTER_MS))
    cloud.add_services(20)
    cloud.settle()
    places = cloud.list_places()
    second = cloud.start_northd()
    beaters = _Beaters(cloud.sb, names)
    try:
        cloud.drain(cloud.northd, second)
        cloud.sb.pause()
        _run_for(_PAUSE_S, cloud.northd, second)
        cloud.sb.resume()
        _run_for(_PAUSE_S, cloud.northd, second)
        assert cloud.list_places() == places
        assert logs.find_warnings() == []
        for northd in (cloud.northd, second):
            assert all(verdict.alive for verdict in northd.liveness.verdicts.values())
        logs.allow("chassis hv0 is dead: its heartbeat stopped")
        beaters.stop("hv0")
        for each in (cloud.northd, second):

            def died(northd: Northd = each) -> bool:
                _run_for(0.0, cloud.northd, second)
                return not northd.liveness.verdicts["hv0"].alive

            wait_until(died, "the death of one that stopped")
    finally:
        cloud.sb.resume()
        beaters.end()
    second.close()
    cloud.northd.close()


def _run_for(duration_s: float, *northds: Northd) -> None:
    """Runs svc-northds as their loop does."""
    end = time.monotonic() + duration_s
    while True:
        for northd in northds:
            northd.run()
        if time.monotonic() >= end:
            return
        poller = ovs.poller.Poller()
        for northd in northds:
            northd.wait(poller)
        poller.timer_wait(50)
        poller.block()


def _find_verdicts(cloud: Cloud) -> list[str]:
    columns = ("chassis", "scheduled", "alive", "since")
    rows = cloud.sb.rows("Chassis_Weight", (), columns)
    return sorted(" ".join(str(row[column]) for column in columns) for row in rows)
