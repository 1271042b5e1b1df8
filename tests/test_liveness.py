"""Which chassis are alive: by a clock that the test holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib import sb
from ..northd.en_options import Options
from ..northd.liveness import PASS_INTERVAL_MS, Liveness, Verdict

_RowT = TypeVar("_RowT")
_Change = tuple[_RowT | None, _RowT | None]
DEAD_AFTER_MS = 4000
OPTIONS = Options(chassis_dead_after_ms=DEAD_AFTER_MS, load_threshold=80, load_hysteresis=10)


def _beat(
    name: str, heartbeat: int, incarnation: str = "1", load: dict[str, str] | None = None
) -> sb.ChassisPrivate:
    return sb.ChassisPrivate(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name),
        name=name,
        incarnation=incarnation,
        heartbeat=heartbeat,
        heartbeat_timestamp=0,
        nb_cfg=0,
        nb_cfg_timestamp=0,
        stopping=False,
        ovn_problem="",
        load=load or {},
    )


def _weight(name: str, alive: bool = True, overloaded: bool = False) -> sb.ChassisWeight:
    return sb.ChassisWeight(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name),
        chassis=name,
        weight=1,
        limit=-1,
        drain=False,
        scheduled=0,
        alive=alive,
        since=0,
        overloaded=overloaded,
        problem="",
    )


class _Clock:
    """Steps a Liveness through time, a pass every PASS_INTERVAL_MS; the server answers at once."""

    def __init__(self, *weights: sb.ChassisWeight, options: Options = OPTIONS) -> None:
        self.liveness = Liveness()
        self.options = options
        self.now_ms = 1_000_000
        self.busy_ms = 0
        self.weights = weights
        self._known: tuple[dict[str, sb.ChassisPrivate], dict[str, sb.ChassisWeight]] = ({}, {})

    def show(self, *beats: sb.ChassisPrivate, answers: bool = True) -> Mapping[str, bool]:
        """One pass with these rows, and others at once while the server answers."""
        rows = {row.name: row for row in beats}
        weights = {row.chassis: row for row in self.weights}
        self.liveness.tick(self.now_ms, self.busy_ms)
        before, self._known = self._known, (rows, weights)
        self.liveness.read(self.options, _pair(before[0], rows), _pair(before[1], weights))
        asked = self.liveness.judge(answers)
        while asked and answers:
            self.liveness.tick(self.now_ms, self.busy_ms)
            asked = self.liveness.judge(answered=True)
        return self.alive

    def run(self, duration_ms: int, *beats: sb.ChassisPrivate) -> Mapping[str, bool]:
        for _ in range(duration_ms // PASS_INTERVAL_MS):
            self.now_ms += PASS_INTERVAL_MS
            self.show(*beats)
        return self.alive

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        return self.liveness.verdicts

    @property
    def alive(self) -> Mapping[str, bool]:
        return {name: verdict.alive for name, verdict in self.verdicts.items()}


def _pair(before: Mapping[str, _RowT], after: Mapping[str, _RowT]) -> list[_Change[_RowT]]:
    """Returns the rows that differ, as Session.take_rows() does."""
    names = before.keys() | after.keys()
    pairs = [(before.get(name), after.get(name)) for name in sorted(names)]
    return [(old, new) for old, new in pairs if old != new]


def test_a_heartbeat_that_stops_is_a_death_after_its_time() -> None:
    clock = _Clock()
    assert clock.show(_beat("hv1", 1)) == {"hv1": True}
    assert clock.run(DEAD_AFTER_MS, _beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}
    assert clock.run(10 * DEAD_AFTER_MS, _beat("hv1", 1)) == {"hv1": False}


def test_any_change_is_a_sign_of_life() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 7))
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 7))
    assert clock.show(_beat("hv1", 8)) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 8))
    # A chassis that started again begins to count anew.
    assert clock.show(_beat("hv1", 8, incarnation="2")) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 8, incarnation="2"))
    assert clock.show(_beat("hv1", 1, incarnation="2")) == {"hv1": True}


def test_a_chassis_without_a_row_is_forgotten() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1), _beat("hv2", 1))
    assert clock.run(PASS_INTERVAL_MS, _beat("hv2", 2)) == {"hv2": True}
    clock.run(10 * DEAD_AFTER_MS, _beat("hv2", 2))
    assert clock.show(_beat("hv1", 1), _beat("hv2", 2)) == {"hv1": True, "hv2": False}


def test_a_new_northd_keeps_the_verdicts_and_gives_the_full_time() -> None:
    clock = _Clock(_weight("hv1", alive=True), _weight("hv2", alive=False))
    beats = (_beat("hv1", 5), _beat("hv2", 5))
    assert clock.show(*beats) == {"hv1": True, "hv2": False}
    assert clock.run(DEAD_AFTER_MS, *beats) == {"hv1": True, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, *beats) == {"hv1": False, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 5), _beat("hv2", 6))["hv2"]


def test_one_that_stands_by_takes_over_a_verdict_of_death() -> None:
    clock = _Clock(_weight("hv1"))
    clock.show(_beat("hv1", 1))
    clock.weights = (replace(_weight("hv1", alive=False), since=7),)
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 2)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 2)) == {"hv1": True}


def test_a_stall_of_northd_is_not_held_against_a_chassis() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    clock.run(PASS_INTERVAL_MS, _beat("hv1", 1))
    clock.now_ms += 60_000
    assert clock.show(_beat("hv1", 1)) == {"hv1": True}
    # What it had left before the stall it still has, less the one pass.
    assert clock.run(DEAD_AFTER_MS - 2 * PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}


def test_a_northd_that_is_always_busy_finds_the_dead_too() -> None:
    clock, pass_ms = _Clock(), 2400
    clock.show(_beat("hv1", 1))
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
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    clock.run(DEAD_AFTER_MS, _beat("hv1", 1))
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
    clock, beat = _Clock(), _beat("hv1", 1)
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
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    clock.now_ms += PASS_INTERVAL_MS
    clock.show(_beat("hv1", 1), answers=False)
    clock.now_ms += 60_000
    clock.show(_beat("hv1", 2))
    assert clock.run(DEAD_AFTER_MS, _beat("hv1", 2)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 2)) == {"hv1": False}


def test_after_a_reconnection_each_has_the_full_time() -> None:
    clock, beats = _Clock(), (_beat("hv1", 1), _beat("hv2", 1))
    clock.show(*beats)
    clock.run(DEAD_AFTER_MS, _beat("hv1", 2), _beat("hv2", 1))
    clock.show(_beat("hv1", 2), _beat("hv2", 1), answers=False)
    clock.liveness.interrupt()
    assert clock.liveness.find_wait_ms(clock.now_ms) == PASS_INTERVAL_MS
    clock.now_ms += 100 * DEAD_AFTER_MS
    beats = (_beat("hv1", 2), _beat("hv2", 1))
    assert clock.show(*beats) == {"hv1": True, "hv2": True}
    assert clock.run(DEAD_AFTER_MS, *beats) == {"hv1": True, "hv2": True}
    assert clock.run(PASS_INTERVAL_MS, *beats) == {"hv1": False, "hv2": False}


def test_nothing_is_told_while_nothing_changes() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    verdicts = clock.verdicts
    clock.run(2000, _beat("hv1", 2))
    assert clock.verdicts is verdicts, "or svc-northd compares them with each heartbeat"


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=60))
def test_a_chassis_that_beats_at_every_pass_is_alive_whatever_the_gaps(
    passes: list[tuple[int, bool]],
) -> None:
    clock = _Clock()
    for number, (gap_ms, restarted) in enumerate(passes):
        clock.now_ms += gap_ms
        beat = _beat("hv1", number, incarnation=str(restarted))
        assert clock.show(beat) == {"hv1": True}


@given(st.lists(st.integers(1, PASS_INTERVAL_MS), min_size=1, max_size=60))
def test_without_stalls_the_verdict_is_the_time_since_the_last_beat(gaps_ms: list[int]) -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    started_ms = clock.now_ms
    for gap_ms in gaps_ms:
        clock.now_ms += gap_ms
        alive = clock.show(_beat("hv1", 1))["hv1"]
        if clock.now_ms - started_ms <= DEAD_AFTER_MS:
            assert alive
        if clock.now_ms - started_ms > DEAD_AFTER_MS + PASS_INTERVAL_MS:
            assert not alive


# -- with a server that is paused, and a svc-northd that is busy ---------------

_BEAT_MS = 1000
# As late as a heartbeat may be: what a stall may cost is a wait and a punctual answer.
_MOST_GAP_MS = DEAD_AFTER_MS - 2 * PASS_INTERVAL_MS - 100
_END_MS = 30_000


@dataclass
class _World:
    """A chassis, the server and svc-northd, in steps of a ms.

    'pauses' are the server's, 'stops' those of svc-northd, 'halts' those of all
    three, each as (beginning, length).  The server reads svc-northd's
    connection first, then that of the chassis.  'work_ms' is what passes take
    in turn, 'batch' how many messages a pass reads.
    """

    pauses: list[tuple[int, int]] = field(default_factory=list)
    stops: list[tuple[int, int]] = field(default_factory=list)
    halts: list[tuple[int, int]] = field(default_factory=list)
    gaps_ms: list[int] = field(default_factory=lambda: [_BEAT_MS])
    work_ms: list[int] = field(default_factory=lambda: [0])
    batch: int = 50
    silent_ms: int = _END_MS

    def __post_init__(self) -> None:
        self.liveness = Liveness()
        self.beats, self.passes = 0, 0
        self.probed, self.answered = False, True
        self.arrived: list[str] = []
        self.inbox: list[int] = [0]
        self.busy_ms = self.left_ms = 0
        self.wake_ms = 0
        self.row: sb.ChassisPrivate | None = None

    def find_death(self) -> int | None:
        """Returns when svc-northd held the chassis dead."""
        next_beat_ms = 0
        halted_ms = 0
        for now_ms in range(_END_MS):
            if _falls(now_ms, self.halts):
                halted_ms += 1
                continue
            if now_ms - halted_ms >= next_beat_ms and now_ms < self.silent_ms:
                next_beat_ms += self.gaps_ms[self.beats % len(self.gaps_ms)]
                self.beats += 1
                self.arrived.append("beat")
            if not _falls(now_ms, self.pauses):
                self._serve()
            if not _falls(now_ms, self.stops):
                self._step_northd(now_ms)
            verdict = self.liveness.verdicts.get("hv1")
            if verdict is not None and not verdict.alive:
                return now_ms
        return None

    def _serve(self) -> None:
        """One round of the server: a message of each connection."""
        if self.probed:
            self.probed = False
            self.inbox.append(-1)
        if self.arrived:
            self.arrived.pop(0)
            self.inbox.append(self.beats - len(self.arrived))

    def _step_northd(self, now_ms: int) -> None:
        if self.left_ms:
            self.left_ms -= 1
            self.busy_ms += 1
        elif self.inbox or now_ms >= self.wake_ms:
            self._pass(now_ms)

    def _pass(self, now_ms: int) -> None:
        read, self.inbox = self.inbox[: self.batch], self.inbox[self.batch :]
        before = self.row
        for message in read:
            if message < 0:
                self.answered = True
            else:
                self.row = _beat("hv1", message)
        self.liveness.tick(now_ms, self.busy_ms)
        self.liveness.read(OPTIONS, [(before, self.row)] if before != self.row else [], [])
        if self.liveness.judge(self.answered):
            self.probed, self.answered = True, False
        self.left_ms = self.work_ms[self.passes % len(self.work_ms)]
        self.passes += 1
        self.wake_ms = now_ms + self.left_ms + self.liveness.find_wait_ms(now_ms + self.left_ms)


def _falls(now_ms: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start_ms <= now_ms < start_ms + length_ms for start_ms, length_ms in spans)


_spans = st.lists(st.tuples(st.integers(100, _END_MS // 2), st.integers(1, 6000)), max_size=3)
_works = st.lists(st.integers(0, 3000), min_size=1, max_size=5)
_slow = settings(max_examples=25, deadline=None)


@_slow
@given(
    _spans,
    _spans,
    st.lists(st.integers(100, DEAD_AFTER_MS - 100), min_size=1, max_size=5),
    _works,
    st.integers(1, 5),
)
def test_a_chassis_that_beats_in_time_lives_whatever_server_and_northd_do(
    pauses: list[tuple[int, int]],
    stops: list[tuple[int, int]],
    gaps_ms: list[int],
    work_ms: list[int],
    batch: int,
) -> None:
    world = _World(pauses, stops, gaps_ms=gaps_ms, work_ms=work_ms, batch=batch)
    assert world.find_death() is None
    assert world.passes


@_slow
@given(_spans, st.lists(st.integers(100, _MOST_GAP_MS), min_size=1, max_size=5), _works)
def test_a_chassis_lives_through_a_halt_of_everything(
    halts: list[tuple[int, int]], gaps_ms: list[int], work_ms: list[int]
) -> None:
    assert _World(halts=halts, gaps_ms=gaps_ms, work_ms=work_ms).find_death() is None


@_slow
@given(_spans, _spans, _works, st.integers(1, 10_000))
def test_a_chassis_that_stopped_is_found_dead(
    pauses: list[tuple[int, int]],
    stops: list[tuple[int, int]],
    work_ms: list[int],
    silent_ms: int,
) -> None:
    world = _World(pauses, stops, work_ms=work_ms, silent_ms=silent_ms)
    death_ms = world.find_death()
    lost_ms = sum(length_ms for _, length_ms in (*pauses, *stops))
    latest_ms = silent_ms + DEAD_AFTER_MS + lost_ms + 4 * (max(work_ms) + PASS_INTERVAL_MS)
    assert latest_ms > _END_MS or (death_ms is not None and death_ms <= latest_ms)
    assert death_ms is None or death_ms > silent_ms - _BEAT_MS + DEAD_AFTER_MS


# -- what else a chassis says ------------------------------------------------


def test_what_a_chassis_says_of_itself_is_handed_on() -> None:
    beat = replace(_beat("hv1", 1, "7"), stopping=True, ovn_problem="ovn-controller is dead")
    clock = _Clock()
    clock.show(beat)
    before = clock.verdicts
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
    clock = _Clock(_weight("hv1", overloaded=overloaded))
    clock.show(_beat("hv1", 1, load={"cpu": cpu}))
    assert clock.verdicts["hv1"].overloaded == expected


def test_a_chassis_that_reports_no_load_is_idle() -> None:
    clock = _Clock(_weight("hv1", overloaded=True))
    clock.show(_beat("hv1", 1))
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
    clock, overloaded = _Clock(options=options), False
    for number, load in enumerate(loads):
        before = overloaded
        clock.weights = (_weight("hv1", overloaded=before),)
        clock.show(_beat("hv1", number, load={"cpu": str(load)}))
        overloaded = clock.verdicts["hv1"].overloaded
        if overloaded != before:
            assert load >= threshold if overloaded else load < max(1, threshold - hysteresis)
        assert overloaded or load < threshold
        assert not overloaded or load > 0
