"""Tables of a database as frozen rows, kept up to date by what its server tells.

Filled by idl.Session, read by everybody.  Each value is kept once, as plain
Python; a change costs what changed.  What changed is written down for those
who follow: a ChangedRows has each row as it was when it was last asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any
from uuid import UUID

from .columns import Column, Shared
from .rows import Row, find_columns, find_defaults, find_kept_keys

Pair = tuple[Any, Any]


class ChangedRows:
    """Rows of some tables that changed since they were last taken.

    At first all rows are new.
    """

    def __init__(self, tables: Mapping[str, Mapping[UUID, Any]]) -> None:
        self._tables = tables
        self._before: dict[str, dict[UUID, Any]] = {
            table: dict.fromkeys(rows) for table, rows in tables.items()
        }

    def note(self, table: str, row_uuid: UUID, old: Any | None, new: Any | None) -> None:
        """Notes that a row is about to change; None where it is not there."""
        before = self._before.get(table)
        if before is None:
            return
        # What came and went is forgotten, or it would be kept for as long as nobody asks.
        if before.setdefault(row_uuid, old) is None and new is None:
            del before[row_uuid]

    @property
    def waiting(self) -> bool:
        """Whether rows were noted since take()."""
        return any(self._before.values())

    def take(self) -> dict[str, dict[UUID, Pair]]:
        """Returns each changed row, as it was and as it is; None where it is not there.

        A row that is as it was in every column, or that came and went, is not
        told of, and neither is a table without changes.
        """
        before, self._before = self._before, {table: {} for table in self._tables}
        changed = {table: self._compare(table, rows) for table, rows in before.items() if rows}
        return {table: pairs for table, pairs in changed.items() if pairs}

    def _compare(self, table: str, before: Mapping[UUID, Any]) -> dict[UUID, Pair]:
        rows = self._tables[table]
        pairs = {row_uuid: (old, rows.get(row_uuid)) for row_uuid, old in before.items()}
        return {row_uuid: pair for row_uuid, pair in pairs.items() if not is_same(*pair)}


def is_same(one: Row | None, other: Row | None) -> bool:
    """Returns whether two rows of one class are equal in all columns, those too that == skips."""
    if one is other:
        return True
    if one is None or other is None:
        return False
    read = _find_reader(type(one))
    return bool(read(one) == read(other))


_READERS: dict[type[Row], Callable[[Any], Any]] = {}


def _find_reader(row_class: type[Row]) -> Callable[[Any], Any]:
    """Returns what gives the values of all columns of a row."""
    if row_class not in _READERS:
        _READERS[row_class] = attrgetter("uuid", *find_columns(row_class))
    return _READERS[row_class]


class _Table:
    """How rows of one table are made."""

    def __init__(self, row_class: type[Row], columns: Mapping[str, Column]) -> None:
        self.row_class = row_class
        self.columns = columns
        lacking = find_defaults(row_class)
        self.defaults = {
            name: columns[name].default if name in columns else lacking.get(name)
            for name in find_columns(row_class)
        }

    def insert(self, row_uuid: UUID, values: Mapping[str, Any]) -> Row:
        """Returns a new row; what 'values' lacks is at its default."""
        read = {name: self.columns[name].read(json) for name, json in values.items()}
        return self.row_class(row_uuid, **{**self.defaults, **read})

    def modify(self, row: Any, changes: Mapping[str, Any]) -> Row:
        """Returns 'row' with the differences 'changes'."""
        values = {name: getattr(row, name) for name in self.defaults}
        for name, json in changes.items():
            values[name] = self.columns[name].apply(values[name], json)
        return self.row_class(row.uuid, **values)


def _find_depths(refers: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Returns numbers by which each table comes after those that it refers to."""
    depths = dict.fromkeys(refers, 0)
    for _ in refers:
        for table, others in refers.items():
            depths[table] = max((depths[each] + 1 for each in others), default=0)
    return depths


class Replica:
    """The rows of 'row_classes', and what changed."""

    def __init__(self, row_classes: Iterable[type[Row]]) -> None:
        self.classes = {row_class.TABLE: row_class for row_class in row_classes}
        self.rows: dict[str, dict[UUID, Any]] = {table: {} for table in self.classes}
        self._tables: dict[str, _Table] = {}
        self._order: dict[str, int] = {}
        self._followers: list[ChangedRows] = []
        # Rows from before the content was dropped, until what came instead is read.
        self._former: dict[str, dict[UUID, Any]] = {}

    def describe(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        """Learns the types of the columns that the server has, by table and column."""
        shared = Shared()
        refers: dict[str, set[str]] = {}
        for table, row_class in self.classes.items():
            kept = find_kept_keys(row_class)
            columns = {
                name: self._describe_column(column_type, shared, kept.get(name))
                for name, column_type in types.get(table, {}).items()
            }
            self._tables[table] = _Table(row_class, columns)
            found = {column.refers for column in columns.values()}
            refers[table] = (found & self.classes.keys()) - {table}
        self._order = _find_depths(refers)

    def follow(self, tables: Collection[str]) -> ChangedRows:
        """Returns what will have the changed rows of 'tables'."""
        follower = ChangedRows({table: self.rows[table] for table in tables})
        self._followers.append(follower)
        return follower

    def clear(self) -> None:
        """Drops all rows; what update() is given next is the whole content."""
        for table, rows in self.rows.items():
            self._former[table] = dict(rows)
            for row_uuid in self._former[table]:
                self._put(table, row_uuid, None)

    def update(self, updates: dict[str, dict[str, Any]]) -> None:
        """Applies an "update", "update2" or "update3" of the server, and uses it up.

        Raises KeyError, ValueError or TypeError if it does not fit what is there.
        """
        # Rows that are referred to come first, so that their UUIDs are kept once.
        for table in sorted(updates, key=self._order.__getitem__):
            rows = updates[table]
            while rows:
                # What was read makes room for what is made of it.
                text, change = rows.popitem()
                self._apply(table, UUID(text), change)
        self._former = {}

    # -- helpers, in the order they are called ------------------------------

    def _describe_column(
        self, column_type: Any, shared: Shared, kept: frozenset[str] | None
    ) -> Column:
        rows = self.rows.get(column_type.key.ref_table_name, {})

        def find_uuid(row_uuid: UUID) -> UUID:
            row = rows.get(row_uuid)
            return row_uuid if row is None else row.uuid

        return Column(column_type, shared, find_uuid, kept)

    def _apply(self, table: str, row_uuid: UUID, change: Mapping[str, Any]) -> None:
        maker = self._tables[table]
        if "modify" in change:
            before = self.rows[table][row_uuid]
            row = maker.modify(before, change["modify"])
            # Keys of a map that nobody keeps may be all that changed.
            if not is_same(before, row):
                self._put(table, row.uuid, row)
            return
        # An "update" has "new" where there is a row, an "update2" one of the others.
        for kind in ("initial", "insert", "new"):
            values = change.get(kind)
            if values is not None:
                row = maker.insert(row_uuid, values)
                former = self._former.get(table, {}).get(row_uuid)
                self._put(table, row_uuid, former if is_same(former, row) else row)
                return
        self._put(table, row_uuid, None)

    def _put(self, table: str, row_uuid: UUID, row: Row | None) -> None:
        rows = self.rows[table]
        before = rows.get(row_uuid)
        for follower in self._followers:
            follower.note(table, row_uuid, before, row)
        if row is not None:
            rows[row.uuid] = row
        elif before is not None:
            del rows[row_uuid]
