"""Where containers go: properties of the scheduler, and its sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ..northd.scheduler import UNLIMITED, Candidate, Plan, Request, explain, schedule

MAX_WEIGHT = 2**31 - 1
IPSEC = frozenset({"ipsec"})
NAMES = [f"hv{number}" for number in range(1, 4)]

healthy = st.builds(
    Candidate,
    name=st.sampled_from(NAMES),
    service_types=st.just(IPSEC),
    weight=st.integers(1, 4),
    limit=st.sampled_from([UNLIMITED, 1, 2]),
)
odd = st.builds(
    Candidate,
    name=st.sampled_from(NAMES),
    service_types=st.sampled_from([IPSEC, frozenset()]),
    weight=st.integers(0, MAX_WEIGHT),
    limit=st.sampled_from([UNLIMITED, 0]),
    drain=st.booleans(),
    alive=st.booleans(),
    has_key=st.booleans(),
)
clouds = st.lists(st.one_of(healthy, healthy, odd), max_size=3, unique_by=lambda each: each.name)
free = st.builds(
    Request,
    name=st.sampled_from([f"vpn-{number}" for number in range(8)]),
    service_type=st.just("ipsec"),
    group=st.sampled_from(["", "gold"]),
    policy=st.sampled_from(["least", "weighted"]),
)
picky = st.builds(
    Request,
    name=st.sampled_from([f"vpn-{number}" for number in range(8)]),
    service_type=st.sampled_from(["ipsec", "ipsec", "bgp"]),
    chassis_group=st.one_of(st.none(), st.frozensets(st.sampled_from(NAMES))),
    requested_chassis=st.sampled_from([None, *NAMES, "nowhere"]),
)
wishes = st.lists(st.one_of(free, picky), max_size=8, unique_by=lambda each: each.name)
places = st.dictionaries(
    st.sampled_from([f"vpn-{number}" for number in range(9)]),
    st.sampled_from([*NAMES, "gone"]),
    max_size=4,
)
many = settings(max_examples=400, deadline=None)


def _suits(request: Request, candidate: Candidate) -> bool:
    """Says for itself what the filters say: may 'request' run on 'candidate' at all?"""
    return (
        candidate.alive
        and candidate.has_key
        and not candidate.drain
        and candidate.weight > 0
        and request.service_type in candidate.service_types
        and request.requested_chassis in (None, candidate.name)
        and (request.chassis_group is None or candidate.name in request.chassis_group)
    )


def _idle(*weights: int) -> list[Candidate]:
    return [
        Candidate(name=f"hv{number}", service_types=IPSEC, weight=weight)
        for number, weight in enumerate(weights, start=1)
    ]


def _burst(count: int, policy: str) -> list[Request]:
    return [Request(f"vpn-{number:05}", "ipsec", policy=policy) for number in range(count)]


# -- properties ------------------------------------------------------------


@many
@given(wishes, clouds, places)
def test_new_places_are_on_chassis_that_suit(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    chassis = {each.name: each for each in cloud}
    assert plan.chassis.keys() <= {request.name for request in wanted}
    for request in wanted:
        where = plan.chassis.get(request.name)
        if where is None or _suits(request, chassis[where]):
            continue
        # Two exceptions: nowhere else to go, or no more than a new place needs is missing.
        assert where == before[request.name]
        able = replace(chassis[where], service_types=frozenset({request.service_type}))
        assert request.name in plan.reasons or _suits(request, replace(able, has_key=True))


@many
@given(wishes, clouds, places)
def test_limits_hold_for_new_places(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    count = Counter(plan.chassis.values())
    new = Counter(where for name, where in plan.chassis.items() if before.get(name) != where)
    for each in cloud:
        if each.limit != UNLIMITED and new[each.name]:
            assert count[each.name] <= each.limit


@many
@given(wishes, clouds, places)
def test_what_has_no_place_has_a_reason_and_no_room(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    count = Counter(plan.chassis.values())
    for request in wanted:
        assert request.name in plan.chassis or plan.reasons[request.name]
        if request.name in plan.reasons:
            for each in cloud:
                full = each.limit != UNLIMITED and count[each.name] >= each.limit
                assert full or not _suits(request, each)


@many
@given(wishes, clouds, places)
def test_what_is_fine_stays(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    chassis = {each.name: each for each in cloud}
    for request in wanted:
        where = before.get(request.name)
        if where in chassis and _suits(request, chassis[where]):
            assert plan.chassis[request.name] == where
            assert request.name not in plan.reasons


@many
@given(wishes, clouds, places)
def test_a_plan_that_was_carried_out_moves_nothing(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    assert schedule(wanted, cloud, plan.chassis) == plan


@many
@given(wishes, clouds, places)
def test_the_order_of_rows_does_not_matter(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    # All of one weight, so that there are ties to settle.
    cloud = [replace(each, weight=1) for each in cloud]
    plan = schedule(wanted, cloud, before)
    assert schedule(wanted[::-1], cloud[::-1], dict(reversed(before.items()))) == plan


@many
@given(wishes, clouds, places)
def test_pinned_containers_get_their_place_first(
    wanted: list[Request], cloud: list[Candidate], before: dict[str, str]
) -> None:
    plan = schedule(wanted, cloud, before)
    for request in wanted:
        pin = request.requested_chassis
        if request.name not in plan.reasons or pin is None:
            continue
        moved_in = [
            other
            for other in wanted
            if plan.chassis.get(other.name) == pin and before.get(other.name) != pin
        ]
        suits = any(each.name == pin and _suits(request, each) for each in cloud)
        assert not suits or all(other.requested_chassis == pin for other in moved_in)


@many
@given(clouds, st.integers(1, 40), st.sampled_from(["least", "weighted"]))
def test_no_chassis_is_worse_off_than_a_container_less_would_make_another(
    cloud: list[Candidate], count: int, policy: str
) -> None:
    cloud = [replace(each, limit=UNLIMITED) for each in cloud]
    wanted = _burst(count, policy)
    able = [each for each in cloud if _suits(wanted[0], each)]
    assume(able)
    got = Counter(schedule(wanted, cloud, {}).chassis.values())
    for fuller in able:
        for emptier in able:
            # Exact, in integers: the last one placed on 'fuller' was not due to 'emptier'.
            assert got[fuller.name] * emptier.weight <= (got[emptier.name] + 1) * fuller.weight


# -- policies --------------------------------------------------------------


@pytest.mark.parametrize("policy", ["least", "weighted"])
def test_a_burst_on_two_idle_chassis_is_halved(policy: str) -> None:
    plan = schedule(_burst(10, policy), _idle(1, 1), {})
    assert Counter(plan.chassis.values()) == {"hv1": 5, "hv2": 5}


@pytest.mark.parametrize("policy", ["least", "weighted"])
def test_weights_are_shares(policy: str) -> None:
    plan = schedule(_burst(8000, policy), _idle(1, 3, 4), {})
    got = Counter(plan.chassis.values())
    for name, due in (("hv1", 1000), ("hv2", 3000), ("hv3", 4000)):
        assert abs(got[name] - due) <= due * 0.02


@pytest.mark.parametrize("policy", ["least", "weighted"])
def test_great_weights_are_told_apart(policy: str) -> None:
    plan = schedule(_burst(2, policy), _idle(MAX_WEIGHT - 1, MAX_WEIGHT), {})
    assert list(plan.chassis.values()) == ["hv2", "hv1"]
    plan = schedule(_burst(1000, policy), _idle(1, MAX_WEIGHT), {})
    assert set(plan.chassis.values()) == {"hv2"}


def test_least_looks_at_every_group_and_weighted_at_its_own() -> None:
    cloud = _idle(1, 1)
    before = {"vpn-a": "hv1", "vpn-b": "hv1"}
    present = [Request(name, "ipsec", group="silver") for name in before]
    for policy, expected in (("least", "hv2"), ("weighted", "hv1")):
        new = Request("vpn-new", "ipsec", group="gold", policy=policy)
        assert schedule([*present, new], cloud, before).chassis["vpn-new"] == expected


def test_decisions_of_this_plan_count_against_limits() -> None:
    cloud = [replace(each, limit=3) for each in _idle(1, 1)]
    plan = schedule(_burst(7, "least"), cloud, {})
    assert Counter(plan.chassis.values()) == {"hv1": 3, "hv2": 3}
    assert plan.reasons == {"vpn-00006": "no chassis can run it, 2 refused: 2 full (limit 3)"}


def test_a_lowered_limit_moves_nothing() -> None:
    before = {f"vpn-{number:05}": "hv1" for number in range(5)}
    cloud = [replace(_idle(1)[0], limit=2), _idle(1, 1)[1]]
    assert schedule(_burst(5, "least"), cloud, before).chassis == before


def test_changed_weights_move_nothing() -> None:
    wanted = _burst(10, "weighted")
    before = schedule(wanted, _idle(1, 1), {}).chassis
    assert schedule(wanted, _idle(1, 100), before).chassis == before


# -- failures --------------------------------------------------------------


def test_the_dead_are_left_for_others() -> None:
    wanted = _burst(4, "least")
    before = schedule(wanted, _idle(1, 1), {}).chassis
    cloud = [replace(_idle(1)[0], alive=False), *_idle(1, 1, 1)[1:]]
    after = schedule(wanted, cloud, before).chassis
    assert Counter(after.values()) == {"hv2": 2, "hv3": 2}
    assert all(after[name] == where for name, where in before.items() if where != "hv1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"alive": False}, "dead"), ({"drain": True}, "drained"), ({"weight": 0}, "of weight 0")],
)
def test_with_no_other_place_a_container_stays(change: dict[str, Any], reason: str) -> None:
    bad = replace(_idle(1)[0], **change)
    wanted = _burst(1, "least")
    plan = schedule(wanted, [bad], {"vpn-00000": "hv1"})
    sentence = f"no chassis can run it, 1 refused: 1 {reason}"
    assert plan == Plan({"vpn-00000": "hv1"}, {"vpn-00000": sentence})
    assert schedule(wanted, [bad], {}).chassis == {}
    other = replace(bad, name="hv2", alive=True, drain=False, weight=1)
    assert schedule(wanted, [bad, other], {"vpn-00000": "hv1"}).chassis == {"vpn-00000": "hv2"}


def test_wrong_pin_does_not_end_what_runs() -> None:
    pinned = replace(_burst(1, "least")[0], requested_chassis="hv9")
    plan = schedule([pinned], _idle(3), {"vpn-00000": "hv1"})
    assert plan.chassis == {"vpn-00000": "hv1"}
    assert "not the requested chassis hv9" in plan.reasons["vpn-00000"]


# -- sentences -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "hv9"}, "not the requested chassis hv1"),
        ({"service_types": frozenset()}, "without service type ipsec"),
        (
            {"service_types": frozenset(), "service_problems": {"ipsec": "no charon-systemd"}},
            "without service type ipsec (no charon-systemd)",
        ),
        ({"has_key": False}, "without a usable public key"),
        ({"alive": False}, "dead"),
        ({"weight": 0}, "of weight 0"),
        ({"drain": True}, "drained"),
        ({"limit": 0}, "full (limit 0)"),
    ],
)
def test_each_refusal_has_its_words(change: dict[str, object], reason: str) -> None:
    request = Request("vpn-1", "ipsec", requested_chassis="hv1")
    candidate = replace(_idle(1)[0], **change)  # type: ignore[arg-type]
    plan = schedule([request], [candidate], {})
    assert plan.reasons == {"vpn-1": f"no chassis can run it, 1 refused: 1 {reason}"}


def test_refusals_are_counted_the_most_frequent_first() -> None:
    request = Request("vpn-1", "ipsec", chassis_group=frozenset({"hv1", "hv2", "hv3"}))
    cloud = [
        replace(each, **change)  # type: ignore[arg-type]
        for each, change in zip(
            _idle(1, 1, 1, 1), ({"alive": False}, {"drain": True}, {"drain": True}, {}), strict=True
        )
    ]
    assert explain(request, cloud, {}) == (
        "no chassis can run it, 4 refused: 2 drained; 1 dead; 1 not in the chassis group"
    )


def test_no_chassis_at_all_is_said() -> None:
    assert schedule(_burst(1, "least"), [], {}).reasons == {"vpn-00000": "no chassis is registered"}
