"""Many chassis that go silent at once: what is lost there is held, told, and placed bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest

from ..lib import loop
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, count
from .svcctl import Svcctl

DEAD_AFTER_MS = 2000
NAMES = tuple(f"hv{number}" for number in range(1, 7))
LOST = NAMES[:3]
KEPT = NAMES[3:]


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of six chassis with a container each, held to the laws at the end."""
    logs.allow("chassis hv. is dead: its heartbeat stopped")
    logs.allow("3( of 6)? chassis went silent at once, hv1 .and 2 more. among them; what is lost")
    made = Scenario(databases, logs)
    made.add_chassis(*NAMES)
    made.nb.insert("SVC_Global")
    set_options(made)
    made.add_services(6, group=made.add_group("all", policy="least"))
    made.settle()
    assert count(made.list_places()) == dict.fromkeys(NAMES, 1)
    yield made
    made.laws()
    made.northd.close()


def set_options(cloud: Scenario, **options: str) -> None:
    cloud.set_options(heartbeat_interval="500", chassis_dead_after=str(DEAD_AFTER_MS), **options)


def kill(cloud: Scenario, *names: str) -> None:
    for name in names:
        cloud.chassis[name].alive = False
    cloud.pass_time(DEAD_AFTER_MS + 500)


def until(cloud: Scenario, condition: Callable[[], bool], what: str) -> None:
    """Lets time pass until 'condition' holds."""
    for _ in range(60):
        if condition():
            return
        cloud.pass_time(500)
    raise AssertionError(f"waited in vain for {what}")


def list_marks(cloud: Scenario) -> dict[str, str]:
    marks = {row["chassis"]: row["mass_failure"] for row in cloud.sb.rows("Chassis_Weight")}
    return {name: mark for name, mark in marks.items() if mark != ["set", []]}


def read_root(cloud: Scenario) -> tuple[object, int]:
    row = cloud.find(cloud.nb, "SVC_Global")
    held = row["mass_failure_cfg"]
    return (None if held == ["set", []] else held), row["failover_cfg"]


def list_lost(cloud: Scenario) -> list[str]:
    return sorted(name for name, place in cloud.list_places().items() if place in LOST)


def test_new_places_are_held_and_that_is_told_until_the_time_is_over(
    cloud: Scenario, logs: Logs
) -> None:
    before = cloud.list_places()
    set_options(cloud, mass_failure_hold="3600000")
    kill(cloud, *LOST)
    assert cloud.list_places() == before
    lost = list_lost(cloud)
    assert len(lost) == 3
    row = cloud.show(lost[0])
    assert row["status_code"] == "error"
    assert row["status_message"].startswith(
        f"chassis {before[lost[0]]} is dead, and many others with it; no new place before 20"
    )
    assert row["status_message"].endswith("Z or 'svcctl failover-now'")
    assert list_marks(cloud) == dict.fromkeys(LOST, "held")
    assert read_root(cloud) == (1, 0)
    said = "3 of 6 chassis went silent at once, hv1 (and 2 more) among them; what is lost there"
    assert logs.count(said) == 1
    cloud.wait_for(
        lambda: cloud.find(cloud.sb, "Northd")["problem"].startswith(said), "it to be told"
    )
    told = Svcctl(cloud.databases)("status")
    assert f"svc-northd: {said}" in told.stdout
    assert told.status == 2
    # Whoever is not lost there is placed as ever.
    [newcomer] = cloud.add_services(1, first=20)
    cloud.settle()
    assert cloud.list_places()[newcomer] in KEPT
    cloud.hold_recompute()
    set_options(cloud, mass_failure_hold="100", mass_failure_rate="10000")
    until(cloud, lambda: not list_lost(cloud), "new places")
    until(cloud, lambda: not list_marks(cloud), "the end of it")
    assert read_root(cloud) == (None, 0)
    until(cloud, lambda: cloud.message(lost[0]) == "as told", "the chassis to follow")
    history = cloud.list_history(lost[0])
    assert history[-1][2] == f"chassis {before[lost[0]]} is dead"
    assert logs.count("mass failure: 100 ms are over; what is lost gets new places") == 1


