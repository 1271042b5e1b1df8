"""What a plan is made from: chassis, bindings, failures, and the load they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .departures import find_active
from .filters import find_departure, find_loss, find_refusal
from .placement import ACTIVE, Avoidance, Candidate, Place, Request
from .policies import Load
from .reasons import describe_avoided, explain

Places = Mapping[str, Sequence[Place]]
Avoided = Mapping[tuple[str, str], Avoidance]


class Snapshot:
    """The input of a plan by name, in an order that does not depend on that of the rows."""

    def __init__(
        self,
        requests: Iterable[Request],
        candidates: Iterable[Candidate],
        places: Places,
        avoided: Avoided,
    ) -> None:
        self.chassis = {each.name: each for each in sorted(candidates, key=lambda c: c.name)}
        self.requests = {each.name: each for each in sorted(requests, key=_rank_need)}
        self.places = {
            name: sorted(places.get(name, ()), key=lambda place: place.chassis)
            for name in self.requests
        }
        self.avoided = avoided
        self.load = Load()
        self._suitable: dict[object, tuple[Candidate, ...]] = {}
        for bound in self.places.values():
            for place in bound:
                if self.takes_room(place):
                    self.load.total[place.chassis] += 1

    def find_active(self, request: Request) -> Place | None:
        """Returns the place that 'request' serves from."""
        return find_active(self.places[request.name])

    def find_standbys(self, request: Request) -> list[tuple[Place, Candidate]]:
        """Returns the other places from which 'request' could serve, those ready first."""
        active = self.find_active(request)
        found = [
            (place, candidate)
            for place in self.places[request.name]
            if place is not active and (candidate := self.find_usable(place)) is not None
        ]
        return sorted(found, key=lambda each: (not each[0].ready, each[0].chassis))

    def find_usable(self, place: Place) -> Candidate | None:
        """Returns the chassis of 'place' if a container can serve from there."""
        candidate = self.chassis.get(place.chassis)
        if candidate is None or find_loss(candidate) is not None or place.failure is not None:
            return None
        return candidate

    def takes_room(self, place: Place) -> bool:
        """Whether 'place' counts against the limit of its chassis.

        One to serve from does, though it failed there, until its binding is
        gone; a standby that failed goes in any case.
        """
        candidate = self.chassis.get(place.chassis)
        return (
            candidate is not None
            and find_loss(candidate) is None
            and (place.failure is None or place.role == ACTIVE)
        )

    def refuse(self, request: Request, candidate: Candidate) -> str | None:
        """Returns why 'candidate' is no new place for 'request', room aside."""
        return find_refusal(request, candidate) or self._refuse_avoided(request, candidate)

    def refuse_standby(self, request: Request, candidate: Candidate) -> str | None:
        """Returns why 'request' must not serve from 'candidate', where it stands by."""
        return find_departure(request, candidate) or self._refuse_avoided(request, candidate)

    def find_options(self, request: Request) -> list[Candidate]:
        """Returns the chassis that could take 'request' if they had room, but where it is."""
        there = {place.chassis for place in self.places[request.name]}
        return [
            each
            for each in self._find_suitable(request)
            if each.name not in there and (request.name, each.name) not in self.avoided
        ]

    def explain(self, request: Request) -> str:
        """Returns why no chassis takes 'request', in a sentence."""
        if request.problem is not None:
            return request.problem
        there = {place.chassis for place in self.places[request.name]}
        refusals: list[str] = []
        retries: dict[str, int] = {}
        for each in self.chassis.values():
            full = f"full (limit {each.limit})" if self.load.is_full(each) else None
            has_it = "where it is" if each.name in there else None
            reason = self.refuse(request, each) or has_it or full or "given to another"
            refusals.append(reason)
            avoidance = self.avoided.get((request.name, each.name))
            if avoidance is not None and find_refusal(request, each) is None:
                retries[each.name] = avoidance.retry_at
        return explain(refusals, retries)

    def _refuse_avoided(self, request: Request, candidate: Candidate) -> str | None:
        avoidance = self.avoided.get((request.name, candidate.name))
        return describe_avoided(avoidance) if avoidance is not None else None

    def _find_suitable(self, request: Request) -> tuple[Candidate, ...]:
        """Returns the chassis whose filters pass; found once for all requests that are alike."""
        alike = (
            request.service_type,
            request.chassis_group,
            request.port_chassis,
            request.requested_chassis,
            request.policy == "load",
        )
        found = self._suitable.get(alike)
        if found is None:
            found = tuple(
                each for each in self.chassis.values() if find_refusal(request, each) is None
            )
            self._suitable[alike] = found
        return found


def _rank_need(request: Request) -> tuple[bool, bool, str]:
    """Returns the order in which requests choose: those with the fewest places to go first."""
    restricted = request.chassis_group is not None or request.port_chassis is not None
    return request.requested_chassis is None, not restricted, request.name
