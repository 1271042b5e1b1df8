"""Who gets a new place after a mass failure, one after the other.  Pure.

A turn is for good: one that has had its turn is planned as any other container is,
until the mass failure is over.  Who waited first has the first turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

# Turns are given together for so long, so that a second takes a few plans only.
STEP_MS = 100


class Turns:
    """'waiting' are the containers that have no turn yet; all times are monotonic, in ms."""

    def __init__(self) -> None:
        self.waiting: dict[str, None] = {}
        self.given: set[str] = set()
        self._given_ms: int | None = None
        # What is due of a turn, in thousandths.
        self._due = 0

    def note(self, waits: Iterable[str], others: Iterable[str]) -> None:
        """Takes who waits, and who does not any more."""
        self.waiting.update(dict.fromkeys(sorted(waits)))
        for name in others:
            self.waiting.pop(name, None)

    def stop(self) -> set[str]:
        """Gives no turn from here on; returns those that had theirs, which they have not any more.

        Those of them that are still lost wait again.
        """
        given, self.given = self.given, set()
        self._given_ms = None
        return given

    def give(self, now_ms: int, rate: int) -> list[str]:
        """Returns those that have their turn at 'now_ms', 'rate' in a second."""
        if self._given_ms is None:
            # The first have theirs at once.
            self._given_ms, self._due = now_ms - STEP_MS, 0
        step_ms = now_ms - self._given_ms
        if step_ms < STEP_MS:
            return []
        # What was not used is not saved up for a burst.
        self._due = min(self._due % 1000 + step_ms * rate, max(1000, 1000 * rate))
        self._given_ms = now_ms
        names = list(islice(self.waiting, self._due // 1000))
        self._due -= 1000 * len(names)
        for name in names:
            del self.waiting[name]
        self.given.update(names)
        return names

    def find_next_ms(self) -> int | None:
        """Returns when give() is to be called again; None while nobody waits."""
        if not self.waiting or self._given_ms is None:
            return None
        return self._given_ms + STEP_MS
