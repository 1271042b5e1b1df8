"""What an operator has said of a chassis, and what that comes to if nobody has registered so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from ...lib.addresses import quote
from ...lib.placement import DEFAULT_WEIGHT, DELETED, NO_LIMIT
from ...lib.sequence import has_reached
from ...services.api.commands import Problem
from ..db.row import Row

TABLE = "Chassis"

_SILENT = {
    "container_weight": (None, DEFAULT_WEIGHT),
    "container_limit": (None, NO_LIMIT),
    "drain": (None, False),
}


def says_something(row: Row) -> bool:
    """Returns whether an operator has set anything; chassis-del leaves a row that says nothing."""
    said = any(row.find(column) not in silent for column, silent in _SILENT.items())
    return said or bool(row.datum("external_ids"))


def find_absent(rows: Iterable[Row], registered: AbstractSet[str]) -> Iterator[Problem]:
    """Returns what is to be told of the chassis that only the operator's 'rows' know."""
    for row in rows:
        name = row.text("name")
        if name in registered or not says_something(row):
            continue
        subject = f"chassis {quote(name)}"
        if _is_deleted(row):
            left = f"deleted; what was set for it stays: svcctl destroy Chassis {quote(name)}"
            yield Problem("note", subject, left)
        else:
            yield Problem("unknown", subject, "it has not registered in the southbound")


def _is_deleted(row: Row) -> bool:
    if not row.has("delete_status"):
        return False
    over: bool = has_reached(row.find("deleted_cfg"), row.find("delete_cfg"))
    return over and row.text("delete_status") == DELETED
