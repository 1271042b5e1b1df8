"""Lines of the log that tell of what may happen very often: so many, and the rest as a sum.

Each daemon's loop has them summed up (loop.py), so that the sum comes though
nothing of the sort happens any more, and whoever told it is gone.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable

# So many at once, and so many more in each second after it.
BURST = 500
PER_S = 10
# Between two lines that sum up.
_PAUSE_MS = 5000


class LogBudget:
    """How many lines there may be."""

    def __init__(self, burst: int = BURST, per_s: int = PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._filled_ms: int | None = None

    def take(self, now_ms: int) -> bool:
        """Returns whether a line may be written at 'now_ms' (monotonic), and counts it."""
        if self._filled_ms is not None:
            passed_ms = max(0, now_ms - self._filled_ms)
            self._left = min(self._burst, self._left + passed_ms * self._per_s / 1000)
        self._filled_ms = now_ms
        if self._left < 1:
            return False
        self._left -= 1
        return True


class SummedLog:
    """Lines of one sort: 'write' writes one, 'what' says what there is more of in a sum."""

    def __init__(self, write: Callable[[str], None], what: str, budget: LogBudget) -> None:
        self._write = write
        self._what = what
        self._budget = budget
        self._left_out: Counter[str] = Counter()
        self._next_ms: int | None = None
        _LOGS.add(self)

    def tell(self, kind: str, make_line: Callable[[], str], now_ms: int) -> None:
        """Writes a line, or counts one of 'kind' where there were too many; 'now_ms' monotonic."""
        if self._budget.take(now_ms):
            self._write(make_line())
        else:
            self._left_out[kind] += 1

    def sum_up(self) -> None:
        """Writes how many were left out since it was last called, if any."""
        if self._left_out:
            each = ", ".join(f"{count} {kind}" for kind, count in sorted(self._left_out.items()))
            self._write(f"{self._left_out.total()} more {self._what}: {each}")
            self._left_out.clear()

    def run(self, now_ms: int) -> None:
        """Sums up, unless it has just done so."""
        if self._left_out and now_ms >= (self._next_ms or now_ms):
            self._next_ms = now_ms + _PAUSE_MS
            self.sum_up()

    def find_next_ms(self) -> int | None:
        """Returns when there is something to sum up, 0 for at once; None if there is nothing."""
        return (self._next_ms or 0) if self._left_out else None


_LOGS: weakref.WeakSet[SummedLog] = weakref.WeakSet()


def run(now_ms: int) -> None:
    """Has each log of this process summed up that has something to say."""
    for log in list(_LOGS):
        log.run(now_ms)


def find_next_ms() -> int | None:
    """Returns when run() has something to do; None if it has not."""
    moments = [log.find_next_ms() for log in list(_LOGS)]
    return min((each for each in moments if each is not None), default=None)


def finish() -> None:
    """Writes all that was left out, as the process ends."""
    for log in list(_LOGS):
        log.sum_up()
