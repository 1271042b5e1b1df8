"""Whose databases a svc-northd leads: one server for all, a wrong southbound, one that is away."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..lib import schema
from ..lib.northd_lock import SOUTHBOUND_KEY
from ..northd.leader import leadership, northbound_lock, pace, watch
from ..northd.northd import Northd
from .cloud import Cloud
from .logs import Logs
from .ovsdb import OVN_NORTHBOUND, Database, Databases, find_schema, wait_until

RELIEVED = "the active svc-northd, .* does nothing any more; relieving it"
LEFT = "leaving the lead to another svc-northd"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes beats, patience and absences short, so that no test waits for seconds."""
    monkeypatch.setattr(pace, "LEAST_PATIENCE_MS", 700)
    monkeypatch.setattr(watch, "LEAST_PATIENCE_MS", 700)
    monkeypatch.setattr(watch, "MOST_ABSENCE_MS", 300)
    monkeypatch.setattr(leadership, "BEAT_INTERVAL_MS", 50)
    monkeypatch.setattr(northbound_lock, "_PROBE_INTERVAL_MS", 50)


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2")
    yield made
    made.northd.close()


@pytest.fixture
def other(cloud: Cloud) -> Iterator[Database]:
    """The southbound of another cloud."""
    directory = cloud.databases.directory / "other"
    directory.mkdir()
    made = Database(directory, schema.SOUTHBOUND)
    yield made
    made.stop()


def _start(cloud: Cloud, southbound: str, ovn: str) -> Northd:
    """Returns another svc-northd of that cloud, with these two databases."""
    return Northd(cloud.nb.remote, southbound, ovn, cloud.ovn_sb_remote, halves=cloud.halves)


def _add_service(cloud: Cloud) -> None:
    cloud.add_router("tenant-router")
    cloud.add_connection(cloud.add_vpn("mercury", "tenant-router"), "to-venus")


def _run_until(cloud: Cloud, condition: Callable[[], Any], what: str, *northds: Northd) -> None:
    def stepped() -> Any:
        cloud.step(*northds)
        return condition()

    wait_until(stepped, what, 20.0)


def _run(condition: Callable[[], Any], what: str, *northds: Northd) -> None:
    """Runs svc-northds alone until 'condition' holds."""

    def ran() -> Any:
        for northd in northds:
            northd.run()
        return condition()

    wait_until(ran, what)


def _stands_by(northd: Northd) -> bool:
    return northd.leadership.standing_by


def _find_heartbeat(database: Database) -> int:
    return max((int(row["heartbeat"]) for row in database.rows("Northd")), default=0)


def _appctl(database: Database, *command: str) -> None:
    control = f"{database.directory}/{database.name}.ctl"
    subprocess.run(["ovs-appctl", "-t", control, *command], check=True)


# -- one server --------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Database]:
    """One server with the three databases."""
    made = Database(tmp_path, schema.SOUTHBOUND)
    for name in (schema.NORTHBOUND, OVN_NORTHBOUND):
        file = str(tmp_path / f"{name}.db")
        subprocess.run(["ovsdb-tool", "create", file, find_schema(name)], check=True)
        _appctl(made, "ovsdb-server/add-db", file)
    yield made
    made.stop()


def test_one_server_may_serve_all_databases(server: Database, logs: Logs) -> None:
    logs.allow(RELIEVED)
    logs.allow("/none: connection attempt failed")

    def start() -> Northd:
        nowhere = f"unix:{server.directory}/none"
        return Northd(server.remote, server.remote, server.remote, nowhere, halves={})

    first = start()
    _run(lambda: first.active, "the first to be active", first)
    first.close()
    second, third = start(), start()
    _run(lambda: second.active, "another life", second)
    both = (second, third)
    _run(lambda: second.settled and _stands_by(third), "the third to stand by", *both)
    assert not third.active
    second.close()
    _run(lambda: third.active, "the third to follow", third)
    third.close()
    assert logs.find_warnings() == []


