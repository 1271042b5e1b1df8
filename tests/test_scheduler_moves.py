"""Moves, round after round: plans are carried out by chassis that are slow, fail and die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import example, given

from ..northd.scheduler.model import (
    ACTIVE,
    STANDBY,
    UNLIMITED,
    Avoidance,
    MoveRules,
    Place,
    Request,
    Schedule,
)
from ..northd.scheduler.schedule import schedule
from .placements import NAMES, Dice, burst, dice, idle, is_fit, many, may_stay, suits

CONTAINERS = [f"vpn-{number}" for number in range(5)]
# Rounds: until what is unwell has failed, and until it is tried there again.
PATIENCE = 4
PAUSE = 6


@dataclass(slots=True)
class Spot:
    """A container on a chassis; 'current' is whether it has taken up its role there."""

    role: str
    running: bool = False
    current: bool = False
    port_up: bool = False
    unwell: int = 0

    @property
    def is_well(self) -> bool:
        return self.running and (self.role == STANDBY or self.port_up)


class Field:
    """Chassis, containers, and what becomes of plans."""

    def __init__(self, dice: Dice, settings: MoveRules | None = None) -> None:
        self.dice = dice
        self.settings = settings or MoveRules()
        self.chassis = {each.name: each for each in idle(1, 1, 1, 1)}
        self.requests: dict[str, Request] = {}
        self.spots: dict[str, dict[str, Spot]] = {}
        self.broken: set[tuple[str, str]] = set()
        self.avoided: dict[tuple[str, str], int] = {}
        self.now = 0
        self.slow = True

    # -- what the scheduler sees, and does -----------------------------------

    def find_places(self) -> dict[str, tuple[Place, ...]]:
        return {
            name: tuple(self._make_place(where, spot) for where, spot in spots.items())
            for name, spots in self.spots.items()
        }

    def find_serving(self, name: str) -> str | None:
        """Returns the chassis that a container serves from at this moment."""
        for place in self.find_places().get(name, ()):
            if place.serving and is_fit(self.chassis.get(place.chassis)) and not place.failure:
                return place.chassis
        return None

    def plan(self) -> Schedule:
        avoided = {
            spot: Avoidance("no charon", retry)
            for spot, retry in self.avoided.items()
            if self.now < retry
        }
        wanted = self.requests.values()
        return schedule(wanted, self.chassis.values(), self.find_places(), avoided, self.settings)

    def step(self) -> Schedule:
        """Lets a round pass, plans, and carries the plan out under the laws of moves."""
        self._live()
        plan = self.plan()
        for name in self.requests:
            self._judge(name, plan)
        self._judge_limits(plan)
        self._carry_out(plan)
        for name, outcome in plan.migrations.items():
            self._end_migration(name, outcome)
        return plan

    def rest(self) -> Schedule:
        """Lets everything go well from here on, until nothing changes any more."""
        self.slow = False
        self.broken.clear()
        for _ in range(60):
            before = repr(self.spots)
            plan = self.step()
            waiting = any(self.now < retry for retry in self.avoided.values())
            if repr(self.spots) == before and not waiting and not plan.migrations:
                return plan
        raise AssertionError("it does not come to rest")

    # -- what chassis do -------------------------------------------------------

    def _live(self) -> None:
        self.now += 1
        for name, spots in self.spots.items():
            for where, spot in spots.items():
                if is_fit(self.chassis.get(where)):
                    self._run(spot, (name, where) in self.broken)
                    if spot.unwell >= PATIENCE and self.now >= self.avoided.get((name, where), 0):
                        self.avoided[name, where] = self.now + PAUSE

    def _run(self, spot: Spot, broken: bool) -> None:
        if broken:
            spot.running = spot.current = False
        elif not self.slow or self.dice.one_in(2):
            # A port comes up once OVN has seen that the container is there and active.
            spot.port_up = spot.role == ACTIVE and spot.running and spot.current
            spot.running = spot.current = True
        spot.unwell = 0 if spot.is_well else spot.unwell + 1

    def _make_place(self, where: str, spot: Spot) -> Place:
        return Place(
            where,
            spot.role,
            ready=spot.running and spot.current,
            serving=spot.role == ACTIVE and spot.port_up,
            failure="no charon" if spot.unwell >= PATIENCE else None,
        )

    def _carry_out(self, plan: Schedule) -> None:
        for name in list(self.spots):
            if name not in plan.chassis:
                del self.spots[name]
        for name, active in plan.chassis.items():
            before = self.spots.get(name, {})
            roles = {active: ACTIVE, **dict.fromkeys(plan.standby.get(name, ()), STANDBY)}
            self.spots[name] = {}
            for where, role in roles.items():
                spot = before.get(where) or Spot(role)
                if spot.role != role:
                    spot.role, spot.current, spot.port_up, spot.unwell = role, False, False, 0
                self.spots[name][where] = spot

    # -- the laws --------------------------------------------------------------

    def _judge(self, name: str, plan: Schedule) -> None:
        places = {each.chassis: each for each in self.find_places().get(name, ())}
        active = next((each for each in places.values() if each.role == ACTIVE), None)
        usable = {
            each.chassis
            for each in places.values()
            if is_fit(self.chassis.get(each.chassis)) and each.failure is None
        }
        after = plan.chassis.get(name)
        standbys = set(plan.standby.get(name, ()))
        assert after is not None or not usable, "it was bound and has no place now"
        if active is None or after is None:
            return
        if active.chassis in usable and after != active.chassis:
            assert places[after].ready, "left before the other place was ready"
            assert active.chassis in standbys, "left before the other place serves"
        if active.chassis not in usable and any(places[each].ready for each in usable):
            assert places[after].ready, "a standby that is ready takes over"
        if not active.serving and after == active.chassis and name not in plan.lost:
            assert usable <= {after, *standbys}, "a way back is closed before it serves"

    def _judge_limits(self, plan: Schedule) -> None:
        bound = {name: {where, *plan.standby.get(name, ())} for name, where in plan.chassis.items()}
        count = Counter(where for found in bound.values() for where in found)
        squeezed: Counter[str] = Counter()
        for name, found in bound.items():
            for where in found - self.spots.get(name, {}).keys():
                candidate = self.chassis[where]
                assert suits(self.requests[name], candidate)
                assert self.now >= self.avoided.get((name, where), 0)
                if candidate.limit != UNLIMITED and count[where] > candidate.limit:
                    assert count[where] == candidate.limit + 1
                    squeezed[where] += self._may_swap(name, where, plan)
        assert all(number == 1 for number in squeezed.values())

    def _may_swap(self, name: str, where: str, plan: Schedule) -> bool:
        """Says whether it must leave where it is, and another one must leave 'where' for it."""
        if where not in plan.standby.get(name, ()) or not self._must_leave(name):
            return False
        others = [each for each in plan.chassis if plan.chassis[each] == where]
        origin = self.chassis[plan.chassis[name]]
        return any(map(self._must_leave, others)) and any(
            suits(self.requests[each], origin) for each in self.requests if each != name
        )

    def _must_leave(self, name: str) -> bool:
        places = self.find_places().get(name, ())
        place = next((each for each in places if each.role == ACTIVE), None)
        return place is not None and (
            place.failure is not None
            or not may_stay(self.requests[name], self.chassis[place.chassis])
        )

    def _end_migration(self, name: str, outcome: str) -> None:
        request = self.requests[name]
        wanted = request.migrate_chassis
        if outcome == f"migrated to {wanted}":
            assert self.find_serving(name) == wanted
        else:
            assert outcome.startswith(f"not migrated to {wanted}: it is ")
        self.requests[name] = replace(request, migrate_chassis=None)


# -- at random -----------------------------------------------------------------


def _change(field: Field) -> None:
    """Does something to the cloud or to what is wanted."""
    dice = field.dice
    where = dice.choice(NAMES)
    changes: list[Callable[[], None]] = [
        lambda: _alter(field, where, drain=dice.one_in(2)),
        lambda: _alter(field, where, weight=dice.randint(0, 2)),
        lambda: _alter(field, where, alive=not dice.one_in(3)),
        lambda: _alter(field, where, ovn_problem=dice.some("", "", "ovn-controller is dead")),
        lambda: _alter(field, where, stopping=dice.one_in(3)),
        lambda: _alter(field, where, limit=dice.some(UNLIMITED, 0, 1, 2)),
        lambda: _want(field, chassis_group=frozenset(dice.sample(NAMES, dice.randint(1, 4)))),
        lambda: _want(field, requested_chassis=dice.some(None, None, where)),
        lambda: _want(field, migrate_chassis=where),
        lambda: _want(field, standby=dice.randint(0, 2)),
        lambda: _cross(field),
        lambda: field.broken.add((dice.choice(CONTAINERS), where)),
        field.broken.clear,
        lambda: _toggle(field, dice.choice(CONTAINERS)),
    ]
    dice.choice(changes)()


def _alter(field: Field, where: str, **columns: object) -> None:
    field.chassis[where] = replace(field.chassis[where], **columns)  # type: ignore[arg-type]


def _want(field: Field, **columns: object) -> None:
    if field.requests:
        name = field.dice.choice(sorted(field.requests))
        field.requests[name] = replace(field.requests[name], **columns)  # type: ignore[arg-type]


def _cross(field: Field) -> None:
    """Wants some containers where others are, on chassis that are full."""
    names = [name for name in sorted(field.requests) if field.find_serving(name)]
    some = field.dice.sample(names, min(len(names), field.dice.randint(2, 3)))
    where = [field.find_serving(name) for name in some]
    for name, chassis in zip(some, [*where[1:], *where[:1]], strict=True):
        assert chassis is not None
        # A group is as good as a pin.
        only = {"chassis_group": frozenset({chassis})} if field.dice.one_in(2) else {}
        columns: dict[str, Any] = only or {"requested_chassis": chassis}
        field.requests[name] = replace(field.requests[name], **columns)
        count = sum(chassis in spots for spots in field.spots.values())
        _alter(field, chassis, limit=count, drain=False, weight=1, stopping=False)


def _toggle(field: Field, name: str) -> None:
    if field.requests.pop(name, None) is None:
        policy = field.dice.some("least", "random", "weighted")
        field.requests[name] = Request(name, "ipsec", policy=policy)
    else:
        field.spots.pop(name, None)


@many
@given(dice)
@example(Dice(833833)).via("a migration under way when the programs of the active place end")
@example(Dice(3101370338091166631)).via("a migration to where it is, and failed")
def test_whatever_happens_no_move_loses_anything(dice: Dice) -> None:
    field = Field(dice, MoveRules(enforce_limit=dice.one_in(2), drain_moves=dice.randint(1, 2)))
    for name in CONTAINERS[: dice.randint(1, 5)]:
        _toggle(field, name)
    for _ in range(dice.randint(1, 25)):
        for _ in range(dice.some(0, 0, 1, 1, 2)):
            _change(field)
        field.step()
    plan = field.rest()
    for request in field.requests.values():
        _judge_at_rest(field, request, plan)
    _judge_circles(field, plan)


def _judge_at_rest(field: Field, request: Request, plan: Schedule) -> None:
    spots = field.spots.get(request.name, {})
    count = Counter(where for bound in field.spots.values() for where in bound)
    open_to = [
        each for each in field.chassis.values() if suits(request, each) and each.name not in spots
    ]
    room = [each for each in open_to if each.limit == UNLIMITED or count[each.name] < each.limit]
    where = plan.chassis.get(request.name)
    if where is None or not may_stay(request, field.chassis[where]):
        spare = _count_spare(field, plan)
        assert all(0 <= each.limit <= count[each.name] - spare[each.name] for each in open_to)
        assert plan.reasons[request.name]
        return
    assert field.find_serving(request.name) == where
    standbys = plan.standby.get(request.name, ())
    leaving = request.name in plan.reasons and "over its limit" in plan.reasons[request.name]
    assert len(standbys) <= request.standby
    assert all(may_stay(request, field.chassis[each]) for each in standbys)
    if len(standbys) < request.standby or leaving:
        assert not room
        assert plan.reasons[request.name]
    else:
        assert request.name not in plan.reasons


def _judge_circles(field: Field, plan: Schedule) -> None:
    """No containers wait for each other's place on chassis that are full, and not over."""
    count = Counter(where for bound in field.spots.values() for where in bound)
    waiting = {
        name: where
        for name, where in plan.chassis.items()
        if not may_stay(field.requests[name], field.chassis[where])
        and count[where] <= field.chassis[where].limit
    }
    before: set[tuple[str, str]] = {
        (name, other)
        for name in waiting
        for other, where in waiting.items()
        if suits(field.requests[name], field.chassis[where])
    }
    for _ in waiting:
        before |= {(a, d) for a, b in before for c, d in before if b == c}
    assert not any(a == b for a, b in before)


