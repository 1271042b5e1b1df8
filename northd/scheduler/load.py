"""How many containers are on each chassis, which policies and limits go by.

What containers that are settled add to it is kept elsewhere, by an index, and
only looked up here: a plan costs what it plans, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...lib.group import BY_WEIGHT
from .model import Candidate, Request

LoadKey = tuple[str, str, str]
"""What is counted, of which group ("" for all), on which chassis or in which failure domain."""
Base = Callable[[LoadKey], int]
"""Returns a count, 0 for what was never counted."""

FindStandingBy = Callable[[str], Iterable[tuple[str, int]]]
"""Returns who can do without a standby on a chassis, and on how many chassis each stands by."""

TOTAL = "total"
SHARE = "share"
DOMAIN = "domain"


def _stand_nowhere(_chassis: str) -> Iterable[tuple[str, int]]:
    return ()


@dataclass(frozen=True, slots=True)
class Others:
    """What a plan is told of the containers that it is not made for, since they are settled."""

    count: Base | None = None
    find_standing_by: FindStandingBy = _stand_nowhere


class Load:
    """Containers of each chassis, decisions of this plan included.

    The total counts every role, as a limit does.  The share counts the places from
    which containers serve, or will, that are placed by weight, of whatever group; a
    domain counts those of a group.
    """

    def __init__(self, base: Base | None = None) -> None:
        # Another number whenever a total is another.
        self.version = 0
        # The chassis of which a count became less than before, one after the other.
        self.shrunk: list[str] = []
        # Another number whenever the count of a failure domain is less than before.
        self.domain_shrinkage = 0
        self._base = base
        self._counts: Counter[LoadKey] = Counter()
        # Each count of the base is looked up once.
        self._based: dict[LoadKey, int] = {}

    def add(self, chassis: str, count: int = 1) -> None:
        """Counts one more container on 'chassis', or one less with -1."""
        self._counts[TOTAL, "", chassis] += count
        self.version += 1
        if count < 0:
            self.shrunk.append(chassis)

    def add_share(self, request: Request, candidate: Candidate, count: int = 1) -> None:
        """Counts 'request' as one that serves from 'candidate', or takes it off with -1."""
        if request.policy == BY_WEIGHT:
            self._counts[SHARE, "", candidate.name] += count
        self._counts[DOMAIN, request.group, find_domain(request.spread, candidate)] += count
        if count < 0:
            self.shrunk.append(candidate.name)
            self.domain_shrinkage += 1

    def count_total(self, chassis: str) -> int:
        """Returns how many containers 'chassis' has in any role."""
        return self._count((TOTAL, "", chassis))

    def count_share(self, chassis: str) -> int:
        """Returns how many containers that are placed by weight serve from 'chassis'."""
        return self._count((SHARE, "", chassis))

    def count_domain(self, group: str, domain: str) -> int:
        """Returns how many containers of 'group' serve from failure domain 'domain'."""
        return self._count((DOMAIN, group, domain))

    def is_full(self, candidate: Candidate) -> bool:
        """Whether 'candidate' has as many containers as it takes."""
        return 0 <= candidate.limit <= self.count_total(candidate.name)

    def is_over(self, candidate: Candidate) -> bool:
        """Whether 'candidate' has more containers than it takes."""
        return 0 <= candidate.limit < self.count_total(candidate.name)

    def _count(self, key: LoadKey) -> int:
        if self._base is None:
            return self._counts[key]
        based = self._based.get(key)
        if based is None:
            based = self._based[key] = self._base(key)
        return based + self._counts[key]


def find_domain(spread: str | None, candidate: Candidate) -> str:
    """Returns the failure domain of 'candidate' by label 'spread', "" without one."""
    return candidate.labels.get(spread, "") if spread else ""
