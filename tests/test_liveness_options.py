"""No option, at any value and in any order, kills a chassis that beats as it was told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..lib import sb
from ..lib.options import MOST_HEARTBEAT_INTERVAL_MS
from ..northd.liveness import PASS_INTERVAL_MS, READ_INTERVAL_MS
from ..northd.options import Options, make_options
from .heartbeats import DEAD_AFTER_MS, Clock, make_beat, make_weight, pair

_INTERVALS = st.sampled_from([100, 250, 500, 1000, 2000, 5000])
_TIMES = st.integers(0, 20_000) | st.sampled_from([500, 1000, 2**31 - 1, 10**12])
_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "heartbeat-interval": _INTERVALS.map(str) | _TIMES.map(str),
        "chassis-dead-after": _TIMES.map(str) | st.text(max_size=3),
        "load-threshold": st.integers(0, 101).map(str),
    },
)
_STEP_MS = 50


@dataclass
class _Chassis:
    """Beats as it was last told, says so or does not, and learns of options 'late_ms' later."""

    name: str
    late_ms: int
    tells: bool
    options: Options = field(default_factory=Options)
    number: int = 0
    next_ms: int = 0
    row: sb.ChassisPrivate | None = None
    news: list[tuple[int, Options]] = field(default_factory=list)

    def step(self, now_ms: int) -> None:
        while self.news and self.news[0][0] + self.late_ms <= now_ms:
            self.options = self.news.pop(0)[1]
        if now_ms >= self.next_ms:
            # 10 % later at most, and some more for a busy host.
            interval_ms = self.options.heartbeat_interval_ms
            self.next_ms = now_ms + interval_ms * 11 // 10 + min(interval_ms // 2, 200)
            self.number += 1
            said_ms = interval_ms if self.tells else 0
            self.row = make_beat(self.name, self.number, interval_ms=said_ms)


@settings(max_examples=60)
# One that does not say by what it beats comes when a shorter interval was just asked for.
@example(changes=[(0, {"heartbeat-interval": "100"})], hosts=[(1301, False)])
@given(
    st.lists(st.tuples(st.integers(0, 30_000), _OPTIONS), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 15_000), st.booleans()), min_size=1, max_size=3),
)
def test_a_chassis_that_beats_as_it_was_told_never_dies(
    changes: list[tuple[int, dict[str, str]]], hosts: list[tuple[int, bool]]
) -> None:
    clock = Clock(options=Options())
    chassis = [
        _Chassis(f"hv{number}", late_ms, tells) for number, (late_ms, tells) in enumerate(hosts)
    ]
    left = sorted(changes, key=lambda change: change[0])
    started_ms = clock.now_ms
    while left or clock.now_ms < started_ms + 45_000:
        clock.now_ms += _STEP_MS
        while left and started_ms + left[0][0] <= clock.now_ms:
            clock.options = make_options(left.pop(0)[1], None)
            for each in chassis:
                each.news.append((clock.now_ms, clock.options))
        for each in chassis:
            each.step(clock.now_ms)
        if clock.liveness.is_due(clock.now_ms):
            alive = clock.show(*(each.row for each in chassis if each.row is not None))
            assert all(alive.values()), clock.now_ms - started_ms


def _find_death_ms(clock: Clock, beat: sb.ChassisPrivate, most_ms: int) -> int | None:
    """Returns after how long a chassis that is silent from now on is dead."""
    for passed_ms in range(PASS_INTERVAL_MS, most_ms, PASS_INTERVAL_MS):
        clock.now_ms += PASS_INTERVAL_MS
        if not clock.show(beat)[beat.name]:
            return passed_ms
    return None


def _set(clock: Clock, **options: int) -> None:
    texts = {key.replace("_", "-"): str(value) for key, value in options.items()}
    clock.options = make_options(texts, None)


def test_a_shorter_interval_counts_once_the_chassis_has_told_it() -> None:
    clock = Clock()
    _set(clock, heartbeat_interval=5000)
    clock.show(make_beat("hv1", 1, interval_ms=5000))
    _set(clock, heartbeat_interval=500)
    assert clock.run(19_000, make_beat("hv1", 1, interval_ms=5000)) == {"hv1": True}
    clock.show(make_beat("hv1", 2, interval_ms=5000))
    assert clock.run(19_000, make_beat("hv1", 2, interval_ms=5000)) == {"hv1": True}
    clock.show(make_beat("hv1", 3, interval_ms=500))
    assert _find_death_ms(clock, make_beat("hv1", 3, interval_ms=500), 60_000) == 2500


def test_one_that_is_cut_off_before_the_time_is_shortened_has_the_time_that_it_knows() -> None:
    clock = Clock()
    _set(clock, chassis_dead_after=20_000)
    clock.show(make_beat("hv1", 1), make_beat("hv2", 1))
    _set(clock, chassis_dead_after=3000)
    for number in range(2, 20):
        clock.run(1000, make_beat("hv1", 1), make_beat("hv2", number))
        assert clock.alive == {"hv1": True, "hv2": True}
    clock.show(make_beat("hv1", 1), make_beat("hv2", 20))
    clock.run(3500, make_beat("hv1", 1), make_beat("hv2", 20))
    assert clock.alive == {"hv1": False, "hv2": False}, "each by what it knows"


@pytest.mark.parametrize("told_ms", [2**31 - 1, 10**30, MOST_HEARTBEAT_INTERVAL_MS])
def test_no_chassis_can_say_that_it_never_dies(told_ms: int) -> None:
    clock, beat = Clock(), make_beat("hv1", 1, interval_ms=told_ms)
    clock.show(beat)
    most_ms = 5 * MOST_HEARTBEAT_INTERVAL_MS
    death_ms = _find_death_ms(clock, beat, most_ms)
    assert death_ms is not None
    assert death_ms > 4 * MOST_HEARTBEAT_INTERVAL_MS


_NUMBERS = st.integers(-(2**70), 2**70)


@given(
    st.lists(st.tuples(_NUMBERS, _NUMBERS, st.text(max_size=3), st.booleans()), max_size=20),
    st.dictionaries(st.just("cpu") | st.text(), st.text() | _NUMBERS.map(str)),
)
def test_any_content_of_the_rows_is_judged(
    rows: list[tuple[int, int, str, bool]], load: dict[str, str]
) -> None:
    clock = Clock()
    for heartbeat, interval_ms, incarnation, alive in rows:
        clock.weights = (make_weight("hv1", alive=alive),) if heartbeat % 2 else ()
        beat = make_beat("hv1", heartbeat, incarnation, load, interval_ms)
        clock.run(1500, beat)
        assert clock.verdicts["hv1"].incarnation == incarnation


# -- what a pass costs ---------------------------------------------------------


def test_changes_are_told_by_name_and_once() -> None:
    clock = Clock()
    clock.show(make_beat("hv1", 1), make_beat("hv2", 1))
    first = clock.liveness.take_changed()
    assert first == dict(clock.verdicts)
    clock.run(DEAD_AFTER_MS, make_beat("hv1", 2), make_beat("hv2", 1))
    clock.run(PASS_INTERVAL_MS, make_beat("hv1", 3), make_beat("hv2", 1))
    changed = clock.liveness.take_changed()
    assert {name: verdict and verdict.alive for name, verdict in changed.items()} == {"hv2": False}
    clock.show(make_beat("hv1", 3))
    assert clock.liveness.take_changed() == {"hv2": None}
    assert clock.liveness.take_changed() == {}


def test_heartbeats_of_a_hundred_ms_are_one_pass() -> None:
    clock = Clock()
    liveness = clock.liveness
    assert liveness.is_due(clock.now_ms)
    clock.show(make_beat("hv1", 1))
    assert not liveness.is_due(clock.now_ms + READ_INTERVAL_MS - 1)
    assert liveness.is_due(clock.now_ms + READ_INTERVAL_MS)
    assert liveness.find_wait_ms(clock.now_ms + 30) == PASS_INTERVAL_MS - 30
    assert liveness.find_wait_ms(clock.now_ms + 30, unread=True) == READ_INTERVAL_MS - 30


def test_a_heartbeat_costs_the_same_among_many() -> None:
    """Counts what is looked at: the pulses that are touched in a pass in which one beats."""
    clock = Clock()
    beats = [make_beat(f"hv{number}", 1) for number in range(1000)]
    clock.show(*beats)
    pulses = clock.liveness._pulses
    counted = _Counted(pulses)
    clock.liveness._pulses = counted
    before = beats[0]
    for beat in range(2, 12):
        clock.now_ms += READ_INTERVAL_MS
        clock.liveness.tick(clock.now_ms, 0)
        after = make_beat("hv0", beat)
        clock.liveness.read(clock.options, pair({"": before}, {"": after}), [])
        clock.liveness.judge(answered=True)
        before = after
    assert counted.walks == 0
    assert clock.liveness.take_changed().keys() == pulses.keys()


class _Counted(dict):  # type: ignore[type-arg]
    """A dictionary that counts how often somebody goes through all of it."""

    walks = 0

    def values(self):  # type: ignore[no-untyped-def]
        self.walks += 1
        return super().values()

    def items(self):  # type: ignore[no-untyped-def]
        self.walks += 1
        return super().items()

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.walks += 1
        return super().__iter__()
