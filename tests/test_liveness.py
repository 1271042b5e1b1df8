"""Which chassis are alive: by a clock that the test holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..northd.liveness import PASS_INTERVAL_MS, Verdict
from ..northd.options import Options
from .heartbeats import DEAD_AFTER_MS, Clock, make_beat, make_weight


def test_a_heartbeat_that_stops_is_a_death_after_its_time() -> None:
    clock = Clock()
    assert clock.show(make_beat("hv1", 1)) == {"hv1": True}
    assert clock.run(DEAD_AFTER_MS, make_beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 1)) == {"hv1": False}
    assert clock.run(10 * DEAD_AFTER_MS, make_beat("hv1", 1)) == {"hv1": False}


def test_any_change_is_a_sign_of_life() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 7))
    clock.run(2 * DEAD_AFTER_MS, make_beat("hv1", 7))
    assert clock.show(make_beat("hv1", 8)) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, make_beat("hv1", 8))
    # A chassis that started again begins to count anew.
    assert clock.show(make_beat("hv1", 8, incarnation="2")) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, make_beat("hv1", 8, incarnation="2"))
    assert clock.show(make_beat("hv1", 1, incarnation="2")) == {"hv1": True}


def test_a_chassis_without_a_row_is_forgotten() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1), make_beat("hv2", 1))
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv2", 2)) == {"hv2": True}
    clock.run(10 * DEAD_AFTER_MS, make_beat("hv2", 2))
    assert clock.show(make_beat("hv1", 1), make_beat("hv2", 2)) == {"hv1": True, "hv2": False}


def test_a_new_northd_keeps_the_verdicts_and_gives_the_full_time() -> None:
    clock = Clock(make_weight("hv1", alive=True), make_weight("hv2", alive=False))
    beats = (make_beat("hv1", 5), make_beat("hv2", 5))
    assert clock.show(*beats) == {"hv1": True, "hv2": False}
    assert clock.run(DEAD_AFTER_MS, *beats) == {"hv1": True, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, *beats) == {"hv1": False, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 5), make_beat("hv2", 6))["hv2"]


def test_one_that_stands_by_takes_over_a_verdict_of_death() -> None:
    clock = Clock(make_weight("hv1"))
    clock.show(make_beat("hv1", 1))
    clock.weights = (replace(make_weight("hv1", alive=False), since=7),)
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 1)) == {"hv1": False}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 2)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 2)) == {"hv1": True}


def test_a_stall_of_northd_is_not_held_against_a_chassis() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1))
    clock.run(PASS_INTERVAL_MS, make_beat("hv1", 1))
    clock.now_ms += 60_000
    assert clock.show(make_beat("hv1", 1)) == {"hv1": True}
    # What it had left before the stall it still has, less the one pass.
    assert clock.run(DEAD_AFTER_MS - 2 * PASS_INTERVAL_MS, make_beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 1)) == {"hv1": False}


def test_a_northd_that_is_always_busy_finds_the_dead_too() -> None:
    clock, pass_ms = Clock(), 2400
    clock.show(make_beat("hv1", 1))
    started_ms = clock.now_ms
    for _ in range(10):
        if not clock.alive["hv1"]:
            break
        clock.now_ms += pass_ms
        clock.busy_ms += pass_ms
        clock.liveness.tick(clock.now_ms, clock.busy_ms)
        clock.liveness.judge(answered=True)
    assert DEAD_AFTER_MS < clock.now_ms - started_ms <= DEAD_AFTER_MS + 3 * pass_ms


def test_nobody_dies_before_the_server_has_answered_twice() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1))
    clock.run(DEAD_AFTER_MS, make_beat("hv1", 1))
    liveness = clock.liveness
    for answered, asks, alive in (
        (False, True, True),
        (False, False, True),
        (True, True, True),
        (False, False, True),
        (True, False, False),
    ):
        clock.now_ms += PASS_INTERVAL_MS if asks and not answered else 1
        liveness.tick(clock.now_ms, clock.busy_ms)
        assert liveness.judge(answered) == asks
        assert clock.alive == {"hv1": alive}


def test_a_late_answer_is_forgiven_and_computing_is_not() -> None:
    clock, beat = Clock(), make_beat("hv1", 1)
    clock.show(beat)
    clock.now_ms += PASS_INTERVAL_MS
    clock.show(beat, answers=False)
    clock.now_ms += 60_000
    clock.busy_ms += 1000
    clock.show(beat)
    left_ms = DEAD_AFTER_MS - PASS_INTERVAL_MS - 1000
    # An answer that is late by less than a pass is none that was late.
    assert clock.run(left_ms - PASS_INTERVAL_MS, beat) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, beat) == {"hv1": False}


def test_a_heartbeat_read_with_a_late_answer_gives_the_full_time_and_no_more() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1))
    clock.now_ms += PASS_INTERVAL_MS
    clock.show(make_beat("hv1", 1), answers=False)
    clock.now_ms += 60_000
    clock.show(make_beat("hv1", 2))
    assert clock.run(DEAD_AFTER_MS, make_beat("hv1", 2)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, make_beat("hv1", 2)) == {"hv1": False}


def test_after_a_reconnection_each_has_the_full_time() -> None:
    clock, beats = Clock(), (make_beat("hv1", 1), make_beat("hv2", 1))
    clock.show(*beats)
    clock.run(DEAD_AFTER_MS, make_beat("hv1", 2), make_beat("hv2", 1))
    clock.show(make_beat("hv1", 2), make_beat("hv2", 1), answers=False)
    clock.liveness.interrupt()
    assert clock.liveness.find_wait_ms(clock.now_ms) == PASS_INTERVAL_MS
    clock.now_ms += 100 * DEAD_AFTER_MS
    beats = (make_beat("hv1", 2), make_beat("hv2", 1))
    assert clock.show(*beats) == {"hv1": True, "hv2": True}
    assert clock.run(DEAD_AFTER_MS, *beats) == {"hv1": True, "hv2": True}
    assert clock.run(PASS_INTERVAL_MS, *beats) == {"hv1": False, "hv2": False}


def test_nothing_is_told_while_nothing_changes() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1))
    assert clock.liveness.take_changed().keys() == {"hv1"}
    clock.run(2000, make_beat("hv1", 2))
    assert clock.liveness.take_changed() == {}, "or svc-northd computes with each heartbeat"


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=60))
def test_a_chassis_that_beats_at_every_pass_is_alive_whatever_the_gaps(
    passes: list[tuple[int, bool]],
) -> None:
    clock = Clock()
    for number, (gap_ms, restarted) in enumerate(passes):
        clock.now_ms += gap_ms
        beat = make_beat("hv1", number, incarnation=str(restarted))
        assert clock.show(beat) == {"hv1": True}


@given(st.lists(st.integers(1, PASS_INTERVAL_MS), min_size=1, max_size=60))
def test_without_stalls_the_verdict_is_the_time_since_the_lastmake_beat(gaps_ms: list[int]) -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1))
    started_ms = clock.now_ms
    for gap_ms in gaps_ms:
        clock.now_ms += gap_ms
        alive = clock.show(make_beat("hv1", 1))["hv1"]
        if clock.now_ms - started_ms <= DEAD_AFTER_MS:
            assert alive
        if clock.now_ms - started_ms > DEAD_AFTER_MS + PASS_INTERVAL_MS:
            assert not alive


def test_the_first_that_is_heard_after_a_silence_of_all_gives_the_others_their_time() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1), make_beat("hv2", 1))
    silent = clock.run(2 * DEAD_AFTER_MS, make_beat("hv1", 1), make_beat("hv2", 1))
    assert silent == {"hv1": False, "hv2": False}
    beats = make_beat("hv1", 2), make_beat("hv2", 1)
    assert clock.show(*beats) == {"hv1": True, "hv2": True}
    # hv1 goes on, hv2 is dead after all.
    for number in range(3, 3 + 2 * DEAD_AFTER_MS // PASS_INTERVAL_MS):
        clock.run(PASS_INTERVAL_MS, make_beat("hv1", number), make_beat("hv2", 1))
    assert clock.alive == {"hv1": True, "hv2": False}


# -- what else a chassis says ------------------------------------------------


def test_what_a_chassis_says_of_itself_is_handed_on() -> None:
    beat = replace(make_beat("hv1", 1, "7"), stopping=True, ovn_problem="ovn-controller is dead")
    clock = Clock()
    clock.show(beat)
    before = dict(clock.verdicts)
    assert before == {"hv1": Verdict(True, "7", True, "ovn-controller is dead")}
    # What changes with each heartbeat is no part of a verdict.
    clock.show(replace(beat, heartbeat=2, heartbeat_timestamp=5, load={"cpu": "3"}))
    assert clock.verdicts == before


@pytest.mark.parametrize(
    ("overloaded", "cpu", "expected"),
    [
        (False, "79", False),
        (False, "80", True),
        (True, "80", True),
        (True, "70", True),
        (True, "69", False),
        (True, "0", False),
        (False, "2147483647", True),
        (True, "-5", False),
        (True, "many", False),
        (True, "7" * 400, False),
    ],
)
def test_overload_ends_well_below_where_it_begins(
    overloaded: bool, cpu: str, expected: bool
) -> None:
    clock = Clock(make_weight("hv1", overloaded=overloaded))
    clock.show(make_beat("hv1", 1, load={"cpu": cpu}))
    assert clock.verdicts["hv1"].overloaded == expected


def test_a_chassis_that_reports_no_load_is_idle() -> None:
    clock = Clock(make_weight("hv1", overloaded=True))
    clock.show(make_beat("hv1", 1))
    assert not clock.verdicts["hv1"].overloaded


@given(
    st.integers(1, 100),
    st.integers(0, 100),
    st.lists(st.integers(0, 110), min_size=1, max_size=30),
)
def test_hysteresis_turns_at_its_two_ends_only(
    threshold: int, hysteresis: int, loads: list[int]
) -> None:
    options = Options(load_threshold=threshold, load_hysteresis=hysteresis)
    clock, overloaded = Clock(options=options), False
    for number, load in enumerate(loads):
        before = overloaded
        clock.weights = (make_weight("hv1", overloaded=before),)
        clock.show(make_beat("hv1", number, load={"cpu": str(load)}))
        overloaded = clock.verdicts["hv1"].overloaded
        if overloaded != before:
            assert load >= threshold if overloaded else load < max(1, threshold - hysteresis)
        assert overloaded or load < threshold
        assert not overloaded or load > 0
