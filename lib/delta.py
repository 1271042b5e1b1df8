"""Desired rows against actual rows: always the difference, never a script.

Used by each writer of a database: svc-northd for the southbound, for its own
rows of OVN_Northbound and for the status columns of the northbound;
svc-controller for its southbound rows and its ports in the local
Open_vSwitch.  'plan' is pure; 'idl.Session.commit' applies what it returns as
one transaction.

A writer recognises its rows by a key.  A row of ours that nobody desires is
deleted, so a caller hands in every row that carries its mark and none that
does not.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .rows import Row

Key = Hashable


@dataclass(frozen=True, slots=True)
class Ref:
    """Stands in a column for the row of 'table' that has 'key'."""

    table: str
    key: Key


@dataclass(frozen=True, slots=True)
class RefMap:
    """Stands in a map column: for each key the row that has it."""

    refs: Mapping[str, Ref]


@dataclass(frozen=True, slots=True)
class Parent:
    """The row, of a root table, whose set 'column' holds a row of a table that is none."""

    table: str
    row: UUID | Ref
    column: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Stands in a map column for these keys; others there are somebody else's."""

    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Desired:
    """A row that should be there.

    'columns' are kept at their values; 'initial' are given at insertion only,
    for columns that somebody else writes from then on.  'defaults' are kept at
    what the server gives a new row, and not named at insertion, so that it may
    lack them.
    """

    table: str
    key: Key
    columns: Mapping[str, Any]
    initial: Mapping[str, Any] = field(default_factory=dict)
    parent: Parent | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Actual:
    """A row of ours that is there."""

    key: Key
    row: Row
    parent: Parent | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Adds a row; a 'Ref' in 'columns' names a row there or one inserted beside it."""

    table: str
    key: Key
    columns: Mapping[str, Any]
    parent: Parent | None


@dataclass(frozen=True, slots=True)
class Update:
    """Sets columns of a row."""

    table: str
    uuid: UUID
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Removes a row, from the set of its parent where it has one."""

    table: str
    uuid: UUID
    parent: Parent | None


@dataclass(frozen=True, slots=True)
class Verify:
    """Fails the transaction, to be computed again, if a column has changed."""

    table: str
    uuid: UUID
    column: str


@dataclass(frozen=True, slots=True)
class SetKeys:
    """Sets keys of a map column and leaves its other keys to their owners."""

    table: str
    uuid: UUID
    column: str
    keys: Mapping[str, str]


Change = Insert | Update | Delete | Verify | SetKeys

# Of what neither is a reference nor holds one: most of what the first computation writes.
_PLAIN = frozenset((str, int, float, bool, type(None), dict, UUID))


def plan(desired: Iterable[Desired], actual: Iterable[Actual]) -> list[Change]:
    """Returns the changes that turn the 'actual' rows into the 'desired' ones.

    No change is returned for what is as it should be.  Of two actual rows
    with one key the one with the smaller UUID stays.
    """
    present, surplus = _index(actual)
    wanted = {(row.table, row.key): row for row in desired}
    gone = [
        place
        for place, item in present.items()
        if place not in wanted or _moved(wanted[place], item, present)
    ]
    # A reference to a row that moves must be to the one inserted in its place.
    surplus.extend(present.pop(place) for place in gone)
    changes: list[Change] = [Delete(item.row.TABLE, item.row.uuid, item.parent) for item in surplus]
    for place, row in wanted.items():
        found = present.get(place)
        if found is None:
            changes.append(_insert(row, present))
        else:
            changes.extend(_update(row, found, present))
    return changes


def _index(
    actual: Iterable[Actual],
) -> tuple[dict[tuple[str, Key], Actual], list[Actual]]:
    present: dict[tuple[str, Key], Actual] = {}
    surplus: list[Actual] = []
    for item in actual:
        place = (item.row.TABLE, item.key)
        other = present.get(place)
        if other is None:
            present[place] = item
        else:
            keep, drop = sorted((item, other), key=lambda each: each.row.uuid)
            present[place] = keep
            surplus.append(drop)
    return present, surplus


def _moved(row: Desired, item: Actual, present: Mapping[tuple[str, Key], Actual]) -> bool:
    """Returns whether 'item' hangs on another parent than 'row' should."""
    if row.parent is None:
        return False
    return item.parent is None or item.parent.row != _resolve(row.parent.row, present)


def _resolve(value: Any, present: Mapping[tuple[str, Key], Actual]) -> Any:
    """Returns 'value' with the UUID of each row that is there in place of its 'Ref'."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, tuple):
        return tuple([v if type(v) in _PLAIN else _resolve(v, present) for v in value])
    if isinstance(value, RefMap):
        return {key: _resolve(ref, present) for key, ref in value.refs.items()}
    if isinstance(value, Ref):
        found = present.get((value.table, value.key))
        return found.row.uuid if found else value
    return value


def _insert(row: Desired, present: Mapping[tuple[str, Key], Actual]) -> Insert:
    columns = {**row.initial, **row.columns}
    parent = row.parent
    if parent is not None:
        parent = Parent(parent.table, _resolve(parent.row, present), parent.column)
    for name, value in columns.items():
        if value and type(value) not in _PLAIN:
            whole = isinstance(value, Keys)
            columns[name] = dict(value.keys) if whole else _resolve(value, present)
    return Insert(row.table, row.key, columns, parent)


def _update(row: Desired, item: Actual, present: Mapping[tuple[str, Key], Actual]) -> list[Change]:
    columns: dict[str, Any] = {}
    changes: list[Change] = []
    for name, value in (*row.columns.items(), *row.defaults.items()):
        current = getattr(item.row, name)
        if isinstance(value, Keys):
            if not value.keys.items() <= current.items():
                changes.append(SetKeys(row.table, item.row.uuid, name, value.keys))
            continue
        if current == value:  # what is a Ref still, or holds one, is equal to nothing that is there
            continue
        resolved = _resolve(value, present)
        if current != resolved and not _same_set(current, resolved):
            columns[name] = resolved
    if columns:
        changes.append(Update(row.table, item.row.uuid, columns))
    return changes


def _same_set(current: Any, wanted: Any) -> bool:
    both_sets = isinstance(current, tuple) and isinstance(wanted, tuple)
    return both_sets and set(current) == set(wanted)