def test_the_operator_ends_it_and_a_later_one_is_held_anew(cloud: Scenario, logs: Logs) -> None:
    logs.allow("3 of 3 chassis went silent at once")
    kill(cloud, *LOST)
    cloud.nb.update("SVC_Global", [], failover_cfg=1)
    cloud.settle()
    cloud.pass_time(1000)
    assert list_lost(cloud) == []
    assert logs.count("mass failure: the operator said failover-now") == 1
    places = cloud.list_places()
    kill(cloud, *KEPT)
    assert read_root(cloud) == (2, 1)
    assert cloud.list_places() == places


def test_those_that_are_heard_again_have_what_they_had(cloud: Scenario) -> None:
    before, warm = cloud.list_places(), add_warm(cloud)
    kill(cloud, *LOST)
    for name in LOST:
        cloud.chassis[name].alive = True
    cloud.pass_time(1000)
    places = cloud.list_places()
    assert {name: places[name] for name in before} == before
    assert list_warm(cloud, *warm) == [("hv6", ("hv1",))] * 2
    assert list_marks(cloud) == {}
    assert read_root(cloud) == (None, 0)
    assert all(len(cloud.list_history(name)) == 1 for name in before)


def test_places_come_at_a_bounded_rate(cloud: Scenario) -> None:
    cloud.add_services(12, first=10)
    set_options(cloud, mass_failure_hold="3600000", mass_failure_rate="2")
    cloud.settle()
    kill(cloud, *LOST)
    lost = list_lost(cloud)
    assert len(lost) == 9
    cloud.nb.update("SVC_Global", [], failover_cfg=1)
    turn = "waits for its turn to get a new place"
    cloud.wait_for(lambda: cloud.message(lost[-1]).endswith(turn), "the last to be told")
    assert set(list_marks(cloud).values()) == {"paced"}
    left = [(loop.monotonic_ms(), len(list_lost(cloud)))]
    while left[-1][1]:
        cloud.pass_time(500)
        left.append((loop.monotonic_ms(), len(list_lost(cloud))))
    for (since_ms, before), (until_ms, after) in combinations(left, 2):
        assert before - after <= 2 * (until_ms - since_ms) / 1000 + 2
    until(cloud, lambda: not list_marks(cloud), "the end of it")


def test_a_connection_that_breaks_again_and_again_makes_no_hold_longer(
    cloud: Scenario, logs: Logs
) -> None:
    logs.allow("Broken pipe")
    set_options(cloud, mass_failure_hold="5000")
    kill(cloud, *LOST)
    assert set(list_marks(cloud).values()) == {"held"}
    for _ in range(10):
        cloud.pass_time(1500)
        if not list_lost(cloud):
            break
        cloud.databases.sb.stop()
        cloud.databases.sb.start()
        cloud.settle()
    assert list_lost(cloud) == []


def test_rows_of_chassis_that_do_not_exist_hold_nobody(cloud: Scenario) -> None:
    """As others insert them, and as they are in a southbound that was restored."""

    def forge(first: int) -> None:
        for number in range(first, first + 5):
            mark = {"alive": False, "since": 1, "mass_failure": "held"}
            cloud.sb.insert("Chassis_Weight", chassis=f"x{number}", **mark)

    forge(0)
    cloud.settle()
    kill(cloud, "hv1")
    assert "hv1" not in cloud.list_places().values()
    cloud.northd.close()
    forge(10)
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert read_root(cloud) == (None, 0)
    kill(cloud, "hv2")
    assert "hv2" not in cloud.list_places().values()
    assert list_marks(cloud) == {}


def test_one_that_dies_alone_is_not_slowed(cloud: Scenario) -> None:
    set_options(cloud, mass_failure_rate="1")
    kill(cloud, "hv1")
    assert "hv1" not in cloud.list_places().values()
    assert list_marks(cloud) == {}


