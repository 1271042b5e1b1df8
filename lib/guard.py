"""What must be so in a database for a transaction to be carried out.

A guard is sent as a 'wait' with a timeout of 0 (RFC 7047, 5.2.6) in front of what it
guards, so that the server itself looks, in the same transaction, whatever the sender knows.
Unlike a lock it cannot be stolen by somebody who may not write the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from .call import Operation
from .transaction import check_atom

_ROW = "_uuid"


@dataclass(frozen=True, slots=True)
class Guard:
    """One condition: what the rows of 'table' are that meet 'where' (RFC 7047, 5.1).

    With 'columns', of atoms, there are such rows and all have these values.
    Without there is none.
    """

    table: str
    where: Sequence[Any] = ()
    columns: Mapping[str, Any] | None = None


def guard_row(table: str, row: UUID, columns: Mapping[str, Any]) -> Guard:
    """Returns the condition that the row is there and has these values."""
    return Guard(table, [[_ROW, "==", ["uuid", str(row)]]], columns)


def make_wait(guard: Guard) -> Operation:
    """Returns the operation; raises Unwritable for a value that no row can have."""
    columns = {name: check_atom(atom) for name, atom in (guard.columns or {}).items()}
    return {
        "op": "wait",
        "table": guard.table,
        "timeout": 0,
        "where": list(guard.where),
        "until": "==",
        "columns": [*columns] or [_ROW],
        "rows": [] if guard.columns is None else [columns],
    }
