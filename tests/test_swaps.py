"""Containers that wait for each other's place: one of each circle is squeezed in."""

from __future__ import annotations

from dataclasses import replace

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
from .placements import idle, on

ENFORCED = MoveRules(enforce_limit=True)
both = pytest.mark.parametrize("rules", [MoveRules(), ENFORCED])


def _pinned(name: str, chassis: str) -> Request:
    return Request(name, "ipsec", requested_chassis=chassis)


def _coming(chassis: str, ready: bool = False) -> Place:
    return Place(chassis, STANDBY, ready=ready, serving=False)


def _full(count: int, limit: int = 1) -> list[Candidate]:
    return idle(*[1] * count, limit=limit)


@both
def test_two_that_are_pinned_to_each_others_chassis_swap(rules: MoveRules) -> None:
    wanted, cloud = [_pinned("vpn-a", "hv2"), _pinned("vpn-b", "hv1")], _full(2)
    b = on("hv2")

    def plan(places: dict[str, tuple[Place, ...]]) -> Schedule:
        return schedule(wanted, cloud, places, {}, rules)

    first = plan({"vpn-a": on("hv1"), "vpn-b": b})
    assert first.chassis == {"vpn-a": "hv1", "vpn-b": "hv2"}
    assert first.standby == {"vpn-a": ("hv2",)}
    assert first.reasons["vpn-a"] == (
        "chassis hv1 is not hv2, to which it is pinned; it moves to hv2"
    )
    # It goes on where the chassis is over its limit for the sake of it.
    assert plan({"vpn-a": (Place("hv1"), _coming("hv2")), "vpn-b": b}) == first
    turned = plan({"vpn-a": (Place("hv1"), _coming("hv2", ready=True)), "vpn-b": b})
    assert turned.chassis == {"vpn-a": "hv2", "vpn-b": "hv2"}
    assert turned.standby == {"vpn-a": ("hv1",)}
    starting = (Place("hv2", ready=False, serving=False), _coming("hv1", ready=True))
    assert plan({"vpn-a": starting, "vpn-b": b}).standby == {"vpn-a": ("hv1",)}
    # Its old place goes, and in the same plan the other one gets it, so that nobody else can.
    handed = plan({"vpn-a": (Place("hv2"), _coming("hv1", ready=True)), "vpn-b": b})
    assert handed.chassis == {"vpn-a": "hv2", "vpn-b": "hv2"}
    assert handed.standby == {"vpn-b": ("hv1",)}
    assert plan({"vpn-a": on("hv2"), "vpn-b": on("hv2", "hv1")}).chassis["vpn-b"] == "hv1"
    assert plan({"vpn-a": on("hv2"), "vpn-b": on("hv1")}).standby == {}


@both
def test_a_circle_of_three_is_closed(rules: MoveRules) -> None:
    wanted = [_pinned("vpn-a", "hv2"), _pinned("vpn-b", "hv3"), _pinned("vpn-c", "hv1")]
    places = {"vpn-a": on("hv1"), "vpn-b": on("hv2"), "vpn-c": on("hv3")}
    plan = schedule(wanted, _full(3), places, {}, rules)
    assert plan.standby == {"vpn-a": ("hv2",)}
    plan = schedule(wanted, _full(3), places | {"vpn-a": on("hv2")}, {}, rules)
    assert plan.standby == {"vpn-c": ("hv1",)}


def test_one_that_failed_and_serves_from_nowhere_swaps_too() -> None:
    wanted, cloud = [_pinned("vpn-a", "hv1"), _pinned("vpn-b", "hv2")], _full(2)
    failed = Place("hv2", ready=False, serving=False, failure="no charon")
    avoided = {("vpn-a", "hv2"): Avoidance("no charon", 60_000)}
    places = {"vpn-a": (failed,), "vpn-b": on("hv1")}
    plan = schedule(wanted, cloud, places, avoided)
    assert plan.standby == {"vpn-a": ("hv1",)}
    assert plan.reasons["vpn-a"] == "it failed on hv2: no charon; it moves to hv1"
    plan = schedule(wanted, cloud, places | {"vpn-a": (failed, _coming("hv1"))}, avoided)
    assert plan.chassis == {"vpn-a": "hv1", "vpn-b": "hv1"}
    places = {"vpn-a": (Place("hv1", serving=False),), "vpn-b": on("hv1")}
    assert schedule(wanted, cloud, places, avoided).standby == {"vpn-b": ("hv2",)}


