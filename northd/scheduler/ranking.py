"""The chassis of one kind in the order in which a policy prefers them.

The order is kept while load changes.  With more load a chassis can only fall
behind, and is looked at again when it comes to the front; one that has less is
put in anew.  So a place for each of many containers costs no look at each
chassis.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from heapq import heapify, heappop, heappush, heapreplace

from .load import Load
from .model import Candidate, Request
from .policies import rank
from .suitable import find_kind

Rank = tuple[int, float, str]


def find_order(request: Request) -> object:
    """Returns what is the same for all requests that prefer the chassis in the same order.

    The policy must be one to which the name of a container is all the same.
    """
    spread = (request.group, request.spread) if request.spread else None
    return find_kind(request), request.policy, spread


class Ranking:
    """What 'request' prefers, and all requests of the same order (find_order).

    'options' are all chassis that suit, 'first' those of them that may have room
    at this time.  'has_room' says which have; what has none may have some again
    only once its load is less.
    """

    def __init__(
        self,
        request: Request,
        options: Mapping[str, Candidate],
        first: Iterable[Candidate],
        load: Load,
        has_room: Callable[[Candidate], bool],
    ) -> None:
        self._request = request
        self._options = options
        self._load = load
        self._has_room = has_room
        self._seen = len(load.shrunk)
        self._domain_shrinkage = load.domain_shrinkage
        # The rank under which each chassis is in the heap: its own, or one that is less.
        self._ranks = {each.name: self._rank(each) for each in first if has_room(each)}
        self._heap = list(self._ranks.values())
        heapify(self._heap)

    def is_current(self) -> bool:
        """Whether it can be gone on with, and to find it anew would cost more."""
        if self._request.spread and self._domain_shrinkage != self._load.domain_shrinkage:
            return False
        return len(self._load.shrunk) - self._seen <= len(self._options)

    def find_best(self, closed: Collection[str]) -> str | None:
        """Returns the first chassis that has room and is not one of 'closed', None without one."""
        self._put_in_shrunk()
        skipped = []
        best = None
        while self._heap and best is None:
            before = self._heap[0]
            candidate = self._options[before[-1]]
            if before != self._ranks.get(candidate.name):
                heappop(self._heap)
            elif not self._has_room(candidate):
                heappop(self._heap)
                del self._ranks[candidate.name]
            elif (current := self._rank(candidate)) != before:
                heapreplace(self._heap, current)
                self._ranks[candidate.name] = current
            elif candidate.name in closed:
                skipped.append(heappop(self._heap))
            else:
                best = candidate.name
        for each in skipped:
            heappush(self._heap, each)
        return best

    def _put_in_shrunk(self) -> None:
        """Puts in those that may come before where they were with the load that they had."""
        shrunk = self._load.shrunk[self._seen :]
        self._seen += len(shrunk)
        for name in self._options.keys() & set(shrunk):
            before, current = self._ranks.get(name), self._rank(self._options[name])
            if before is None or current < before:
                self._ranks[name] = current
                heappush(self._heap, current)

    def _rank(self, candidate: Candidate) -> Rank:
        return rank(self._request, candidate, self._load)
