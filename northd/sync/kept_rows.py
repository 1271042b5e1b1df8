"""Rows that count as they were, though the database has them no more, or otherwise.

Pure but for its own memory.  A row has one of three places: it is there as it
counts, it is there otherwise, or it vanished.  What is changed of a row that is
there is changed of the one that counts, element by element in sets and maps.  A
row that comes with the name of one that vanished takes its place, as rows of
another UUID do that 'ovsdb-client restore' writes.  A row that hangs on another
one, as a connection on its service, goes when that one lets it go; one that came with
older content hangs on what counts as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from functools import cache
from typing import Any
from uuid import UUID

from ...lib.rows import Row

# Table and UUID.
Key = tuple[str, UUID]
Pairs = Mapping[Key, tuple[Row | None, Row | None]]
# Table, the table and the name of the row that it hangs on, if any, and its own name.
_Place = tuple[str, tuple[str, str] | None, str]

FindOwn = Callable[[Row], AbstractSet[str] | None]
FindRow = Callable[[str, UUID], Row | None]


class KeptRows:
    """What counts in place of what is there.

    'find_own' says which columns of a row we write, None for a row that is ours as a
    whole; 'find_row' returns the row that is there.
    """

    def __init__(self, find_own: FindOwn, find_row: FindRow) -> None:
        self._find_own = find_own
        self._find_row = find_row
        self._rows: dict[Key, Row] = {}
        # Rows that once hung on another one.
        self._hanging: set[Key] = set()

    @property
    def rows(self) -> Mapping[Key, Row]:
        """The rows by table and UUID."""
        return self._rows

    def accept(self) -> dict[Key, Row | None]:
        """Keeps nothing any more; returns what counts from now on."""
        rows, self._rows = self._rows, {}
        self._hanging.clear()
        return {key: self._find_row(*key) for key in rows}

    def take(self, pairs: Pairs, went_back: bool) -> dict[Key, Row | None]:
        """Takes the rows that changed; returns what counts now in place of what is there.

        'went_back' says that nobody ordered these changes.  None is for a row that
        neither counts nor is there any more.
        """
        come = any(old is None for old, _ in pairs.values())
        if not (went_back or come or any(key in self._rows for key in pairs)):
            return {}
        before = dict(self._rows)
        for key, (old, new) in pairs.items():
            if went_back:
                self._keep(key, old, new)
            elif key in self._rows:
                self._change(key, old, new)
        moved = self._find_moved(pairs)
        if moved:
            self._move(moved, went_back)
        self._settle(self._rows if moved else pairs)
        changed = {key for key in (*before, *self._rows) if before.get(key) != self._rows.get(key)}
        changed.update(key for key in pairs if key in self._rows)
        return {key: self._rows.get(key) or self._find_row(*key) for key in changed}

    # -- helpers, in the order they are called ------------------------------

    def _keep(self, key: Key, old: Row | None, new: Row | None) -> None:
        counted = self._rows.get(key, old)
        if counted is not None:
            own = self._find_own(counted) or frozenset()
            if new is not None:
                counted = _hold_all(_copy(counted, new, own), new)
            self._rows[key] = counted

    def _change(self, key: Key, old: Row | None, new: Row | None) -> None:
        """Makes a change of the row that is there one of the row that counts."""
        if old is None or new is None:
            del self._rows[key]
            return
        own = self._find_own(new) or frozenset()
        self._rows[key] = _copy(apply_change(self._rows[key], old, new, own), new, own)

    def _find_moved(self, pairs: Pairs) -> dict[Key, Row]:
        """Returns the row that came for each that vanished, where the names tell one."""
        come = {key: new for key, (old, new) in pairs.items() if old is None and new is not None}
        come = {key: row for key, row in come.items() if key not in self._rows}
        vanished = {key: row for key, row in self._rows.items() if self._find_row(*key) is None}
        if not come or not vanished:
            return {}
        news = (new for _, new in pairs.values() if new is not None)
        there = _find_places(come, _find_holders((*news, *self._rows.values())))
        return {
            key: come[there[place]]
            for place, key in _find_places(vanished, _find_holders(self._rows.values())).items()
            if place in there
        }

    def _move(self, moved: Mapping[Key, Row], went_back: bool) -> None:
        uuids = {key[1]: row.uuid for key, row in moved.items()}
        for key, new in moved.items():
            old = _map_references(self._rows.pop(key), uuids)
            own = self._find_own(new) or frozenset()
            # Of one that was added again what hangs on the old one is lost still.
            counted = _hold_all(_copy(old, new, own), new) if went_back else _hold_all(new, old)
            self._rows[new.TABLE, new.uuid] = replace(counted, uuid=new.uuid)
        for key, row in self._rows.items():
            self._rows[key] = _map_references(row, uuids)

    def _settle(self, touched: Collection[Key]) -> None:
        """Forgets rows that are there as they count, and those that nothing holds any more."""
        for key in [each for each in touched if each in self._rows]:
            there = self._find_row(*key)
            own = self._find_own(self._rows[key]) or frozenset()
            if there is not None and not find_differing(self._rows[key], there, own):
                del self._rows[key]
        held = set(_find_holders(self._rows.values()))
        for key in list(self._rows):
            if key[1] in held:
                self._hanging.add(key)
            elif key in self._hanging and self._find_row(*key) is None:
                del self._rows[key]
        self._hanging &= self._rows.keys()


def find_differing(old: Row | None, new: Row | None, own: AbstractSet[str]) -> AbstractSet[str]:
    """Returns the columns in which a row changed, but those of 'own'."""
    row = new or old
    assert row is not None
    names = {each.name for each in fields(row)} - own - {"uuid"}
    if old is None or new is None:
        return names
    return {name for name in names if getattr(old, name) != getattr(new, name)}


def apply_change(counted: Row, old: Row, new: Row, own: AbstractSet[str]) -> Row:
    """Returns 'counted' with what changed from 'old' to 'new', columns of 'own' aside."""
    changed: dict[str, Any] = {}
    for name in find_differing(old, new, own):
        was, now, is_counted = (getattr(each, name) for each in (old, new, counted))
        if isinstance(now, tuple):
            added, taken = set(now) - set(was), set(was) - set(now)
            changed[name] = tuple(sorted((set(is_counted) | added) - taken))
        elif isinstance(now, Mapping):
            kept = {key: value for key, value in is_counted.items() if key in now or key not in was}
            news = {key: value for key, value in now.items() if was.get(key) != value}
            changed[name] = kept | news
        else:
            changed[name] = now
    return replace(counted, **changed)


def _copy(row: Row, source: Row, columns: Iterable[str]) -> Row:
    # A type may write a column that its row class does not read.
    read = {name: getattr(source, name) for name in columns if hasattr(source, name)}
    return replace(row, **read)


def _hold_all(row: Row, other: Row) -> Row:
    """Returns 'row' with the rows that hang on 'other' as well."""
    changed: dict[str, Any] = {
        name: tuple(sorted({*held, *getattr(row, name)})) for name, held in _list_held(other)
    }
    return replace(row, **changed)


@cache
def _find_sets(row_class: Any) -> tuple[str, ...]:
    """Returns the columns of a row class that are sets of references."""
    return tuple(
        each.name
        for each in fields(row_class)
        if str(each.type).startswith("tuple[") and "UUID" in str(each.type)
    )


def _list_held(row: Row) -> Iterator[tuple[str, tuple[UUID, ...]]]:
    """Yields the sets of references of a row."""
    row_class: Any = type(row)
    for name in _find_sets(row_class):
        yield name, getattr(row, name)


def _find_holders(rows: Iterable[Row]) -> dict[UUID, tuple[str, str]]:
    """Returns by UUID of a row that hangs on another one the table and the name of that.

    Of several the first by name.
    """
    holders: dict[UUID, tuple[str, str]] = {}
    for row in rows:
        holder = row.TABLE, _find_name(row)
        for _, held in _list_held(row):
            for uuid in held:
                holders[uuid] = min(holders.get(uuid, holder), holder)
    return holders


def _find_places(
    rows: Mapping[Key, Row], holders: Mapping[UUID, tuple[str, str]]
) -> dict[_Place, Key]:
    """Returns the rows that have a name which no other one of them has at the same place."""
    places = {key: (key[0], holders.get(key[1]), _find_name(row)) for key, row in rows.items()}
    count = Counter(places.values())
    return {place: key for key, place in places.items() if place[2] and count[place] == 1}


def _find_name(row: Row) -> str:
    return str(getattr(row, "name", ""))


def _map_references(row: Row, uuids: Mapping[UUID, UUID]) -> Row:
    changed: dict[str, Any] = {
        name: tuple(sorted({uuids.get(each, each) for each in held}))
        for name, held in _list_held(row)
        if not uuids.keys().isdisjoint(held)
    }
    for each in fields(row):
        value = getattr(row, each.name)
        if each.name != "uuid" and isinstance(value, UUID) and value in uuids:
            changed[each.name] = uuids[value]
    return replace(row, **changed) if changed else row
