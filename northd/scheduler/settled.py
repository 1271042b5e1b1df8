"""Which containers stay as they are, whatever becomes of the others.

Such a container is settled: a plan of everything would leave its places as they
are and say nothing of it.  So a plan is made of the others only, on the load of
those that are settled, and comes out the same.  What is looked at is the
container and the chassis that it is bound to, so that it is known again for
those alone that a change concerns.

One thing of it is not its own: a standby gives way to a container that has no
place without that room (giving_way.py), and the plan says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ...lib.group import BY_WEIGHT
from .departures import find_active
from .filters import find_departure, find_loss
from .load import DOMAIN, SHARE, TOTAL, LoadKey, find_domain
from .model import ACTIVE, Candidate, Place, Request

FindCandidate = Callable[[str], Candidate | None]
"""Returns a chassis by name, None if it is not registered."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a container is, and as what it counts; 'domain' is that of the active chassis.

    While it is not 'serving' it may have to go back to one of its standbys.
    """

    active: str
    standby: tuple[str, ...]
    group: str
    domain: str
    by_weight: bool
    serving: bool = True

    @property
    def dispensable(self) -> tuple[str, ...]:
        """The chassis on which it can do without its standby, if need be."""
        return self.standby if self.serving else ()

    def leave(self, gone: Collection[str]) -> Settled:
        """Returns where it is once its standbys on 'gone' have given way to others."""
        return replace(self, standby=tuple(each for each in self.standby if each not in gone))


def find_settled(
    request: Request,
    places: Sequence[Place],
    avoided: Collection[str],
    find_candidate: FindCandidate,
    is_over_limit: Callable[[str], bool],
) -> Settled | None:
    """Returns where 'request' is and stays, None if that is for a plan to say.

    'avoided' are the chassis on which it failed and is not to be tried at this
    time.  'is_over_limit' says of a chassis whether it has more containers than
    it takes and has to lose some: never, unless the operator enforces limits.
    One that lacks a standby, or was asked to migrate, is never settled; one
    that is starting where it is may be.
    """
    if request.migrate_chassis is not None or len(places) != request.standby + 1:
        return None
    active = find_active(places)
    if active is None:
        return None
    for place in places:
        candidate = find_candidate(place.chassis)
        if candidate is None or not _may_stay(request, place, candidate, active):
            return None
        if is_over_limit(place.chassis) or (place is not active and place.chassis in avoided):
            return None
    here = find_candidate(active.chassis)
    assert here is not None
    return Settled(
        active=active.chassis,
        standby=tuple(sorted(place.chassis for place in places if place is not active)),
        group=request.group,
        domain=find_domain(request.spread, here),
        by_weight=request.policy == BY_WEIGHT,
        serving=active.serving,
    )


def make_load(settled: Settled) -> Iterator[tuple[LoadKey, int]]:
    """Yields what a container that is settled adds to the load."""
    for chassis in (settled.active, *settled.standby):
        yield (TOTAL, "", chassis), 1
    if settled.by_weight:
        yield (SHARE, "", settled.active), 1
    yield (DOMAIN, settled.group, settled.domain), 1


def count_places(
    places: Sequence[Place], find_candidate: FindCandidate
) -> Iterator[tuple[str, int]]:
    """Yields each chassis on which a container takes room: what its limit is held against."""
    for place in places:
        candidate = find_candidate(place.chassis)
        if candidate is not None and takes_room(place, candidate):
            yield place.chassis, 1


def takes_room(place: Place, candidate: Candidate) -> bool:
    """Whether 'place' counts against the limit of its chassis.

    One to serve from does, though it failed there, until its binding is gone; a
    standby that failed goes in any case.
    """
    return find_loss(candidate) is None and (place.failure is None or place.role == ACTIVE)


def _may_stay(request: Request, place: Place, candidate: Candidate, active: Place) -> bool:
    return (
        place.failure is None
        and (place is active or place.role != ACTIVE)
        and find_loss(candidate) is None
        and find_departure(request, candidate) is None
    )
