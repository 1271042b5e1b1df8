"""Which of the chassis that could take a container gets it.

A policy ranks a chassis for a container; the lowest rank gets it, the first by
name of equals.  What was decided in the same plan counts, so that a burst does
not end on one chassis.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping

from .model import Candidate, Request


class Load:
    """Containers of each chassis, decisions of this plan included.

    'total' counts every role, as a limit does; 'group' and 'domain' count the
    places from which the containers of a group serve, or will.
    """

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.group: Counter[tuple[str, str]] = Counter()
        self.domain: Counter[tuple[str, str]] = Counter()

    def add_share(self, request: Request, candidate: Candidate, count: int = 1) -> None:
        """Counts 'request' as one of its group's on 'candidate', or takes it off with -1."""
        self.group[request.group, candidate.name] += count
        self.domain[request.group, find_domain(request, candidate)] += count

    def is_full(self, candidate: Candidate) -> bool:
        """Whether 'candidate' has as many containers as it takes."""
        return 0 <= candidate.limit <= self.total[candidate.name]

    def is_over(self, candidate: Candidate) -> bool:
        """Whether 'candidate' has more containers than it takes."""
        return 0 <= candidate.limit < self.total[candidate.name]


def find_domain(request: Request, candidate: Candidate) -> str:
    """Returns the failure domain of 'candidate' as far as the group of 'request' cares."""
    return candidate.labels.get(request.spread, "") if request.spread else ""


def rank(request: Request, candidate: Candidate, load: Load) -> tuple[int, float, str]:
    """Returns what makes 'candidate' less fit than another for 'request'."""
    domain = load.domain[request.group, find_domain(request, candidate)] if request.spread else 0
    return domain, POLICIES[request.policy](request, candidate, load), candidate.name


def _least(_request: Request, candidate: Candidate, load: Load) -> float:
    """Fewest containers of any kind, relative to the weight."""
    return (load.total[candidate.name] + 1) / candidate.weight


def _weighted(request: Request, candidate: Candidate, load: Load) -> float:
    """The chassis that is furthest below its share of the group's containers (D'Hondt)."""
    return (load.group[request.group, candidate.name] + 1) / candidate.weight


def _random(request: Request, candidate: Candidate, _load: Load) -> float:
    """Weighted rendezvous hashing: each chassis wins in proportion to its weight.

    -ln(u)/w is the time of the first event of a Poisson process of rate w.
    """
    digest = hashlib.sha256(f"{request.name}\0{candidate.name}".encode()).digest()
    uniform = (int.from_bytes(digest[:6], "big") + 1) / (2**48 + 1)
    return -math.log(uniform) / candidate.weight


POLICIES: Mapping[str, Callable[[Request, Candidate, Load], float]] = {
    "least": _least,
    "load": _least,
    "random": _random,
    "weighted": _weighted,
}
