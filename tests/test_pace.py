"""What patience the active svc-northd asks for, and when it gives way; without a clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..northd.leader.pace import (
    BEAT_INTERVAL_MS,
    FIRST_PATIENCE_MS,
    FIRST_TURN_MS,
    LEAST_PATIENCE_MS,
    LONGEST_PATIENCE_MS,
    LONGEST_TURN_MS,
    Pace,
    Turn,
)


def test_a_term_begins_with_the_patience_for_a_first_pass() -> None:
    pace = Pace()
    pace.begin(0)
    assert pace.find_patience(0) == FIRST_PATIENCE_MS
    pace.note(10, 10)
    assert pace.end_first_pass()
    assert not pace.end_first_pass()
    assert pace.find_patience(10) == LEAST_PATIENCE_MS


def test_passes_that_take_long_raise_the_patience_for_a_while() -> None:
    pace = Pace()
    pace.begin(0)
    pace.end_first_pass()
    pace.note(5_000, 4_000)
    pace.note(6_000, 100)
    assert pace.find_patience(60_000) == 2 * 4_000 + BEAT_INTERVAL_MS
    assert pace.find_patience(66_000) == LEAST_PATIENCE_MS
    pace.note(70_000, 10**9)
    assert pace.find_patience(70_000) == LONGEST_PATIENCE_MS


@given(st.integers(1, LONGEST_PATIENCE_MS // 2))
def test_two_whose_passes_take_long_do_not_relieve_each_other_for_ever(pass_ms: int) -> None:
    patience_ms, thefts = 0, -1
    while patience_ms <= pass_ms:
        pace = Pace()
        pace.begin(patience_ms)
        patience_ms = pace.find_patience(0)
        thefts += 1
    assert 2 ** (thefts - 1) * FIRST_PATIENCE_MS <= pass_ms or not thefts
    # Nor is the one that came through relieved in its next pass.
    pace.note(pass_ms, pass_ms)
    pace.end_first_pass()
    assert pace.find_patience(pass_ms) > pass_ms


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 20_000)), min_size=1))
def test_the_patience_follows_the_longest_of_late(noted: list[tuple[int, int]]) -> None:
    pace, now_ms, spans = Pace(), 0, []
    for gap_ms, span_ms in noted:
        now_ms += gap_ms
        pace.note(now_ms, span_ms)
        spans.append((now_ms, span_ms))
        longest_ms = max(span for at_ms, span in spans if now_ms - at_ms <= 60_000)
        wanted_ms = max(LEAST_PATIENCE_MS, 2 * longest_ms + BEAT_INTERVAL_MS)
        assert pace.find_patience(now_ms) == min(wanted_ms, LONGEST_PATIENCE_MS)


# -- giving way --------------------------------------------------------------


def _fail_until_over(turn: Turn, now_ms: int) -> int:
    """Returns when the turn ends, by failures in each second."""
    turn.note_failure(now_ms)
    while not turn.take_end():
        now_ms += 1000
        turn.note_failure(now_ms)
    return now_ms


def test_one_whose_passes_fail_gives_way_and_has_longer_turns_each_time() -> None:
    turn, now_ms, spans = Turn(), 5_000, []
    for _ in range(6):
        turn.begin()
        end_ms = _fail_until_over(turn, now_ms)
        spans.append(end_ms - now_ms)
        assert not turn.take_end(), "it has given way"
        now_ms = end_ms + 60_000
    assert spans == [11_000, 21_000, 41_000, 81_000, 81_000, 81_000]
    turn.note_pass()
    assert _fail_until_over(turn, now_ms) - now_ms == FIRST_TURN_MS + 1000


def test_a_pass_now_and_then_is_enough() -> None:
    turn = Turn()
    for now_ms in range(0, 20 * LONGEST_TURN_MS, 1000):
        turn.note_failure(now_ms)
        assert not turn.take_end()
        if now_ms % FIRST_TURN_MS == 0:
            turn.note_pass()


def test_only_a_failure_ends_a_turn() -> None:
    turn = Turn()
    turn.note_failure(0)
    assert not turn.take_end(), "what comes next may succeed, however late"
    turn.begin()
    turn.note_failure(10 * FIRST_TURN_MS)
    assert not turn.take_end(), "a new term has the full time"
