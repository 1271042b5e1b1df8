"""What a plan gives to containers: the chassis to serve from, and those to move to.

What was newly given can be given otherwise in the same plan, if that makes room
for another (shifts.py).  The load follows each decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from .giving_way import Claim, GivingWay
from .model import Candidate, Request
from .policies import BY_NAME, rank
from .ranking import Ranking, find_order
from .shifts import find_shifts
from .snapshot import Snapshot, leave_out
from .suitable import Remaining, find_kind


class Decisions:
    """'active' is the chassis that each container serves from, 'targets' where planned moves go.

    A planned move of one of 'bound' goes to the chassis that was asked for, and
    nowhere else.
    """

    def __init__(self, snapshot: Snapshot, bound: Collection[str], giving_way: GivingWay) -> None:
        self.snapshot = snapshot
        self.bound = bound
        self._giving_way = giving_way
        self.active: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self._new: dict[str, str] = {}
        self._newcomers: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._stuck: defaultdict[Claim, set[str]] = defaultdict(set)
        self._hopeful: dict[object, Remaining] = {}
        self._rankings: dict[object, Ranking] = {}

    def keep(self, request: Request, chassis: str) -> None:
        """Lets 'request' serve from where it is, for the time being or for good."""
        self.active[request.name] = chassis
        self.snapshot.load.add_share(request, self.snapshot.chassis[chassis])

    def find_serving(self) -> dict[str, str]:
        """Returns the chassis that each container serves from or is newly given."""
        return {**self.active, **self._new}

    def find_new(self, request: Request) -> str | None:
        """Returns the chassis that this plan newly gives to 'request'."""
        return self._new.get(request.name)

    def turn(self, request: Request, chassis: str) -> None:
        """Makes a standby the one that serves."""
        self._shift_share(request, self.active.get(request.name), chassis)
        self.active[request.name] = chassis

    def aim(self, request: Request, chassis: str) -> None:
        """Makes a standby the one that a planned move goes to."""
        self._shift_share(request, self.active[request.name], chassis)
        self.targets[request.name] = chassis

    def choose(
        self, request: Request, wanted: str | None = None, claim: Claim = Claim.NONE
    ) -> bool:
        """Gives 'request' a new chassis by its policy; returns whether there is one.

        With 'wanted' no other one will do.  Where there is no other way, the
        standbys of 'claim' give way.
        """
        if request.problem is not None:
            return False
        best = self._find_best(request, wanted)
        if best is not None:
            self._give(request, best)
        return (
            best is not None
            or (wanted is None and self._make_room(request, Claim.NONE))
            or self._displace(request, wanted, claim)
        )

    def squeeze_in(self, request: Request, chassis: str) -> None:
        """Gives 'request' a chassis though it is full."""
        self._give(request, chassis)

    def adopt(self) -> None:
        """Makes the new places what they are for: to serve from at once, or to move to."""
        for name, chassis in self._new.items():
            if name in self.active:
                self.targets[name] = chassis
            else:
                self.active[name] = chassis

    def _find_best(self, request: Request, wanted: str | None) -> str | None:
        """Returns the chassis that the policy prefers; what 'request' leaves does not count."""
        if wanted is not None:
            option = self.snapshot.find_option(request, wanted)
            full = option is None or self.snapshot.load.is_full(option)
            return None if full else wanted
        if self._is_ranked(request):
            return self.snapshot.find_first(request)
        return self._find_preferred(request, self.snapshot.find_open(request))

    def _is_ranked(self, request: Request) -> bool:
        """Whether the order of the chassis that it prefers is that of others that are alike.

        What it leaves counts for its failure domain, and for its chassis, which is no option.
        """
        spreads = request.spread is not None and request.name in self.active
        return request.policy not in BY_NAME and not spreads

    def _find_preferred(self, request: Request, some: Sequence[Candidate]) -> str | None:
        """Returns which of 'some' chassis the policy prefers, None of none."""
        if not some:
            return None
        origin = self.snapshot.chassis.get(self.active.get(request.name, ""))
        if origin is not None:
            self.snapshot.load.add_share(request, origin, -1)
        best = min(some, key=lambda each: rank(request, each, self.snapshot.load))
        if origin is not None:
            self.snapshot.load.add_share(request, origin)
        return best.name

    def _displace(self, request: Request, wanted: str | None, claim: Claim) -> bool:
        """Gives 'request' the room of standbys, if there are any that give way to it."""
        if claim == Claim.NONE:
            return False
        best = self._find_clearable(request, wanted, claim)
        if best is None:
            return wanted is None and self._make_room(request, claim)
        self._giving_way.clear(self.snapshot.chassis[best], claim)
        self._give(request, best)
        return True

    def _find_clearable(self, request: Request, wanted: str | None, claim: Claim) -> str | None:
        """Returns the chassis that the policy prefers of those where standbys give way."""

        def has_room(candidate: Candidate) -> bool:
            stuck = candidate.name in self._stuck[claim]
            return not stuck and self._giving_way.can_clear(candidate, claim)

        if wanted is not None:
            option = self.snapshot.find_option(request, wanted)
            return wanted if option is not None and has_room(option) else None
        if not self._is_ranked(request):
            hopeful = self._find_hopeful(request, claim)
            return self._find_preferred(request, [each for each in hopeful if has_room(each)])
        order = claim, find_order(request)
        ranking = self._rankings.get(order)
        if ranking is None or not ranking.is_current():
            suitable = self.snapshot.find_suitable(request).chassis
            first = self._find_remaining(request, claim)
            ranking = Ranking(request, suitable, first, self.snapshot.load, has_room)
            self._rankings[order] = ranking
        return ranking.find_best(self.snapshot.find_closed(request))

    def _make_room(self, request: Request, claim: Claim) -> bool:
        """Gives 'request' a chassis by giving others of this plan another one, if that can be."""
        chassis = self.snapshot.chassis

        def has_room(name: str) -> bool:
            if claim == Claim.NONE:
                return not self.snapshot.load.is_full(chassis[name])
            return self._giving_way.can_clear(chassis[name], claim)

        def find_options(name: str) -> list[str]:
            if name in self.bound and name in self.active:
                return []
            return [each.name for each in self._find_hopeful(self.snapshot.requests[name], claim)]

        shifts = find_shifts(
            request.name, find_options, has_room, self._newcomers, self._stuck[claim]
        )
        for name, target in shifts or ():
            self._giving_way.clear(chassis[target], claim)
            self._give(self.snapshot.requests[name], target)
        return shifts is not None

    def _find_hopeful(self, request: Request, claim: Claim) -> Sequence[Candidate]:
        """Returns the options of 'request' from which a path may lead to room."""
        remaining = self._find_remaining(request, claim)
        return leave_out(remaining, self.snapshot.find_closed(request)) if remaining else ()

    def _find_remaining(self, request: Request, claim: Claim) -> Sequence[Candidate]:
        """Returns the same of all requests of its kind, wherever they are."""
        kind = claim, find_kind(request)
        found = self._hopeful.get(kind)
        if found is None:
            options = self.snapshot.find_suitable(request).options
            found = self._hopeful[kind] = Remaining(options, self._stuck[claim])
        return found.find()

    def _give(self, request: Request, chassis: str) -> None:
        before = self._new.get(request.name)
        if before is not None:
            del self._newcomers[before][request.name]
            self.snapshot.load.add(before, -1)
        self._shift_share(request, before or self.active.get(request.name), chassis)
        self._new[request.name] = chassis
        self._newcomers[chassis][request.name] = None
        self.snapshot.load.add(chassis)

    def _shift_share(self, request: Request, before: str | None, after: str) -> None:
        if before is not None:
            self.snapshot.load.add_share(request, self.snapshot.chassis[before], -1)
        self.snapshot.load.add_share(request, self.snapshot.chassis[after])
