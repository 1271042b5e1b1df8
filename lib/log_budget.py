"""How many lines of one sort a log gets, where what they tell of may happen very often."""

from __future__ import annotations

# So many at once, and so many more in each second after it.
BURST = 500
PER_S = 10


class LogBudget:
    """'left_out' are the lines that were too many since the last that was told."""

    def __init__(self, burst: int = BURST, per_s: int = PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._filled_ms: int | None = None
        self.left_out = 0

    def take(self, now_ms: int) -> bool:
        """Returns whether a line may be written at 'now_ms' (monotonic), and counts it."""
        if self._filled_ms is not None:
            passed_ms = max(0, now_ms - self._filled_ms)
            self._left = min(self._burst, self._left + passed_ms * self._per_s / 1000)
        self._filled_ms = now_ms
        if self._left < 1:
            self.left_out += 1
            return False
        self._left -= 1
        return True
