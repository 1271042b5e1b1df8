"""Indexes: data that are kept by the changes of another datum, and never computed as a whole.

Where a value leads is asked of a function that may be a type's.  What it raises is told to
'note', with the key; what it says otherwise at each call harms its own keys only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import ovs.vlog

from ...lib.failures import describe
from .store import Cell, Store

Note = Callable[[Any, Exception | None], None]
"""Takes a key of an index, and what was raised for it, None for nothing."""

vlog = ovs.vlog.Vlog("index")

_NOWHERE: frozenset[Any] = frozenset()


class IndexStore(Store):
    """Under each key the set of the keys of 'of' whose values lead there."""

    __slots__ = ("_faulty", "_find_keys", "_note", "_of")

    def __init__(
        self, name: str, of: Store, find_keys: Callable[[Any, Any], Iterable[Any]], note: Note
    ) -> None:
        super().__init__(name)
        self._note = note
        self._of = of
        self._find_keys = find_keys
        self._faulty: set[Any] = set()

    @property
    def has_problems(self) -> bool:
        """Whether it is not known where some value leads."""
        return bool(self._faulty)

    def follow(self, key: Any, before: Any, after: Any) -> list[Cell]:
        """Takes the change of one value, None for none; returns the cells that changed here."""
        was_faulty = bool(self._faulty) and key in self._faulty
        if before is None and not was_faulty:
            new, error = self._find(key, after)
            if error is None:  # as nearly all are when everything is new
                return [self._enter(each, key) for each in new]
        old = self._find(key, before)[0] if before is not None else _NOWHERE
        new, error = self._find(key, after)
        changed = []
        for each in old - new:
            changed.append(self._leave(each, key))
        for each in new - old:
            changed.append(self._enter(each, key))
        if error is not None or was_faulty:
            self._set_error(key, error)
        if was_faulty != (error is not None):
            changed.append(self.everything)
        return changed

    def rebuild(self) -> None:
        """Makes everything anew."""
        self.clear()
        for key, value in self._of.values.items():
            found, error = self._find(key, value)
            self._set_error(key, error)
            for each in found:
                self._enter(each, key)

    def _enter(self, each: Any, key: Any) -> Cell:
        cell = self.cells[each]
        if cell.value is None:
            cell.set({key})
        else:
            cell.value.add(key)
        return cell

    def _leave(self, each: Any, key: Any) -> Cell:
        cell = self.cells[each]
        members = cell.value or set()
        members.discard(key)
        if not members:
            cell.set(None)
        return cell

    def _find(self, key: Any, value: Any) -> tuple[AbstractSet[Any], Exception | None]:
        if value is None:
            return _NOWHERE, None
        try:
            return set(self._find_keys(key, value)), None
        except Exception as error:  # a mistake with one value is no key
            return set(), error

    def _set_error(self, key: Any, error: Exception | None) -> None:
        if error is not None:
            self._faulty.add(key)
            self._note(key, error)
        elif key in self._faulty:
            self._faulty.discard(key)
            self._note(key, None)


class TallyStore(Store):
    """Under each key a sum; a key whose sum is 0 has no value."""

    __slots__ = ("_find_counts", "_of")

    def __init__(
        self, name: str, of: Store, find_counts: Callable[[Any, Any], Iterable[tuple[Any, int]]]
    ) -> None:
        super().__init__(name)
        self._of = of
        self._find_counts = find_counts

    def follow(self, key: Any, before: Any, after: Any) -> list[Cell]:
        """Takes the change of one value, None for none; returns the cells that changed here."""
        delta = self._find(key, after)
        delta.subtract(self._find(key, before))
        return [self._add(each, count) for each, count in delta.items() if count]

    def rebuild(self) -> None:
        """Makes everything anew."""
        total: Counter[Any] = Counter()
        for key, value in self._of.values.items():
            total.update(self._find(key, value))
        self.clear()
        for each, count in total.items():
            if count:
                self._add(each, count)

    def _add(self, each: Any, count: int) -> Cell:
        cell = self.cells[each]
        cell.set((cell.value or 0) + count or None)
        return cell

    def _find(self, key: Any, value: Any) -> Counter[Any]:
        counts: Counter[Any] = Counter()
        if value is not None:
            try:
                for each, count in self._find_counts(key, value):
                    counts[each] += count
            except Exception as error:  # a mistake of ours with one value counts nothing
                vlog.err(f"{self.name} of {key}: {describe(error)}")
                return Counter()
        return counts
