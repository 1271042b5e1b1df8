"""Some tables of a database at one moment, and the transaction that changes them.

A command reads and changes rows here; later commands of the same run see what
earlier ones did.  commit() sends everything as one transaction: the changes,
and a check that each column given to verify() is still as it was read.  If it
is not, nothing happens and the whole run starts again on a new replica.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from .row import Row
from .rpc import Client
from .schema import DatabaseSchema, TableSchema
from .values import Atom, NewUuid, from_json


class TryAgain(Exception):
    """Somebody else changed a row that a decision was based on."""


class Replica:
    """The tables that were loaded, and the transaction on them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.schema = DatabaseSchema(client.get_schema())
        self._rows: dict[str, dict[str, Row]] = {}
        self._touched: dict[str, Row] = {}
        self._deleted: list[Row] = []

    def load(self, tables: Iterable[str]) -> None:
        """Reads 'tables' as they are now and forgets every change."""
        self._touched.clear()
        self._deleted.clear()
        self._rows.clear()
        self._take(self.client.select(dict.fromkeys(tables)))

    def _take(self, found: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        for name, rows in found.items():
            table = self.schema.tables[name]
            self._rows[name] = {}
            for json in rows:
                row = _parse_row(table, json)
                self._rows[name][row.uuid] = self._touched[row.uuid] = row

    def load_more(self, table: str) -> None:
        """Reads a table that is needed after all, unless it was read already."""
        if table not in self._rows:
            self._take(self.client.select([table]))

    def rows(self, table: str) -> Mapping[str, Row]:
        """Returns the rows of a table by UUID; one that was not loaded is read."""
        self.load_more(table)
        return self._rows[table]

    def find(self, table: str, column: str, value: Atom) -> Row | None:
        """Returns the first row that has 'value' in 'column'."""
        return next((row for row in self.rows(table).values() if row.find(column) == value), None)

    def insert(self, table: str, uuid: NewUuid | None = None) -> Row:
        """Adds a row; its UUID is provisional until commit()."""
        if uuid is None:
            uuid = make_uuid()
        self.load_more(table)
        row = Row(self.schema.tables[table], uuid, None)
        self._rows[table][uuid] = self._touched[uuid] = row
        return row

    def delete(self, row: Row) -> None:
        """Removes a row; one of a table that is no root goes when nothing refers to it."""
        self._forget(row)
        if not row.is_new and row.table.is_root:
            self._deleted.append(row)

    def has_deleted(self, table: str, column: str, value: Atom) -> bool:
        """Returns whether this transaction removes a row that has 'value' in 'column'."""
        mine = (row for row in self._deleted if row.table.name == table)
        return any(row.find(column) == value for row in mine)

    def delete_member(self, row: Row) -> None:
        """Removes a row of a table that is no root, to which the caller ends the reference.

        It would go by itself, but only after the server has found that what the
        row refers to is still in use.
        """
        self._forget(row)
        if not row.is_new:
            self._deleted.append(row)

    def inserted(self) -> list[Row]:
        """Returns the rows that this transaction adds, in the order of their creation."""
        return [row for row in self._touched.values() if row.is_new]

    def changed(self) -> list[Row]:
        """Returns the rows that this transaction adds or changes."""
        return [row for row in self._touched.values() if row.operations()]

    def prerequisites(self) -> list[dict[str, Any]]:
        """Returns the operations that check that what was decided upon is still so."""
        rows = (*self._touched.values(), *self._deleted)
        return [operation for row in rows for operation in row.prerequisites()]

    def operations(self) -> list[dict[str, Any]]:
        """Returns the operations that change the database; an empty list if none is needed."""
        found = [operation for row in self._touched.values() for operation in row.operations()]
        return found + [row.deletion() for row in self._deleted]

    def _forget(self, row: Row) -> None:
        del self._rows[row.table.name][row.uuid]
        del self._touched[row.uuid]


def make_uuid() -> NewUuid:
    """Returns a provisional UUID."""
    text = os.urandom(16).hex()
    return NewUuid(f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}")


def _parse_row(table: TableSchema, json: Mapping[str, Any]) -> Row:
    columns = {
        name: from_json(json[name], column)
        for name, column in table.columns.items()
        if name in json
    }
    return Row(table, json["_uuid"][1], columns)
