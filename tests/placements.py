"""What tests of the scheduler share: requests and chassis at random, and the rules in other words.

'suits', 'may_stay' and 'count_most' say for themselves what the scheduler's
filters and its search for room say, so that a test holds one against the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from ..northd.scheduler.model import (
    ACTIVE,
    STANDBY,
    UNLIMITED,
    Avoidance,
    Candidate,
    Place,
    Request,
)

MAX_WEIGHT = 2**31 - 1
IPSEC = frozenset({"ipsec"})
NAMES = [f"hv{number}" for number in range(1, 5)]
CONTAINERS = [f"vpn-{number}" for number in range(7)]

many = settings(max_examples=250, deadline=None)


class Dice(Random):
    """Draws what tests are made of; from a seed, which costs less than drawing each part."""

    def one_in(self, count: int) -> bool:
        """Returns True once in so many times."""
        return self.randrange(count) == 0

    def some(self, *values: Any) -> Any:
        """Returns one of 'values'."""
        return self.choice(values)

    def draw_chassis(self, name: str) -> Candidate:
        """Returns a chassis; each third one is odd."""
        labels = self.some({}, {"rack": "a"}, {"rack": "b"})
        limit = self.some(UNLIMITED, 1, 2)
        if not self.one_in(3):
            return Candidate(name, IPSEC, weight=self.randint(1, 4), limit=limit, labels=labels)
        return Candidate(
            name,
            frozenset() if self.one_in(5) else IPSEC,
            weight=self.some(0, 1, 1, 1, MAX_WEIGHT),
            limit=self.some(UNLIMITED, 0, 1),
            drain=self.one_in(3),
            alive=not self.one_in(4),
            has_key=not self.one_in(5),
            stopping=self.one_in(5),
            ovn_problem=self.some("", "", "", "ovn-controller is dead"),
            overloaded=self.one_in(3),
        )

    def draw_request(self, name: str) -> Request:
        """Returns a container's wishes; each second one is picky."""
        picky = self.one_in(2)
        up = self._draw_names() if picky and self.one_in(3) else None
        return Request(
            name=name,
            service_type="bgp" if picky and self.one_in(6) else "ipsec",
            group=self.some("", "gold"),
            policy=self.some("least", "load", "random", "weighted"),
            problem="policy x is not known" if picky and self.one_in(6) else None,
            chassis_group=self._draw_names() if picky and self.one_in(2) else None,
            port_chassis=up,
            bound_chassis=None if up is None else up | self._draw_names(),
            requested_chassis=self._draw_name() if picky and self.one_in(3) else None,
            migrate_chassis=self._draw_name() if picky and self.one_in(3) else None,
            spread=self.some(None, "rack"),
            standby=self.some(0, 0, 1, 2),
        )

    def draw_places(self, name: str) -> tuple[Place, ...]:
        """Returns the bindings of a container as they may be: at most one active, some standbys."""
        where = self.sample([*NAMES, "gone"], self.some(0, 1, 1, 2, 3))
        first = STANDBY if self.one_in(6) else ACTIVE
        return tuple(
            Place(
                chassis,
                role,
                ready=not self.one_in(3),
                serving=role == ACTIVE and not self.one_in(3),
                failure="no charon" if self.one_in(4) else None,
            )
            for chassis, role in zip(where, [first, STANDBY, STANDBY], strict=False)
        )

    def draw_avoided(self, places: Mapping[str, Iterable[Place]]) -> dict[Any, Avoidance]:
        """Returns failures: of all that failed where they are, and of some others."""
        spots = [
            (name, each.chassis) for name, bound in places.items() for each in bound if each.failure
        ]
        spots += [(self.choice(CONTAINERS), self.choice(NAMES)) for _ in range(self.randint(0, 4))]
        return {spot: Avoidance("no charon", 60_000) for spot in spots}

    def _draw_name(self) -> str:
        name: str = self.some(*NAMES, *NAMES, "nowhere")
        return name

    def _draw_names(self) -> frozenset[str]:
        return frozenset(self.sample(NAMES, self.randint(0, len(NAMES))))


dice = st.builds(Dice, st.integers(0, 2**64 - 1))


def suits(request: Request, candidate: Candidate) -> bool:
    """Says whether 'candidate' may be a new place for 'request', room and failures aside."""
    return (
        may_stay(request, candidate)
        and (request.port_chassis is None or candidate.name in request.port_chassis)
        and candidate.has_key
        and request.service_type in candidate.service_types
        and not (request.policy == "load" and candidate.overloaded)
    )


def may_stay(request: Request, candidate: Candidate) -> bool:
    """Says whether what runs on 'candidate' may do so."""
    return (
        is_fit(candidate)
        and not candidate.drain
        and not candidate.stopping
        and candidate.weight > 0
        and request.requested_chassis in (None, candidate.name)
        and (request.chassis_group is None or candidate.name in request.chassis_group)
        and (request.bound_chassis is None or candidate.name in request.bound_chassis)
    )


def is_fit(candidate: Candidate | None) -> bool:
    """Says whether anything can serve from 'candidate'."""
    return candidate is not None and candidate.alive and not candidate.ovn_problem


def find_active(places: Mapping[str, Iterable[Place]], name: str) -> Place | None:
    """Returns the active place of a container."""
    return next((each for each in places.get(name, ()) if each.role == ACTIVE), None)


def count_bound(
    places: Mapping[str, Iterable[Place]], cloud: Mapping[str, Candidate]
) -> Counter[str]:
    """Counts what takes room on each fit chassis: all but standbys that failed."""
    return Counter(
        place.chassis
        for each in places.values()
        for place in each
        if is_fit(cloud.get(place.chassis)) and (place.failure is None or place.role == ACTIVE)
    )


def count_most(options: Mapping[str, Sequence[str]], room: Mapping[str, int]) -> int:
    """Returns how many containers can have one of their chassis at once."""
    holders: dict[tuple[str, int], str] = {}

    def seat(name: str, tried: set[tuple[str, int]]) -> bool:
        for slot in [(each, number) for each in options[name] for number in range(room[each])]:
            if slot in tried:
                continue
            tried.add(slot)
            if slot not in holders or seat(holders[slot], tried):
                holders[slot] = name
                return True
        return False

    return sum(seat(name, set()) for name in options)


def idle(*weights: int, **columns: Any) -> list[Candidate]:
    """Returns chassis hv1, hv2, ... with these weights."""
    return [
        Candidate(name=f"hv{number}", service_types=IPSEC, weight=weight, **columns)
        for number, weight in enumerate(weights, start=1)
    ]


def burst(count: int, policy: str = "least", **columns: Any) -> list[Request]:
    """Returns requests of one group."""
    return [
        Request(f"vpn-{number:05}", "ipsec", policy=policy, **columns) for number in range(count)
    ]


def on(chassis: str, *standbys: str) -> tuple[Place, ...]:
    """Returns the places of a container that is well."""
    return (
        Place(chassis),
        *(Place(each, role=STANDBY, serving=False) for each in standbys),
    )
