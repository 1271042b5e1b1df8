"""A table as the server has it, kept by a daemon of svcctl between its commands.

A row is a tuple of the server's JSON; the text of a cell is made when it is first shown, and
kept until its row changes.  Of a secret column nothing is kept but whether it is empty.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .conditions import Condition
from .row import Row
from .schema import ColumnSchema, TableSchema
from .table import HIDDEN, ColumnTable, Hidden, OutputTable, format_values
from .values import Atom, Datum, from_json

# What most columns of most rows have: there once, and known by identity.
_EMPTY: dict[str, list[Any]] = {kind: [kind, []] for kind in ("set", "map")}
_SECRETS: dict[str, list[Any]] = {"set": ["set", [HIDDEN]], "map": ["map", [[HIDDEN, HIDDEN]]]}


class KeptTable:
    """The rows of a table; 'secrets' are the columns whose values are not kept."""

    def __init__(self, schema: TableSchema, secrets: Container[str]) -> None:
        self.schema = schema
        self.columns = [name for name in schema.columns if name != "_uuid"]
        self._places = {name: place for place, name in enumerate(self.columns)}
        self._secrets = frozenset(name for name in self.columns if name in secrets)
        # A row has a slot in each of these lists for as long as it is there.
        self._slots: dict[str, int] = {}
        self._uuids: list[str] = []
        self._values: list[tuple[Any, ...]] = []
        self._texts: dict[tuple[str, str], list[str | None]] = {}
        self._free: list[int] = []
        self._order: list[int] | None = None
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def apply(self, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes what the server tells of rows: a <table-update> of RFC 7047 (4.1.6)."""
        for uuid in sorted(changes):
            change = changes[uuid]
            slot = self._slots.get(uuid)
            if slot is not None:
                self._index_row(uuid, slot, is_there=False)
                for texts in self._texts.values():
                    texts[slot] = None
            if "new" in change:
                slot = self._make_slot(uuid) if slot is None else slot
                self._values[slot] = self._take(change["new"])
                self._index_row(uuid, slot, is_there=True)
            elif slot is not None:
                self._values[slot] = ()
                del self._slots[uuid]
                self._free.append(slot)
                self._order = None

    def list_rows(self) -> KeptRows:
        """Returns all rows in the order of their UUIDs."""
        if self._order is None:
            self._order = [self._slots[uuid] for uuid in sorted(self._slots)]
        return KeptRows(self, self._order)

    def find_rows(self, column: str, element: Any) -> KeptRows:
        """Returns the rows that have 'element' in 'column', a pair of key and value in a map."""
        if column not in self._indexes:
            self._indexes[column] = {}
            for uuid, slot in self._slots.items():
                self._index_cell(column, uuid, slot, is_there=True)
        found = self._indexes[column].get(element, {})
        return KeptRows(self, [self._slots[uuid] for uuid in sorted(found)])

    def get_rows(self, uuids: Iterable[str]) -> KeptRows:
        """Returns those of the rows of these UUIDs that are there."""
        return KeptRows(self, [self._slots[uuid] for uuid in uuids if uuid in self._slots])

    def find_values(self, uuid: str) -> Sequence[Any]:
        """Returns the values of a row, in the order of 'columns'."""
        return self._values[self._slots[uuid]]

    def list_texts(self, column: ColumnSchema, data: str, slots: Sequence[int]) -> list[str]:
        """Returns the texts of a column's cells in the data format 'data'."""
        if column.name == "_uuid" and data != "json":
            return list(map(self._uuids.__getitem__, slots))
        known = self._texts.setdefault((column.name, data), [None] * len(self._values))
        texts = list(map(known.__getitem__, slots))
        if None in texts:
            self._fill(column, data, slots, known)
            texts = list(map(known.__getitem__, slots))
        return texts  # type: ignore[return-value]

    def list_values(self, column: ColumnSchema, slots: Iterable[int]) -> list[Any]:
        """Returns what is shown of a column, as ColumnTable takes it."""
        return [self._show(column, slot) for slot in slots]

    def find_datum(self, column: ColumnSchema, slot: int) -> Datum:
        """Returns a value, of a secret column one that stands for it."""
        if column.name == "_uuid":
            return (self._uuids[slot],)
        return from_json(self._values[slot][self._places[column.name]], column)

    def choose(self, condition: Condition, slots: Iterable[int]) -> list[int]:
        """Returns those of 'slots' of which the row fulfils 'condition'."""
        column = condition.find_column(self.schema)
        place = self._places.get(column.name)
        if place is None:
            return [slot for slot in slots if condition.admits((self._uuids[slot],))]
        # Values that are alike are mostly one, of which it is found out once.
        known: dict[int, bool] = {}
        chosen = []
        for slot in slots:
            value = self._values[slot][place]
            fulfils = known.get(id(value))
            if fulfils is None:
                fulfils = known[id(value)] = condition.admits(from_json(value, column))
            if fulfils:
                chosen.append(slot)
        return chosen

    def make_row(self, slot: int) -> KeptRow:
        """Returns a row as commands read it."""
        return KeptRow(self, slot, self._uuids[slot])

    def _fill(
        self, column: ColumnSchema, data: str, slots: Iterable[int], known: list[str | None]
    ) -> None:
        lacking = [slot for slot in slots if known[slot] is None]
        values = [self._show(column, slot) for slot in lacking]
        for slot, text in zip(lacking, format_values(values, column, data), strict=True):
            known[slot] = text

    def _show(self, column: ColumnSchema, slot: int) -> Any:
        """Returns what is shown of a value, for format_values()."""
        if column.name == "_uuid":
            return (self._uuids[slot],)
        value = self._values[slot][self._places[column.name]]
        return Hidden if column.name in self._secrets and value[1] else value

    def _make_slot(self, uuid: str) -> int:
        self._order = None
        if self._free:
            slot = self._free.pop()
            self._uuids[slot] = uuid
        else:
            slot = len(self._uuids)
            self._uuids.append(uuid)
            self._values.append(())
            for texts in self._texts.values():
                texts.append(None)
        self._slots[uuid] = slot
        return slot

    def _take(self, json: Mapping[str, Any]) -> tuple[Any, ...]:
        """Returns the values of a row, with those that are alike there once."""
        return tuple(
            [
                _withhold(_share(json[name]), self.schema.columns[name])
                if name in self._secrets
                else _share(json[name])
                for name in self.columns
            ]
        )

    def _index_row(self, uuid: str, slot: int, *, is_there: bool) -> None:
        for column in self._indexes:
            self._index_cell(column, uuid, slot, is_there=is_there)

    def _index_cell(self, column: str, uuid: str, slot: int, *, is_there: bool) -> None:
        index = self._indexes[column]
        for element in list_elements(self.find_datum(self.schema.columns[column], slot)):
            if is_there:
                index.setdefault(element, {})[uuid] = None
                continue
            del index[element][uuid]
            if not index[element]:
                del index[element]


