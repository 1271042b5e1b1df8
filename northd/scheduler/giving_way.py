"""Standbys that give way to a container that would have no place without their room.

A standby is there for a failure that may come; a container that serves from
nowhere is one that has come.  What moves since it must may have their room too,
but not that of a container that has to move itself, whose standby may be where
it goes.  A standby that gives way goes in this plan; the next one finds another
chassis for it if there is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum

from .filters import find_departure
from .load import FindStandingBy
from .model import Candidate, Request
from .snapshot import Snapshot


class Claim(IntEnum):
    """Whose standbys must give way: nobody's, of those that stay, or also of those that leave."""

    NONE = 0
    MOVE = 1
    RESCUE = 2


@dataclass(slots=True)
class _StandingBy:
    """Who can do without the standby on a chassis, apart by whether it is to leave its own."""

    staying: list[str] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)

    def count(self, claim: Claim) -> int:
        return len(self.staying) + (len(self.leaving) if claim == Claim.RESCUE else 0)


class GivingWay:
    """Which standbys may give way; 'gone' are the chassis that those of a container leave."""

    def __init__(self, snapshot: Snapshot, find_standing_by: FindStandingBy) -> None:
        self.gone: defaultdict[str, set[str]] = defaultdict(set)
        self._snapshot = snapshot
        self._find_standing_by = find_standing_by
        self._departing: Collection[str] = ()
        # How many standbys a container that is settled has.
        self._settled: dict[str, int] = {}
        self._standing_by: dict[str, _StandingBy] = {}
        self._planned: defaultdict[str, list[Request]] | None = None

    def note_departing(self, departing: Collection[str]) -> None:
        """Takes the names of all that leave their chassis, before any standby gives way."""
        self._departing = departing
        self._standing_by.clear()

    def can_clear(self, candidate: Candidate, claim: Claim) -> bool:
        """Whether there is room for one more on 'candidate' once standbys have given way."""
        if claim == Claim.NONE or candidate.limit <= 0:
            return False
        return self._count_surplus(candidate) <= self._find(candidate.name).count(claim)

    def clear(self, candidate: Candidate, claim: Claim) -> None:
        """Takes as many standbys off 'candidate' as must go for one more.

        What goes in any case goes first, then those of which most others stay.
        """
        if not self.can_clear(candidate, claim):
            return
        here = self._find(candidate.name)
        for _ in range(self._count_surplus(candidate)):
            some = here.staying or here.leaving
            name = max(some, key=lambda each: (*self._count_others(each), each))
            some.remove(name)
            self.gone[name].add(candidate.name)
            self._snapshot.drop(name, candidate.name)

    def _count_surplus(self, candidate: Candidate) -> int:
        """Returns how many must go for one more."""
        return self._snapshot.load.count_total(candidate.name) + 1 - candidate.limit

    def _count_others(self, container: str) -> tuple[int, int]:
        """Returns how many standbys a container has too many, and how many it has."""
        request = self._snapshot.requests.get(container)
        if request is None:
            gone = len(self.gone.get(container, ()))
            return -gone, self._settled[container] - gone
        count = len(self._snapshot.find_standbys(request))
        return count - request.standby, count

    def _find(self, chassis: str) -> _StandingBy:
        found = self._standing_by.get(chassis)
        if found is None:
            found = self._standing_by[chassis] = _StandingBy()
            for name, count in self._find_standing_by(chassis):
                self._settled[name] = count
                found.staying.append(name)
            for request in self._find_planned().get(chassis, ()):
                some = found.leaving if self._is_leaving(request) else found.staying
                some.append(request.name)
        return found

    def _find_planned(self) -> defaultdict[str, list[Request]]:
        """Returns who of this plan stands by on each chassis, and can do without.

        One that does not serve may have to go back to where it stands by.
        """
        if self._planned is None:
            self._planned = defaultdict(list)
            for request in self._snapshot.requests.values():
                here = self._snapshot.find_active(request)
                if here is None or not here.serving or self._snapshot.find_usable(here) is None:
                    continue
                for place, _ in self._snapshot.find_standbys(request):
                    self._planned[place.chassis].append(request)
        return self._planned

    def _is_leaving(self, request: Request) -> bool:
        here = self._snapshot.find_active(request)
        assert here is not None
        candidate = self._snapshot.chassis[here.chassis]
        asked = request.migrate_chassis is not None or request.name in self._departing
        return asked or find_departure(request, candidate) is not None
