"""Whether this chassis is isolated: cut off from the southbound and from every other chassis. Pure.

svc-northd takes a chassis for dead no earlier than chassis-dead-after from when it saw the last
heartbeat, which is no earlier than when that was made here.  So whoever finds out before that time
has passed since the last heartbeat of which it knows that it arrived is in time.

The southbound alone is no sign: it may be restarted, or its host be dead, while everything else
goes on.  What tells is that the other chassis are silent too, which were not before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# How often it is asked whether echoes are answered at all: before and after the first answer.
FIRST_INTERVAL_MS = 5000
INTERVAL_MS = 30_000
# Two rounds may be lost before peers count as silent already when the southbound goes.
_FRESH_MS = 75_000
# A peer that is there answers one of so many rounds in a row, or one of its fellows does.
ROUNDS = 3
_LEAST_ROUND_MS = 25


@dataclass(frozen=True, slots=True)
class Timing:
    """Ages of the last acknowledged heartbeat, in ms: from 'overdue_ms' on peers are asked every
    'round_ms', from 'fence_ms' on their silence counts."""

    overdue_ms: int
    fence_ms: int
    round_ms: int


def find_timing(interval_ms: int, dead_after_ms: int) -> Timing:
    """Returns the times for a chassis that beats every 'interval_ms'.

    There is time for ROUNDS rounds and their answers between half of 'dead_after_ms' and three
    quarters of it.  No heartbeat is overdue before the next is to be acknowledged.
    """
    overdue_ms = max(dead_after_ms // 2, interval_ms * 5 // 4)
    round_ms = max(dead_after_ms // 16, _LEAST_ROUND_MS)
    return Timing(overdue_ms, max(dead_after_ms * 3 // 4, overdue_ms + ROUNDS * round_ms), round_ms)


@dataclass(slots=True)
class Isolation:
    """What was seen, by times of one monotonic clock in ms; 'since_ms' is when it was isolated."""

    since_ms: int | None = None
    _acknowledged_ms: int | None = None
    _answered_ms: int | None = None
    _round_ms: int | None = None
    _unanswered: deque[int] = field(default_factory=lambda: deque(maxlen=ROUNDS))

    def note_acknowledged(self, made_ms: int) -> None:
        """Notes that the southbound has the heartbeat that was made then.

        One that was made after the chassis was isolated ends that; an earlier one may have
        arrived before, with nobody left to say so.
        """
        if self._acknowledged_ms is not None and made_ms <= self._acknowledged_ms:
            return
        self._acknowledged_ms = made_ms
        if self.since_ms is None or made_ms > self.since_ms:
            self.since_ms = None
            self._unanswered.clear()

    def note_answer(self, now_ms: int) -> None:
        """Notes that another chassis answers."""
        self._answered_ms = now_ms
        self._unanswered.clear()

    def note_round(self, now_ms: int, timing: Timing) -> None:
        """Notes that some of the other chassis were asked."""
        self._round_ms = now_ms
        # The first and the last ROUNDS - 1 of a long silence say as much as all of them.
        full = len(self._unanswered) == ROUNDS
        if self.is_overdue(now_ms, timing) and not full:
            self._unanswered.append(now_ms)

    def is_overdue(self, now_ms: int, timing: Timing) -> bool:
        """Returns whether the southbound ought to have acknowledged a heartbeat by now."""
        acknowledged_ms = self._acknowledged_ms
        return acknowledged_ms is not None and now_ms >= acknowledged_ms + timing.overdue_ms

    def is_urgent(self, now_ms: int, timing: Timing) -> bool:
        """Returns whether it is being found out if the chassis is isolated."""
        return self.since_ms is None and self.is_overdue(now_ms, timing)

    def find_age_ms(self, now_ms: int) -> int | None:
        """Returns how old the last acknowledged heartbeat is; None if there was none."""
        return None if self._acknowledged_ms is None else now_ms - self._acknowledged_ms

    def judge(self, now_ms: int, timing: Timing) -> bool:
        """Returns whether the chassis is isolated; it stays so until the southbound is back."""
        if self.since_ms is None and self._is_cut(now_ms, timing):
            self.since_ms = now_ms
        return self.since_ms is not None

    def find_round_ms(self, now_ms: int, timing: Timing) -> int:
        """Returns when the other chassis are to be asked again; the past if now."""
        if self._round_ms is None:
            return now_ms
        if self.is_urgent(now_ms, timing):
            return self._round_ms + timing.round_ms
        interval_ms = FIRST_INTERVAL_MS if self._answered_ms is None else INTERVAL_MS
        next_ms = self._round_ms + interval_ms
        if self.since_ms is not None or self._acknowledged_ms is None:
            return next_ms
        return min(next_ms, self._acknowledged_ms + timing.overdue_ms)

    def find_next_ms(self, now_ms: int, timing: Timing) -> int:
        """Returns when judge() may say something else, or a round is due."""
        next_ms = self.find_round_ms(now_ms, timing)
        if self.since_ms is None and self._acknowledged_ms is not None:
            fence_ms = self._acknowledged_ms + timing.fence_ms
            next_ms = min(next_ms, fence_ms) if fence_ms > now_ms else next_ms
        return next_ms

    def _is_cut(self, now_ms: int, timing: Timing) -> bool:
        acknowledged_ms, answered_ms = self._acknowledged_ms, self._answered_ms
        if acknowledged_ms is None or answered_ms is None:
            return False
        # Who was silent before the southbound went says nothing by going on with it.
        known = answered_ms >= acknowledged_ms - _FRESH_MS
        silent = len(self._unanswered) == ROUNDS
        silent = silent and now_ms >= self._unanswered[-1] + timing.round_ms
        return known and silent and now_ms >= acknowledged_ms + timing.fence_ms
