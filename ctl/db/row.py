"""A row of a replica, and what a transaction does to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...lib.errors import UsageError
from ...lib.sequence import MOST, count_on
from ...services.api.row_reading import RowReading
from .schema import TableSchema
from .values import (
    Atom,
    Datum,
    NewUuid,
    find_count_problem,
    from_json,
    make_datum,
    make_default,
    set_json,
    to_json,
)


class Row(RowReading):
    """A row, with the changes of the current transaction applied.

    'json' is what the server sent, None for a row that is inserted.  A column is
    read out of it when it is asked for: of many rows a command wants few columns.
    """

    __slots__ = (
        *("_absent", "_columns", "_json", "_mutations", "_sets", "_verified"),
        *("revision", "table", "uuid"),
    )

    def __init__(self, table: TableSchema, uuid: str, json: Mapping[str, Any] | None) -> None:
        self.table = table
        self.uuid = uuid
        self._json = json
        self._columns: dict[str, Datum] = {}
        if json is None:
            self._columns = {name: make_default(each) for name, each in table.columns.items()}
            self._columns["_uuid"] = (uuid,)
        self._sets: set[str] = set()
        self._mutations: list[tuple[str, str, Datum]] = []
        self._verified: set[str] = set()
        self._absent: set[str] = set()
        self.revision = 0

    @property
    def is_new(self) -> bool:
        """Whether the current transaction inserts this row."""
        return self._json is None

    def datum(self, column: str) -> Datum:
        """Returns the value of 'column'; raises UsageError if the server's schema lacks it."""
        if column not in self._columns:
            self._columns[column] = self._read(column)
        return self._columns[column]

    def _read(self, column: str) -> Datum:
        """Returns the value that the server sent."""
        schema = self.table.columns[column]
        assert self._json is not None
        return from_json(self._json[column], schema)

    def sent(self, column: str) -> Any:
        """Returns the server's JSON of 'column', or its value if this run has changed the row."""
        if self.revision or self._json is None:
            return self.datum(column)
        return self._json[self.table.columns[column].name]

    def has(self, column: str) -> bool:
        """Returns whether the server's schema has 'column'; an older one may not."""
        return column in self.table.columns

    def columns(self) -> Mapping[str, Datum]:
        """Returns every column by name, '_uuid' aside."""
        return {name: self.datum(name) for name in self.table.columns if name != "_uuid"}

    def set(self, column: str, datum: Datum) -> None:
        """Sets 'column' to 'datum'; raises UsageError if the server's schema lacks it."""
        self._columns[self.table.columns[column].name] = datum
        self.revision += 1
        self._sets.add(column)
        self._mutations = [each for each in self._mutations if each[0] != column]

    def set_atom(self, column: str, atom: Atom | None) -> None:
        """Sets 'column' to 'atom', or to nothing."""
        self.set(column, () if atom is None else (atom,))

    def insert(self, column: str, elements: Datum) -> None:
        """Adds 'elements' to a set or a map; a key that the map has keeps its value."""
        have = self.datum(column)
        if isinstance(have, dict):
            assert isinstance(elements, dict)
            merged = make_datum(self.table.columns[column], {**elements, **have})
        else:
            merged = make_datum(self.table.columns[column], (*have, *elements))
        self._mutate(column, "insert", elements, merged)

    def remove(self, column: str, elements: Iterable[Atom]) -> None:
        """Takes members out of a set, or keys out of a map."""
        gone = tuple(elements)
        have = self.datum(column)
        if isinstance(have, dict):
            rest: Datum = {key: value for key, value in have.items() if key not in gone}
        else:
            rest = tuple(atom for atom in have if atom not in gone)
        self._mutate(column, "delete", gone, rest)

    def increment(self, column: str) -> None:
        """Adds 1 to 'column' in the database, so that two who do it at once count twice.

        After the commit the column is what it was at the end of that transaction.  A number at
        the end of its range starts over.
        """
        number = count_on(self.find(column))
        if self.find(column) >= MOST:
            self.verify(column)
            self.set_atom(column, number)
            return
        if self.is_new or column in self._sets:
            self.set_atom(column, number)
            return
        self._columns[column] = (number,)
        self.revision += 1
        self._mutations.append((column, "+=", (1,)))

    def verify(self, *columns: str) -> None:
        """Makes the transaction fail, to start again, if a column has changed since."""
        if self._json is not None:
            self._verified.update(columns)

    def verify_absent(self, column: str) -> None:
        """Makes a transaction that inserts this row fail if 'column' is taken meanwhile."""
        if self.is_new:
            self._absent.add(column)

    def _mutate(self, column: str, mutator: str, elements: Datum, result: Datum) -> None:
        """Sends a mutation rather than the result, so that two svcctl do not undo each other."""
        problem = find_count_problem(result, self.table.columns[column])
        if problem is not None:
            raise UsageError(f"{self.table.name} column {column}: {problem}")
        changed = result != self.datum(column)
        self._columns[column] = result
        self.revision += 1
        if self.is_new or column in self._sets:
            self._sets.add(column)
        elif changed:
            self._mutations.append((column, mutator, elements))

    def prerequisites(self) -> list[dict[str, Any]]:
        """Returns the operations that hold what was verified."""
        if self._json is None:
            return [self._make_absence(column) for column in sorted(self._absent)]
        if not self._verified:
            return []
        columns = sorted(self._verified)
        row = {name: self._to_json(name, self._read(name)) for name in columns}
        wait = {"op": "wait", "timeout": 0, "columns": columns, "until": "==", "rows": [row]}
        return [{**wait, **self._place()}]

    def operations(self) -> list[dict[str, Any]]:
        """Returns the operations that change this row in the database."""
        if self._json is None:
            default = {name: make_default(each) for name, each in self.table.columns.items()}
            named = {name for name in self._sets if self._columns[name] != default[name]}
            row = {name: self._to_json(name, self._columns[name]) for name in sorted(named)}
            label = NewUuid(self.uuid).label
            return [{"op": "insert", "table": self.table.name, "uuid-name": label, "row": row}]
        operations: list[dict[str, Any]] = []
        differing = [n for n in sorted(self._sets) if self._columns[n] != self._read(n)]
        if differing:
            row = {name: self._to_json(name, self._columns[name]) for name in differing}
            operations.append({"op": "update", "row": row, **self._place()})
        mutations = [self._mutation_json(*mutation) for mutation in self._mutations]
        if mutations:
            operations.append({"op": "mutate", "mutations": mutations, **self._place()})
        return operations

    def question(self) -> list[dict[str, Any]]:
        """Returns the operation that reads what the server made of increment(), if that was used.

        Its result is for take_answer().
        """
        columns = sorted({column for column, mutator, _ in self._mutations if mutator == "+="})
        return [{"op": "select", "columns": columns, **self._place()}] if columns else []

    def take_answer(self, json: Mapping[str, Any]) -> None:
        """Takes the columns that question() asked for."""
        for column, value in json.items():
            self._columns[column] = from_json(value, self.table.columns[column])

    def deletion(self) -> dict[str, Any]:
        """Returns the operation that removes this row from the database."""
        return {"op": "delete", **self._place()}

    def _make_absence(self, column: str) -> dict[str, Any]:
        where = [[column, "==", self._to_json(column, self._columns[column])]]
        wait = {"op": "wait", "timeout": 0, "columns": [column], "until": "==", "rows": []}
        return {**wait, "table": self.table.name, "where": where}

    def _place(self) -> dict[str, Any]:
        return {"table": self.table.name, "where": [["_uuid", "==", ["uuid", self.uuid]]]}

    def _to_json(self, column: str, datum: Datum) -> Any:
        return to_json(datum, self.table.columns[column])

    def _mutation_json(self, name: str, mutator: str, elements: Datum) -> list[Any]:
        column = self.table.columns[name]
        if mutator == "+=":
            return [name, mutator, to_json(elements, column)]
        if mutator == "delete" or not column.is_map:
            return [name, mutator, set_json(elements, column)]
        return [name, mutator, to_json(elements, column)]
