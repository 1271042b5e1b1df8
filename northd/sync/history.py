"""The last places of each container, written with the transaction that makes them.

What is recorded follows from a change of bindings and not from the rows that
should be there, so that a recompute records nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from ...lib import sb
from ...lib.delta import Change, Delete, Insert, Update
from ..scheduler.model import ACTIVE
from ..scheduler.reasons import FIRST_PLACE

KEPT = 10
# What the column holds.
_MOST_NUMBER = 2**53 - 1
_PUT_BACK = "its binding was gone"


def record(
    changes: Iterable[Change],
    bindings: Mapping[UUID, sb.ContainerBinding],
    placements: Iterable[sb.Placement],
    cause: str | None,
    now_ms: int,
) -> list[Change]:
    """Returns the row to add for a container that 'changes' make active, and the old to delete.

    All are of one container; 'cause' is why it serves from another chassis.
    """
    rows = sorted(placements, key=lambda row: row.number)
    recorded: list[Change] = []
    for container, chassis in _find_activations(changes, bindings):
        number = rows[-1].number + 1 if rows else 1
        old = rows[: 1 - KEPT]
        if number > _MOST_NUMBER:  # somebody else wrote it: the history begins anew
            number, old = 1, rows
        columns = {
            "container": container,
            "number": number,
            "chassis": chassis,
            "since": now_ms,
            "reason": cause or (_PUT_BACK if rows else FIRST_PLACE),
        }
        recorded.append(Insert(sb.Placement.TABLE, (container, number), columns, None))
        recorded += [Delete(row.TABLE, row.uuid, None) for row in old]
    return recorded


def _find_activations(
    changes: Iterable[Change], bindings: Mapping[UUID, sb.ContainerBinding]
) -> Iterator[tuple[str, str]]:
    """Yields container and chassis of each binding that becomes the active one."""
    for change in changes:
        if not isinstance(change, Insert | Update) or change.table != sb.ContainerBinding.TABLE:
            continue
        if change.columns.get("role") != ACTIVE:
            continue
        if isinstance(change, Insert):
            yield change.columns["container"], change.columns["chassis"]
        else:
            yield bindings[change.uuid].container, bindings[change.uuid].chassis
