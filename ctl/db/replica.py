"""What a run has read of a database, and the transaction that changes it.

A command reads and changes rows here; later commands of the same run see what
earlier ones did.  What is asked for by a value is selected by the server, so
that a command costs what it finds; a table is read whole only for who wants
all of it.  Whatever is read is of one moment: where a further question shows
that what was selected before has changed, the run starts again.  All changes
are one transaction, with a check that each column given to verify() is still
as it was read.  If it is not, nothing happens and the run starts again, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...lib.errors import UsageError
from ...lib.refusal import describe_refusal
from .conditions import Condition
from .row import Row
from .rpc import Client
from .schema import ColumnSchema
from .table import ColumnTable, Hidden, OutputTable
from .values import Atom, NewUuid, is_uuid, to_json

Where = Sequence[Any]
"""Conditions of RFC 7047 (5.1), all of which hold."""


Places = Mapping[tuple[str, str, Atom], str]
"""The UUID of the only row that has a value in a column of a table, as it was just before."""


class TryAgain(Exception):
    """Somebody else changed a row that a decision was based on."""


class Replica:
    """The rows that were read, and the transaction on them."""

    def __init__(self, client: Client, places: Places | None = None) -> None:
        self.client = client
        self.schema = client.find_schema()
        self._places = places or {}
        self._rows: dict[str, dict[str, Row]] = {}
        self._touched: dict[str, Row] = {}
        self._deleted: list[Row] = []
        self._whole: set[str] = set()
        self._asked: set[tuple[str, str]] = set()
        self._gone: set[str] = set()
        self._holds: list[dict[str, Any]] = []

    def load(self, tables: Iterable[str]) -> None:
        """Forgets everything and reads 'tables' whole, as they are now."""
        for kept in (self._touched, self._deleted, self._rows, self._holds):
            kept.clear()
        for known in (self._whole, self._asked, self._gone):
            known.clear()
        self._read_whole(list(dict.fromkeys(tables)))

    def rows(self, table: str) -> Mapping[str, Row]:
        """Returns all rows of a table by UUID."""
        if table not in self._whole:
            self._read_whole([table])
        return self._rows[table]

    def in_order(self, table: str) -> Sequence[Row]:
        """Returns all rows of a table in the order of their UUIDs."""
        rows = self.rows(table)
        return [rows[uuid] for uuid in sorted(rows)]

    def list_partly(self, table: str, columns: Iterable[str]) -> Sequence[Row]:
        """Returns all rows of a table with these columns only, in the order of their UUIDs.

        They are as in the database, and no part of the transaction.
        """
        found = self.read_columns(table, list(dict.fromkeys(["_uuid", *columns])))
        schema = self.schema.tables[table]
        rows = [Row(schema, row["_uuid"][1], row) for row in found]
        return sorted(rows, key=lambda row: row.uuid)

    def find(self, table: str, column: str, value: Atom) -> Row | None:
        """Returns the first row that has 'value' in 'column'."""
        return next(iter(self.find_all(table, column, value)), None)

    def find_all(self, table: str, column: str, *values: Atom) -> list[Row]:
        """Returns the rows that have any of 'values' in 'column'."""
        schema = self.schema.tables[table].columns[column]
        old = [value for value in values if not isinstance(value, NewUuid)]
        clauses = {value: [column, "includes", to_json((value,), schema)] for value in old}
        for value in old:
            uuid = self._places.get((table, column, value))
            # The server finds a row by its UUID at once, and by anything else by a look at all.
            if uuid is not None and self._has(table, uuid, clauses[value]):
                del clauses[value]
        self._select(table, [[clause] for clause in clauses.values()])
        wanted = set(values)
        return [row for row in self._known(table) if not wanted.isdisjoint(row.datum(column))]

    def find_candidates(self, table: str, where: Where) -> Sequence[Row]:
        """Returns at least the rows that fulfil 'where', in the order of their UUIDs.

        The changes of this run are considered.
        """
        self._select(table, [where])
        return sorted(self._known(table), key=lambda row: row.uuid)

    def get(self, table: str, uuid: str) -> Row | None:
        """Returns the row of this UUID, if it is there."""
        return next(iter(self.get_all(table, [uuid])), None)

    def get_all(self, table: str, uuids: Iterable[str]) -> list[Row]:
        """Returns those of the rows of these UUIDs that are there."""
        wanted = list(uuids)
        have = self._rows.get(table, {})
        self._select(
            table,
            [
                [["_uuid", "==", ["uuid", uuid]]]
                for uuid in wanted
                if uuid not in have and is_uuid(uuid) and not isinstance(uuid, NewUuid)
            ],
        )
        have = self._rows.get(table, {})
        return [have[uuid] for uuid in wanted if uuid in have]

    def list_uuids(self, table: str) -> list[str]:
        """Returns the UUIDs of all rows of a table."""
        if table in self._whole:
            return list(self._rows[table])
        found = dict.fromkeys(row["_uuid"][1] for row in self.read_columns(table, ["_uuid"]))
        found.update(dict.fromkeys(row.uuid for row in self._known(table)))
        return [uuid for uuid in found if uuid not in self._gone]

    def read_columns(self, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Returns some columns of all rows as the server's JSON; nobody holds them to it."""
        schema = self.schema.tables[table]
        names = [name if name.startswith("_") else schema.columns[name].name for name in columns]
        return self._ask([{"op": "select", "table": table, "where": [], "columns": names}])[0]

    def choose(
        self,
        rows: Sequence[Row],
        conditions: Sequence[Condition],
        fulfils: Callable[[Row], bool],
    ) -> Sequence[Row]:
        """Returns those of 'rows' that fulfil all 'conditions', which 'fulfils' says of a row."""
        return list(filter(fulfils, rows))

    def make_table(
        self, columns: Sequence[tuple[ColumnSchema, bool]], rows: Sequence[Row]
    ) -> OutputTable:
        """Returns a table of columns of 'rows', each with whether its values are hidden."""
        values = (_list_values(rows, column.name, is_hidden) for column, is_hidden in columns)
        return ColumnTable([column for column, _ in columns], values)

    # -- reading ---------------------------------------------------------------

    def _has(self, table: str, uuid: str, clause: Sequence[Any]) -> bool:
        """Returns whether the row of this UUID is there, which is read if it fulfils 'clause'."""
        self._select(table, [[["_uuid", "==", ["uuid", uuid]], clause]])
        return uuid in self._rows.get(table, {})

    def _known(self, table: str) -> list[Row]:
        return list(self._rows.get(table, {}).values())

    def _read_whole(self, tables: Sequence[str]) -> None:
        known = [self.schema.tables[name].name for name in tables]
        found = self._ask([{"op": "select", "table": name, "where": []} for name in known])
        for name, rows in zip(tables, found, strict=True):
            self._take(name, rows)
            self._whole.add(name)

    def _select(self, table: str, questions: Iterable[Where]) -> None:
        """Reads the rows that fulfil any of some conditions, unless that was done already."""
        if table in self._whole:
            return
        new = {(table, json.dumps(where)): where for where in questions}
        for key in self._asked & new.keys():
            del new[key]
        if not new:
            return
        name = self.schema.tables[table].name
        selects = [{"op": "select", "table": name, "where": where} for where in new.values()]
        for where, rows in zip(new.values(), self._ask(selects), strict=True):
            self._take(table, rows)
            self._holds.append(_make_hold(table, where, rows))
        self._asked |= new.keys()

    def _ask(self, selects: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
        """Returns what is selected; raises TryAgain if what was selected before has changed."""
        if not selects:
            return []
        results = self.client.transact([*self._holds, *selects])
        if any(result is None or "error" in result for result in results):
            self._check(results)
        return [result["rows"] for result in results[len(self._holds) :]]

    def _check(self, results: Sequence[Any]) -> None:
        [error] = [result for result in results if result and "error" in result]
        if error["error"] == "timed out":
            raise TryAgain
        raise UsageError(f"{self.client.remote}: {describe_refusal(error)}")

    def _take(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        table = self.schema.tables[name]
        have = self._rows.setdefault(name, {})
        for json_row in rows:
            uuid = json_row["_uuid"][1]
            if uuid not in have and uuid not in self._gone:
                have[uuid] = self._touched[uuid] = Row(table, uuid, json_row)

    # -- changing --------------------------------------------------------------

    def insert(self, table: str, uuid: NewUuid | None = None) -> Row:
        """Adds a row; its UUID is provisional until commit()."""
        if uuid is None:
            uuid = make_uuid()
        row = Row(self.schema.tables[table], uuid, None)
        self._rows.setdefault(table, {})[uuid] = self._touched[uuid] = row
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
        self._gone.add(row.uuid)


def make_uuid() -> NewUuid:
    """Returns a provisional UUID."""
    text = os.urandom(16).hex()
    return NewUuid(f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}")


def _list_values(rows: Iterable[Row], column: str, is_hidden: bool) -> list[Any]:
    if is_hidden:
        return [Hidden if datum else datum for datum in (row.datum(column) for row in rows)]
    return [row.sent(column) for row in rows]


def _make_hold(table: str, where: Where, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the operation that fails if 'where' does not select the same rows, unchanged."""
    columns = ["_uuid", "_version"]
    same = [{column: row[column] for column in columns} for row in rows]
    wait = {"op": "wait", "timeout": 0, "columns": columns, "until": "==", "rows": same}
    return {**wait, "table": table, "where": where}
