"""The chassis of one kind in the order in which a policy prefers them.

The order is kept while load only grows, as it does when containers get their
first places: then a chassis can only fall behind, and is looked at again when
it comes to the front.  So a place for each of many containers costs no look at
each chassis.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush, heapreplace

from .load import Load
from .model import Candidate, Request
from .policies import rank


class Ranking:
    """What 'request' prefers, and all requests that are alike; their names must not matter."""

    def __init__(self, request: Request, options: Iterable[Candidate], load: Load) -> None:
        self._request = request
        self._load = load
        self._shrinkage = load.shrinkage
        self._heap = [(rank(request, each, load), each) for each in options]
        heapify(self._heap)

    def is_current(self) -> bool:
        """Whether load has only grown since."""
        return self._shrinkage == self._load.shrinkage

    def find_best(self, closed: Collection[str]) -> str | None:
        """Returns the first chassis that has room and is not one of 'closed', None without one."""
        skipped = []
        best = None
        while self._heap and best is None:
            before, candidate = self._heap[0]
            current = rank(self._request, candidate, self._load)
            if self._load.is_full(candidate):
                heappop(self._heap)
            elif current != before:
                heapreplace(self._heap, (current, candidate))
            elif candidate.name in closed:
                skipped.append(heappop(self._heap))
            else:
                best = candidate.name
        for each in skipped:
            heappush(self._heap, each)
        return best
