"""A plan in which many find no room costs what containers and chassis add up to, not their product.

What is counted is how often the name of a chassis is looked up: of a cloud of
twice as many chassis, with as many containers on each, twice as often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from ..northd.scheduler.load import LoadKey, Others
from ..northd.scheduler.model import STANDBY, Candidate, Place, Request, Schedule
from ..northd.scheduler.schedule import schedule
from .placements import IPSEC

EACH = 6
"""How many containers are on a chassis, which takes no more."""


class Name(str):
    """The name of a chassis, which counts how often it is looked up."""

    __slots__ = ()
    lookups = 0

    def __hash__(self) -> int:
        Name.lookups += 1
        return super().__hash__()


@dataclass(frozen=True)
class Cloud:
    """What a plan is made from: containers that are not settled, and what is beside them."""

    chassis: Sequence[Candidate]
    wanted: Sequence[Request]
    places: dict[str, tuple[Place, ...]]
    settled: dict[str, int] = field(default_factory=dict)
    """How many settled containers are on a chassis."""

    def plan(self) -> Schedule:
        others = Others(self._count_settled)
        return schedule(self.wanted, self.chassis, self.places, others=others)

    def count_lookups(self) -> int:
        Name.lookups = 0
        self.plan()
        return Name.lookups

    def _count_settled(self, key: LoadKey) -> int:
        return self.settled.get(key[2], 0)


def _idle(count: int) -> list[Candidate]:
    return [Candidate(Name(f"hv{number:03}"), IPSEC, limit=EACH) for number in range(count)]


def _fill(chassis: Sequence[Candidate], **columns: object) -> dict[str, tuple[Request, Place]]:
    """Returns containers that serve from 'chassis', as many as these take."""
    return {
        name: (Request(name, "ipsec", **columns), Place(each.name))  # type: ignore[arg-type]
        for each in chassis
        for name in (f"vpn-{each.name}-{number}" for number in range(EACH))
    }


def _make_cloud(
    chassis: Sequence[Candidate],
    there: dict[str, tuple[Request, Place]],
    full: Sequence[Candidate] = (),
) -> Cloud:
    return Cloud(
        chassis,
        [request for request, _ in there.values()],
        {name: (place,) for name, (_, place) in there.items()},
        {each.name: EACH for each in full},
    )


def _drain_all(count: int) -> Cloud:
    chassis = [replace(each, drain=True) for each in _idle(count)]
    return _make_cloud(chassis, _fill(chassis))


def _halve(count: int, **columns: bool) -> Cloud:
    """Returns a cloud of which one half is to have nothing, and the other one is full."""
    chassis = _idle(count)
    left = [replace(each, **columns) for each in chassis[::2]]  # type: ignore[arg-type]
    return _make_cloud([*left, *chassis[1::2]], _fill(left), chassis[1::2])


def _drain_half(count: int) -> Cloud:
    return _halve(count, drain=True)


def _kill_half(count: int) -> Cloud:
    return _halve(count, alive=False)


def _lead_nowhere(count: int) -> Cloud:
    """Returns one of which a half waits for the other one, where some wait for what is full."""
    chassis = _idle(count)
    left, right, full = chassis[0::3], chassis[1::3], chassis[2::3]
    right_names, full_names = (frozenset(each.name for each in some) for some in (right, full))
    there = _fill(left, chassis_group=right_names)
    there |= _fill(right, chassis_group=full_names)
    return _make_cloud(chassis, there, full)


def _stand_by(
    chassis: Sequence[Candidate], homes: Sequence[Candidate]
) -> dict[str, tuple[Request, tuple[Place, ...]]]:
    """Returns containers that serve from 'homes', the standbys of which fill 'chassis'."""
    return {
        name: (
            Request(name, "ipsec", standby=1),
            (Place(home.name), Place(each.name, STANDBY, serving=False)),
        )
        for each, home in zip(chassis, homes, strict=True)
        for name in (f"warm-{each.name}-{number}" for number in range(EACH))
    }


def _let_give_way(count: int, fill: Callable[..., dict[str, tuple[Request, Place]]]) -> Cloud:
    chassis = _idle(count)
    left, right, homes = chassis[0::3], chassis[1::3], chassis[2::3]
    there, warm = fill(left, right), _stand_by(right, homes)
    changed = [replace(each, alive=False) for each in left] if fill is _lose else left
    return Cloud(
        [*changed, *right, *homes],
        [request for request, _ in [*there.values(), *warm.values()]],
        {name: (place,) for name, (_, place) in there.items()}
        | {name: places for name, (_, places) in warm.items()},
    )


def _lose(
    left: Sequence[Candidate], _right: Sequence[Candidate]
) -> dict[str, tuple[Request, Place]]:
    return _fill(left)


def _send(
    left: Sequence[Candidate], right: Sequence[Candidate]
) -> dict[str, tuple[Request, Place]]:
    return _fill(left, chassis_group=frozenset(each.name for each in right))


def _take_room_of_standbys(count: int) -> Cloud:
    return _let_give_way(count, _lose)


def _move_to_room_of_standbys(count: int) -> Cloud:
    return _let_give_way(count, _send)


STRANDED = [_drain_all, _drain_half, _kill_half, _lead_nowhere]
PLACED = [_take_room_of_standbys, _move_to_room_of_standbys]


@pytest.mark.parametrize("make", [*STRANDED, *PLACED])
def test_twice_as_large_a_cloud_costs_twice_as_much(make: Callable[[int], Cloud]) -> None:
    some, twice = make(60).count_lookups(), make(120).count_lookups()
    assert 1.5 * some < twice < 2.5 * some


@pytest.mark.parametrize("make", STRANDED)
def test_so_they_find_no_room(make: Callable[[int], Cloud]) -> None:
    cloud = make(12)
    plan = cloud.plan()
    assert plan.reasons.keys() == cloud.places.keys()
    assert (plan.standby, plan.causes, plan.gone) == ({}, {}, {})


@pytest.mark.parametrize("make", PLACED)
def test_so_each_takes_the_room_of_a_standby(make: Callable[[int], Cloud]) -> None:
    plan = make(12).plan()
    assert len(plan.gone) == 4 * EACH
    assert len({*plan.causes, *plan.reasons} - plan.gone.keys()) == 4 * EACH
    assert not plan.lost
