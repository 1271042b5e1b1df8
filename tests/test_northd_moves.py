"""Planned moves: made ready on another chassis before the one that serves is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .fakechassis import FakeChassis
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, View, count, run_scenario

Cause = Callable[[Scenario, str], None]


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


@pytest.fixture
def container(cloud: Scenario) -> str:
    """A container that serves from hv1."""
    (name,) = cloud.add_services(1)
    cloud.settle()
    assert cloud.look(name) == SERVING_FROM_HV1
    return name


SERVING_FROM_HV1 = View("hv1", ready=("hv1",), up=("hv1",), requested="hv1")
SERVING_FROM_HV2 = View("hv2", ready=("hv2",), up=("hv2",), requested="hv2")


def _refer_to_group(cloud: Scenario, *chassis: str) -> None:
    group = cloud.add_group("east", chassis_group=cloud.add_chassis_group("east", *chassis))
    cloud.nb.update("VPN_Service", [], group=group)


def _enforce_limit(cloud: Scenario, chassis: str, limit: int) -> None:
    cloud.set_options(enforce_container_limit="true")
    cloud.set_chassis(chassis, container_limit=limit)


CAUSES: dict[str, tuple[Cause, str]] = {
    "drain": (lambda cloud, _: cloud.set_chassis("hv1", drain=True), "chassis hv1 is drained"),
    "weight 0": (
        lambda cloud, _: cloud.set_chassis("hv1", container_weight=0),
        "chassis hv1 is of weight 0",
    ),
    "limit": (
        lambda cloud, _: _enforce_limit(cloud, "hv1", 0),
        "chassis hv1 is over its limit of 0",
    ),
    "pin": (
        lambda cloud, name: cloud.set_wish(name, requested_chassis="hv2"),
        "chassis hv1 is not hv2, to which it is pinned",
    ),
    "migrate": (
        lambda cloud, name: cloud.migrate(name, "hv2"),
        "migration to hv2 was asked for",
    ),
    "group": (
        lambda cloud, _: _refer_to_group(cloud, "hv2", "hv3"),
        "chassis hv1 is not in the chassis group",
    ),
    "stopping": (
        lambda cloud, _: cloud.chassis["hv1"].tell(stopping=True),
        "chassis hv1 is stopping",
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_move_step_by_step(cloud: Scenario, container: str, cause: str) -> None:
    begin, reason = CAUSES[cause]
    cloud.chassis["hv2"].slow = {container}
    begin(cloud, container)
    waiting = View("hv1", ("hv2",), ("hv1",), ("hv1",), "hv1")
    assert cloud.follow(container) == [SERVING_FROM_HV1, waiting]
    assert cloud.message(container) == f"as told; {reason}; it moves to hv2"
    cloud.chassis["hv2"].slow = set()
    cloud.chassis["hv2"].installs = False
    assert cloud.follow(container) == [
        waiting,
        View("hv1", ("hv2",), ("hv1", "hv2"), ("hv1",), "hv1"),
        View("hv2", ("hv1",), (), ("hv1",), requested="hv2"),
        View("hv2", ("hv1",), ("hv1", "hv2"), (), requested="hv2"),
    ]
    cloud.chassis["hv2"].installs = True
    assert cloud.follow(container) == [
        View("hv2", ("hv1",), ("hv1", "hv2"), (), requested="hv2"),
        View("hv2", ("hv1",), ("hv1", "hv2"), ("hv2",), requested="hv2"),
        SERVING_FROM_HV2,
    ]
    assert cloud.message(container) == "as told"
    assert cloud.list_history(container) == [(1, "hv1", "its first place"), (2, "hv2", reason)]


def test_target_that_fails_before_the_turn_is_avoided_for_another(
    cloud: Scenario, container: str
) -> None:
    cloud.chassis["hv2"].failing = {container: "no memory"}
    cloud.set_chassis("hv1", drain=True)
    views = cloud.follow(container)
    cloud.pass_time(1000)
    assert cloud.look(container) == View("hv1", ("hv2",), ("hv1",), ("hv1",), "hv1")
    cloud.warp(1500)
    views += cloud.follow(container)
    assert all(view.serving and view.active == "hv1" for view in views[:-1])
    assert views[-1] == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
    assert cloud.list_avoided(container)["hv2"]["reason"] == "no memory"


@pytest.mark.parametrize("failure", ["slow", "failing"])
def test_move_whose_only_target_fails_goes_on_later(
    cloud: Scenario, container: str, failure: str
) -> None:
    hv2 = cloud.chassis["hv2"]
    hv2.slow = {""} if failure == "slow" else set()
    hv2.failing = {} if failure == "slow" else {"": "no memory"}
    cloud.set_wish(container, requested_chassis="hv2")
    assert cloud.follow(container)[-1].standby == ("hv2",)
    cloud.warp(15_500)
    assert cloud.look(container) == SERVING_FROM_HV1
    why = "starting after 15 s (charon is being started)" if failure == "slow" else "no memory"
    message = cloud.message(container)
    assert message.startswith(
        "as told; chassis hv1 is not hv2, to which it is pinned, but no chassis can run it: it is"
        f" pinned to hv2, which is avoided since it failed there ({why})"
        f" (svcctl container-unpin {container});"
        " hv2 is tried again at "
    )
    hv2.slow, hv2.failing = set(), {}
    cloud.warp(15_000)
    assert cloud.look(container) == SERVING_FROM_HV2


@pytest.mark.parametrize("others", [True, False])
def test_target_that_fails_after_the_turn_is_left_again(
    cloud: Scenario, container: str, others: bool
) -> None:
    hv2: FakeChassis = cloud.chassis["hv2"]
    hv2.installs = False
    if others:
        cloud.set_chassis("hv1", drain=True)
    else:
        cloud.set_wish(container, requested_chassis="hv2")
    assert cloud.follow(container)[-1].active == "hv2"
    cloud.warp(8_000)
    assert cloud.look(container) == View("hv2", ("hv1",), ("hv1", "hv2"), (), "hv2")
    cloud.warp(7_500)
    failure = "OVN has not installed its port after 15 s"
    assert cloud.list_avoided(container)["hv2"]["reason"] == failure
    history = cloud.list_history(container)
    assert history[2] == (3, "hv1", f"it failed on hv2: {failure}")
    if others:
        assert cloud.look(container) == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
    else:
        assert cloud.look(container) == SERVING_FROM_HV1
        assert "hv2 is tried again at" in cloud.message(container)


def test_drain_moves_few_at_a_time_and_stops_when_it_is_taken_back(cloud: Scenario) -> None:
    cloud.set_chassis("hv2", drain=True)
    cloud.set_chassis("hv3", drain=True)
    names = cloud.add_services(6)
    cloud.settle()
    assert count(cloud.list_places()) == {"hv1": 6}
    for chassis in ("hv2", "hv3"):
        cloud.set_chassis(chassis, drain=False)
    cloud.set_chassis("hv1", drain=True)
    in_flight: list[int] = []
    left: list[int] = []

    def note() -> None:
        views = [cloud.look(name) for name in names]
        assert all(view.redirected for view in views)
        in_flight.append(sum("hv1" in view.standby or bool(view.standby) for view in views))
        left.append(sum(view.active != "hv1" for view in views))
        if left[-1] == 2:
            cloud.set_chassis("hv1", drain=False)

    cloud.walk(note)
    assert max(in_flight) == 2
    waiting = sorted(cloud.list_places())[-1]
    assert cloud.message(waiting) == "as told"
    assert left[-1] in (2, 4)
    assert count(cloud.list_places())["hv1"] == 6 - left[-1]
    cloud.set_chassis("hv1", drain=True)
    cloud.set_options(drain_moves="3")
    cloud.walk(note)
    assert max(in_flight) == 3


def test_container_that_waits_for_its_turn_says_so(cloud: Scenario) -> None:
    cloud.set_options(drain_moves="1")
    cloud.set_chassis("hv2", container_weight=0)
    cloud.set_chassis("hv3", container_weight=0)
    cloud.add_services(2)
    cloud.settle()
    cloud.set_chassis("hv2", container_weight=1)
    cloud.chassis["hv2"].slow = {""}
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    assert sorted(map(cloud.message, cloud.list_places())) == [
        "as told; chassis hv1 is drained; it moves to hv2",
        "as told; chassis hv1 is drained; it waits for its turn to move",
    ]
    cloud.chassis["hv2"].slow = set()
    cloud.settle()
    assert count(cloud.list_places()) == {"hv2": 2}


def test_a_drain_of_all_chassis_keeps_the_standbys(cloud: Scenario) -> None:
    (container,) = cloud.add_services(1, group=cloud.add_group("pair", {"standby": "1"}))
    cloud.settle()
    before = cloud.look(container)
    assert (before.active, before.standby) == ("hv1", ("hv2",))
    for name in ("hv1", "hv2", "hv3"):
        cloud.set_chassis(name, drain=True)
    assert cloud.follow(container) == [before]
    cloud.ovn_follows = False
    cloud.settle()
    assert cloud.look(container) == before
    cloud.ovn_follows = True
    cloud.set_chassis("hv3", drain=False)
    cloud.settle()
    assert (cloud.look(container).active, cloud.look(container).standby) == ("hv3", ())


def test_two_that_are_pinned_to_each_others_full_chassis_swap(cloud: Scenario) -> None:
    names = cloud.add_services(2)
    cloud.settle()
    places = cloud.list_places()
    assert sorted(places.values()) == ["hv1", "hv2"]
    for name in ("hv1", "hv2", "hv3"):
        cloud.set_chassis(name, container_limit=1)
    for name, other in (names, names[::-1]):
        cloud.set_wish(name, requested_chassis=places[other])
    most = 0

    def note() -> None:
        nonlocal most
        rows = cloud.sb.rows("Container_Binding")
        bound = [row["chassis"] for row in rows]
        # One place too many on one chassis, and the one that is left until the other serves.
        assert len(bound) <= 3
        most = max(most, *(bound.count(name) for name in bound))
        for name in names:
            view = cloud.look(name)
            assert view.redirected
            # Where OVN's port changes sides both places are there.
            assert view.serving or len([row for row in rows if row["container"] == name]) == 2

    cloud.walk(note)
    assert most == 2
    assert cloud.list_places() == {names[0]: places[names[1]], names[1]: places[names[0]]}
    assert [cloud.message(name) for name in names] == ["as told"] * 2


def test_weight_0_moves_all_at_once(cloud: Scenario) -> None:
    cloud.set_chassis("hv2", container_weight=0)
    cloud.set_chassis("hv3", container_weight=0)
    names = cloud.add_services(6)
    cloud.settle()
    cloud.set_chassis("hv2", container_weight=1)
    cloud.set_chassis("hv3", container_weight=2)
    cloud.set_chassis("hv1", container_weight=0)
    most = 0

    def note() -> None:
        nonlocal most
        views = [cloud.look(name) for name in names]
        most = max(most, sum(view.standby in (("hv2",), ("hv3",)) for view in views))

    cloud.walk(note)
    assert most == 6
    assert count(cloud.list_places()) == {"hv2": 2, "hv3": 4}


def test_limit_evicts_only_when_it_is_enforced(cloud: Scenario) -> None:
    cloud.add_services(6)
    cloud.settle()
    assert count(cloud.list_places()) == {"hv1": 2, "hv2": 2, "hv3": 2}
    before = cloud.list_places()
    cloud.set_chassis("hv1", container_limit=0)
    (late,) = cloud.add_services(1, first=6)
    cloud.settle()
    assert {name: cloud.list_places()[name] for name in before} == before
    assert cloud.list_places()[late] != "hv1"
    _enforce_limit(cloud, "hv1", 1)
    cloud.settle()
    counts = count(cloud.list_places())
    assert counts["hv1"] == 1
    assert sum(counts.values()) == 7
    assert cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")["problem"] == "full (limit 1)"


def test_pin_moves_and_unpin_moves_nothing(cloud: Scenario, container: str) -> None:
    cloud.set_wish(container, requested_chassis="hv3")
    cloud.settle()
    there = View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
    assert cloud.look(container) == there
    cloud.set_wish(container, requested_chassis=["set", []])
    assert cloud.follow(container) == [there]


def test_migration_is_done_once(cloud: Scenario, container: str) -> None:
    cloud.migrate(container, "hv3")
    cloud.settle()
    assert cloud.look(container).active == "hv3"
    row = cloud.find_wish(container)
    assert (row["migrate_cfg"], row["migrated_cfg"]) == (1, 1)
    assert row["migrate_status"] == "migrated to hv3"
    cloud.set_wish(container, migrate_chassis="hv1")
    cloud.settle()
    assert cloud.look(container).active == "hv3"


@pytest.mark.parametrize(
    ("chassis", "columns", "sentence"),
    [
        ("hv2", {"drain": True}, "it is drained"),
        ("hv2", {"container_weight": 0}, "it is of weight 0"),
        ("hv2", {"container_limit": 0}, "it is full (limit 0)"),
        ("nowhere", {}, "it is not registered"),
    ],
)
def test_migration_that_cannot_be_is_refused_in_words(
    cloud: Scenario, container: str, chassis: str, columns: dict[str, object], sentence: str
) -> None:
    cloud.set_chassis(chassis, **columns)
    cloud.migrate(container, chassis)
    assert cloud.follow(container) == [SERVING_FROM_HV1]
    row = cloud.find_wish(container)
    assert (row["migrated_cfg"], row["migrate_status"]) == (
        1,
        f"not migrated to {chassis}: {sentence}",
    )
    assert cloud.message(container) == "as told"


@pytest.mark.parametrize("after_the_turn", [True, False])
def test_migration_that_fails_goes_back(
    cloud: Scenario, container: str, after_the_turn: bool
) -> None:
    hv2 = cloud.chassis["hv2"]
    if after_the_turn:
        hv2.installs = False
    else:
        hv2.failing = {"": "no memory"}
    cloud.migrate(container, "hv2")
    cloud.settle()
    assert cloud.find_wish(container)["migrated_cfg"] == 0
    cloud.warp(15_500)
    assert cloud.look(container) == SERVING_FROM_HV1
    row = cloud.find_wish(container)
    why = "OVN has not installed its port after 15 s" if after_the_turn else "no memory"
    assert row["migrated_cfg"] == 1
    assert row["migrate_status"] == (
        f"not migrated to hv2: it is avoided since it failed there ({why})"
    )
    hv2.installs, hv2.failing = True, {}
    cloud.warp(700_000)
    assert cloud.look(container) == SERVING_FROM_HV1


def test_changes_in_the_middle_of_a_move_lose_nothing(cloud: Scenario, container: str) -> None:
    cloud.chassis["hv2"].slow = {""}
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    assert cloud.look(container).standby == ("hv2",)
    _refer_to_group(cloud, "hv1", "hv3")
    views = cloud.follow(container)
    assert all(
        view.redirected and (view.active == "hv1" or "hv1" in view.standby) for view in views[:-1]
    )
    assert views[-1] == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
    cloud.chassis["hv1"].slow = {""}
    cloud.set_chassis("hv1", drain=False)
    cloud.nb.update("Chassis_Group", [], chassis="hv1")
    cloud.settle()
    assert cloud.look(container).standby == ("hv1",)
    cloud.nb.update("Chassis_Group", [], chassis=["set", ["hv1", "hv3"]])
    assert cloud.follow(container)[-1] == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")


def test_cause_that_ends_in_the_middle_of_a_move_ends_the_move(
    cloud: Scenario, container: str
) -> None:
    cloud.chassis["hv2"].slow = {""}
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    cloud.set_chassis("hv1", drain=False)
    cloud.settle()
    assert cloud.look(container) == SERVING_FROM_HV1
    assert cloud.message(container) == "as told"


def test_origin_that_dies_in_the_middle_of_a_move(cloud: Scenario, container: str) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    cloud.chassis["hv2"].slow = {""}
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    cloud.chassis["hv1"].alive = False
    cloud.pass_time(6000)
    # Another one that is not slow is better, but none is as far as hv2.
    view = cloud.look(container)
    assert view.active in ("hv2", "hv3")
    cloud.chassis["hv2"].slow = set()
    cloud.settle()
    assert cloud.look(container).serving


def test_target_that_dies_in_the_middle_of_a_move(cloud: Scenario, container: str) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    cloud.chassis["hv2"].slow = {""}
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    cloud.chassis["hv2"].alive = False
    cloud.pass_time(6000)
    assert cloud.look(container) == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