# -- a wrong southbound ------------------------------------------------------


def _start_wrong(cloud: Cloud, other: Database) -> Northd:
    return _start(cloud, other.remote, cloud.ovn.remote)


def _live_once(cloud: Cloud, other: Database) -> None:
    """Lets a svc-northd with a wrong southbound live until it has said why it does nothing."""
    wrong = _start_wrong(cloud, other)
    beats = _find_heartbeat(other) + 5
    seen: set[tuple[bool, bool]] = set()

    def stepped() -> bool:
        seen.add((cloud.northd.active, wrong.active))
        told = [text for _, _, text in cloud.logs.messages if LEFT in text]
        return bool(told) and _find_heartbeat(other) > beats

    _run_until(cloud, stepped, "what it says, and some beats", cloud.northd, wrong)
    assert seen == {(True, False)}
    [told] = [text for _, _, text in cloud.logs.messages if LEFT in text]
    assert "OVN_Northbound is led by a svc-northd that has another southbound" in told
    wrong.close()


def test_one_with_a_wrong_southbound_harms_nobody_in_any_of_its_lives(
    cloud: Cloud, other: Database, logs: Logs
) -> None:
    logs.allow(LEFT)
    _add_service(cloud)
    cloud.settle()
    before = cloud.dump()
    for _ in range(3):
        logs.messages.clear()
        _live_once(cloud, other)
        assert cloud.find(other, "Northd")["since"] == 0, "it was never active"
        assert cloud.dump() == before
    cloud.laws()


def test_of_two_southbounds_the_one_that_came_first_leads_until_it_ends(
    cloud: Cloud, other: Database, logs: Logs
) -> None:
    logs.allow(LEFT)
    right = cloud.northd
    _run_until(cloud, lambda: right.settled, "the right one to have been active once", right)
    right.close()
    wrong = _start_wrong(cloud, other)
    _run_until(cloud, lambda: wrong.settled, "the wrong one to be active", wrong)
    for _ in range(2):
        right = cloud.start_northd()
        logs.messages.clear()
        _run_until(
            cloud,
            lambda: any(LEFT in text for _, _, text in logs.messages),
            "the right one to say why",
            wrong,
            right,
        )
        assert (wrong.active, right.active) == (True, False)
        right.close()
    cloud.northd = right = cloud.start_northd()
    wrong.close()
    _run_until(cloud, lambda: right.settled, "the right one to be active", right)
    wrong = _start_wrong(cloud, other)
    _run_until(cloud, lambda: wrong.ovn.contended, "the wrong one to wait", right, wrong)
    beats = _find_heartbeat(other) + 5
    _run_until(cloud, lambda: _find_heartbeat(other) > beats, "some beats", right, wrong)
    assert (right.active, wrong.active) == (True, False)
    wrong.close()
    cloud.laws()


def test_the_mark_of_the_southbound_comes_back(cloud: Cloud) -> None:
    cloud.settle()

    def find_marks() -> list[str | None]:
        roots = (cloud.nb.rows("SVC_Global"), cloud.ovn.rows("NB_Global"))
        ids = [dict(row["external_ids"][1]) for rows in roots for row in rows]
        return [each.get(SOUTHBOUND_KEY) for each in ids]

    southbound = cloud.find(cloud.sb, "Northd")["_uuid"][1]
    cloud.wait_for(lambda: find_marks() == [southbound, southbound], "the marks")
    cloud.nb.update("SVC_Global", [], external_ids=["map", [["a", "b"]]])
    cloud.ovn.update("NB_Global", [], external_ids=["map", [[SOUTHBOUND_KEY, "x"]]])
    cloud.wait_for(lambda: find_marks() == [southbound, southbound], "the marks again")
    assert ["a", "b"] in cloud.nb.rows("SVC_Global")[0]["external_ids"][1]
    cloud.laws()


