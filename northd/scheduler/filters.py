"""Why a chassis does not take a container, and why one does not stay where it is.

Each filter returns the words that follow the number of chassis, or "chassis hv1
is".  FILTERS refuse new places; those in LASTING also move what is there.  The
others do not, so that a program that was found missing a minute ago does not
end what runs.
"""

from __future__ import annotations

from collections.abc import Callable

from ...lib.placement import DRAINED, UNFIT
from .model import Candidate, Request

Filter = Callable[[Request, Candidate], str | None]

OVERLOADED = "under too much load"
_NOT, _PINNED = "not ", ", to which it is pinned"


def find_refusal(request: Request, candidate: Candidate) -> str | None:
    """Returns why 'candidate' is no new place for 'request', room and failures aside."""
    return _find(FILTERS, request, candidate)


def find_departure(request: Request, candidate: Candidate) -> str | None:
    """Returns why 'request' does not stay on 'candidate', which could go on serving it."""
    return _find(LASTING, request, candidate)


def find_exclusion(candidate: Candidate) -> str | None:
    """Returns why 'candidate' is to have no container, whichever it is."""
    if candidate.stopping:
        return "stopping"
    if candidate.weight == 0:
        return "of weight 0"
    return DRAINED if candidate.drain else None


def find_loss(candidate: Candidate) -> str | None:
    """Returns why what runs on 'candidate' can serve no more, None if it can."""
    if not candidate.alive:
        return "dead"
    return f"{UNFIT} ({candidate.ovn_problem})" if candidate.ovn_problem else None


def find_pin(refusal: str) -> str | None:
    """Returns the chassis that a container is pinned to if that is why another one refuses it."""
    if not (refusal.startswith(_NOT) and refusal.endswith(_PINNED)):
        return None
    return refusal.removeprefix(_NOT).removesuffix(_PINNED)


def format_full(limit: int) -> str:
    """Returns why a chassis that has as many containers as it may have takes no other."""
    return f"full (limit {limit})"


def _find(checks: tuple[Filter, ...], request: Request, candidate: Candidate) -> str | None:
    for check in checks:
        reason = check(request, candidate)
        if reason is not None:
            return reason
    return None


def _refuse_unrequested(request: Request, candidate: Candidate) -> str | None:
    wanted = request.requested_chassis
    if wanted in (None, candidate.name):
        return None
    return f"{_NOT}{wanted}{_PINNED}"


def _refuse_group(request: Request, candidate: Candidate) -> str | None:
    group = request.chassis_group
    return None if group is None or candidate.name in group else "not in the chassis group"


def _refuse_portless(request: Request, candidate: Candidate) -> str | None:
    holders = request.port_chassis
    if holders is None or candidate.name in holders:
        return None
    return "without a port of the port group that is up"


def _refuse_unbound(request: Request, candidate: Candidate) -> str | None:
    holders = request.bound_chassis
    if holders is None or candidate.name in holders:
        return None
    return "without a port of the port group"


def _refuse_type(request: Request, candidate: Candidate) -> str | None:
    if request.service_type in candidate.service_types:
        return None
    problem = candidate.service_problems.get(request.service_type)
    why = f" ({problem})" if problem else ""
    return f"without service type {request.service_type}{why}"


def _refuse_needy(request: Request, candidate: Candidate) -> str | None:
    for fact, value in request.needs:
        if candidate.labels.get(fact) != value:
            return f"without {fact} {value}"
    return None


def _refuse_keyless(_request: Request, candidate: Candidate) -> str | None:
    return None if candidate.has_key else "without a usable public key"


def _refuse_lost(_request: Request, candidate: Candidate) -> str | None:
    return find_loss(candidate)


def _refuse_excluded(_request: Request, candidate: Candidate) -> str | None:
    return find_exclusion(candidate)


def _refuse_overloaded(request: Request, candidate: Candidate) -> str | None:
    return OVERLOADED if request.policy == "load" and candidate.overloaded else None


# In the order in which a chassis gives its reason.
FILTERS: tuple[Filter, ...] = (
    _refuse_unrequested,
    _refuse_group,
    _refuse_portless,
    _refuse_type,
    _refuse_needy,
    _refuse_keyless,
    _refuse_lost,
    _refuse_excluded,
    _refuse_overloaded,
)
# Exclusion comes last: what leaves for a drain alone waits for its turn.
LASTING: tuple[Filter, ...] = (
    _refuse_unrequested,
    _refuse_group,
    _refuse_unbound,
    _refuse_excluded,
)
