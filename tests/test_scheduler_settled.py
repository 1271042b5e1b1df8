"""A plan of those that are not settled, on the load of those that are, is the plan of all."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings

from ..northd.scheduler.load import LoadKey, Others
from ..northd.scheduler.model import Avoidance, Candidate, MoveRules, Place, Request, Schedule
from ..northd.scheduler.schedule import schedule
from ..northd.scheduler.settled import Settled, count_places, find_settled, make_load
from .placements import CONTAINERS, NAMES, Dice, burst, dice, idle, many, on

Places = dict[str, tuple[Place, ...]]
Avoided = dict[tuple[str, str], Avoidance]


class Split:
    """A cloud, taken apart into the containers that are settled and the others."""

    def __init__(
        self,
        wanted: list[Request],
        cloud: list[Candidate],
        places: Places,
        avoided: Avoided | None = None,
        rules: MoveRules | None = None,
    ) -> None:
        self.wanted = wanted
        self.cloud = cloud
        self.places = places
        self.avoided = avoided or {}
        self.rules = rules or MoveRules()
        self.chassis = {each.name: each for each in cloud}
        self.total: Counter[str] = Counter()
        self.load: Counter[LoadKey] = Counter()
        self.settled = self._find_settled()
        for each in self.settled.values():
            for key, count in make_load(each):
                self.load[key] += count

    def _find_settled(self) -> dict[str, Settled]:
        for request in self.wanted:
            bound = self.places.get(request.name, ())
            self.total.update(dict(count_places(bound, self.chassis.get)))
        found = {request.name: self._find(request) for request in self.wanted}
        return {name: each for name, each in found.items() if each is not None}

    def _find(self, request: Request) -> Settled | None:
        return find_settled(
            request,
            self.places.get(request.name, ()),
            {chassis for name, chassis in self.avoided if name == request.name},
            self.chassis.get,
            self._is_over_limit,
        )

    def _is_over_limit(self, chassis: str) -> bool:
        limit = self.chassis[chassis].limit
        return self.rules.enforce_limit and 0 <= limit < self.total[chassis]

    def plan_all(self) -> Schedule:
        return schedule(self.wanted, self.cloud, self.places, self.avoided, self.rules)

    def plan_rest(self) -> Schedule:
        rest = {each.name: each for each in self.wanted if each.name not in self.settled}
        avoided = {spot: each for spot, each in self.avoided.items() if spot[0] in rest}
        return schedule(
            rest.values(),
            self.cloud,
            {name: each for name, each in self.places.items() if name in rest},
            avoided,
            self.rules,
            Others(self.load.__getitem__, self._find_standing_by),
        )

    def _find_standing_by(self, chassis: str) -> Iterator[tuple[str, int]]:
        for name, each in self.settled.items():
            if chassis in each.dispensable:
                yield name, len(each.standby)

    def join(self, plan: Schedule) -> Schedule:
        """Returns a plan of the rest together with those that are settled."""
        settled = [
            (name, each.leave(plan.gone.get(name, ()))) for name, each in self.settled.items()
        ]
        chassis = {**plan.chassis, **{name: each.active for name, each in settled}}
        standby = {
            **plan.standby,
            **{name: each.standby for name, each in settled if each.standby},
        }
        return replace(
            plan, chassis=dict(sorted(chassis.items())), standby=dict(sorted(standby.items()))
        )


def _draw(dice: Dice) -> Split:
    """Returns a cloud of the scheduler's other tests; each second one has nothing odd."""
    names = CONTAINERS[: dice.randint(1, len(CONTAINERS))]
    wanted = [dice.draw_request(name) for name in names]
    cloud = [dice.draw_chassis(name) for name in NAMES]
    places = {name: dice.draw_places(name) for name in names if not dice.one_in(5)}
    avoided = dice.draw_avoided(places)
    for number, request in enumerate(wanted):
        if dice.one_in(2):
            wanted[number], places[request.name] = _calm(dice, request)
    rules = MoveRules(enforce_limit=dice.one_in(2), drain_moves=dice.randint(1, 2))
    return Split(wanted, cloud, places, avoided, rules)


def _calm(dice: Dice, request: Request) -> tuple[Request, tuple[Place, ...]]:
    """Returns a container that is well where it is, as most are."""
    where = dice.sample(NAMES, request.standby + 1)
    calm = replace(request, migrate_chassis=None, chassis_group=None, requested_chassis=None)
    return calm, on(where[0], *where[1:])


@settings(many, max_examples=1000)
@given(dice)
def test_the_plan_of_the_rest_is_the_plan_of_all(dice: Dice) -> None:
    split = _draw(dice)
    whole = split.plan_all()
    assert split.join(split.plan_rest()) == whole
    for name, each in split.settled.items():
        assert whole.chassis[name] == each.active
        assert not {name} & (whole.reasons.keys() | whole.causes.keys() | whole.migrations.keys())


@pytest.mark.parametrize("standby", [0, 1, 2])
def test_what_is_well_is_settled(standby: int) -> None:
    wanted = burst(3, standby=standby)
    where = ["hv1", "hv2", "hv3"][: standby + 1]
    split = Split(wanted, idle(1, 1, 1), {each.name: on(*where) for each in wanted})
    assert len(split.settled) == 3
    assert split.plan_rest() == Schedule({})


def _count_calls(settled: int, count: int, policy: str) -> int:
    """Returns how many calls a plan of 'count' containers takes beside 'settled' ones."""
    cloud = idle(*[1] * 200, labels={"rack": "a"})
    names = [each.name for each in cloud]
    wanted = burst(settled + count, policy)
    split = Split(
        wanted,
        cloud,
        {each.name: on(names[number % 200]) for number, each in enumerate(wanted[:settled])},
    )
    assert len(split.settled) == settled
    calls: Counter[str] = Counter()
    sys.setprofile(lambda _frame, event, _what: calls.update([event]))
    try:
        schedule(wanted[settled:], cloud, {}, others=Others(split.load.__getitem__))
    finally:
        sys.setprofile(None)
    return calls["call"] + calls["c_call"]


@pytest.mark.parametrize("policy", ["least", "random", "weighted"])
def test_a_plan_costs_what_it_plans(policy: str) -> None:
    one = _count_calls(1000, 1, policy)
    assert _count_calls(4000, 1, policy) == pytest.approx(one, rel=0.05)
    assert _count_calls(1000, 20, policy) < 20 * one
