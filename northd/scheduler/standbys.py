"""Which chassis hold a container ready beside the one that serves."""

from __future__ import annotations

from collections.abc import Collection

from .load import find_domain
from .model import Candidate, Place, Request
from .policies import BY_NAME, rank
from .snapshot import Snapshot


def keep_standbys(
    snapshot: Snapshot,
    request: Request,
    active: str,
    target: str | None,
    enforce_limit: bool,
    stranded: bool = False,
) -> set[str]:
    """Returns the chassis of standbys that stay: a move's ends, and those the group asks for.

    Until the container serves from 'active' every place that could serve
    stays, so that a move that fails can go back.  One that is 'stranded' stays
    where it must not be, and so do its standbys.  The room of those that go is
    given to others from here on.
    """
    warm: set[str] = set()
    serving = is_serving(snapshot, request, active)
    for place, candidate in _list_usable(snapshot, request):
        if place.chassis in (active, target):
            continue
        surplus = enforce_limit and snapshot.load.is_over(candidate)
        allowed = stranded or snapshot.refuse_standby(request, candidate) is None
        wanted = allowed and len(warm) < request.standby
        if (wanted and not surplus) or not serving:
            warm.add(place.chassis)
        else:
            snapshot.load.add(place.chassis, -1)
    return warm | {target} if target is not None else warm


def _list_usable(snapshot: Snapshot, request: Request) -> list[tuple[Place, Candidate]]:
    """Returns the places from which 'request' could serve, that which does last.

    Those where it may be come before those where it must not, then those ready before others.
    """
    places = snapshot.find_standbys(request)
    places.sort(key=lambda each: snapshot.refuse_standby(request, each[1]) is not None)
    here = snapshot.find_active(request)
    if here is not None and (candidate := snapshot.find_usable(here)) is not None:
        places.append((here, candidate))
    return places


def is_serving(snapshot: Snapshot, request: Request, active: str) -> bool:
    """Whether 'request' serves from 'active' already, so that no move is under way."""
    place = snapshot.find_active(request)
    return place is not None and place.chassis == active and place.serving


def choose_standbys(snapshot: Snapshot, request: Request, active: str, count: int) -> set[str]:
    """Returns up to 'count' chassis for new standbys, in another failure domain if there is one."""
    chosen: set[str] = set()
    for _ in range(count if request.problem is None else 0):
        best = _find_best(snapshot, request, active, chosen)
        if best is not None:
            snapshot.load.add(best)
            chosen.add(best)
    return chosen


def _find_best(
    snapshot: Snapshot, request: Request, active: str, chosen: Collection[str]
) -> str | None:
    if request.spread is None and request.policy not in BY_NAME:
        return snapshot.find_first(request, {*chosen, active})
    here = find_domain(request.spread, snapshot.chassis[active])

    def rank_near(candidate: Candidate) -> tuple[bool, tuple[int, float, str]]:
        near = request.spread is not None and find_domain(request.spread, candidate) == here
        return near, rank(request, candidate, snapshot.load)

    open_to = [each for each in snapshot.find_open(request) if each.name not in (*chosen, active)]
    return min(open_to, key=rank_near).name if open_to else None
