"""Which chassis gets a container: shares, bursts, chance, load, failure domains, standbys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..northd.scheduler.model import Candidate, MoveRules, Place, Request, Schedule
from ..northd.scheduler.schedule import schedule
from .placements import MAX_WEIGHT, burst, idle, many, on

EVEN = ("least", "load", "weighted")


def _count(plan: Schedule) -> Counter[str]:
    return Counter(plan.chassis.values())


def _in_racks(racks: str, **columns: int) -> list[Candidate]:
    """Returns a chassis for each letter, in the rack of that name."""
    cloud = idle(*[1] * len(racks), **columns)
    return [replace(each, labels={"rack": rack}) for each, rack in zip(cloud, racks, strict=True)]


# -- weighted and least --------------------------------------------------------


@pytest.mark.parametrize("policy", EVEN)
def test_a_burst_on_two_idle_chassis_is_halved(policy: str) -> None:
    assert _count(schedule(burst(10, policy), idle(1, 1), {})) == {"hv1": 5, "hv2": 5}


@pytest.mark.parametrize("policy", EVEN)
def test_weights_are_shares(policy: str) -> None:
    got = _count(schedule(burst(8000, policy), idle(1, 3, 4), {}))
    for name, due in (("hv1", 1000), ("hv2", 3000), ("hv3", 4000)):
        assert abs(got[name] - due) <= due * 0.02


@pytest.mark.parametrize("policy", EVEN)
def test_great_weights_are_told_apart(policy: str) -> None:
    plan = schedule(burst(2, policy), idle(MAX_WEIGHT - 1, MAX_WEIGHT), {})
    assert list(plan.chassis.values()) == ["hv2", "hv1"]
    plan = schedule(burst(1000, policy), idle(1, MAX_WEIGHT), {})
    assert _count(plan) == {"hv2": 1000}


@many
@given(
    st.lists(st.integers(1, MAX_WEIGHT) | st.integers(1, 5), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from(EVEN),
)
def test_no_chassis_is_worse_off_than_a_container_less_would_make_another(
    weights: list[int], count: int, policy: str
) -> None:
    cloud = idle(*weights)
    got = _count(schedule(burst(count, policy), cloud, {}))
    for fuller in cloud:
        for emptier in cloud:
            # Exact, in integers: the last one placed on 'fuller' was not due to 'emptier'.
            assert got[fuller.name] * emptier.weight <= (got[emptier.name] + 1) * fuller.weight


@pytest.mark.parametrize(("other", "expected"), [("weighted", "hv2"), ("least", "hv1")])
def test_weighted_looks_at_all_that_are_placed_so_and_least_at_every_one(
    other: str, expected: str
) -> None:
    present = [Request(name, "ipsec", group="silver", policy=other) for name in ("vpn-a", "vpn-b")]
    places = {request.name: on("hv1") for request in present}
    for policy, place in (("least", "hv2"), ("weighted", expected)):
        newcomer = Request("vpn-new", "ipsec", group="gold", policy=policy)
        plan = schedule([*present, newcomer], idle(1, 1), places)
        assert plan.chassis["vpn-new"] == place


@pytest.mark.parametrize("policy", EVEN)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_shares_are_due_for_any_division_into_groups(policy: str, size: int) -> None:
    wanted = [replace(each, group=f"g{n // size}") for n, each in enumerate(burst(1000, policy))]
    got = _count(schedule(wanted, idle(1, 3, 4), {}))
    for name, due in (("hv1", 125), ("hv2", 375), ("hv3", 500)):
        assert abs(got[name] - due) <= due * 0.02


@many
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
    st.integers(0, 60),
    st.sampled_from(EVEN),
)
def test_no_division_into_groups_changes_who_goes_where(
    weights: list[int], groups: list[int], before: int, policy: str
) -> None:
    wanted, cloud = burst(len(groups), policy), idle(*weights)
    divided = [replace(each, group=f"g{n}") for each, n in zip(wanted, groups, strict=True)]
    expected = schedule(wanted, cloud, {})
    assert schedule(divided, cloud, {}) == expected
    # Nor does it when they come one after the other.
    places = {each.name: on(expected.chassis[each.name]) for each in wanted[:before]}
    assert schedule(divided, cloud, places).chassis == expected.chassis


def test_least_counts_standbys_and_weighted_does_not() -> None:
    places = {"vpn-00000": on("hv3", "hv1")}
    for policy, expected in (("least", "hv2"), ("weighted", "hv1")):
        wanted = burst(2, policy, standby=1)
        assert schedule(wanted, idle(1, 1, 1), places).chassis["vpn-00001"] == expected


def test_shares_are_made_up_for_as_containers_come() -> None:
    wanted = burst(6)
    before = schedule(wanted[:3], idle(1), {}).chassis
    places = {name: on(where) for name, where in before.items()}
    assert _count(schedule(wanted, idle(1, 1), places)) == {"hv1": 3, "hv2": 3}


# -- random -----------------------------------------------------------------------


def test_chance_is_in_proportion_to_the_weight() -> None:
    got = _count(schedule(burst(8000, "random"), idle(1, 3, 4), {}))
    for name, due in (("hv1", 1000), ("hv2", 3000), ("hv3", 4000)):
        assert abs(got[name] - due) <= due * 0.06


def test_chance_is_the_same_for_the_same_container_and_follows_few_chassis() -> None:
    wanted = burst(1000, "random")
    before = schedule(wanted, idle(*[1] * 9), {}).chassis
    after = schedule(wanted, idle(*[1] * 10), {}).chassis
    changed = [name for name in before if before[name] != after[name]]
    assert {after[name] for name in changed} == {"hv10"}
    assert 60 <= len(changed) <= 140


# -- load ---------------------------------------------------------------------------


def test_overloaded_chassis_get_nothing_by_load_and_keep_what_they_have() -> None:
    cloud = idle(1, 1)
    cloud[0] = replace(cloud[0], overloaded=True)
    plan = schedule(burst(4, "load"), cloud, {"vpn-00000": on("hv1")})
    assert _count(plan) == {"hv1": 1, "hv2": 3}
    assert plan.chassis["vpn-00000"] == "hv1"
    assert _count(schedule(burst(4, "least"), cloud, {})) == {"hv1": 2, "hv2": 2}
    alone = schedule(burst(1, "load"), cloud[:1], {})
    assert alone.reasons == {
        "vpn-00000": "no chassis can run it: the only chassis is under too much load"
    }


# -- spread ---------------------------------------------------------------------------


@many
@given(
    st.text("abc", min_size=1, max_size=6),
    st.integers(1, 12),
    st.sampled_from([*EVEN, "random"]),
)
def test_domains_are_even(racks: str, count: int, policy: str) -> None:
    plan = schedule(burst(count, policy, spread="rack"), _in_racks(racks), {})
    got = Counter(racks[int(where[2:]) - 1] for where in plan.chassis.values())
    numbers = [got[rack] for rack in set(racks)]
    assert max(numbers) - min(numbers) <= 1


def test_a_domain_that_is_full_gets_no_more() -> None:
    cloud = _in_racks("aab")
    cloud[2] = replace(cloud[2], limit=1)
    assert _count(schedule(burst(5, spread="rack"), cloud, {})) == {"hv1": 2, "hv2": 2, "hv3": 1}


def test_what_moves_leaves_its_domain_before_it_counts() -> None:
    # It leaves hv1, so rack a has none and rack b one.
    cloud = _in_racks("aba")
    cloud[0] = replace(cloud[0], weight=0)
    cloud[2] = replace(cloud[2], name="hv9")
    places = {"vpn-00000": on("hv1"), "vpn-00001": on("hv2")}
    plan = schedule(burst(2, spread="rack"), [*cloud, *_in_racks("bbb")[2:]], places)
    assert plan.standby == {"vpn-00000": ("hv9",)}


def test_chassis_without_the_label_are_one_domain() -> None:
    cloud = [*_in_racks("a"), *idle(1, 1, 1)[1:]]
    assert _count(schedule(burst(4, spread="rack"), cloud, {}))["hv1"] == 2


# -- standbys --------------------------------------------------------------------------


@many
@given(st.integers(1, 5), st.integers(0, 6), st.integers(1, 4))
def test_there_are_as_many_standbys_as_can_be(chassis: int, asked: int, count: int) -> None:
    wanted = burst(count, standby=asked)
    places = {request.name: on("hv1") for request in wanted}
    plan = schedule(wanted, idle(*[1] * chassis), places)
    assert plan.chassis == dict.fromkeys(places, "hv1")
    for request in wanted:
        standbys = plan.standby.get(request.name, ())
        assert len(standbys) == min(asked, chassis - 1)
        assert "hv1" not in standbys
        assert (request.name in plan.reasons) == (len(standbys) < asked)


def test_a_standby_waits_until_the_container_serves() -> None:
    wanted = burst(1, standby=1)
    assert schedule(wanted, idle(1, 1), {}).standby == {}
    places = {"vpn-00000": (Place("hv1", serving=False),)}
    assert schedule(wanted, idle(1, 1), places).standby == {}


def test_a_standby_is_in_another_domain_if_there_is_one() -> None:
    wanted = burst(1, standby=1, spread="rack")
    places = {"vpn-00000": on("hv1")}
    assert schedule(wanted, _in_racks("aab"), places).standby == {"vpn-00000": ("hv3",)}
    assert schedule(wanted, _in_racks("aaa"), places).standby == {"vpn-00000": ("hv2",)}


def test_standbys_that_are_too_many_go_those_ready_stay() -> None:
    active, *standbys = on("hv1", "hv2", "hv3")
    places = {"vpn-00000": (active, replace(standbys[0], ready=False), standbys[1])}
    plan = schedule(burst(1, standby=1), idle(1, 1, 1), places)
    assert plan.standby == {"vpn-00000": ("hv3",)}


def test_a_standby_that_is_ready_takes_over_and_another_follows_once_it_serves() -> None:
    wanted = burst(1, standby=2)
    active, *standbys = on("hv1", "hv2", "hv3")
    places = {"vpn-00000": (active, replace(standbys[0], ready=False), standbys[1])}
    cloud = idle(1, 1, 1, 1)
    cloud[0] = replace(cloud[0], alive=False)
    plan = schedule(wanted, cloud, places)
    assert plan.chassis == {"vpn-00000": "hv3"}
    assert plan.standby == {"vpn-00000": ("hv2",)}
    assert plan.causes == {"vpn-00000": "chassis hv1 is dead"}
    plan = schedule(wanted, cloud, {"vpn-00000": on("hv3", "hv2")})
    assert plan.standby == {"vpn-00000": ("hv2", "hv4")}


def test_a_warm_standby_stays_while_the_container_moves_elsewhere() -> None:
    wanted = [replace(each, migrate_chassis="hv3") for each in burst(1, standby=1)]
    plan = schedule(wanted, idle(1, 1, 1), {"vpn-00000": on("hv1", "hv2")})
    assert plan.chassis == {"vpn-00000": "hv1"}
    assert plan.standby == {"vpn-00000": ("hv2", "hv3")}


# -- limits that are enforced ------------------------------------------------------------


def test_the_surplus_goes_once_it_is_ready_elsewhere_and_no_more() -> None:
    cloud = idle(1, 1)
    cloud[0] = replace(cloud[0], limit=2)
    wanted = burst(5)
    places = {request.name: on("hv1") for request in wanted}
    settings = MoveRules(enforce_limit=True)
    surplus = ("vpn-00002", "vpn-00003", "vpn-00004")
    assert schedule(wanted, cloud, places).standby == {}
    plan = schedule(wanted, cloud, places, {}, settings)
    assert plan.chassis == dict.fromkeys(places, "hv1")
    assert plan.standby == {name: ("hv2",) for name in surplus}
    reason = "chassis hv1 is over its limit of 2; it moves to hv2"
    assert plan.reasons == dict.fromkeys(surplus, reason)
    places |= {name: on("hv1", "hv2") for name in surplus}
    plan = schedule(wanted, cloud, places, {}, settings)
    assert _count(plan) == {"hv1": 2, "hv2": 3}
    assert plan.standby == {name: ("hv1",) for name in surplus}
    places |= {name: on("hv2", "hv1") for name in surplus}
    plan = schedule(wanted, cloud, places, {}, settings)
    assert _count(plan) == {"hv1": 2, "hv2": 3}
    assert plan.standby == {}


def test_of_a_surplus_those_stay_that_may_go_nowhere_else() -> None:
    cloud = idle(1, 1)
    cloud[0] = replace(cloud[0], limit=1)
    free, pinned = burst(2)
    pinned = replace(pinned, requested_chassis="hv1")
    places = {free.name: on("hv1"), pinned.name: on("hv1")}
    plan = schedule([free, pinned], cloud, places, {}, MoveRules(enforce_limit=True))
    assert plan.standby == {free.name: ("hv2",)}


def test_of_two_that_are_over_their_limit_none_gives_to_the_other() -> None:
    plan = schedule(
        burst(1, standby=1),
        idle(1, 1, limit=0),
        {"vpn-00000": on("hv1", "hv2")},
        {},
        MoveRules(enforce_limit=True),
    )
    assert plan.chassis == {"vpn-00000": "hv1"}
    assert "over its limit of 0, but no chassis can run it" in plan.reasons["vpn-00000"]


def test_of_standbys_only_the_surplus_goes() -> None:
    cloud = idle(1, 1)
    cloud[1] = replace(cloud[1], limit=1)
    wanted = burst(3, standby=1)
    places = {request.name: on("hv1", "hv2") for request in wanted}
    plan = schedule(wanted, cloud, places, {}, MoveRules(enforce_limit=True))
    assert sum("hv2" in each for each in plan.standby.values()) == 1
    assert schedule(wanted, cloud, places).standby == dict.fromkeys(places, ("hv2",))
