"""When the active svc-northd counts as hanging, and a northbound as lost; without a clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..northd.leader.pace import (
    BEAT_INTERVAL_MS,
    FIRST_PATIENCE_MS,
    LEAST_PATIENCE_MS,
    LONGEST_PATIENCE_MS,
)
from ..northd.leader.watch import (
    LONGEST_UNSEEN_MS,
    MOST_ABSENCE_MS,
    Absence,
    Step,
    Watch,
    find_patience,
)

LOOK_MS = 100


class _Clock:
    """A watch that is looked at in time."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.now_ms = 1_000_000
        self.mark = 0
        self.patience_ms = LEAST_PATIENCE_MS
        self.answered = True
        self.freed = False

    def look(self, gap_ms: int = LOOK_MS) -> Step:
        """Looks once, 'gap_ms' later."""
        self.now_ms += gap_ms
        return self.watch.look(
            self.now_ms, self.mark, self.patience_ms, self.answered, freed=self.freed
        )

    def wait_for_step(self, most_ms: int = 100_000) -> tuple[int, Step]:
        """Looks until something is to be done; returns after how many ms, and what."""
        started_ms = self.now_ms
        while self.now_ms < started_ms + most_ms:
            step = self.look()
            if step is not Step.WAIT:
                return self.now_ms - started_ms, step
        return most_ms, Step.WAIT


def test_one_whose_beat_stops_is_relieved_after_its_patience() -> None:
    clock = _Clock()
    clock.look()
    assert clock.wait_for_step() == (LEAST_PATIENCE_MS, Step.PROBE)
    clock.answered = False
    assert clock.look() is Step.WAIT, "the server may have a beat to tell"
    clock.answered = True
    assert clock.look() is Step.TAKE
    # Whoever has it from then on gets the full time.
    assert clock.look() is Step.WAIT
    assert clock.wait_for_step() == (LEAST_PATIENCE_MS, Step.PROBE)


def test_the_patience_is_what_the_active_one_asks_for() -> None:
    clock = _Clock()
    clock.look()
    for asked_ms, granted_ms in (
        (0, LEAST_PATIENCE_MS),
        (5000, 5000),
        (10**12, LONGEST_PATIENCE_MS),
    ):
        clock.mark += 1
        clock.patience_ms = asked_ms
        clock.look()
        waited = clock.wait_for_step(2 * LONGEST_PATIENCE_MS)
        assert waited == (granted_ms, Step.PROBE)


def test_one_that_was_never_seen_to_beat_has_a_minute_at_most() -> None:
    clock = _Clock()
    clock.patience_ms = 10**12
    clock.look()
    assert clock.wait_for_step() == (LONGEST_UNSEEN_MS, Step.PROBE)


def test_one_whose_lock_came_to_us_has_less_time_unless_it_beats() -> None:
    clock = _Clock()
    clock.look()
    clock.freed = True
    least_ms = 3 * BEAT_INTERVAL_MS // 2
    waited_ms, step = clock.wait_for_step()
    assert least_ms <= waited_ms < least_ms + LOOK_MS
    assert step is Step.PROBE
    clock.mark += 1
    assert clock.look() is Step.WAIT
    for _ in range(20):
        clock.mark += 1
        assert clock.look(BEAT_INTERVAL_MS) is Step.WAIT
    assert clock.wait_for_step()[1] is Step.PROBE
    assert clock.look() is Step.TAKE


@given(st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_a_lock_that_came_to_us_takes_no_time_away_that_a_pass_may_need(
    asked_ms: int, beats: bool
) -> None:
    whole_ms = find_patience(asked_ms, beats=beats, freed=False)
    less_ms = find_patience(asked_ms, beats=beats, freed=True)
    assert BEAT_INTERVAL_MS < less_ms <= min(whole_ms, FIRST_PATIENCE_MS)
    # What pace.py asks for is twice the longest pass, and a beat.
    pass_ms = (whole_ms - BEAT_INTERVAL_MS) // 2
    if LEAST_PATIENCE_MS < whole_ms < FIRST_PATIENCE_MS:
        assert less_ms > pass_ms + BEAT_INTERVAL_MS


def test_a_beat_that_arrives_with_the_answer_counts() -> None:
    clock = _Clock()
    clock.look()
    assert clock.wait_for_step()[1] is Step.PROBE
    clock.mark += 1
    assert clock.look() is Step.WAIT
    assert clock.wait_for_step() == (LEAST_PATIENCE_MS, Step.PROBE)


def test_a_server_that_was_busy_gets_the_time_to_pass_a_beat_on() -> None:
    clock = _Clock()
    clock.look()
    clock.wait_for_step()
    clock.answered = False
    for _ in range(20):
        assert clock.look() is Step.WAIT
    clock.answered = True
    assert clock.look() is Step.WAIT
    assert clock.wait_for_step() == (2 * BEAT_INTERVAL_MS, Step.PROBE)
    # One that is slow all the time saves nobody.
    clock.answered = False
    for _ in range(20):
        assert clock.look() is Step.WAIT
    clock.answered = True
    assert clock.look() is Step.TAKE


def test_a_stall_of_the_watcher_is_not_held_against_the_active_one() -> None:
    clock = _Clock()
    clock.look()
    assert clock.look(60_000) is Step.WAIT
    assert clock.wait_for_step()[0] == LEAST_PATIENCE_MS - BEAT_INTERVAL_MS


def test_the_next_look_is_due_when_the_patience_ends() -> None:
    clock = _Clock()
    assert clock.watch.find_deadline_ms() is None
    clock.look()
    assert clock.watch.find_deadline_ms() == clock.now_ms + LEAST_PATIENCE_MS
    clock.wait_for_step()
    assert clock.watch.find_deadline_ms() is None, "the answer wakes it"


@given(st.lists(st.tuples(st.integers(1, LEAST_PATIENCE_MS - 1), st.booleans()), max_size=80))
def test_one_that_beats_within_its_patience_is_never_relieved(
    gaps: list[tuple[int, bool]],
) -> None:
    clock = _Clock()
    for gap_ms, answered in gaps:
        clock.mark += 1
        clock.answered = answered
        assert clock.look(gap_ms) is Step.WAIT


@given(st.lists(st.integers(50, 3000), min_size=100, max_size=100))
def test_one_that_stopped_is_relieved_whatever_the_looks(gaps_ms: list[int]) -> None:
    clock = _Clock()
    assert Step.TAKE in [clock.look(gap_ms) for gap_ms in gaps_ms]


# -- what is away ------------------------------------------------------------


def test_what_is_away_for_long_is_lost() -> None:
    absence, now_ms = Absence(), 1_000_000
    assert not absence.note(now_ms, missing=True)
    for _ in range(MOST_ABSENCE_MS // LOOK_MS):
        now_ms += LOOK_MS
        assert not absence.note(now_ms, missing=True)
    assert absence.note(now_ms + 1, missing=True)
    assert not absence.note(now_ms + 2, missing=False)
    assert not absence.note(now_ms + 3, missing=True)


def test_a_stall_is_no_absence() -> None:
    absence = Absence()
    absence.note(0, missing=True)
    assert not absence.note(MOST_ABSENCE_MS + 1, missing=True)


@given(st.lists(st.tuples(st.integers(1, MOST_ABSENCE_MS // 2), st.booleans()), max_size=80))
def test_what_is_seen_in_time_is_not_lost(gaps: list[tuple[int, bool]]) -> None:
    absence, now_ms = Absence(), 0
    for gap_ms, missing in gaps:
        now_ms += gap_ms
        assert not absence.note(now_ms, missing=missing)
        assert not absence.note(now_ms, missing=False)
