"""Standbys make room for a container that has no other place, and for nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..northd.scheduler.model import STANDBY, Avoidance, MoveRules, Place, Request, Schedule
from ..northd.scheduler.schedule import schedule
from .placements import burst, idle, on

A, B, C = "vpn-00000", "vpn-00001", "vpn-00002"


def _pair(count: int = 1, **columns: object) -> list[Request]:
    """Returns requests that have a standby each."""
    return [replace(each, **columns) for each in burst(count, standby=1)]  # type: ignore[arg-type]


def test_the_standby_goes_and_finds_another_chassis_in_the_next_plan() -> None:
    wanted, cloud = [*_pair(), Request(C, "ipsec")], idle(1, 1, limit=1)
    plan = schedule(wanted, cloud, {A: on("hv1", "hv2")})
    assert plan == Schedule(
        {A: "hv1", C: "hv2"}, causes={C: "its first place"}, gone={A: frozenset({"hv2"})}
    )
    after = {A: on("hv1"), C: on("hv2")}
    plan = schedule(wanted, cloud, after)
    assert (plan.chassis, plan.standby, plan.gone) == ({A: "hv1", C: "hv2"}, {}, {})
    assert plan.reasons[A].startswith("it has too few standbys: no other chassis can hold it")
    assert schedule(wanted, idle(1, 1, 1, limit=1), after).standby == {A: ("hv3",)}


def test_with_another_place_no_standby_goes() -> None:
    wanted = [*_pair(), Request(C, "ipsec")]
    plan = schedule(wanted, idle(1, 1, 1, limit=1), {A: on("hv1", "hv2")})
    assert plan.chassis == {A: "hv1", C: "hv3"}
    assert plan.gone == {}


def test_who_could_go_elsewhere_does_before_a_standby_goes() -> None:
    # C came first and may be anywhere; then hv3 is all that is left for B.
    wanted = [*_pair(), Request("vpn-a", "ipsec"), Request("vpn-b", "ipsec")]
    wanted[2] = replace(wanted[2], chassis_group=frozenset({"hv3"}))
    plan = schedule(wanted, idle(1, 1, 1, 1, limit=1), {A: on("hv1", "hv2")})
    assert plan.chassis == {A: "hv1", "vpn-a": "hv4", "vpn-b": "hv3"}
    assert plan.gone == {}


def test_room_that_nobody_else_can_use_is_reached_over_another_one() -> None:
    # Only hv3 is open to B, which came there; it goes to hv2, where a standby gives way.
    wanted = [*_pair(), Request("vpn-b", "ipsec"), Request("vpn-c", "ipsec")]
    wanted[1] = replace(wanted[1], chassis_group=frozenset({"hv2", "hv3"}))
    wanted[2] = replace(wanted[2], chassis_group=frozenset({"hv3"}))
    plan = schedule(wanted, idle(1, 1, 1, limit=1), {A: on("hv1", "hv2")})
    assert plan.chassis == {A: "hv1", "vpn-b": "hv2", "vpn-c": "hv3"}
    assert plan.gone == {A: frozenset({"hv2"})}


def test_one_that_died_takes_the_room_of_a_standby() -> None:
    cloud = idle(1, 1, 1, limit=1)
    cloud[2] = replace(cloud[2], alive=False)
    plan = schedule([*_pair(), Request(C, "ipsec")], cloud, {A: on("hv1", "hv2"), C: on("hv3")})
    assert plan.chassis == {A: "hv1", C: "hv2"}
    assert plan.causes == {C: "chassis hv3 is dead"}
    assert plan.lost == frozenset()


@pytest.mark.parametrize(
    "columns",
    [
        {"requested_chassis": "hv2"},
        {"migrate_chassis": "hv2"},
        {"chassis_group": frozenset({"hv2"})},
    ],
)
def test_a_planned_move_takes_the_room_of_a_standby(columns: dict[str, object]) -> None:
    wanted = [*_pair(), Request(C, "ipsec", **columns)]  # type: ignore[arg-type]
    places = {A: on("hv1", "hv2"), C: on("hv3")}
    plan = schedule(wanted, idle(1, 1, 1, limit=1), places)
    assert plan.chassis == {A: "hv1", C: "hv3"}
    assert plan.standby == {C: ("hv2",)}
    assert plan.gone == {A: frozenset({"hv2"})}
    assert plan.migrations == {}


def test_a_planned_move_leaves_the_standby_of_another_one_alone() -> None:
    # Each would take where the other goes, and neither would arrive.
    wanted = [replace(each, standby=0, chassis_group=frozenset({"hv3"})) for each in _pair(2)]
    coming = Place("hv3", STANDBY, ready=False, serving=False)
    places = {A: (Place("hv1"), coming), B: on("hv2")}
    plan = schedule(wanted, idle(1, 1, 1, limit=1), places)
    assert (plan.standby, plan.gone) == ({A: ("hv3",)}, {})


def test_so_it_does_that_of_one_that_goes_for_a_limit() -> None:
    wanted = [*burst(1), Request(C, "ipsec", chassis_group=frozenset({"hv2"}))]
    cloud = idle(1, 1, 1, limit=1)
    cloud[0] = replace(cloud[0], limit=0)
    places = {A: on("hv1", "hv2"), C: on("hv3")}
    plan = schedule(wanted, cloud, places, {}, MoveRules(enforce_limit=True))
    assert (plan.chassis[A], plan.chassis[C], plan.gone) == ("hv2", "hv3", {})


def test_one_that_serves_from_nowhere_takes_where_another_one_was_to_move() -> None:
    wanted = [*_pair(), Request(C, "ipsec")]
    cloud = idle(1, 1, limit=1)
    cloud[0] = replace(cloud[0], drain=True)
    plan = schedule(wanted, cloud, {A: on("hv1", "hv2")})
    assert plan.chassis == {A: "hv1", C: "hv2"}
    assert plan.gone == {A: frozenset({"hv2"})}
    assert plan.reasons[A].startswith("chassis hv1 is drained, but no chassis can run it")


def test_the_way_back_of_one_that_does_not_serve_yet_stays() -> None:
    turned = (Place("hv1", serving=False), Place("hv2", STANDBY, serving=False))
    wanted = [*_pair(), Request(C, "ipsec")]
    plan = schedule(wanted, idle(1, 1, limit=1), {A: turned})
    assert (plan.chassis, plan.gone) == ({A: "hv1"}, {})
    assert plan.reasons[C] == "no chassis can run it: both chassis are full (limit 1)"


def test_so_do_those_of_one_that_fails_though_it_has_its_port() -> None:
    failing = (replace(Place("hv1"), failure="no charon"), Place("hv2", STANDBY, serving=False))
    wanted = [*_pair(), Request(C, "ipsec")]
    plan = schedule(wanted, idle(1, 1, limit=1), {A: failing}, {(A, "hv1"): Avoidance("x")})
    assert plan.gone == {}


def test_what_is_too_much_goes_first_then_where_most_stay() -> None:
    cloud = idle(1, 1, 1, 1, limit=2)
    cloud[3] = replace(cloud[3], alive=False)
    wanted = [*burst(2, standby=1), Request(C, "ipsec", chassis_group=frozenset({"hv2"}))]
    places = {A: on("hv1", "hv2", "hv3"), B: on("hv1", "hv2"), C: on("hv4")}
    assert schedule(wanted, cloud, places).gone == {A: frozenset({"hv2"})}
    wanted[0] = replace(wanted[0], standby=2)
    wanted[1] = replace(wanted[1], standby=2)
    assert schedule(wanted, cloud, places).gone == {A: frozenset({"hv2"})}
    wanted[1], places[B] = replace(wanted[1], standby=2), on("hv1", "hv2", "hv3")
    assert schedule(wanted, cloud, places).gone == {B: frozenset({"hv2"})}


@pytest.mark.parametrize(("limit", "gone"), [(0, 0), (1, 2), (2, 1)])
def test_as_many_go_as_must(limit: int, gone: int) -> None:
    cloud = idle(1, 1)
    cloud[1] = replace(cloud[1], limit=limit)
    wanted = [*_pair(2), Request(C, "ipsec", requested_chassis="hv2")]
    plan = schedule(wanted, cloud, {A: on("hv1", "hv2"), B: on("hv1", "hv2")})
    assert len(plan.gone) == gone
    assert (C in plan.chassis) == (gone > 0)


def test_room_that_a_standby_leaves_is_for_those_that_have_no_place() -> None:
    # The standby of A on hv2 goes since the chassis is avoided; B wants one, C has no place.
    failing = (replace(Place("hv1"), failure="x"), Place("hv2", STANDBY, serving=False))
    wanted = [replace(_pair(2)[0], standby=0), _pair(2)[1]]
    wanted.append(Request(C, "ipsec", requested_chassis="hv2"))
    cloud = [replace(each, limit=1 if each.name == "hv2" else 2) for each in idle(1, 1)]
    avoided = {(A, "hv1"): Avoidance("x"), (A, "hv2"): Avoidance("x")}
    plan = schedule(wanted, cloud, {A: failing, B: on("hv1")}, avoided)
    assert plan.standby == {}
    assert "which is full (limit 1)" in plan.reasons[C]
    after = {A: failing[:1], B: on("hv1")}
    assert schedule(wanted, cloud, after, avoided).chassis[C] == "hv2"


def test_a_limit_that_is_enforced_and_standbys_come_to_rest() -> None:
    cloud = [replace(each, limit=1) for each in idle(1, 1, 1)]
    wanted = [*_pair(), Request(B, "ipsec"), Request(C, "ipsec")]
    places = {A: on("hv1", "hv2"), B: on("hv3"), C: on("hv3")}
    plan = schedule(wanted, cloud, places, {}, MoveRules(enforce_limit=True))
    assert plan.gone == {A: frozenset({"hv2"})}
    assert plan.standby == {C: ("hv2",)}
