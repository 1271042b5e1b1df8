"""Health: when a container failed on a chassis, how long that is avoided, what is next."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..northd.scheduler.failures import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, ChassisLife
from ..northd.scheduler.health import ERROR_PATIENCE_MS
from ..northd.scheduler.model import ACTIVE, STANDBY, Avoidance, Place
from ..northd.scheduler.spells import STEADY_MS
from .healthworld import (
    HEALED_AFTER_MS,
    HERE,
    NAMES,
    NOW,
    TIMEOUT_MS,
    Seen,
    World,
    find_failure,
    find_place,
    make_avoided,
    make_binding,
)
from .placements import Dice, dice, many

# -- places ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "up", "ready", "serving", "well"),
    [
        ({}, True, True, True, True),
        ({}, False, True, False, False),
        ({"role": STANDBY}, False, True, False, True),
        ({"role": STANDBY}, True, True, False, True),
        ({"generation": 2}, True, False, True, True),
        ({"status_code": "starting"}, True, False, True, False),
        ({"status_code": "error"}, True, False, True, False),
        ({"status_code": None, "reached_generation": 0}, True, False, False, False),
        ({"reached_generation": 0}, True, False, False, False),
    ],
)
def test_how_a_container_is_where_it_is_bound(
    columns: dict[str, Any], up: bool, ready: bool, serving: bool, well: bool
) -> None:
    world = World(make_binding(**columns))
    world.up = {HERE} if up else set()
    health = world.look()
    role = columns.get("role", ACTIVE)
    assert health.places == {"vpn-1": (Place("hv1", role, ready=ready, serving=serving),)}
    assert health.unwell == ({} if well else {HERE: NOW})
    assert health.next_ms == (None if well else NOW + _patience(columns))


def _patience(columns: dict[str, Any]) -> int:
    return ERROR_PATIENCE_MS if columns.get("status_code") == "error" else TIMEOUT_MS


def test_a_container_that_is_not_wanted_is_not_looked_at() -> None:
    world = World(make_binding("vpn-9", status_code="error"))
    world.avoided = [make_avoided(("vpn-9", "hv1"))]
    assert world.look() == Seen({}, {}, {}, frozenset(), None)


def test_with_no_binding_the_northbound_s_last_word_counts() -> None:
    world = World(make_binding("vpn-1", "hv1"))
    world.reported = {"vpn-1": "hv3", "vpn-2": "hv2"}
    places = world.look().places
    assert places["vpn-1"][0].chassis == "hv1"
    assert places["vpn-2"] == (Place("hv2", ready=False, serving=False),)


# -- failures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"status_code": None, "reached_generation": 0},
            "the chassis has not taken it up after 15 s",
        ),
        (
            {"status_code": "starting", "status_message": "charon"},
            "starting after 15 s (charon)",
        ),
        ({"status_code": "stopped"}, "stopped after 15 s"),
        ({}, "OVN has not installed its port after 15 s"),
        ({"status_code": "error", "status_message": "no charon"}, "no charon"),
        ({"status_code": "error"}, "error"),
    ],
)
def test_one_that_had_its_time_failed(columns: dict[str, Any], reason: str) -> None:
    patience = _patience(columns)
    world = World(make_binding(unwell_since=NOW, **columns))
    world.look()
    before = world.look(NOW + patience - 1)
    assert find_place(before).failure is None
    assert (before.avoided, before.next_ms) == ({}, NOW + patience)
    after = world.look(NOW + patience)
    assert find_place(after).failure == reason
    assert after.unwell == {HERE: NOW}
    moment = NOW + patience
    assert after.avoided == {
        HERE: Avoidance(reason, moment + FIRST_PAUSE_MS, 1, moment, incarnation="1", weight=1)
    }
    assert after.next_ms == moment + FIRST_PAUSE_MS


def test_the_pause_doubles_up_to_its_cap_and_retries_never_end() -> None:
    world, now = World(make_binding(status_code="error", unwell_since=NOW)), NOW + TIMEOUT_MS
    world.look()
    pauses = []
    for number in range(1, 60):
        health = world.look(now)
        assert health.avoided[HERE].failures == number
        pauses.append(health.avoided[HERE].retry_at - now)
        world.write(health)
        assert world.look(now + 1).avoided == health.avoided
        assert health.next_ms == now + pauses[-1]
        now = health.next_ms
    assert pauses[:7] == [15_000, 30_000, 60_000, 120_000, 240_000, 480_000, LONGEST_PAUSE_MS]
    assert set(pauses[7:]) == {LONGEST_PAUSE_MS}


@pytest.mark.parametrize("life", [ChassisLife(), ChassisLife(False, "1", 1)])
def test_on_a_chassis_that_is_dead_or_unfit_nothing_is_judged(life: ChassisLife) -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW - 900_000))
    world.look(NOW - 900_000)
    world.chassis["hv1"] = life
    health = world.look()
    assert find_place(health).failure is None
    assert (health.unwell, health.avoided, health.next_ms) == ({}, {}, None)
    # Once the chassis is back the container has its whole time.
    world.write(health)
    world.chassis["hv1"] = ChassisLife(True, "1", 1)
    health = world.look(NOW + 5000)
    assert health.unwell == {HERE: NOW + 5000}
    assert health.next_ms == NOW + 5000 + ERROR_PATIENCE_MS


def test_the_time_of_an_unwell_container_counts_from_when_it_is_watched() -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW - TIMEOUT_MS))
    health = world.look(NOW)
    assert (health.avoided, health.next_ms) == ({}, NOW + ERROR_PATIENCE_MS)
    assert world.look(NOW + ERROR_PATIENCE_MS).avoided


def test_a_time_that_lies_ahead_counts_as_this_moment() -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW + 10**9))
    world.avoided = [make_avoided(("vpn-1", "hv2"), retry_at=NOW + 10**9, failures=9)]
    health = world.look()
    assert health.unwell == {HERE: NOW}
    assert health.avoided["vpn-1", "hv2"].retry_at == NOW + LONGEST_PAUSE_MS
    assert health.next_ms == NOW + ERROR_PATIENCE_MS
    world.write(health)
    assert world.look(NOW + 1).avoided == health.avoided


# -- forgiveness -----------------------------------------------------------------------


def test_a_chassis_is_forgiven_when_it_starts_anew_or_its_weight_changes() -> None:
    world = World()
    world.avoided = [make_avoided()]
    assert set(world.look().avoided) == {HERE}
    for life, kept in (
        (ChassisLife(False, "1", 1), {HERE}),
        (ChassisLife(True, "2", 1), set()),
        (ChassisLife(True, "1", 2), set()),
        (ChassisLife(True, "1", None), {HERE}),
        (ChassisLife(), {HERE}),
    ):
        world.chassis["hv1"] = life
        assert set(world.look().avoided) == kept


def test_after_being_forgiven_failures_count_from_one() -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW - TIMEOUT_MS))
    world.avoided = [make_avoided(failures=6, incarnation="0")]
    assert world.look().avoided == {}
    found = world.look(NOW + ERROR_PATIENCE_MS).avoided[HERE]
    assert (found.failures, found.incarnation) == (1, "1")


@pytest.mark.parametrize(("well", "kept_ms"), [(True, HEALED_AFTER_MS), (False, LONGEST_PAUSE_MS)])
def test_a_failure_is_forgotten_after_its_time(well: bool, kept_ms: int) -> None:
    world = World(*([make_binding()] if well else []))
    world.up = {HERE}
    row = make_avoided(failures=3)
    world.avoided = [row]
    before = world.look()
    assert before.next_ms == row.retry_at
    assert before.pending == {HERE}
    health = world.look(row.retry_at)
    assert health.avoided[HERE].failures == 3
    assert health.next_ms == row.retry_at + kept_ms
    assert set(world.look(row.retry_at + kept_ms - 1).avoided) == {HERE}
    assert world.look(row.retry_at + kept_ms) == replace(health, avoided={}, next_ms=None)


# -- clocks ----------------------------------------------------------------------------


@pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
def test_a_wall_clock_that_is_set_changes_no_time_that_runs(step_ms: int) -> None:
    world = World(make_binding(status_code="starting", reached_generation=0))
    world.avoided = [make_avoided(("vpn-1", "hv2"), retry_at=NOW + 11_000)]
    world.write(world.look())
    world.ahead_ms = step_ms
    before = world.look(NOW + 10_999)
    assert before.pending == {("vpn-1", "hv2")}
    assert find_failure(before) is None
    after = world.look(NOW + 11_000)
    assert after.pending == set()
    assert find_failure(world.look(NOW + TIMEOUT_MS - 1)) is None
    failed = world.look(NOW + TIMEOUT_MS)
    assert find_failure(failed) is not None
    moment = NOW + TIMEOUT_MS + step_ms
    assert failed.avoided[HERE].since == moment
    assert failed.avoided[HERE].retry_at == moment + FIRST_PAUSE_MS
    world.write(failed)
    world.ahead_ms = -step_ms
    assert HERE in world.look(NOW + TIMEOUT_MS + FIRST_PAUSE_MS - 1).pending
    again = world.look(NOW + TIMEOUT_MS + FIRST_PAUSE_MS)
    assert again.avoided[HERE].failures == 2


def test_a_pause_is_no_longer_at_a_svc_northd_whose_clock_is_behind() -> None:
    world = World()
    world.avoided = [make_avoided(retry_at=NOW + 11_000)]
    world.take_over()
    world.ahead_ms = -3_600_000
    seen = world.look()
    assert seen.next_ms == NOW + FIRST_PAUSE_MS
    assert seen.avoided[HERE].retry_at == NOW - 3_600_000 + FIRST_PAUSE_MS
    world.write(seen)
    assert world.look(NOW + 5) == seen
    assert world.look(NOW + FIRST_PAUSE_MS).pending == set()


def test_a_svc_northd_that_takes_over_gives_the_whole_time_again() -> None:
    world = World(make_binding(status_code="starting", reached_generation=0))
    world.write(world.look())
    world.write(world.look(NOW + 14_000))
    world.take_over()
    seen = world.look(NOW + 14_500)
    assert seen.unwell == {HERE: NOW}
    assert seen.next_ms == NOW + 14_500 + TIMEOUT_MS


@pytest.mark.parametrize("failures", [-(10**30), -1, 0, 1, 2**31 - 1, 10**30])
@pytest.mark.parametrize("retry_at", [-(10**30), 0, NOW, 10**30])
def test_no_number_in_a_row_does_harm(failures: int, retry_at: int) -> None:
    world = World(make_binding(status_code="error", unwell_since=retry_at))
    world.avoided = [make_avoided(failures=failures, retry_at=retry_at)]
    for moment in (NOW, NOW + ERROR_PATIENCE_MS, NOW + LONGEST_PAUSE_MS):
        seen = world.look(moment)
        assert 1 <= seen.avoided[HERE].failures <= 2**31 - 1
        assert seen.avoided[HERE].retry_at <= moment + LONGEST_PAUSE_MS
        world.write(seen)


def test_stamps_that_are_no_longer_used_are_forgotten() -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW + 5))
    world.avoided = [make_avoided()]
    world.look()
    assert repr(NOW + 5) in repr(vars(world.clock))
    world.bindings, world.avoided = [], []
    world.look(NOW + 1)
    assert not world.clock._stamps


# -- queues ----------------------------------------------------------------------------


def test_the_time_of_one_that_is_queued_begins_when_its_queue_says() -> None:
    world = World(make_binding(status_code="starting", reached_generation=0))
    world.look()
    world.queue_start = {HERE: NOW + 9000}
    assert world.look(NOW + 9000).next_ms == NOW + 9000 + TIMEOUT_MS
    world.bindings = [make_binding(status_code="error", reached_generation=0)]
    assert world.look(NOW + 9001).next_ms == NOW + 9001 + ERROR_PATIENCE_MS


# -- lives of a chassis ----------------------------------------------------------------


def test_what_an_earlier_life_said_confirms_nothing_and_moves_nothing_at_once() -> None:
    world = World(make_binding())
    world.up = {HERE}
    assert find_place(world.look()) == Place("hv1")
    world.chassis["hv1"] = ChassisLife(True, "2", 1)
    seen = world.look(NOW + 1)
    assert find_place(seen) == Place("hv1", ready=False, serving=False)
    assert (seen.unwell, seen.next_ms) == ({HERE: NOW + 1}, NOW + 1 + TIMEOUT_MS)
    failed = world.look(NOW + 1 + TIMEOUT_MS)
    assert find_failure(failed) == "the chassis has started anew and not taken it up after 15 s"
    world.bindings = [make_binding(incarnation="2")]
    assert find_place(world.look(NOW + 2 + TIMEOUT_MS)) == Place("hv1")


@pytest.mark.parametrize("role", [ACTIVE, STANDBY])
@pytest.mark.parametrize("incarnation", ["", "0"])
def test_an_unknown_life_confirms_nothing(role: str, incarnation: str) -> None:
    world = World(make_binding(role=role, incarnation=incarnation))
    world.up = {HERE}
    assert find_place(world.look()) == Place("hv1", role, ready=False, serving=False)


def test_a_chassis_that_starts_anew_again_and_again_but_takes_up_all_fails_nothing() -> None:
    world = World(make_binding())
    world.up = {HERE}
    now = NOW
    for life in map(str, range(2, 60)):
        world.chassis["hv1"] = ChassisLife(True, life, 1)
        assert find_failure(world.look(now)) is None
        assert world.turn(now + 1000, incarnation=life).unwell == {}
        now += 3000


def test_the_time_goes_on_when_its_chassis_first_says_something() -> None:
    world = World(make_binding(status_code=None, reached_generation=0, incarnation=""))
    world.look()
    seen = world.turn(NOW + 5000, status_code="starting", incarnation="1")
    assert seen.next_ms == NOW + TIMEOUT_MS


# -- programs that come and go ---------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "patience_ms"), [("error", ERROR_PATIENCE_MS), ("starting", TIMEOUT_MS)]
)
def test_time_in_which_it_is_unwell_adds_up(code: str, patience_ms: int) -> None:
    world, now, spent_ms = World(make_binding()), NOW, 0
    world.up = {HERE}
    world.look(now)
    while spent_ms + 1500 < patience_ms:
        world.turn(now, status_code=code, status_message="it ended")
        now, spent_ms = now + 1500, spent_ms + 1500
        assert world.turn(now, status_code="running").unwell == {}
        now += 1500
    seen = world.turn(now, status_code=code)
    end = now + patience_ms - spent_ms
    assert (find_failure(seen), seen.next_ms) == (None, end)
    failed = world.look(end)
    assert find_failure(failed) is not None
    # While it runs for a moment it is no place to stay, but it serves.
    world.write(failed)
    well = world.turn(end + 100, status_code="running")
    assert find_place(well) == Place("hv1", failure=find_failure(failed))
    steady = world.look(end + 100 + STEADY_MS)
    assert find_place(steady) == Place("hv1")
    assert find_failure(world.turn(end + 101 + STEADY_MS, status_code=code)) is None


def test_one_that_turns_between_kinds_of_unwell_is_given_up() -> None:
    world, now = World(make_binding()), NOW
    for _ in range(4):
        for code in ("error", "starting"):
            world.turn(now, status_code=code, status_message="no charon")
            now += 600
    assert find_failure(world.turn(now, status_code="error")) == "no charon"


def test_a_port_that_is_down_for_a_moment_now_and_then_fails_nothing() -> None:
    world, now = World(make_binding()), NOW
    for _ in range(10):
        world.up = set()
        assert find_failure(world.turn(now)) is None
        world.up = {HERE}
        assert find_failure(world.turn(now + 100)) is None
        now += 9000


def test_one_that_came_late_is_well_at_once() -> None:
    world = World(make_binding(status_code="starting", reached_generation=0))
    world.look()
    world.up = {HERE}
    assert find_failure(world.turn(NOW + TIMEOUT_MS)) is not None
    well = world.turn(NOW + TIMEOUT_MS + 1, status_code="running", reached_generation=1)
    assert find_place(well) == Place("hv1")


def test_with_another_role_it_has_the_whole_time() -> None:
    world = World(make_binding(role=STANDBY, status_code="starting"))
    world.look()
    seen = world.turn(NOW + 14_000, role=ACTIVE)
    assert seen.next_ms == NOW + 14_000 + TIMEOUT_MS


# -- at random ----------------------------------------------------------------------------


def _make_world(dice: Dice) -> World:
    world = World()
    for container in ("vpn-1", "vpn-2"):
        for number, chassis in enumerate(dice.sample(NAMES, dice.randint(0, 3))):
            row = make_binding(
                container,
                chassis,
                role=STANDBY if number else ACTIVE,
                status_code=dice.some("running", "running", "starting", "error", None),
                reached_generation=dice.randint(0, 1),
                incarnation=dice.some("1", "1", "2", ""),
                unwell_since=dice.some(None, NOW - dice.randint(0, 40_000), NOW + 10**7),
            )
            world.bindings.append(row)
            if dice.one_in(2):
                world.up.add((container, chassis))
    for spot in {(dice.some("vpn-1", "vpn-2"), dice.choice(NAMES)) for _ in range(3)}:
        retry_at = NOW + dice.some(-700_000, -61_000, -1000, 0, 1000, 10**9)
        world.avoided.append(
            make_avoided(
                spot, failures=dice.randint(-1, 9), retry_at=retry_at, weight=dice.some(1, 1, 2)
            )
        )
    for name in NAMES:
        world.chassis[name] = ChassisLife(
            not dice.one_in(4), dice.some("1", "1", "2", None), dice.some(1, 1, None)
        )
    return world


@many
@given(st.builds(_make_world, dice), st.lists(st.integers(0, 1000), max_size=3))
def test_nothing_changes_before_the_next_moment_and_then_it_ends(
    world: World, parts: list[int]
) -> None:
    world.write(world.look())
    now, seen = NOW, world.look()
    for _ in range(8):
        world.write(seen)
        assert world.look(now) == seen, "what was written is what should be there"
        if seen.next_ms is None:
            assert world.look(now + 10**8) == seen
            return
        assert seen.next_ms > now
        length = seen.next_ms - now
        for part in sorted([*parts, 1000]):
            assert world.look(now + (length - 1) * part // 1000) == seen
        now, seen = seen.next_ms, world.look(seen.next_ms)


@many
@given(st.builds(_make_world, dice), st.integers(-(10**8), 10**8))
def test_a_wall_clock_that_is_set_decides_nothing(world: World, step_ms: int) -> None:
    world.write(world.look())
    other = copy.deepcopy(world)
    other.ahead_ms = step_ms
    now = NOW
    for _ in range(8):
        here, there = world.look(now), other.look(now)
        assert (here.places, here.pending, here.next_ms) == (
            there.places,
            there.pending,
            there.next_ms,
        )
        assert (here.unwell.keys(), here.avoided.keys()) == (
            there.unwell.keys(),
            there.avoided.keys(),
        )
        if here.next_ms is None:
            return
        world.write(here)
        other.write(there)
        now = here.next_ms


@many
@given(st.builds(_make_world, dice))
def test_what_failed_is_avoided_and_what_is_avoided_has_its_end(world: World) -> None:
    world.look()
    seen = world.look(NOW + TIMEOUT_MS)
    for container, places in seen.places.items():
        for place in places:
            if place.failure is not None:
                assert (container, place.chassis) in seen.pending
                assert world.chassis[place.chassis].is_fit
    for each in seen.avoided.values():
        assert each.retry_at <= NOW + TIMEOUT_MS + LONGEST_PAUSE_MS
