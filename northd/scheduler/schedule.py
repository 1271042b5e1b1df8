"""Where each container runs: a pure function of a snapshot.

'schedule' gets what wants a place, what the chassis are like and where things
are, and returns where they are from here on.  Nothing here looks at a clock or
a database.  What is fine where it is stays there: weights, counts and policies
decide about new places only.

A container leaves its chassis for one of two reasons (departures.py).  It is
lost there: it serves from another one at once, from a standby if one is ready.
Or it is not to be there: it is made ready on the other chassis first, as a
standby; once that is ready the roles turn, and once the new place serves, the
old one goes.  Every step of a move is a function of the bindings that are
there, so that any svc-northd can go on with it.

Filters say why a chassis is refused, so that an unplaced container can tell
how many chassis refused it and for what reason.  Ties are settled by name: the
same snapshot gives the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from .decisions import Decisions
from .departures import Departure, find_departures
from .filters import find_loss, format_full
from .giving_way import Claim, GivingWay
from .load import Others
from .model import Candidate, MoveRules, Place, Request, Schedule
from .reasons import FIRST_PLACE
from .snapshot import Avoided, Places, Snapshot
from .standbys import choose_standbys, is_serving, keep_standbys
from .swaps import find_swaps


def schedule(
    requests: Iterable[Request],
    candidates: Iterable[Candidate],
    places: Places,
    avoided: Avoided | None = None,
    rules: MoveRules | None = None,
    others: Others | None = None,
) -> Schedule:
    """Returns the plan for 'requests'.

    'places' are the bindings that are there, by container; 'avoided' says for
    a container and a chassis why it is not to be tried there.  'others' are all
    containers that are not among 'requests': those that are settled
    (settled.py), which stay as they are, but for standbys that give way.
    """
    others = others or Others()
    snapshot = Snapshot(requests, candidates, places, avoided or {}, others.count)
    giving_way = GivingWay(snapshot, others.find_standing_by)
    return _Round(snapshot, rules or MoveRules(), giving_way).run()


class _Round:
    """One plan in the making."""

    def __init__(self, snapshot: Snapshot, rules: MoveRules, giving_way: GivingWay) -> None:
        self._snapshot = snapshot
        self._rules = rules
        self._migrating: dict[str, str] = {}
        self._giving_way = giving_way
        self._given = Decisions(snapshot, self._migrating, giving_way)
        self._moving: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._causes: dict[str, str] = {}
        self._departures: dict[str, Departure] = {}
        self._staying: Counter[str] = Counter()
        self._lost: set[str] = set()
        self._stranded: set[str] = set()

    def run(self) -> Schedule:
        """Returns the plan."""
        self._migrating.update(
            (name, request.migrate_chassis)
            for name, request in self._snapshot.requests.items()
            if request.migrate_chassis and self._refuse_migration(request) is None
        )
        self._departures = find_departures(
            self._snapshot.requests.values(),
            self._snapshot.chassis,
            self._snapshot.places,
            self._migrating,
            self._rules.enforce_limit,
        )
        self._giving_way.note_departing(self._departures)
        self._keep()
        self._rescue()
        self._count_moving()
        self._move()
        self._given.adopt()
        self._tell_moves()
        kept = {name: self._keep_standbys(name) for name in sorted(self._given.active)}
        self._reserve(kept)
        standby = {
            name: found | self._find_new_standbys(name, found) for name, found in kept.items()
        }
        return Schedule(
            chassis=dict(sorted(self._given.active.items())),
            standby={name: tuple(sorted(found)) for name, found in standby.items() if found},
            reasons=self._reasons,
            causes=self._causes,
            migrations=self._find_migrations(),
            lost=frozenset(self._lost),
            gone={name: frozenset(gone) for name, gone in sorted(self._giving_way.gone.items())},
        )

    # -- what stays, for the time being or for good ------------------------

    def _keep(self) -> None:
        for name, request in self._snapshot.requests.items():
            place = self._snapshot.find_active(request)
            departure = self._departures.get(name)
            if place is None or (departure is not None and departure.lost):
                continue
            self._given.keep(request, place.chassis)
            self._staying[place.chassis] += departure is None

    # -- what has to go elsewhere at once ----------------------------------

    def _rescue(self) -> None:
        """Who has no standby chooses first: the others have a place in any case."""
        lost = [
            (self._find_rescuer(request), request)
            for name, request in self._snapshot.requests.items()
            if name not in self._given.active
        ]
        for standby, request in sorted(lost, key=lambda each: each[0] is not None):
            departure = self._departures.get(request.name)
            cause = departure.reason if departure is not None else FIRST_PLACE
            if self._relocate(request, standby):
                self._causes[request.name] = cause
            else:
                self._leave_alone(request, departure)

    def _relocate(self, request: Request, standby: Place | None) -> bool:
        """Gives 'request' a place to serve from at once; returns whether there is one."""
        if standby is None or not (standby.ready or self._may_serve(request, standby)):
            claim = Claim.RESCUE if standby is None else Claim.NONE
            wanted = self._migrating.get(request.name)
            if wanted and self._given.choose(request, wanted, claim):
                return True
            if self._given.choose(request, claim=claim):
                return True
        if standby is not None:
            self._given.turn(request, standby.chassis)
            self._staying[standby.chassis] += 1
        return standby is not None

    def _find_rescuer(self, request: Request) -> Place | None:
        """Returns the best standby that could serve: one that is ready, one that may be there.

        One that it just left is as good as any: a move that fails goes back.
        """
        return min(
            (place for place, _ in self._snapshot.find_standbys(request)),
            key=lambda place: (
                not place.ready,
                not self._may_serve(request, place),
                place.chassis,
            ),
            default=None,
        )

    def _may_serve(self, request: Request, standby: Place) -> bool:
        candidate = self._snapshot.chassis[standby.chassis]
        return self._snapshot.refuse_standby(request, candidate) is None

    def _leave_alone(self, request: Request, departure: Departure | None) -> None:
        """Says why 'request' gets no place.

        Where it is lost it may run still, behind a lost heartbeat, and to
        unbind it would end it for nothing.
        """
        sentence = self._snapshot.explain(request)
        place = self._snapshot.find_active(request)
        self._reasons[request.name] = sentence
        if departure is not None and place is not None:
            self._reasons[request.name] = f"{departure.reason}, and {sentence}"
            if place.chassis in self._snapshot.chassis:
                self._given.keep(request, place.chassis)
                self._lost.add(request.name)

    # -- what is to go elsewhere once it is ready there --------------------

    def _count_moving(self) -> None:
        """Counts those that have just come: their move off those that they left is under way."""
        serving = self._given.find_serving()
        for name in serving.keys() - self._lost:
            request, active = self._snapshot.requests[name], serving[name]
            if not is_serving(self._snapshot, request, active):
                others = {each.chassis for each, _ in self._snapshot.find_standbys(request)}
                self._moving.update(others - {active})

    def _move(self) -> None:
        """Begins planned moves, and goes on with those under way, which come first."""
        planned = []
        for name in self._given.active:
            if name in self._departures and not self._departures[name].lost:
                request = self._snapshot.requests[name]
                target = self._find_target(request)
                planned.append((not self._has_begun(request), target is None, name, target))
        for resting, _, name, target in sorted(planned, key=lambda each: each[:3]):
            self._advance(self._snapshot.requests[name], target, resting)
        self._swap()

    def _swap(self) -> None:
        """Begins a move of each circle of those that wait for each other's place."""
        names = (self._stranded | self._lost) - self._migrating.keys()
        waiting = {
            name: self._given.active[name]
            for name in sorted(names - self._giving_way.gone.keys())
            if not self._rules.held and self._can_swap(name)
        }

        def open_circle(name: str, chassis: str) -> None:
            self._given.squeeze_in(self._snapshot.requests[name], chassis)
            self._stranded.discard(name)
            del self._reasons[name]

        find_swaps(self._snapshot, waiting, open_circle)

    def _can_swap(self, name: str) -> bool:
        """Whether a container may have a new place, and takes room where it is."""
        here = self._snapshot.chassis[self._given.active[name]]
        return self._snapshot.requests[name].problem is None and find_loss(here) is None

    def _has_begun(self, request: Request) -> bool:
        """Whether a move is under way: there is a standby beside those that the group asks for."""
        return len(self._snapshot.find_standbys(request)) > request.standby

    def _advance(self, request: Request, target: Place | None, resting: bool) -> None:
        """Goes on with a planned move to 'target', or begins one unless too many are under way."""
        name, origin = request.name, self._given.active[request.name]
        departure = self._departures[name]
        if self._rules.held:
            self._hold(request, target)
            return
        crowded = departure.drained and self._moving[origin] >= self._rules.drain_moves
        if crowded and (resting or target is None):
            self._reasons[name] = f"{departure.reason}; it waits for its turn to move"
            return
        wanted = self._migrating.get(name)
        if target is None and not self._given.choose(request, wanted, Claim.MOVE):
            self._reasons[name] = f"{departure.reason}, but {self._snapshot.explain(request)}"
            if not departure.surplus:
                self._stranded.add(name)
            return
        self._moving[origin] += 1
        if target is not None and target.ready:
            self._given.turn(request, target.chassis)
            self._causes[name] = departure.reason
        elif target is not None:
            self._given.aim(request, target.chassis)

    def _hold(self, request: Request, target: Place | None) -> None:
        """Leaves a move as far as it has come: OVN could not follow the next step."""
        reason = f"{self._departures[request.name].reason}; it waits until OVN follows"
        self._reasons[request.name] = reason
        self._stranded.add(request.name)
        if target is not None:
            self._given.aim(request, target.chassis)

    def _find_target(self, request: Request) -> Place | None:
        """Returns the standby that a planned move goes to, one that is ready before others."""
        target = self._find_fit_target(request)
        if target is not None and target.ready:
            return target
        return self._find_stand_in(request) or target

    def _find_fit_target(self, request: Request) -> Place | None:
        """Returns a target where the container can stay; None from where it would have to leave."""
        wanted = self._migrating.get(request.name)
        for place, candidate in self._snapshot.find_standbys(request):
            if wanted not in (None, place.chassis) or not self._may_serve(request, place):
                continue
            if not self._is_crowded(candidate):
                return place
        return None

    def _is_crowded(self, candidate: Candidate) -> bool:
        """Whether one more that serves from 'candidate' would have to leave for its limit.

        Of a chassis that is over its limit, and is to keep it, all are in this plan.
        """
        if not self._rules.enforce_limit or not self._snapshot.load.is_over(candidate):
            return False
        return self._staying[candidate.name] >= candidate.limit

    def _find_stand_in(self, request: Request) -> Place | None:
        """Returns a standby that is ready, for one whose programs do not run where it serves from.

        A migration to another chassis goes on from there: to wait for that
        would only make it longer that nothing serves.
        """
        here = self._snapshot.find_active(request)
        if here is None or here.failure is None or here.ready:
            return None
        rescuer = self._find_rescuer(request)
        return rescuer if rescuer is not None and rescuer.ready else None

    # -- migration ---------------------------------------------------------

    def _refuse_migration(self, request: Request) -> str | None:
        candidate = self._snapshot.chassis.get(request.migrate_chassis or "")
        if candidate is None:
            return "not registered"
        bound = {place.chassis for place in self._snapshot.places[request.name]}
        if candidate.name in bound:
            return find_loss(candidate) or self._snapshot.refuse_standby(request, candidate)
        refusal = self._snapshot.refuse(request, candidate)
        if refusal is not None or self._given.find_new(request) == candidate.name:
            return refusal
        full = self._snapshot.load.is_full(candidate)
        cleared = full and self._giving_way.can_clear(candidate, Claim.MOVE)
        return format_full(candidate.limit) if full and not cleared else None

    def _find_migrations(self) -> dict[str, str]:
        """Returns how each request to migrate ended that is over."""
        ended = {}
        for name, request in self._snapshot.requests.items():
            wanted = request.migrate_chassis
            if wanted is None:
                continue
            if not wanted:
                ended[name] = "not migrated: no chassis is named"
                continue
            place = self._snapshot.find_active(request)
            failed = place is not None and place.chassis == wanted and place.failure is not None
            if self._given.active.get(name) == wanted and name not in self._lost and not failed:
                if is_serving(self._snapshot, request, wanted):
                    ended[name] = f"migrated to {wanted}"
            elif (refusal := self._refuse_migration(request)) is not None:
                ended[name] = f"not migrated to {wanted}: it is {refusal}"
        return ended

    # -- the end ----------------------------------------------------------

    def _tell_moves(self) -> None:
        for name, chassis in self._given.targets.items():
            sentence = f"{self._departures[name].reason}; it moves to {chassis}"
            self._reasons.setdefault(name, sentence)  # one that is held says so

    def _keep_standbys(self, name: str) -> set[str]:
        return keep_standbys(
            self._snapshot,
            self._snapshot.requests[name],
            self._given.active[name],
            self._given.targets.get(name),
            self._rules.enforce_limit,
            name in self._stranded,
        )

    def _reserve(self, kept: Mapping[str, AbstractSet[str]]) -> None:
        """Leaves the room of standbys that go to those that serve from nowhere: the next plan's."""
        if self._snapshot.requests.keys() <= self._given.active.keys() - self._lost:
            return
        for name, found in kept.items():
            for place, _ in self._snapshot.find_standbys(self._snapshot.requests[name]):
                if place.chassis not in (*found, self._given.active[name]):
                    self._snapshot.load.add(place.chassis)

    def _find_new_standbys(self, name: str, kept: AbstractSet[str]) -> set[str]:
        request, active = self._snapshot.requests[name], self._given.active[name]
        missing = request.standby - len(kept)
        moves = name in self._given.targets or not is_serving(self._snapshot, request, active)
        if missing <= 0 or moves or name in self._giving_way.gone:
            return set()
        chosen = choose_standbys(self._snapshot, request, active, missing)
        if len(chosen) < missing:
            why = self._snapshot.explain(request, standby=True)
            self._reasons.setdefault(name, f"it has too few standbys: {why}")
        return chosen
