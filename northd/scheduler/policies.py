"""Which of the chassis that could take a container gets it.

A policy ranks a chassis for a container; the lowest rank gets it, the first by
name of equals.  What was decided in the same plan counts, so that a burst does
not end on one chassis.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

from ...lib.group import BY_WEIGHT
from .load import Load, find_domain
from .model import Candidate, Request


def rank(request: Request, candidate: Candidate, load: Load) -> tuple[int, float, str]:
    """Returns what makes 'candidate' less fit than another for 'request'."""
    domain = 0
    if request.spread:
        domain = load.count_domain(request.group, find_domain(request.spread, candidate))
    return domain, POLICIES[request.policy](request, candidate, load), candidate.name


def _least(_request: Request, candidate: Candidate, load: Load) -> float:
    """Fewest containers of any kind, relative to the weight."""
    return (load.count_total(candidate.name) + 1) / candidate.weight


def _weighted(_request: Request, candidate: Candidate, load: Load) -> float:
    """The chassis that is furthest below its share of all that are placed so (D'Hondt).

    Not of the group's: many groups of one container each would all begin with the heaviest.
    """
    return (load.count_share(candidate.name) + 1) / candidate.weight


def _random(request: Request, candidate: Candidate, _load: Load) -> float:
    """Weighted rendezvous hashing: each chassis wins in proportion to its weight.

    -ln(u)/w is the time of the first event of a Poisson process of rate w.
    """
    digest = hashlib.sha256(
        f"{request.name}\0{candidate.name}".encode(errors="surrogatepass")
    ).digest()
    uniform = (int.from_bytes(digest[:6], "big") + 1) / (2**48 + 1)
    return -math.log(uniform) / candidate.weight


POLICIES: Mapping[str, Callable[[Request, Candidate, Load], float]] = {
    "least": _least,
    "load": _least,
    "random": _random,
    BY_WEIGHT: _weighted,
}
# Those to which the name of the container matters, so that each has an order of its own.
BY_NAME = frozenset({"random"})
