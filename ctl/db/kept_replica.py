"""The rows that a command of a daemon reads out of tables that are kept (kept.py).

It is a Replica of which nothing is asked of a server, and which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .conditions import Condition
from .kept import KeptOutput, KeptRows, KeptTable, list_elements
from .replica import Replica, Where
from .row import Row
from .rpc import Client
from .schema import ColumnSchema
from .table import OutputTable
from .values import Atom, NewUuid, from_json


class Unkept(Exception):
    """A command needs a table that is not kept."""

    def __init__(self, table: str) -> None:
        super().__init__(table)
        self.table = table


class KeptReplica(Replica):
    """The tables that are kept, as a command reads them."""

    def __init__(self, client: Client, tables: Mapping[str, KeptTable]) -> None:
        super().__init__(client)
        self._tables = tables

    def rows(self, table: str) -> Mapping[str, Row]:
        """Returns all rows of a table by UUID."""
        return _ByUuid(self._find(table).list_rows())

    def in_order(self, table: str) -> Sequence[Row]:
        """Returns all rows of a table in the order of their UUIDs."""
        return self._find(table).list_rows()

    def list_partly(self, table: str, columns: Iterable[str]) -> Sequence[Row]:
        """As in_order(); 'columns' are there with all others."""
        return self.in_order(table)

    def find_all(self, table: str, column: str, *values: Atom) -> list[Row]:
        """Returns the rows that have any of 'values' in 'column'."""
        kept = self._find(table)
        name = kept.schema.columns[column].name
        found = {
            row.uuid: row
            for value in values
            if not isinstance(value, NewUuid)
            for row in kept.find_rows(name, value)
        }
        return list(found.values())

    def find_candidates(self, table: str, where: Where) -> Sequence[Row]:
        """Returns at least the rows that fulfil 'where', in the order of their UUIDs."""
        kept = self._find(table)
        for name, _, value in where:
            # "includes" and "==" alike need each element that is named.
            elements = list(list_elements(from_json(value, kept.schema.columns[name])))
            if elements:
                return kept.find_rows(name, elements[0])
        return kept.list_rows()

    def get_all(self, table: str, uuids: Iterable[str]) -> list[Row]:
        """Returns those of the rows of these UUIDs that are there."""
        return list(self._find(table).get_rows(uuids))

    def list_uuids(self, table: str) -> list[str]:
        """Returns the UUIDs of all rows of a table."""
        return list(self.rows(table))

    def make_table(
        self, columns: Sequence[tuple[ColumnSchema, bool]], rows: Sequence[Row]
    ) -> OutputTable:
        """Returns columns of 'rows' as they are shown; a secret is hidden, whatever is asked."""
        if not isinstance(rows, KeptRows):
            return super().make_table(columns, rows)
        return KeptOutput([column for column, _ in columns], rows)

    def choose(
        self,
        rows: Sequence[Row],
        conditions: Sequence[Condition],
        fulfils: Callable[[Row], bool],
    ) -> Sequence[Row]:
        """Returns those of 'rows' that fulfil all 'conditions', which is no secret."""
        if not isinstance(rows, KeptRows):
            return super().choose(rows, conditions, fulfils)
        for condition in conditions:
            rows = rows.choose(condition)
        return rows

    def _ask(self, selects: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
        """Has nobody to ask."""
        raise Unkept(str(selects[0]["table"]))

    def _find(self, table: str) -> KeptTable:
        name = self.schema.tables[table].name
        if name not in self._tables:
            raise Unkept(name)
        return self._tables[name]


class _ByUuid(Mapping[str, Row]):
    """Rows by UUID, each of which is made when it is asked for."""

    def __init__(self, rows: KeptRows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return (row.uuid for row in self._rows)

    def __getitem__(self, uuid: str) -> Row:
        found = self._rows.kept.get_rows([uuid])
        if not found:
            raise KeyError(uuid)
        row: Row = found[0]
        return row