# -- a northbound that is away -----------------------------------------------


def test_one_that_loses_a_northbound_gives_way_and_stands_by(cloud: Cloud, logs: Logs) -> None:
    logs.allow(LEFT)
    _add_service(cloud)
    own = f"punix:{cloud.databases.directory}/own.sock"
    _appctl(cloud.ovn, "ovsdb-server/add-remote", own)
    cloud.northd.close()
    first = _start(cloud, cloud.sb.remote, own[1:])
    second = cloud.northd = cloud.start_northd()
    _run_until(cloud, lambda: first.settled, "the first to be active", first)
    cloud.settle(first, second)
    before = cloud.dump(counts=False)
    _appctl(cloud.ovn, "ovsdb-server/remove-remote", own)
    _run_until(cloud, lambda: second.settled, "the second to take over", first, second)
    assert (first.active, _stands_by(first)) == (False, False), "it waits for nothing"
    assert first.leadership.trouble == "OVN_Northbound cannot be reached"
    # It can be reached again.
    _appctl(cloud.ovn, "ovsdb-server/add-remote", own)
    _run_until(cloud, lambda: _stands_by(first), "the first to take part again", first, second)
    assert (first.active, second.active) == (False, True)
    assert cloud.dump(counts=False) == before
    first.close()
    cloud.laws()


def test_nobody_leads_without_a_northbound_and_one_does_at_once_when_it_is_back(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow(LEFT)
    _add_service(cloud)
    cloud.settle()
    first, second = cloud.northd, cloud.start_northd()
    _run_until(cloud, lambda: _stands_by(second), "the second to stand by", first, second)
    cloud.settle(first, second)
    before = cloud.dump(counts=False)
    # Connections stay, and nobody answers.
    cloud.ovn.pause()
    _run(
        lambda: all(each.leadership.trouble for each in (first, second)),
        "both to give way",
        first,
        second,
    )
    assert not any(each.leadership.leading or _stands_by(each) for each in (first, second))
    beats = _find_heartbeat(cloud.sb)
    assert {first.leadership.trouble, second.leadership.trouble} == {
        "OVN_Northbound does not answer"
    }
    warnings = [text for _, _, text in logs.messages if LEFT in text]
    assert len(warnings) == 2, "each says it once"
    cloud.ovn.resume()
    _run_until(cloud, lambda: first.active or second.active, "one to lead again", first, second)
    assert _find_heartbeat(cloud.sb) > beats
    cloud.settle(first, second)
    assert cloud.dump(counts=False) == before
    cloud.northd, spare = (first, second) if first.active else (second, first)
    spare.close()
    cloud.laws()


def test_a_single_one_is_active_again_once_its_northbound_is(cloud: Cloud, logs: Logs) -> None:
    logs.allow(LEFT)
    _add_service(cloud)
    cloud.settle()
    before = cloud.dump()
    cloud.nb.stop()
    _run_until(cloud, lambda: not cloud.northd.leadership.leading, "it to give way", cloud.northd)
    cloud.nb.start()
    _run_until(cloud, lambda: cloud.northd.active, "it to be active again", cloud.northd)
    cloud.settle()
    after = cloud.dump()
    assert (after["sb"], after["ovn"]) == (before["sb"], before["ovn"])
    cloud.laws()


def test_one_that_never_reached_a_northbound_leaves_the_lead_to_others(
    cloud: Cloud, logs: Logs
) -> None:
    logs.allow("nope.sock: connection attempt failed")
    nowhere = f"unix:{cloud.databases.directory}/nope.sock"
    first = _start(cloud, cloud.sb.remote, nowhere)
    _run_until(cloud, lambda: first.nb.synced and first.sb.synced, "what it reaches", first)
    _run_until(cloud, lambda: cloud.northd.active, "the other", first, cloud.northd)
    assert not _stands_by(first)
    first.close()
    cloud.laws()
