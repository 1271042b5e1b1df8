"""Moves step by step, requests to migrate, and the sentences that go with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ..northd.scheduler.model import (
    STANDBY,
    Avoidance,
    Candidate,
    MoveRules,
    Place,
    Request,
    Schedule,
)
from ..northd.scheduler.schedule import schedule
from .placements import burst, idle, on

VPN = "vpn-00000"
UNTOLD = Avoidance("no charon", 0)


def _request(**columns: Any) -> Request:
    return replace(burst(1)[0], **columns)


def _change(number: int, cloud: list[Candidate], **columns: Any) -> list[Candidate]:
    """Returns 'cloud' with the chassis of that number changed."""
    cloud = list(cloud)
    cloud[number - 1] = replace(cloud[number - 1], **columns)
    return cloud


def _coming(chassis: str, ready: bool = False) -> Place:
    return Place(chassis, STANDBY, ready=ready, serving=False)


def _where(plan: Schedule) -> tuple[str | None, tuple[str, ...]]:
    return plan.chassis.get(VPN), plan.standby.get(VPN, ())


# -- a planned move --------------------------------------------------------------


def test_a_planned_move_makes_before_it_breaks() -> None:
    wanted, cloud = burst(1), _change(1, idle(1, 1), weight=0)
    here = Place("hv1")
    plan = schedule(wanted, cloud, {VPN: (here,)})
    assert _where(plan) == ("hv1", ("hv2",))
    assert plan.reasons == {VPN: "chassis hv1 is of weight 0; it moves to hv2"}
    assert plan.causes == {}
    assert schedule(wanted, cloud, {VPN: (here, _coming("hv2"))}) == plan
    plan = schedule(wanted, cloud, {VPN: (here, _coming("hv2", ready=True))})
    assert _where(plan) == ("hv2", ("hv1",))
    assert (plan.reasons, plan.causes) == ({}, {VPN: "chassis hv1 is of weight 0"})
    turned = (Place("hv2", ready=False, serving=False), _coming("hv1"))
    plan = schedule(wanted, cloud, {VPN: turned})
    assert _where(plan) == ("hv2", ("hv1",))
    plan = schedule(wanted, cloud, {VPN: (Place("hv2"), _coming("hv1", ready=True))})
    assert plan == Schedule({VPN: "hv2"})


def test_a_target_that_fails_is_left_for_another() -> None:
    cloud = _change(1, idle(1, 1, 1), drain=True)
    failed = replace(_coming("hv2"), failure="no charon")
    avoided = {(VPN, "hv2"): Avoidance("no charon", 1_000_000)}
    plan = schedule(burst(1), cloud, {VPN: (Place("hv1"), failed)}, avoided)
    assert _where(plan) == ("hv1", ("hv3",))
    plan = schedule(burst(1), cloud[:2], {VPN: (Place("hv1"), failed)}, avoided)
    assert _where(plan) == ("hv1", ())
    assert plan.reasons == {
        VPN: "chassis hv1 is drained, but no chassis can run it: of 2 chassis 1 is avoided since"
        " it failed there (no charon); 1 is drained; hv2 is tried again at 1970-01-01T00:16:40Z"
    }
    assert plan.lost == frozenset()


def test_one_that_fails_after_the_turn_goes_back() -> None:
    cloud = _change(1, idle(1, 1, 1), drain=True)
    failed = Place("hv2", ready=False, serving=False, failure="no charon")
    places = {VPN: (failed, _coming("hv1", ready=True))}
    plan = schedule(burst(1), cloud, places, {(VPN, "hv2"): UNTOLD})
    assert _where(plan) == ("hv1", ())
    assert plan.causes == {VPN: "it failed on hv2: no charon"}


def test_a_target_whose_reason_is_gone_goes_too() -> None:
    places = {VPN: (Place("hv1"), _coming("hv2", ready=True))}
    assert schedule(burst(1), idle(1, 1), places) == Schedule({VPN: "hv1"})


def test_the_way_back_stays_open_when_the_new_place_is_to_be_left_too() -> None:
    cloud = _change(2, _change(1, idle(1, 1, 1), drain=True), drain=True)
    places = {VPN: (Place("hv2", serving=False), _coming("hv1", ready=True))}
    assert _where(schedule(burst(1), cloud, places)) == ("hv2", ("hv1", "hv3"))


@pytest.mark.parametrize("warm", [0, 1])
def test_a_drain_moves_so_many_at_a_time(warm: int) -> None:
    wanted = burst(5, standby=warm)
    places = {each.name: on("hv1", *["hv2"] * warm) for each in wanted}
    cloud = _change(1, idle(1, 1, 1), drain=True)
    plan = schedule(wanted, cloud, places, {}, MoveRules(drain_moves=2))
    waiting = [name for name in plan.reasons if "waits for its turn" in plan.reasons[name]]
    assert waiting == ["vpn-00002", "vpn-00003", "vpn-00004"]
    assert plan.reasons[waiting[0]] == "chassis hv1 is drained; it waits for its turn to move"
    assert set(plan.causes) == ({VPN, "vpn-00001"} if warm else set())


@pytest.mark.parametrize("change", [{"drain": True}, {"weight": 0}, {"stopping": True}])
def test_who_cannot_leave_keeps_its_standbys(change: dict[str, Any]) -> None:
    wanted = burst(2, standby=1)
    cloud = [replace(each, **change) for each in idle(1, 1, 1)]
    places = {each.name: on("hv1", "hv2") for each in wanted}
    plan = schedule(wanted, cloud, places)
    assert plan.chassis == dict.fromkeys(places, "hv1")
    assert plan.standby == dict.fromkeys(places, ("hv2",))
    assert all("but no chassis can run it" in each for each in plan.reasons.values())
    # With somewhere to go it goes; what it leaves behind goes with it.
    plan = schedule(wanted, [*cloud[:2], *idle(1, 1, 1)[2:]], places)
    assert plan.standby == dict.fromkeys(places, ("hv3",))
    # A standby that is not needed to stay does not keep its chassis from being drained.
    plan = schedule(wanted, [*idle(1), *cloud[1:2]], places)
    assert (plan.chassis, plan.standby) == (dict.fromkeys(places, "hv1"), {})


def test_a_wrong_pin_takes_no_standby_away() -> None:
    wanted = [_request(requested_chassis="hv9", standby=1)]
    plan = schedule(wanted, idle(1, 1), {VPN: on("hv1", "hv2")})
    assert _where(plan) == ("hv1", ("hv2",))


def test_those_where_it_may_be_stay_before_others() -> None:
    group = frozenset({"hv3"})
    wanted = [_request(chassis_group=group, standby=1, problem="policy x is not known")]
    plan = schedule(wanted, idle(1, 1, 1), {VPN: on("hv1", "hv2", "hv3")})
    assert _where(plan) == ("hv3", ("hv1", "hv2"))
    coming = replace(_coming("hv3"), failure="no charon")
    plan = schedule(wanted, idle(1, 1, 1), {VPN: (*on("hv1", "hv2"), coming)})
    assert _where(plan) == ("hv1", ("hv2",))


# -- what is lost ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"alive": False}, "dead"), ({"ovn_problem": "no ovs"}, "unfit (no ovs)")],
)
def test_with_no_other_place_a_container_that_is_lost_stays(
    change: dict[str, Any], reason: str
) -> None:
    cloud = _change(1, idle(1), **change)
    plan = schedule(burst(1), cloud, {VPN: on("hv1")})
    sentence = f"chassis hv1 is {reason}, and no chassis can run it: the only chassis is {reason}"
    assert plan == Schedule({VPN: "hv1"}, reasons={VPN: sentence}, lost=frozenset({VPN}))
    assert schedule(burst(1), cloud, {}).chassis == {}
    plan = schedule(burst(1), [*cloud, *idle(1, 1)[1:]], {VPN: on("hv1")})
    assert plan == Schedule({VPN: "hv2"}, causes={VPN: f"chassis hv1 is {reason}"})


def test_one_on_a_chassis_that_is_gone_has_no_place() -> None:
    plan = schedule(burst(1), _change(1, idle(1), drain=True), {VPN: on("hv9")})
    assert plan.chassis == {}
    assert plan.reasons[VPN].startswith("chassis hv9 is not registered, and no chassis can run it")


def test_the_dead_are_left_for_others() -> None:
    wanted = burst(4, "least")
    before = schedule(wanted, idle(1, 1), {}).chassis
    places = {name: on(where) for name, where in before.items()}
    after = schedule(wanted, _change(1, idle(1, 1, 1), alive=False), places).chassis
    assert sorted(after.values()) == ["hv2", "hv2", "hv3", "hv3"]
    assert all(after[name] == where for name, where in before.items() if where != "hv1")


def test_wrong_pin_does_not_end_what_runs() -> None:
    plan = schedule([_request(requested_chassis="hv9")], idle(3), {VPN: on("hv1")})
    assert plan.chassis == {VPN: "hv1"}
    assert plan.reasons[VPN] == (
        "chassis hv1 is not hv9, to which it is pinned, but it is pinned to hv9, which is not"
        f" registered (svcctl container-unpin {VPN})"
    )


# -- requests to migrate ---------------------------------------------------------------


def test_a_request_to_migrate_is_over_once_it_serves_there() -> None:
    wanted, cloud = [_request(migrate_chassis="hv2")], idle(1, 1)
    plan = schedule(wanted, cloud, {VPN: on("hv1")})
    assert (_where(plan), plan.migrations) == (("hv1", ("hv2",)), {})
    assert plan.reasons == {VPN: "migration to hv2 was asked for; it moves to hv2"}
    plan = schedule(wanted, cloud, {VPN: on("hv1", "hv2")})
    assert (_where(plan), plan.migrations) == (("hv2", ("hv1",)), {})
    assert plan.causes == {VPN: "migration to hv2 was asked for"}
    plan = schedule(wanted, cloud, {VPN: (Place("hv2", serving=False), _coming("hv1"))})
    assert (_where(plan), plan.migrations) == (("hv2", ("hv1",)), {})
    plan = schedule(wanted, cloud, {VPN: on("hv2", "hv1")})
    assert plan == Schedule({VPN: "hv2"}, migrations={VPN: "migrated to hv2"})


@pytest.mark.parametrize(
    ("request_", "change", "reason"),
    [
        ({}, {"name": "hv3"}, "not registered"),
        ({"requested_chassis": "hv1"}, {}, "not hv1, to which it is pinned"),
        ({"chassis_group": frozenset({"hv1"})}, {}, "not in the chassis group"),
        (
            {"port_chassis": frozenset({"hv1"})},
            {},
            "without a port of the port group that is up",
        ),
        ({}, {"service_types": frozenset()}, "without service type ipsec"),
        ({}, {"has_key": False}, "without a usable public key"),
        ({}, {"alive": False}, "dead"),
        ({}, {"ovn_problem": "no ovs"}, "unfit (no ovs)"),
        ({}, {"stopping": True}, "stopping"),
        ({}, {"weight": 0}, "of weight 0"),
        ({}, {"drain": True}, "drained"),
        ({"policy": "load"}, {"overloaded": True}, "under too much load"),
        ({}, {"limit": 0}, "full (limit 0)"),
    ],
)
def test_a_request_to_migrate_is_refused_with_the_reason(
    request_: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    wanted = [_request(migrate_chassis="hv2", **request_)]
    plan = schedule(wanted, _change(2, idle(1, 1), **change), {VPN: on("hv1")})
    assert plan == Schedule({VPN: "hv1"}, migrations={VPN: f"not migrated to hv2: it is {reason}"})


def test_a_migration_that_fails_goes_back_and_says_why() -> None:
    wanted, avoided = [_request(migrate_chassis="hv2")], {(VPN, "hv2"): UNTOLD}
    outcome = {VPN: "not migrated to hv2: it is avoided since it failed there (no charon)"}
    before = (Place("hv1"), replace(_coming("hv2"), failure="no charon"))
    plan = schedule(wanted, idle(1, 1, 1), {VPN: before}, avoided)
    assert plan == Schedule({VPN: "hv1"}, migrations=outcome)
    failed = Place("hv2", ready=False, serving=False, failure="no charon")
    turned = (failed, _coming("hv1", ready=True))
    plan = schedule(wanted, idle(1, 1, 1), {VPN: turned}, avoided)
    assert (_where(plan), plan.migrations) == (("hv1", ()), outcome)


def test_a_migration_to_where_it_died_is_not_done() -> None:
    wanted = [_request(migrate_chassis="hv1")]
    plan = schedule(wanted, _change(1, idle(1), alive=False), {VPN: on("hv1")})
    assert plan.migrations == {VPN: "not migrated to hv1: it is dead"}


# -- sentences --------------------------------------------------------------------------


def test_a_pin_to_a_chassis_that_is_not_there_has_its_words() -> None:
    plan = schedule([_request(requested_chassis="hv9")], idle(1, 1), {})
    assert plan.reasons == {
        VPN: f"it is pinned to hv9, which is not registered (svcctl container-unpin {VPN})"
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"service_types": frozenset()}, "without service type ipsec"),
        (
            {"service_types": frozenset(), "service_problems": {"ipsec": "no charon-systemd"}},
            "without service type ipsec (no charon-systemd)",
        ),
        ({"has_key": False}, "without a usable public key"),
        ({"alive": False}, "dead"),
        ({"ovn_problem": "no ovs"}, "unfit (no ovs)"),
        ({"stopping": True}, "stopping"),
        ({"weight": 0}, "of weight 0"),
        ({"drain": True}, "drained"),
        ({"limit": 0}, "full (limit 0)"),
    ],
)
def test_each_refusal_has_its_words(change: dict[str, Any], reason: str) -> None:
    plan = schedule([_request(requested_chassis="hv1")], _change(1, idle(1), **change), {})
    assert plan.reasons == {VPN: f"no chassis can run it: the only chassis is {reason}"}


def test_refusals_are_counted_the_most_frequent_first() -> None:
    cloud = _change(1, idle(1, 1, 1, 1, 1), alive=False)
    cloud = _change(3, _change(2, cloud, drain=True), drain=True)
    group = frozenset({"hv1", "hv2", "hv3", "hv5"})
    avoided = {(VPN, "hv5"): Avoidance("no charon", 5000), (VPN, "hv1"): UNTOLD}
    plan = schedule([_request(chassis_group=group)], cloud, {}, avoided)
    assert plan.reasons[VPN] == (
        "no chassis can run it: of 5 chassis 2 are drained; 1 is avoided since it failed there"
        " (no charon); 1 is dead; 1 is not in the chassis group; hv5 is tried again at"
        " 1970-01-01T00:00:05Z"
    )


def test_the_first_retry_is_told() -> None:
    avoided = {(VPN, "hv1"): Avoidance("a", 9000), (VPN, "hv2"): Avoidance("a", 4000)}
    reason = schedule(burst(1), idle(1, 1), {}, avoided).reasons[VPN]
    assert reason.endswith("; hv2 is tried again at 1970-01-01T00:00:04Z")


def test_no_chassis_at_all_and_an_empty_group_are_said() -> None:
    assert schedule(burst(1), [], {}).reasons == {VPN: "no chassis is registered"}
    plan = schedule([_request(chassis_group=frozenset())], idle(1, 1), {})
    assert plan.reasons == {VPN: "no chassis can run it: both chassis are not in the chassis group"}


def test_with_a_problem_it_gets_no_new_place_and_keeps_what_it_has() -> None:
    wanted = [_request(problem="policy x of group gold is not known")]
    assert schedule(wanted, idle(1), {}).reasons == {VPN: wanted[0].problem}
    assert schedule(wanted, idle(1), {VPN: on("hv1")}) == Schedule({VPN: "hv1"})


# -- size ----------------------------------------------------------------------------------


def test_a_great_cloud_is_planned() -> None:
    wanted, cloud = burst(2000), idle(*[1] * 100)
    before = schedule(wanted, cloud, {}).chassis
    places = {name: on(where) for name, where in before.items()}
    assert schedule(wanted, cloud, places) == Schedule(before)
    for number in range(1, 11):
        cloud = _change(number, cloud, alive=False)
    dead = {f"hv{number}" for number in range(1, 11)}
    after = schedule(wanted, cloud, places).chassis
    assert {name for name in after if after[name] != before[name]} == {
        name for name in before if before[name] in dead
    }
    assert not dead & set(after.values())
