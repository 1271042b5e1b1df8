"""Liveness with a server that is paused, and a svc-northd that is busy or stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib import sb
from ..northd.liveness import PASS_INTERVAL_MS, Liveness
from .heartbeats import DEAD_AFTER_MS, OPTIONS, make_beat

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
    in turn, 'batch' how many messages are read at a time.  What was read is
    taken when Liveness is due.
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
        self.taken: sb.ChassisPrivate | None = None
        self.unread = False

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
            self._receive()
            if self.liveness.is_due(now_ms):
                self._pass(now_ms)
            wait_ms = self.liveness.find_wait_ms(now_ms + self.left_ms, self.unread)
            self.wake_ms = now_ms + self.left_ms + wait_ms

    def _receive(self) -> None:
        read, self.inbox = self.inbox[: self.batch], self.inbox[self.batch :]
        self.unread = self.unread or bool(read)
        for message in read:
            if message < 0:
                self.answered = True
            else:
                self.row = make_beat("hv1", message)

    def _pass(self, now_ms: int) -> None:
        before, self.taken, self.unread = self.taken, self.row, False
        self.liveness.tick(now_ms, self.busy_ms)
        self.liveness.read(OPTIONS, [(before, self.row)] if before != self.row else [], [])
        if self.liveness.judge(self.answered):
            self.probed, self.answered = True, False
        self.left_ms = self.work_ms[self.passes % len(self.work_ms)]
        self.passes += 1


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
