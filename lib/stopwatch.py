"""How long what is done again and again takes, by its name (stopwatch/show).

As Open vSwitch's lib/stopwatch.c: minimum, maximum, averages that forget, the 95th percentile.
What is measured decides nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator

_SHORT_TERM = 0.5
_LONG_TERM = 0.01
_REMEMBERED = 1000


class Stopwatch:
    """What one thing took, each time."""

    __slots__ = ("_last", "long_ms", "longest_ms", "samples", "short_ms", "shortest_ms")

    def __init__(self) -> None:
        self.samples = 0
        self.longest_ms = self.shortest_ms = self.short_ms = self.long_ms = 0.0
        self._last: deque[float] = deque(maxlen=_REMEMBERED)

    def note(self, spent_ms: float) -> None:
        """Notes that it was done once more."""
        if not self.samples:
            self.shortest_ms = self.short_ms = self.long_ms = spent_ms
        self.samples += 1
        self.longest_ms = max(self.longest_ms, spent_ms)
        self.shortest_ms = min(self.shortest_ms, spent_ms)
        self.short_ms += _SHORT_TERM * (spent_ms - self.short_ms)
        self.long_ms += _LONG_TERM * (spent_ms - self.long_ms)
        self._last.append(spent_ms)

    def find_percentile_95(self) -> float:
        """Returns what 19 of 20 of the last thousand times did not exceed, in ms; 0 for none."""
        ranked = sorted(self._last)
        return ranked[-(-len(ranked) * 19 // 20) - 1] if ranked else 0.0


_STOPWATCHES: dict[str, Stopwatch] = {}


def note(name: str, spent_s: float) -> None:
    """Notes that 'name' was done once more, and took so long."""
    found = _STOPWATCHES.get(name)
    if found is None:
        found = _STOPWATCHES[name] = Stopwatch()
    found.note(spent_s * 1000)


@contextlib.contextmanager
def measure(name: str) -> Iterator[None]:
    """Notes what its body takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        note(name, time.perf_counter() - started)


def reset(name: str | None = None) -> bool:
    """Begins anew with one, or with all; returns whether there is one of this name."""
    if name is not None and name not in _STOPWATCHES:
        return False
    for each in [name] if name is not None else list(_STOPWATCHES):
        _STOPWATCHES[each] = Stopwatch()
    return True


def format_statistics(name: str | None = None) -> str | None:
    """Returns the statistics of one, or of all; None if there is none of this name."""
    if name is not None and name not in _STOPWATCHES:
        return None
    names = [name] if name is not None else sorted(_STOPWATCHES)
    return "\n".join(_format(each, _STOPWATCHES[each]) for each in names)


def _format(name: str, watch: Stopwatch) -> str:
    return "\n".join(
        (
            f"Statistics for '{name}'",
            f"  Total samples: {watch.samples}",
            f"  Maximum: {watch.longest_ms:.0f} msec",
            f"  Minimum: {watch.shortest_ms:.0f} msec",
            f"  95th percentile: {watch.find_percentile_95():f} msec",
            f"  Short term average: {watch.short_ms:f} msec",
            f"  Long term average: {watch.long_ms:f} msec",
        )
    )