class KeptRow(Row):
    """A row to read; it is to be used within one command."""

    __slots__ = ("_kept", "slot")

    def __init__(self, kept: KeptTable, slot: int, uuid: str) -> None:
        self.table = kept.schema
        self.uuid = uuid
        self.slot = slot
        self._kept = kept

    def datum(self, column: str) -> Datum:
        """Returns the value of 'column'; raises UsageError if the server's schema lacks it."""
        return self._kept.find_datum(self.table.columns[column], self.slot)

    def sent(self, column: str) -> Any:
        """As datum(): nothing changes the row."""
        return self.datum(column)


class KeptRows(Sequence[Row]):
    """Some rows of a table, each of which is made when it is asked for."""

    def __init__(self, kept: KeptTable, slots: Sequence[int]) -> None:
        self.kept = kept
        self.slots = slots

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, place: Any) -> Any:
        return self.kept.make_row(self.slots[place])

    def __iter__(self) -> Iterator[Row]:
        return map(self.kept.make_row, self.slots)

    def choose(self, condition: Condition) -> KeptRows:
        """Returns those of the rows that fulfil 'condition'."""
        if not self.slots:
            return self
        return KeptRows(self.kept, self.kept.choose(condition, self.slots))


class KeptOutput(OutputTable):
    """Columns of rows that are kept, with the texts that are; to be used within one command."""

    __slots__ = ("_columns", "_found")

    def __init__(self, columns: Sequence[ColumnSchema], found: KeptRows) -> None:
        super().__init__([column.name for column in columns])
        self._columns = columns
        self._found = found

    def list_texts(self, data: str, is_for_people: bool) -> Sequence[Sequence[str]]:
        """As OutputTable has it; of columns people are shown what programs are."""
        kept, slots = self._found.kept, self._found.slots
        columns = [kept.list_texts(each, data, slots) for each in self._columns]
        return list(zip(*columns, strict=True))

    def list_json(self) -> Sequence[Sequence[Any]]:
        """As OutputTable has it."""
        kept, slots = self._found.kept, self._found.slots
        values = (kept.list_values(each, slots) for each in self._columns)
        return ColumnTable(self._columns, values).list_json()


def list_elements(datum: Datum) -> Iterable[Atom | tuple[Atom, Atom]]:
    """Returns what an index has of a value: atoms, or pairs of key and value."""
    return datum.items() if isinstance(datum, dict) else datum


def _share(value: Any) -> Any:
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, list) and not value[1]:
        return _EMPTY[value[0]]
    return value


def _withhold(value: Any, column: ColumnSchema) -> Any:
    """Returns what is kept of a secret: whether there is one."""
    if value is _EMPTY["set"] or value is _EMPTY["map"]:
        return value
    return _SECRETS["map" if column.is_map else "set"]
