"""Moments by name, of which the first ones are taken when they have come."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

_SPARE = 64


@dataclass(slots=True)
class Timers:
    """One moment in ms for each name, of a clock that only goes forward."""

    _moments: dict[str, int] = field(default_factory=dict)
    # May also hold moments that were changed or dropped since.
    _heap: list[tuple[int, str]] = field(default_factory=list)

    def put(self, name: str, at_ms: int) -> None:
        """Gives 'name' a moment, in place of the one that it had."""
        self._moments[name] = at_ms
        heapq.heappush(self._heap, (at_ms, name))
        if len(self._heap) > _SPARE + 4 * len(self._moments):
            self._heap = [(moment, each) for each, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def drop(self, name: str) -> None:
        """Takes the moment of 'name' away, if it has one."""
        self._moments.pop(name, None)

    def take_due(self, now_ms: int) -> set[str]:
        """Returns the names whose moment has come, and takes it away from them."""
        due = set()
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, name = heapq.heappop(self._heap)
            if self._moments.get(name) == at_ms:
                del self._moments[name]
                due.add(name)
        return due

    def find_next_ms(self) -> int | None:
        """Returns the first moment."""
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