def test_who_gets_no_new_place_for_a_problem_opens_no_circle() -> None:
    wanted = [_pinned("vpn-a", "hv2"), _pinned("vpn-b", "hv1")]
    wanted = [replace(each, problem="policy x is not known") for each in wanted]
    places = {"vpn-a": on("hv1"), "vpn-b": on("hv2")}
    assert schedule(wanted, _full(2), places).standby == {}


def test_circles_on_the_same_chassis_are_closed_one_after_the_other() -> None:
    wanted = [_pinned(f"vpn-a{n}", "hv2") for n in (1, 2)]
    wanted += [_pinned(f"vpn-b{n}", "hv1") for n in (1, 2)]
    places = {each.name: on("hv1" if "a" in each.name else "hv2") for each in wanted}
    plan = schedule(wanted, _full(2, limit=2), places)
    assert plan.standby == {"vpn-a1": ("hv2",)}
    two = [*_full(2, limit=2), *idle(1, 1, 1, 1, limit=1)[2:]]
    wanted += [_pinned("vpn-c", "hv4"), _pinned("vpn-d", "hv3")]
    places |= {"vpn-c": on("hv3"), "vpn-d": on("hv4")}
    assert schedule(wanted, two, places).standby == {"vpn-a1": ("hv2",), "vpn-c": ("hv4",)}


def test_groups_swap_as_pins_do_and_through_those_that_may_go_to_either() -> None:
    wanted = [
        Request("vpn-a", "ipsec", chassis_group=frozenset({"hv2", "hv3"})),
        Request("vpn-b", "ipsec", chassis_group=frozenset({"hv1", "hv3"})),
        Request("vpn-c", "ipsec", chassis_group=frozenset({"hv3"})),
    ]
    places = {"vpn-a": on("hv1"), "vpn-b": on("hv2"), "vpn-c": on("hv3")}
    assert schedule(wanted, _full(3), places).standby == {"vpn-a": ("hv2",)}


def test_a_row_of_those_that_wait_is_no_circle() -> None:
    wanted = [_pinned("vpn-a", "hv2"), Request("vpn-b", "ipsec")]
    plan = schedule(wanted, _full(2), {"vpn-a": on("hv1"), "vpn-b": on("hv2")})
    assert plan.standby == {}
    assert plan.reasons["vpn-a"] == (
        "chassis hv1 is not hv2, to which it is pinned, but no chassis can run it: it is pinned to"
        " hv2, which is full (limit 1) (svcctl container-unpin vpn-a)"
    )


def test_a_chassis_that_is_over_its_limit_is_in_no_circle() -> None:
    wanted = [_pinned("vpn-a", "hv2"), _pinned("vpn-b", "hv1")]
    places = {"vpn-a": on("hv1"), "vpn-b": on("hv2")}
    for limits in ((0, 1), (1, 0)):
        cloud = [replace(c, limit=n) for c, n in zip(_full(2), limits, strict=True)]
        assert schedule(wanted, cloud, places).standby == {}


def test_those_that_are_too_many_do_not_swap() -> None:
    # Each chassis would have one too many afterwards, too.
    wanted = [Request(f"vpn-{n}", "ipsec") for n in range(4)]
    places = {each.name: on(f"hv{n % 2 + 1}") for n, each in enumerate(wanted)}
    plan = schedule(wanted, _full(2), places, {}, ENFORCED)
    assert plan.standby == {}
    assert len(plan.reasons) == 2


def test_while_ovn_does_not_follow_no_circle_is_opened() -> None:
    wanted = [_pinned("vpn-a", "hv2"), _pinned("vpn-b", "hv1")]
    places = {"vpn-a": on("hv1"), "vpn-b": on("hv2")}
    assert schedule(wanted, _full(2), places, {}, MoveRules(held=True)).standby == {}
