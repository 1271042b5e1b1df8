"""Nodes up to 'placement': where each container is from here on.

What is settled stays where it is, and only counts as load; the plan is made for
the rest, and for nobody where everybody is settled.  The bindings in the
southbound are the memory of the scheduler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from ...lib.group import BY_WEIGHT
from ...lib.sequence import has_reached
from ...services.api.node import AnyNode, Datum, Index, Node, Read, Tally
from ..scheduler.health import Health
from ..scheduler.load import DOMAIN, SHARE, TOTAL, LoadKey, Others, find_domain
from ..scheduler.mistakes import Mistake, find_mistakes
from ..scheduler.model import ACTIVE, STANDBY, Candidate, Request, Schedule
from ..scheduler.schedule import schedule
from ..scheduler.settled import Settled, count_places, find_settled, make_load
from .en_chassis import CANDIDATE
from .en_container import CONTAINER, find_group
from .en_group import GROUP, Group
from .en_health import HEALTH
from .en_options import MOVE_RULES
from .en_withheld import SILENT_PLACES, WITHHELD, find_held
from .tables import (
    CONTAINER_WISH,
    ONLY,
    ROOT,
    SERVICE_CONTAINER,
    SERVICE_CONTAINER_BY_NAME,
    WISH_BY_NAME,
    find_rows,
)


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A container that a plan is to be made for."""

    request: Request
    health: Health


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a container is from here on: the chassis that serves it, those that stand by.

    'reason' is why it has no place or is not where it should be, 'cause' why it
    serves from another chassis than before, 'migration' how a request to migrate
    ended.  'lost': nothing serves where it stays, since it has nowhere else to go.
    """

    active: str | None
    standby: tuple[str, ...] = ()
    reason: str | None = None
    cause: str | None = None
    migration: str | None = None
    lost: bool = False

    def list_places(self) -> list[tuple[str, str]]:
        """Returns each chassis with the role there."""
        if self.active is None:
            return []
        return [(self.active, ACTIVE), *((each, STANDBY) for each in self.standby)]


REQUEST: Datum[str, Request] = Datum("request")
# On how many places a chassis is taken, for its limit, and whether that is too many.
ROOM_TAKEN: Datum[str, int] = Datum("room_taken")
_PLACES: Datum[str, tuple[str, ...]] = Datum("places_that_take_room")
OVER_LIMIT: Datum[str, bool] = Datum("over_limit")
SETTLED: Datum[str, Settled] = Datum("settled")
LOAD: Datum[LoadKey, int] = Datum("load")
# Of those that are settled, who can do without a standby on a chassis.
STANDING_BY: Datum[str, AbstractSet[str]] = Datum("standing_by")
UNSETTLED: Datum[str, Unsettled] = Datum("unsettled")
SCHEDULE: Datum[str, Schedule] = Datum("schedule")
# The plan, for those alone of which a standby gives way.
GIVES_WAY: Datum[str, AbstractSet[str]] = Datum("gives_way")
PLACEMENT: Datum[str, Placement] = Datum("placement")
# How many places there will be on a chassis.
SCHEDULED: Datum[str, int] = Datum("scheduled")
_NOTHING: Mapping[LoadKey, int] = {}


def make_request(read: Read, name: str) -> Request | None:
    """Returns what a container asks of its chassis."""
    container = read(CONTAINER, name)
    if container is None:
        return None
    uuid = find_group(read, container)
    group = (read(GROUP, uuid) if uuid is not None else None) or Group()
    wishes = find_rows(read, CONTAINER_WISH, read(WISH_BY_NAME, name))
    wish = wishes[0] if wishes else None
    asked = wish is not None and not has_reached(wish.migrated_cfg, wish.migrate_cfg)
    return Request(
        name=name,
        service_type=container.service_type,
        group=group.name,
        policy=group.policy,
        problem=group.problem,
        chassis_group=group.chassis_group,
        port_chassis=group.port_chassis,
        bound_chassis=group.bound_chassis,
        requested_chassis=wish.requested_chassis if wish else None,
        migrate_chassis=(wish.migrate_chassis or "") if wish and asked else None,
        spread=group.spread,
        standby=_find_last_standby(read, name) if group.standby is None else group.standby,
        needs=container.spec.needs if container.spec is not None else (),
    )


def _find_last_standby(read: Read, name: str) -> int:
    """Returns how many standbys a container was last to have, 0 for one that never was."""
    rows = find_rows(read, SERVICE_CONTAINER, read(SERVICE_CONTAINER_BY_NAME, name))
    return (rows[0].standby if rows else None) or 0


def find_places(read: Read, name: str) -> tuple[str, ...] | None:
    """Returns the chassis on which a container takes room, None if it does on none."""
    health = read(HEALTH, name)
    if health is None or not health.places:
        return None
    counted = count_places(health.places, partial(read, CANDIDATE))
    return tuple(chassis for chassis, _ in counted) or None


def find_over_limit(read: Read, chassis: str) -> bool | None:
    """Returns whether a chassis has to lose containers; None if it does not."""
    rules, candidate = read(MOVE_RULES, ONLY), read(CANDIDATE, chassis)
    if rules is None or candidate is None or not rules.enforce_limit:
        return None
    return 0 <= candidate.limit < (read(ROOM_TAKEN, chassis) or 0) or None


def find_stay(read: Read, name: str) -> Settled | None:
    """Returns where a container is and stays, None if that is for a plan to say."""
    request, health = read(REQUEST, name), read(HEALTH, name)
    if request is None or health is None:
        return None
    return find_settled(
        request,
        health.places,
        health.pending,
        partial(read, CANDIDATE),
        lambda chassis: read(OVER_LIMIT, chassis) is not None,
    )


def find_unsettled(read: Read, name: str) -> Unsettled | None:
    """Returns a container that a plan is to be made for."""
    request, health = read(REQUEST, name), read(HEALTH, name)
    if request is None or health is None or read(SETTLED, name) is not None:
        return None
    if read(WITHHELD, name) is not None:
        return None
    held = find_held(read, name)
    if held:  # they may be heard again
        request = replace(request, standby=max(0, request.standby - len(held)))
    return Unsettled(request, health)


def make_schedule(read: Read, _key: str) -> Schedule | None:
    """Returns the plan for all that are not settled, None if all are."""
    waiting, rules = read.all(UNSETTLED), read(MOVE_RULES, ONLY)
    if not waiting or rules is None:
        return None
    candidates, load = read.all(CANDIDATE), read.all(LOAD)

    def find_standing_by(chassis: str) -> Iterator[tuple[str, int]]:
        for name in sorted(read(STANDING_BY, chassis) or ()):
            settled = read(SETTLED, name)
            assert settled is not None
            yield name, len(settled.standby)

    def plan(names: Iterable[str], left_out: Mapping[LoadKey, int] = _NOTHING) -> Schedule:
        some = {name: waiting[name] for name in names}
        return schedule(
            [each.request for each in some.values()],
            candidates.values(),
            {name: each.health.places for name, each in some.items()},
            {
                (name, chassis): failure
                for name, each in some.items()
                for chassis, failure in each.health.pending.items()
            },
            rules,
            Others(lambda key: load.get(key, 0) + left_out.get(key, 0), find_standing_by),
        )

    mistakes: dict[str, Mistake] = {}
    left_out: Counter[LoadKey] = Counter()
    while True:
        rest = [name for name in waiting if name not in mistakes]
        try:
            return replace(plan(rest, left_out), mistakes=mistakes)
        except Exception:  # a mistake of ours with one container must not hold up the others
            found = find_mistakes(partial(plan, left_out=left_out), rest)
            if not found:
                raise
            mistakes |= found
            left_out.update(key for name in found for key in _find_load(waiting[name], candidates))


def _find_load(left_out: Unsettled, candidates: Mapping[str, Candidate]) -> list[LoadKey]:
    """Returns what a container counts as that stays where it is, since no plan can be made."""
    places = [each for each in left_out.health.places if each.chassis in candidates]
    found: list[LoadKey] = [(TOTAL, "", each.chassis) for each in places]
    active = next((each.chassis for each in places if each.role == ACTIVE), None)
    if active is not None:
        request = left_out.request
        if request.policy == BY_WEIGHT:
            found.append((SHARE, "", active))
        with suppress(Exception):  # it may be this that no plan can be made for
            domain = find_domain(request.spread, candidates[active])
            found.append((DOMAIN, request.group, domain))
    return found


def place(read: Read, name: str) -> Placement | None:
    """Returns where a container is from here on."""
    if read(CONTAINER, name) is None:
        return None
    settled = read(SETTLED, name)
    read(REQUEST, name)  # for one that could not be computed there is no plan
    if settled is not None and not read(GIVES_WAY, name):
        return Placement(settled.active, settled.standby)
    withheld = read(WITHHELD, name)
    if withheld is not None:
        return Placement(withheld.active, withheld.standby, withheld.reason, lost=True)
    plan = read(SCHEDULE, ONLY)
    if settled is not None and plan is not None:
        settled = settled.leave(plan.gone.get(name, ()))
        return Placement(settled.active, settled.standby)
    if plan is None:
        return None
    if name in plan.mistakes:
        mistake = plan.mistakes[name]
        error = RuntimeError(f"no plan can be made for it: {mistake.sentence}")
        error.__notes__ = [mistake.trace]  # as add_note() of Python 3.11
        raise error
    active, standby = plan.chassis.get(name), plan.standby.get(name, ())
    held = find_held(read, name)
    if held:
        standby = tuple(sorted({*standby, *held} - {active}))
    return Placement(
        active=active,
        standby=standby,
        reason=plan.reasons.get(name),
        cause=plan.causes.get(name),
        migration=plan.migrations.get(name),
        lost=name in plan.lost,
    )


def _count_ones(_key: str, places: Iterable[str]) -> Iterable[tuple[str, int]]:
    return ((chassis, 1) for chassis in places)


def _count_scheduled(_key: str, placement: Placement) -> Iterable[tuple[str, int]]:
    return ((chassis, 1) for chassis, _ in placement.list_places())


NODES: tuple[AnyNode, ...] = (
    Node(
        REQUEST,
        make_request,
        (CONTAINER,),
        (GROUP, WISH_BY_NAME, CONTAINER_WISH, SERVICE_CONTAINER, SERVICE_CONTAINER_BY_NAME),
    ),
    Node(_PLACES, find_places, (HEALTH,), (CANDIDATE,)),
    Tally(ROOM_TAKEN, _PLACES, _count_ones),
    Node(OVER_LIMIT, find_over_limit, (ROOM_TAKEN,), (MOVE_RULES, CANDIDATE)),
    # Only what takes room somewhere is settled.
    Node(SETTLED, find_stay, (_PLACES,), (REQUEST, HEALTH, CANDIDATE, OVER_LIMIT)),
    Tally(LOAD, SETTLED, lambda _name, settled: make_load(settled)),
    Node(UNSETTLED, find_unsettled, (REQUEST,), (HEALTH, SETTLED, WITHHELD, SILENT_PLACES)),
    Index(STANDING_BY, SETTLED, lambda _name, settled: settled.dispensable),
    Node(
        SCHEDULE,
        make_schedule,
        (ROOT,),
        (UNSETTLED, MOVE_RULES, LOAD, CANDIDATE, STANDING_BY, SETTLED),
    ),
    Index(GIVES_WAY, SCHEDULE, lambda _key, plan: plan.gone),
    Node(
        PLACEMENT,
        place,
        (CONTAINER,),
        (REQUEST, SETTLED, WITHHELD, SILENT_PLACES, SCHEDULE, GIVES_WAY),
    ),
    Tally(SCHEDULED, PLACEMENT, _count_scheduled),
)
