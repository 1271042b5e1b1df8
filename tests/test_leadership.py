"""Who leads when passes fail, and what the row Northd says of it: real servers, no compile step."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import ovs.poller
import pytest

from ..lib import loop, nb, sb, schema
from ..lib.idl import Session
from ..lib.rows import find_columns
from ..northd.leader import leadership, northd_row, pace, watch
from ..northd.leader.leadership import Leadership
from ..northd.ovn import rows as ovn
from .cluster import start_cluster
from .logs import Logs
from .ovsdb import OVN_NORTHBOUND, Databases
from .sessions import OUTAGE

GAVE_WAY = "no pass succeeds; another svc-northd may lead"
_TURN_MS = 400
_MOST_TIME_MS = 253_402_300_799_999


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes beats and turns short, so that no test waits for seconds."""
    monkeypatch.setattr(leadership, "BEAT_INTERVAL_MS", 50)
    monkeypatch.setattr(pace, "FIRST_TURN_MS", _TURN_MS)
    monkeypatch.setattr(pace, "LONGEST_TURN_MS", 2 * _TURN_MS)
    monkeypatch.setattr(watch, "LEAST_PATIENCE_MS", 5000)


class _Northd:
    """Sessions and a Leadership, in passes that succeed unless 'failure' says why they do not."""

    def __init__(self, databases: Databases, southbound: str) -> None:
        self.nb, self.sb, self.ovn = (
            _open(databases.nb.remote, schema.NORTHBOUND, nb.SVCGlobal),
            _open(southbound, schema.SOUTHBOUND, sb.Northd, asserts_lock=False, leader_only=True),
            Session(databases.ovn_nb.remote, OVN_NORTHBOUND, [ovn.NBGlobal]),
        )
        self.leadership = Leadership(self.sb, {self.nb: nb.SVCGlobal, self.ovn: ovn.NBGlobal})
        self.failure = ""
        self.terms = 0
        self._was_active = False

    @property
    def active(self) -> bool:
        northbounds = (self.nb, self.ovn)
        return self.leadership.leading and all(each.has_lock for each in northbounds)

    def run(self) -> None:
        for session in (self.nb, self.sb, self.ovn):
            session.run()
        self.leadership.run(paused=False)
        self.terms += self.active and not self._was_active
        self._was_active = self.active
        if self.active and self.failure:
            self.leadership.note_failure(self.failure)
        elif self.active:
            self.leadership.note_pass(1)

    def wait(self, poller: ovs.poller.Poller) -> None:
        for session in (self.nb, self.sb, self.ovn):
            session.wait(poller)
        self.leadership.wait(poller)

    def close(self) -> None:
        for session in (self.nb, self.sb, self.ovn):
            session.close()


def _open(remote: str, name: str, *row_classes: Any, **options: Any) -> Session:
    return Session(remote, name, row_classes, schema=schema.load(name), **options)


class _Site:
    """Databases with a root row each, and svc-northds that run together."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self.southbound = databases.sb.remote
        self.northds: list[_Northd] = []
        databases.nb.insert("SVC_Global")
        databases.ovn_nb.insert("NB_Global")

    def start(self, failure: str = "") -> _Northd:
        made = _Northd(self.databases, self.southbound)
        made.failure = failure
        self.northds.append(made)
        return made

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Runs all of them until 'condition' holds."""
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            poller = ovs.poller.Poller()
            for northd in self.northds:
                northd.run()
                northd.wait(poller)
            poller.timer_wait(20)
            poller.block()

    @property
    def row(self) -> dict[str, Any]:
        """The row Northd; empty before the first beat."""
        rows = self.databases.sb.rows("Northd")
        return rows[0] if rows else {}


@pytest.fixture
def site(databases: Databases, logs: Logs) -> Iterator[_Site]:
    made = _Site(databases)
    yield made
    for northd in made.northds:
        northd.close()
    assert logs.find_warnings() == []


def test_one_that_cannot_work_gives_way_to_one_that_can(site: _Site, logs: Logs) -> None:
    logs.allow(GAVE_WAY)
    first = site.start("ValueError('no way')")
    site.wait_for(lambda: first.active, "the first to be active")
    second = site.start()
    site.wait_for(lambda: second.leadership.standing_by, "the second to stand by")
    site.wait_for(lambda: site.row["problem"], "the row to tell of it")
    assert site.row["problem"] == "no pass succeeds: ValueError('no way')"
    assert site.row["worked_at"] == 0, "no pass has succeeded yet"
    site.wait_for(lambda: second.active, "the second to be active")
    incarnation = second.leadership.incarnation
    site.wait_for(lambda: site.row["incarnation"] == incarnation, "its beat")
    site.wait_for(lambda: site.row["worked_at"] and not site.row["problem"], "that it works")
    # It stays, and the first stands by for the day that it ends.
    beats = site.row["heartbeat"] + 3 * _TURN_MS // 50
    site.wait_for(lambda: site.row["heartbeat"] > beats, "three turns to pass")
    assert (first.active, second.active, second.terms) == (False, True, 1)
    assert first.leadership.standing_by
    site.northds.remove(second)
    second.close()
    site.wait_for(lambda: first.active, "the first to go on trying")


def test_two_that_cannot_work_take_turns_without_spinning(site: _Site, logs: Logs) -> None:
    logs.allow(GAVE_WAY)
    both = [site.start("one"), site.start("other")]
    started = time.monotonic()
    site.wait_for(lambda: all(each.terms >= 2 for each in both), "two turns of each")
    turns = sum(each.terms for each in both)
    least_s = (2 * _TURN_MS + (turns - 3) * 2 * _TURN_MS) / 1000
    assert time.monotonic() - started > least_s, f"{turns} turns"
    # Whichever can work again does, at once or in its next turn.
    both[1].failure = ""
    site.wait_for(lambda: site.row["worked_at"], "a pass")
    assert both[1].active