def _count_spare(field: Field, plan: Schedule) -> Counter[str]:
    """Counts the standbys of those that serve from where they may stay."""
    return Counter(
        where
        for name, standbys in plan.standby.items()
        if may_stay(field.requests[name], field.chassis[plan.chassis[name]])
        for where in standbys
    )


@many
@given(dice)
def test_a_drain_is_bounded_and_ends(dice: Dice) -> None:
    field = Field(dice, MoveRules(drain_moves=dice.randint(1, 3)))
    standby = dice.some(0, 0, 1)
    for request in burst(dice.randint(1, 9), "least", standby=standby):
        field.requests[request.name] = request
    field.rest()
    field.slow = True
    _alter(field, "hv1", drain=True)
    for _ in range(200):
        plan = field.step()
        if all("hv1" not in spots for spots in field.spots.values()):
            break
        assert _count_leaving(field, plan, "hv1") <= field.settings.drain_moves
    else:
        raise AssertionError("the drain does not end")
    assert plan.reasons == {} or field.rest().reasons == {}


def _count_leaving(field: Field, plan: Schedule, origin: str) -> int:
    """Counts those on their way: made ready elsewhere, or turned and not serving yet."""
    leaving = 0
    for name, spots in field.spots.items():
        if plan.chassis[name] == origin:
            leaving += "it moves to" in plan.reasons.get(name, "")
        elif origin in spots:
            leaving += 1
    return leaving