def test_a_svc_northd_that_is_started_meanwhile_holds_them_too(cloud: Scenario) -> None:
    before = cloud.list_places()
    kill(cloud, *LOST)
    cloud.northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    cloud.pass_time(2 * DEAD_AFTER_MS)
    assert cloud.list_places() == before
    assert list_marks(cloud) == dict.fromkeys(LOST, "held")
    assert read_root(cloud) == (1, 0)
    # What was said while none ran counts.
    cloud.northd.close()
    cloud.nb.update("SVC_Global", [], failover_cfg=1)
    cloud.northd = cloud.start_northd()
    cloud.settle()
    cloud.pass_time(1000)
    assert list_lost(cloud) == []


def test_one_that_stands_by_knows_it(cloud: Scenario) -> None:
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    before = cloud.list_places()
    for name in LOST:
        cloud.chassis[name].alive = False
    for _ in range(6):
        loop.warp(500)
        cloud.settle(cloud.northd, second)
    assert list_marks(cloud) == dict.fromkeys(LOST, "held")
    cloud.northd.close()
    cloud.northd = second
    cloud.settle()
    cloud.pass_time(2 * DEAD_AFTER_MS)
    assert cloud.list_places() == before
    assert read_root(cloud) == (1, 0)


def add_warm(cloud: Scenario) -> tuple[str, str]:
    """Adds a container on hv1 that stands by on hv6, and one for which that is reversed."""
    where = cloud.add_chassis_group("some", "hv1", "hv6")
    group = cloud.add_group("warm", {"standby": "1"}, chassis_group=where)
    served, ready = cloud.add_services(2, first=30, group=group)
    cloud.settle()
    for name, chassis in ((served, "hv1"), (ready, "hv6")):
        if cloud.look(name).active != chassis:
            cloud.migrate(name, chassis)
    cloud.settle()
    assert list_warm(cloud, served, ready) == [("hv1", ("hv6",)), ("hv6", ("hv1",))]
    # There is another chassis for a standby.
    cloud.nb.update("Chassis_Group", [], chassis=["set", ["hv1", "hv5", "hv6"]])
    cloud.settle()
    return served, ready


def list_warm(cloud: Scenario, *names: str) -> list[tuple[str | None, tuple[str, ...]]]:
    return [(cloud.look(name).active, cloud.look(name).standby) for name in names]


def test_a_standby_takes_over_at_once_and_none_is_built_instead(cloud: Scenario) -> None:
    names = add_warm(cloud)
    kill(cloud, *LOST)
    assert list_warm(cloud, *names) == [("hv6", ("hv1",))] * 2
    assert all(cloud.look(name).serving for name in names)
    assert len(list_lost(cloud)) == 3
    cloud.nb.update("SVC_Global", [], failover_cfg=1)
    cloud.settle()
    assert list_warm(cloud, *names) == [("hv6", ("hv5",))] * 2


def test_a_chassis_of_it_without_a_key_is_of_it_no_more(cloud: Scenario) -> None:
    kill(cloud, *LOST)
    cloud.sb.update("Chassis", [["name", "==", "hv1"]], public_key=["set", []])
    cloud.settle()
    until(cloud, lambda: sorted(list_marks(cloud)) == ["hv2", "hv3"], "it to be forgotten")
    until(cloud, lambda: "hv1" not in cloud.list_places().values(), "a new place")


def test_a_chassis_of_it_that_is_gone_for_good_holds_nothing(cloud: Scenario) -> None:
    before = cloud.list_places()
    kill(cloud, *LOST)
    for table in ("Chassis", "Chassis_Private"):
        cloud.sb.delete(table, [["name", "==", "hv1"]])
    del cloud.chassis["hv1"]
    cloud.settle()
    places = cloud.list_places()
    assert {name for name in before if before[name] != places[name]} == {
        name for name, place in before.items() if place == "hv1"
    }
    assert list_marks(cloud) == dict.fromkeys(("hv2", "hv3"), "held")