def test_one_that_is_alone_goes_on_trying(site: _Site, logs: Logs) -> None:
    logs.allow(GAVE_WAY)
    alone = site.start("it is too early")
    site.wait_for(lambda: alone.terms == 3, "three terms")
    alone.failure = ""
    site.wait_for(lambda: site.row["worked_at"], "a pass that succeeds")
    assert alone.active
    assert alone.leadership.problem == ""


def test_in_a_cluster_one_leads_whichever_member_dies(
    site: _Site, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.allow(OUTAGE)
    logs.allow("clustered database server is (not|disconnected)")
    monkeypatch.setattr(watch, "LEAST_PATIENCE_MS", 2000)
    folder = site.databases.directory / "cluster"
    folder.mkdir()
    members = start_cluster(folder, schema.SOUTHBOUND, 3)
    try:
        site.southbound = ",".join(each.remote for each in members)
        both = [site.start() for _ in range(2)]
        samples: set[int] = set()

        def led() -> bool:
            samples.add(sum(each.active for each in both))
            return any(each.active for each in both)

        site.wait_for(led, "one to be active")
        *_, leader = members
        leader.stop()
        site.wait_for(lambda: not led(), "it to be noticed")
        site.wait_for(led, "one to be active again")
        select = {"op": "select", "table": "Northd", "where": [], "columns": ["incarnation"]}
        [found] = members[0].transact(select)
        own = [each.leadership.incarnation for each in both if each.active]
        assert [row["incarnation"] for row in found["rows"]] == own
        assert max(samples) == 1
    finally:
        for each in members:
            each.stop()


def test_the_row_tells_of_work_with_the_beats_and_costs_no_more_than_they(site: _Site) -> None:
    northd = site.start()
    site.wait_for(lambda: northd.active and site.row["worked_at"], "a pass")
    first, seen = site.row, set[tuple[int, str]]()

    def find_problem() -> str:
        row = site.row
        seen.add((row["heartbeat"], row["_version"][1]))
        return str(row["problem"])

    northd.leadership.set_problem("2 keys\x00 fail:\n\ud800" + "x" * 5000)
    site.wait_for(find_problem, "the problem")
    assert find_problem().startswith("2 keys  fail:  xxx")
    assert len(find_problem()) < 1100
    northd.leadership.set_problem("")
    site.wait_for(lambda: not find_problem(), "its end")
    beats = first["heartbeat"] + 10
    site.wait_for(lambda: find_problem() or site.row["heartbeat"] > beats, "ten beats")
    assert site.row["worked_at"] > first["worked_at"]
    assert len(seen) == len({heartbeat for heartbeat, _ in seen}), "each write is a beat"


def test_an_idle_one_tells_when_it_last_worked(site: _Site) -> None:
    northd = site.start()
    site.wait_for(lambda: northd.active and site.row["worked_at"], "a pass")
    row = sb.Northd(
        uuid=uuid.uuid4(),
        **{name: site.row[name] for name in find_columns(sb.Northd) if name != "uuid"},
    )
    lines = northd_row.format_row(replace(row, problem="x"), own=False, active=False)
    assert [line.partition(":")[0] for line in lines] == [
        "Active",
        "Last whole pass",
        "Problem of the active one",
    ]
    assert "Last whole pass: never" in northd_row.format_row(
        replace(row, worked_at=0), own=True, active=True
    )
    assert northd_row.format_row(row, own=True, active=True)[0].startswith("Active: ")
    one_that_gave_way = northd_row.format_row(row, own=True, active=False)
    assert one_that_gave_way[0].startswith("Last active: this one, ")
    for wall_ms in (10**18, -(10**18), 2**70):
        told = northd_row.format_row(
            replace(row, since=wall_ms, worked_at=wall_ms), own=False, active=False
        )
        assert told[1] == f"Last whole pass: {wall_ms} ms"


def test_the_wall_clock_decides_nothing(site: _Site) -> None:
    first = site.start()
    site.wait_for(lambda: first.active, "the first to be active")
    second = site.start()
    site.wait_for(lambda: second.leadership.standing_by, "the second to stand by")
    try:
        for step_ms in (3_600_000, -7_200_000, -(2**60), 2**61):
            loop.warp_wall(step_ms)
            beats = site.row["heartbeat"] + 5
            site.wait_for(functools.partial(_has_beaten, site, beats), "five beats")
            assert (first.active, second.active, first.terms) == (True, False, 1)
            assert 0 <= site.row["worked_at"] <= _MOST_TIME_MS
    finally:
        loop._WARP.wall_ahead_ms = 0


def _has_beaten(site: _Site, beats: int) -> bool:
    return bool(site.row["heartbeat"] > beats)


@pytest.mark.parametrize("heartbeat", [0, 2**53 - 1])
def test_any_row_that_is_there_is_gone_on_from(site: _Site, heartbeat: int) -> None:
    site.databases.sb.insert(
        "Northd", heartbeat=heartbeat, patience=2**31 - 1, since=_MOST_TIME_MS, worked_at=7
    )
    northd = site.start()
    site.wait_for(lambda: northd.active, "it to be active")
    assert site.row["incarnation"] == northd.leadership.incarnation


@pytest.mark.parametrize(
    ("heartbeat", "after"), [(0, 1), (7, 8), (2**53 - 2, 2**53 - 1), (2**53 - 1, 1), (-5, 1)]
)
def test_the_number_of_the_next_beat(heartbeat: int, after: int) -> None:
    assert northd_row.find_next_heartbeat(heartbeat) == after
