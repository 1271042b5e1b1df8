"""The way back north: status columns, rows of our own containers, the three numbers."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from ...lib import nb, sb, sealing
from ...lib.delta import Actual, Change, Desired, plan
from ...lib.idl import Session
from ...lib.router import is_ours
from ...lib.rows import Row
from ..engine.ledger import Ledger, Mark, Owner
from .events import find_uuid

CONTAINER = "container"
WISH = "wish"
CHASSIS = "chassis"

# What is written beside a column 'status' when that changes.
SINCE = "since"


def find_mark(row: Row) -> Mark:
    """Returns whose a row is; of rows that are the operator's only columns are kept true.

    Rows of the tables of service types are each an owner of its own.
    """
    match row:
        case nb.ServiceContainer():
            foreign = not is_ours(row.external_ids)
            return Mark((CONTAINER, row.name), row.name, foreign=foreign)
        case nb.Chassis():
            return Mark((CHASSIS, row.name), row.name, foreign=True)
        case nb.ContainerWish():
            return Mark((WISH, row.name), row.name, foreign=True)
        case nb.Event():
            # What is written of them follows from the rest; see event_ledger.py.
            return Mark(find_subject(row.table, row.row, row.name), row.uuid, foreign=True)
    return Mark((row.TABLE, row.uuid), row.uuid, foreign=True)


def find_subject(table: str, row: str | None, name: str) -> Owner:
    """Returns the owner that an event with these columns is about."""
    uuid = find_uuid(row)
    if uuid is not None:
        return table, uuid
    kinds = {nb.ServiceContainer.TABLE: CONTAINER, sb.Chassis.TABLE: CHASSIS}
    return kinds.get(table, nb.Event.TABLE), name


def rank(owner: Any) -> tuple[str, str]:
    """Returns the order in which owners are written."""
    kind, key = owner
    return kind, str(key)


def find_own_columns(ledger: Ledger, row: Row) -> AbstractSet[str] | None:
    """Returns the columns of an operator's row that are kept true; None for a row of ours."""
    mark = find_mark(row)
    if not mark.foreign:
        return None
    updates = ledger.find_owned(mark.owner).updates
    own = frozenset().union(*(each.columns for each in updates if each.key == mark.key))
    return own | {SINCE} if "status" in own else own


def plan_global(
    session: Session, southbound: Session, hv_cfg: int, mass_failure_cfg: int | None, now_ms: int
) -> list[Change]:
    """Returns what to change on the root row, which is made if there is none."""
    rows = list(session.rows(nb.SVCGlobal).values())
    before = rows[0] if rows else None
    compiled = next(iter(southbound.rows(sb.SBGlobal).values()), None)
    columns: dict[str, Any] = {"mass_failure_cfg": mass_failure_cfg}
    if before is None or not sealing.is_seed(before.seal_seed):
        columns["seal_seed"] = sealing.make_seed()
    if compiled is not None:
        columns.update(nb_cfg_timestamp=compiled.nb_cfg_timestamp, sb_cfg=compiled.nb_cfg)
        columns["hv_cfg"] = hv_cfg
        for number in ("sb_cfg", "hv_cfg"):
            if before is None or getattr(before, number) != columns[number]:
                columns[f"{number}_timestamp"] = now_ms
    return plan([Desired(nb.SVCGlobal.TABLE, "", columns)], [Actual("", row) for row in rows])
