"""What changes of the southbound tell that no column of the northbound says, as news.

A container that failed on a chassis, or whose programs were started again there; a chassis
that died, or can serve no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from ...lib import nb, sb
from ...lib.delta import Change, Insert, Update
from ...lib.placement import UNFIT
from ...lib.rows import Row
from ..engine.ledger import Owner
from ..scheduler.filters import OVERLOADED, format_full
from . import northbound
from .events import FAILED, MENDED, REKEYED, RESTARTED, News

ALIVE = "alive"
DEAD = "dead"
_OF_CHASSIS = frozenset({"alive", "problem", "overloaded"})


def find_incidents(
    changes: Iterable[Change], find_row: Callable[[UUID], Any]
) -> Iterator[tuple[Owner, News]]:
    """Yields whom 'changes' tell something of, and what.

    'find_row' returns the row that is changed.
    """
    for change in changes:
        if not isinstance(change, Insert | Update):
            continue
        row = find_row(change.uuid) if isinstance(change, Update) else None
        if row is None and not isinstance(change, Insert):
            continue
        if change.table == sb.AvoidedChassis.TABLE and "failures" in change.columns:
            yield _tell_failure(change, row)
        elif change.table == sb.ChassisWeight.TABLE and _OF_CHASSIS & change.columns.keys():
            yield from _tell_chassis(change, row)


def find_restart(before: Row | None, after: Row | None) -> tuple[Owner, News] | None:
    """Returns whose programs were started again in place, as their chassis has just told."""
    if not (isinstance(before, sb.ContainerBinding) and isinstance(after, sb.ContainerBinding)):
        return None
    if after.restarts <= before.restarts:
        return None
    name, message = after.container, after.status_message
    news = News(nb.ServiceContainer.TABLE, name, RESTARTED, message, chassis=after.chassis)
    return (northbound.CONTAINER, name), news


def find_new_key(before: Row | None, after: Row | None) -> tuple[Owner, News] | None:
    """Returns which chassis has just told another public key, of its own or of a thief's."""
    if not (isinstance(before, sb.Chassis) and isinstance(after, sb.Chassis)):
        return None
    if before.public_key is None or before.public_key == after.public_key:
        return None
    sentence = "it tells another public key, to which secrets are sealed from now on"
    return (northbound.CHASSIS, after.name), News(sb.Chassis.TABLE, after.name, REKEYED, sentence)


def make_mended(database: str, owner: Owner, sentence: str) -> tuple[Owner, News] | None:
    """Returns whom it concerns that rows of 'owner' were mended; None if nobody by a name."""
    if not isinstance(owner, tuple) or not isinstance(owner[1], str):
        return None
    kind, name = owner
    table, about = nb.ServiceContainer.TABLE, (northbound.CONTAINER, name)
    if database == "SVC_Southbound" and kind == northbound.CHASSIS:
        table, about = sb.Chassis.TABLE, (northbound.CHASSIS, name)
    return about, News(table, name, MENDED, f"{database}: {sentence}")


def _tell_failure(change: Insert | Update, row: sb.AvoidedChassis | None) -> tuple[Owner, News]:
    columns = _merge(change, row, ("container", "chassis", "reason"))
    name = columns["container"]
    news = News(
        nb.ServiceContainer.TABLE, name, FAILED, columns["reason"], chassis=columns["chassis"]
    )
    return (northbound.CONTAINER, name), news


def _tell_chassis(
    change: Insert | Update, row: sb.ChassisWeight | None
) -> Iterator[tuple[Owner, News]]:
    columns = _merge(change, row, ("chassis", "alive", "problem", "overloaded", "limit"))
    name = columns["chassis"]
    state, message = _find_state(columns)
    # One that has just come was not heard yet, and so did not die.
    if row is None and (state == DEAD or not message):
        return
    yield (northbound.CHASSIS, name), News(sb.Chassis.TABLE, name, state, message)


def _find_state(columns: Mapping[str, Any]) -> tuple[str, str]:
    """Returns what a chassis is, and why; one that is full is well."""
    problem = columns["problem"]
    if not columns["alive"]:
        return DEAD, problem if problem != DEAD else ""
    if problem in ("", format_full(columns["limit"])):
        return (UNFIT, OVERLOADED) if columns["overloaded"] else (ALIVE, problem)
    if problem.startswith(f"{UNFIT} (") and problem.endswith(")"):
        problem = problem[len(UNFIT) + 2 : -1]
    return UNFIT, problem


def _merge(change: Insert | Update, row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {
        name: change.columns[name] if name in change.columns else getattr(row, name)
        for name in names
    }
