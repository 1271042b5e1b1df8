"""What a plan is made from: chassis, bindings, failures, and the load they add up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from .departures import find_active
from .filters import find_departure, find_loss, find_refusal
from .load import Base, Load
from .model import Avoidance, Candidate, Place, Request
from .ranking import Ranking, find_order
from .reasons import NO_OTHER, NONE, describe_avoided, describe_pin, explain
from .settled import count_places
from .suitable import Suitable, find_kind

Places = Mapping[str, Sequence[Place]]
Avoided = Mapping[tuple[str, str], Avoidance]


class Snapshot:
    """The input of a plan by name, in an order that does not depend on that of the rows.

    'base' is the load of containers that are not in it.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        candidates: Iterable[Candidate],
        places: Places,
        avoided: Avoided,
        base: Base | None = None,
    ) -> None:
        self.chassis = {each.name: each for each in sorted(candidates, key=lambda c: c.name)}
        self.requests = {each.name: each for each in sorted(requests, key=_rank_need)}
        self.places = {
            name: sorted(places.get(name, ()), key=lambda place: place.chassis)
            for name in self.requests
        }
        self.avoided = avoided
        self.load = Load(base)
        self._avoided_by: defaultdict[str, set[str]] = defaultdict(set)
        for container, chassis in avoided:
            self._avoided_by[container].add(chassis)
        self._suitable: dict[object, Suitable] = {}
        self._rankings: dict[object, Ranking] = {}
        for bound in self.places.values():
            for chassis, count in count_places(bound, self.chassis.get):
                self.load.add(chassis, count)

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

    def drop(self, container: str, chassis: str) -> None:
        """Takes away the place of a container that stands by, of this plan or not."""
        self.load.add(chassis, -1)
        if container in self.places:
            bound = self.places[container]
            self.places[container] = [place for place in bound if place.chassis != chassis]

    def refuse(self, request: Request, candidate: Candidate) -> str | None:
        """Returns why 'candidate' is no new place for 'request', room aside."""
        return find_refusal(request, candidate) or self._refuse_avoided(request, candidate)

    def refuse_standby(self, request: Request, candidate: Candidate) -> str | None:
        """Returns why 'request' must not serve from 'candidate', where it stands by."""
        return find_departure(request, candidate) or self._refuse_avoided(request, candidate)

    def find_option(self, request: Request, chassis: str) -> Candidate | None:
        """Returns a chassis if it could take 'request' if it had room."""
        if chassis in self.find_closed(request):
            return None
        return self.find_suitable(request).chassis.get(chassis)

    def find_open(self, request: Request) -> Sequence[Candidate]:
        """Returns the chassis that could take 'request' and have room."""
        return leave_out(self.find_suitable(request).find_open(), self.find_closed(request))

    def find_first(self, request: Request, but: Collection[str] = ()) -> str | None:
        """Returns the chassis that the policy prefers of those open to 'request', none of 'but'.

        Its policy must be one to which the name of a container is all the same.
        """
        order = find_order(request)
        ranking = self._rankings.get(order)
        if ranking is None or not ranking.is_current():
            suitable = self.find_suitable(request)
            ranking = Ranking(
                request, suitable.chassis, suitable.find_open(), self.load, self._has_room
            )
            self._rankings[order] = ranking
        return ranking.find_best(self.find_closed(request).union(but))

    def explain(self, request: Request, standby: bool = False) -> str:
        """Returns why no chassis takes 'request', or a further standby of it, in a sentence."""
        if request.problem is not None:
            return request.problem
        wanted = request.requested_chassis
        if wanted is not None and wanted not in self.chassis:
            return describe_pin(request.name, wanted, "not registered")
        there = {place.chassis for place in self.places[request.name]}
        suitable = self.find_suitable(request)
        refusals = suitable.count_refusals()
        retries: dict[str, int] = {}
        for name in self.find_closed(request) & suitable.chassis.keys():
            room = suitable.describe_room(suitable.chassis[name])
            refusals[room] -= 1
            if standby and name in there:
                continue
            avoided = self._refuse_avoided(request, suitable.chassis[name])
            refusals[avoided or "where it is"] += 1
            if avoided is not None:
                retries[name] = self.avoided[request.name, name].retry_at
        refusals = +refusals
        if standby and not refusals:
            return "there is no other chassis"
        return explain(request.name, refusals, retries, NO_OTHER if standby else NONE)

    def _refuse_avoided(self, request: Request, candidate: Candidate) -> str | None:
        if candidate.name not in self._avoided_by.get(request.name, ()):
            return None
        return describe_avoided(self.avoided[request.name, candidate.name])

    def find_suitable(self, request: Request) -> Suitable:
        """Returns the chassis that suit 'request', and all that are of its kind."""
        kind = find_kind(request)
        found = self._suitable.get(kind)
        if found is None:
            found = Suitable(request, self.chassis.values(), self.load)
            self._suitable[kind] = found
        return found

    def find_closed(self, request: Request) -> set[str]:
        """Returns the chassis that are no new place for 'request' alone."""
        there = {place.chassis for place in self.places[request.name]}
        return there | self._avoided_by.get(request.name, set())

    def _has_room(self, candidate: Candidate) -> bool:
        return not self.load.is_full(candidate)


def _rank_need(request: Request) -> tuple[bool, bool, str]:
    """Returns the order in which requests choose: those with the fewest places to go first."""
    restricted = request.chassis_group is not None or request.port_chassis is not None
    return request.requested_chassis is None, not restricted, request.name


def leave_out(chassis: Sequence[Candidate], closed: Collection[str]) -> Sequence[Candidate]:
    """Returns 'chassis' but those whose name is one of 'closed'."""
    return [each for each in chassis if each.name not in closed] if closed else chassis
