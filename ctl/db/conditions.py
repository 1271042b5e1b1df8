"""COLUMN[:KEY]OPERATOR VALUE: taken apart, and compared as ovs-vsctl compares.

Used by the generic commands of database.py.  'ColumnKey' is what a word names: a
column, or a key of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...lib.errors import UsageError
from .notation import Resolve, parse_atom, parse_datum, take_token
from .row import Row
from .schema import ColumnSchema, TableSchema
from .values import Atom, Datum, to_json

_RELATIONS = ("=", "!=", "<", ">", "<=", ">=")
_SET_RELATIONS = ("{=}", "{!=}", "{<}", "{>}", "{<=}", "{>=}", "{in}", "{not-in}")


class ColumnKey:
    """A column, and the key in it where one was named."""

    __slots__ = ("column", "key")

    def __init__(self, column: ColumnSchema, key: str | None) -> None:
        self.column = column
        self.key = key

    def parse_key(self, resolve: Resolve) -> Atom:
        """Returns the key as an atom of the column's type."""
        assert self.key is not None
        return parse_atom(self.key, self.column.key, resolve)


def parse_column_key(text: str, table: TableSchema) -> ColumnKey:
    """Returns what 'text' names, which has to end there."""
    place, rest = _take_column_key(text, table)
    if rest:
        raise UsageError(f'{text}: trailing garbage "{rest}" in argument')
    return place


def parse_assignment(text: str, table: TableSchema) -> tuple[ColumnKey, str]:
    """Returns the column, with its key if one is named, and the value of an assignment."""
    place, operator, value = _parse(text, table, ("=",))
    assert operator == "="
    return place, value


def find_column(text: str, table: TableSchema) -> ColumnSchema:
    """Returns the column that 'text' begins with; raises UsageError if that is none."""
    return _take_column_key(text, table)[0].column


class Condition:
    """A condition of 'find' or 'wait-until' on rows of one table.

    What is wrong with it is raised, as UsageError, by the first row of which it matters.
    """

    __slots__ = ("_column", "_key", "_operator", "_resolve", "_text", "_value", "_wanted")

    def __init__(self, text: str, resolve: Resolve) -> None:
        self._text = text
        self._resolve = resolve
        self._column: ColumnSchema | None = None
        self._key: Atom | None = None
        self._operator = ""
        self._value = ""
        self._wanted: Datum | None = None

    def holds(self, row: Row) -> bool:
        """Returns whether 'row' fulfils it."""
        return self.admits(row.datum(self.find_column(row.table).name))

    def find_column(self, table: TableSchema) -> ColumnSchema:
        """Returns the column that it is on."""
        if self._column is None:
            operators = (*_RELATIONS, *_SET_RELATIONS)
            place, self._operator, self._value = _parse(self._text, table, operators)
            if place.key is not None:
                _check_is_map(place.column, "check for")
                self._key = place.parse_key(self._resolve)
            self._column = place.column
        return self._column

    def admits(self, have: Datum) -> bool:
        """Returns whether a row that has 'have' in its column fulfils it."""
        assert self._column is not None
        if self._key is not None:
            assert isinstance(have, dict)
            if self._key not in have and self._operator in _RELATIONS:
                return False
            have = (have[self._key],) if self._key in have else ()
        if self._wanted is None:
            kind = self._column if self._key is None else self._column.of_values()
            self._wanted = parse_datum(self._value, kind, self._resolve)
        return _compare(have, self._operator, self._wanted)


def make_where(text: str, table: TableSchema, resolve: Resolve) -> list[Any] | None:
    """Returns a condition of RFC 7047 that holds wherever that in 'text' does, if there is one."""
    place, operator, value = _parse(text, table, (*_RELATIONS, *_SET_RELATIONS))
    if operator not in ("=", "{=}", "{>=}") or "@" in text:
        return None
    column = place.column
    if place.key is None:
        function = "includes" if operator == "{>=}" else "=="
        return [column.name, function, to_json(parse_datum(value, column, resolve), column)]
    _check_is_map(column, "check for")
    values = parse_datum(value, column.of_values(), resolve)
    if operator != "=" or len(values) != 1:
        return None
    pair = {place.parse_key(resolve): next(iter(values))}
    return [column.name, "includes", to_json(pair, column)]


def _check_is_map(column: ColumnSchema, purpose: str) -> None:
    if not column.is_map:
        raise UsageError(f"cannot specify key to {purpose} non-map column {column.name}")


def check_key(place: ColumnKey) -> None:
    """Raises UsageError if a key is named in a column that is no map."""
    if place.key is not None:
        _check_is_map(place.column, "set for")


def _parse(text: str, table: TableSchema, operators: Sequence[str]) -> tuple[ColumnKey, str, str]:
    place, rest = _take_column_key(text, table)
    found = [operator for operator in operators if rest.startswith(operator)]
    operator = max(found, key=len, default="")
    value = rest[len(operator) :]
    if not operator or not value:
        quoted = [f'"{each}"' for each in operators]
        if len(quoted) > 1:
            quoted[-1] = f"or {quoted[-1]}"
        expected = ", ".join(quoted)
        raise UsageError(f"{text}: argument does not end in {expected} followed by a value.")
    return place, operator, value


def _take_column_key(text: str, table: TableSchema) -> tuple[ColumnKey, str]:
    name, position = take_token(text, 0)
    if not name:
        raise UsageError(f"{text}: missing column name")
    column = table.get_column(name)
    if text[position : position + 1] != ":":
        return ColumnKey(column, None), text[position:]
    key, position = take_token(text, position + 1)
    return ColumnKey(column, key), text[position:]


def _compare(have: Datum, operator: str, wanted: Datum) -> bool:
    if operator in ("=", "{=}"):
        return have == wanted
    if operator in ("!=", "{!=}"):
        return have != wanted
    if operator in _RELATIONS:
        left, right = _order(have), _order(wanted)
        return {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[
            operator
        ]
    mine, theirs = set(_elements(have)), set(_elements(wanted))
    return {
        "{<}": mine < theirs,
        "{>}": mine > theirs,
        "{<=}": mine <= theirs,
        "{>=}": mine >= theirs,
        "{in}": mine <= theirs,
        "{not-in}": not mine & theirs,
    }[operator]


def _order(datum: Datum) -> tuple[int, Sequence[object]]:
    """Returns what datums are ordered by: their size, then their elements."""
    keys = list(datum)
    values = list(datum.values()) if isinstance(datum, dict) else []
    return len(keys), [keys, values]


def _elements(datum: Datum) -> Sequence[object]:
    return list(datum.items()) if isinstance(datum, dict) else datum
