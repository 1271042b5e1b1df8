"""Why containers leave the chassis that they serve from.

A container is lost on a chassis from which nothing serves any more; a planned
departure is one from a chassis that goes on serving until the container is
ready elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...lib.placement import DRAINED
from .filters import find_departure, find_loss
from .model import ACTIVE, Candidate, Place, Request


@dataclass(frozen=True, slots=True)
class Departure:
    """'drained' alone is no hurry: so many at a time.  'surplus' is one too many, of any."""

    reason: str
    lost: bool = False
    drained: bool = False
    surplus: bool = False


def find_active(places: Sequence[Place]) -> Place | None:
    """Returns the place that a container serves from."""
    return next((place for place in places if place.role == ACTIVE), None)


def find_departures(
    requests: Iterable[Request],
    chassis: Mapping[str, Candidate],
    places: Mapping[str, Sequence[Place]],
    migrating: Mapping[str, str],
    enforce_limit: bool,
) -> dict[str, Departure]:
    """Returns why each container that must not stay has to go.

    'migrating' are requests to migrate that can be followed, by container.  Of
    too many on a chassis the last of 'requests' go.
    """
    departures: dict[str, Departure] = {}
    staying: defaultdict[str, list[str]] = defaultdict(list)
    for request in requests:
        place = find_active(places[request.name])
        if place is None:
            continue
        wanted = migrating.get(request.name)
        departure = _find_departure(request, place, chassis.get(place.chassis), wanted)
        if departure is not None:
            departures[request.name] = departure
        else:
            staying[place.chassis].append(request.name)
    if enforce_limit:
        departures.update(_find_surplus(chassis, staying))
    return departures


def _find_departure(
    request: Request,
    place: Place,
    candidate: Candidate | None,
    wanted: str | None,
) -> Departure | None:
    name = place.chassis
    if candidate is None:
        return Departure(f"chassis {name} is not registered", lost=True)
    loss = find_loss(candidate)
    if loss is not None:
        return Departure(f"chassis {name} is {loss}", lost=True)
    if place.failure is not None:
        # With its port it may serve still, and goes once it is ready elsewhere.
        return Departure(f"it failed on {name}: {place.failure}", lost=not place.serving)
    if wanted not in (None, name):
        return Departure(f"migration to {wanted} was asked for")
    reason = find_departure(request, candidate)
    if reason is None:
        return None
    return Departure(f"chassis {name} is {reason}", drained=reason == DRAINED)


def _find_surplus(
    chassis: Mapping[str, Candidate], staying: Mapping[str, Sequence[str]]
) -> dict[str, Departure]:
    """Returns the departures of those above the limit of their chassis, the last of 'staying'."""
    return {
        container: Departure(
            f"chassis {name} is over its limit of {chassis[name].limit}", surplus=True
        )
        for name, containers in staying.items()
        if 0 <= chassis[name].limit < len(containers)
        for container in containers[chassis[name].limit :]
    }
