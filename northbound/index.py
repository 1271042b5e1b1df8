"""Finds rows by a value of a column, at the cost of what is found.

python-ovs has indexes of its own.  They do not follow a row that another client
changes, raise when such a row goes, and are gone after a reconnection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ..services.api.commands import Atom
from .values import read_datum

# Every table is found by name, too.
_COLUMNS: Mapping[str, Sequence[str]] = {
    "VPN_Service": ("name", "router", "external_ips", "group"),
    "IPsec_Connection": ("name", "ike_policy", "ipsec_policy"),
    "Container_Group": ("name", "chassis_group", "port_group"),
    "Service_Container": ("name", "group"),
    "Connection": ("target",),
}
_NAME = ("name",)


class Index:
    """Where values stand; told of each change of a row, it may know of too many rows."""

    def __init__(self) -> None:
        self._holders: defaultdict[tuple[str, str, Any], set[UUID]] = defaultdict(set)

    def note(self, row: Any, old: Any = None, *, gone: bool = False) -> None:
        """Takes a row of python-ovs as it is in the database; 'old' has what it had before."""
        table: str = row._table.name
        for column in _COLUMNS.get(table, _NAME):
            for value in _read(row if gone else old, column):
                self._drop((table, column, value), row.uuid)
            for value in () if gone else _read(row, column):
                self._holders[table, column, value].add(row.uuid)

    def find(self, table: str, column: str, value: Atom) -> set[UUID] | None:
        """Returns the rows that may have 'value' in 'column'; None if it does not know."""
        if column not in _COLUMNS.get(table, _NAME):
            return None
        return self._holders.get((table, column, value), set())

    def _drop(self, key: tuple[str, str, Any], uuid: UUID) -> None:
        holders = self._holders.get(key)
        if holders is not None:
            holders.discard(uuid)
            if not holders:
                del self._holders[key]


def find_rows(idl: Any, table: str, column: str, value: Atom) -> list[Any]:
    """Returns the rows of 'idl' that have 'value' in 'column', the current transaction included.

    Another replica than a NorthboundIdl has no index, and all rows are looked at.
    """
    rows = idl.tables[table].rows
    index = getattr(idl, "index", None)
    known = None if index is None else index.find(table, column, value)
    if known is None:
        found = list(rows.values())
    else:
        changed = () if idl.txn is None else idl.txn._txn_rows.values()
        mine = {row.uuid for row in changed if row._table.name == table}
        found = [rows[uuid] for uuid in known | mine if uuid in rows]
    return [row for row in found if value in read_datum(row, column)]


def _read(row: Any, column: str) -> list[Any]:
    """Returns what the database has in a column; a reference as text."""
    datum = None if row is None else row._data.get(column)
    if datum is None:
        return []
    atoms = [atom.value for atom in datum.values]
    return [str(atom) if isinstance(atom, UUID) else atom for atom in atoms]
