"""What the commands of the API work on: one attempt at a transaction of ovsdbapp.

Run is services/api/commands.py's, on python-ovs's replica: the commands of a
service type do here what they do for svcctl.  Of other databases nothing is
known here, so that a router or a chassis is taken at its word, as with
svcctl's --no-check; svc-northd says on the row what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ..lib.addresses import quote
from ..lib.errors import UsageError
from ..services.api.commands import Atom, Datum
from .alone import Alone
from .errors import NotFound, Refused, make_lack
from .index import find_rows
from .row import Row
from .values import check_value, parse_atom

# What a row is called; each table that the API has commands on.
NOUNS = {
    "VPN_Service": "VPN service",
    "IPsec_Connection": "connection",
    "IKE_Policy": "IKE policy",
    "IPsec_Policy": "IPsec policy",
    "Container_Group": "group",
    "Chassis_Group": "chassis group",
    "Port_Group": "port group",
    "Service_Container": "container",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a command was asked for.

    'arguments' and 'options' are the words that svcctl's command of the same name
    takes, 'values' what has no such word, and 'columns' what else the row is to have.
    """

    arguments: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


class Attempt:
    """The rows of a transaction until it is committed; each is one object, with its revision."""

    def __init__(self, api: Any, txn: Any) -> None:
        self.api = api
        self.txn = txn
        self.shared: dict[Any, Any] = {}
        self._rows: dict[UUID, Row] = {}

    def wrap(self, idl_row: Any) -> Row:
        """Returns the row that stands for one of python-ovs."""
        found = self._rows.get(idl_row.uuid)
        if found is None:
            found = self._rows[idl_row.uuid] = Row(idl_row)
        return found


class Rows(Mapping[str, Row]):
    """The rows of a table by UUID; made of python-ovs's as they are asked for."""

    def __init__(self, attempt: Attempt, table: Any) -> None:
        self._attempt = attempt
        self._rows = table.rows

    def __getitem__(self, uuid: str) -> Row:
        try:
            return self._attempt.wrap(self._rows[UUID(uuid)])
        except ValueError:
            raise KeyError(uuid) from None

    def __iter__(self) -> Iterator[str]:
        return (str(uuid) for uuid in list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)


class Run(Alone):
    """One command at work."""

    def __init__(self, name: str, attempt: Attempt, request: Request) -> None:
        self.name = name
        self.request = request
        self.arguments: Sequence[str] = request.arguments
        self.options: Mapping[str, str | None] = dict(request.options)
        self.values = request.values
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self._attempt = attempt

    @property
    def shared(self) -> MutableMapping[Any, Any]:
        """What the commands of one attempt keep for each other."""
        return self._attempt.shared

    def has(self, option: str) -> bool:
        """Returns whether the command was given 'option'."""
        return option in self.options

    def argument(self, position: int) -> str | None:
        """Returns the argument at 'position' if it was given."""
        return self.arguments[position] if position < len(self.arguments) else None

    def table(self, table: str) -> Any:
        """Returns a table of python-ovs; raises Refused if the server's schema has it not."""
        found = self._attempt.api.tables.get(table)
        if found is None:
            raise make_lack(self._attempt.api.idl, f"table {table}")
        return found

    def rows(self, table: str) -> Mapping[str, Row]:
        """Returns the rows of a table by UUID."""
        return Rows(self._attempt, self.table(table))

    def find(self, table: str, column: str, value: Atom) -> Row | None:
        """Returns the first row that has 'value' in 'column'."""
        return next(iter(self.find_all(table, column, value)), None)

    def find_all(self, table: str, column: str, *values: Atom) -> Sequence[Row]:
        """Returns the rows that have any of 'values' in 'column'."""
        self.table(table)
        idl = self._attempt.api.idl
        found = {
            row.uuid: self._attempt.wrap(row)
            for value in values
            for row in find_rows(idl, table, column, value)
        }
        return list(found.values())

    def get(self, table: str, uuid: str) -> Row | None:
        """Returns the row of this UUID, if it is there."""
        return self.rows(table).get(uuid)

    def get_all(self, table: str, uuids: Sequence[str]) -> Sequence[Row]:
        """Returns those of the rows of these UUIDs that are there."""
        rows = self.rows(table)
        return [rows[uuid] for uuid in uuids if uuid in rows]

    def find_row(self, table: str, text: str) -> Row | None:
        """Returns the row that a word means: a UUID or a name."""
        if not text:
            return None
        found = self._attempt.api.lookup(table, text, default=None)
        return None if found is None else self._attempt.wrap(found)

    def get_row(self, table: str, text: str) -> Row:
        """As find_row(); raises NotFound if there is none."""
        row = self.find_row(table, text)
        if row is None:
            raise NotFound(f"{quote(text)}: {NOUNS.get(table, table)} not found")
        return row

    def insert(self, table: str) -> Row:
        """Adds a row."""
        return self._attempt.wrap(self._attempt.txn.insert(self.table(table)))

    def delete(self, row: Row) -> None:
        """Removes a row."""
        row.idl_row.delete()

    def delete_member(self, row: Row) -> None:
        """Removes a row of a table that is no root, to which the caller ends the reference."""
        row.idl_row.delete()

    def list_columns(self, table: str) -> Sequence[str]:
        """Returns the names of the columns, '_uuid' aside."""
        return list(self.table(table).columns)

    def parse_atom(self, table: str, column: str, text: str) -> Atom:
        """Returns the atom of 'column' in 'text'; UsageError says what is wrong with it."""
        try:
            return parse_atom(self.table(table), column, text)
        except Refused as error:
            raise UsageError(str(error)) from None

    def parse_assignment(self, table: str, text: str) -> tuple[str, Datum]:
        """Returns a column and the value that it is to have; 'text' is its name."""
        value = self.values[text]
        value = [] if value is None else value
        try:
            check_value(self.table(table), text, value)
        except Refused as error:
            raise UsageError(str(error)) from None
        if isinstance(value, dict):
            return text, dict(sorted(value.items()))
        atoms = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        return text, tuple(sorted(set(atoms)))

    def find_users(self, row: Row) -> Iterator[Row]:
        """Returns the rows of any table that refer to 'row'."""
        for table in self._attempt.api.tables.values():
            for name, column in table.columns.items():
                if _refers(column, row):
                    yield from self.find_all(table.name, name, row.uuid)


def _refers(column: Any, row: Row) -> bool:
    target = column.type.key.ref_table
    return target is not None and target.name == row.table.name
