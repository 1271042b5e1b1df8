"""The values of one datum by key, who read them, and the indexes that follow them.

A key of a datum is a cell.  Who reads a value keeps the cell that it was in, and
is a cell itself: so a key, which is costly to hash where it is a UUID, is looked
up once for each read, and never to note who depends on whom.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


class Everything:
    """Stands for every key of a datum at once."""


EVERYTHING = Everything()
# So many readers of a cell are looked through one by one.
_FEW = 8


class Cell:
    """What the engine keeps of one key of a datum.

    'problem' says why there is no value though the key is there.  'reads' are the
    cells that its value was computed from; 'readers' those that were computed from
    it: most have one, some a few, and a set for each would be most of the memory.
    """

    __slots__ = ("key", "problem", "readers", "reads", "store", "value")

    def __init__(self, store: Store, key: Hashable) -> None:
        self.store = store
        self.key = key
        self.value: Any = None
        self.problem: str | None = None
        self.readers: Cell | tuple[Cell, ...] | set[Cell] | None = None
        self.reads: tuple[Cell, ...] = ()

    def set(self, value: Any, problem: str | None = None) -> None:
        """Sets the value, None for none, and why there is none."""
        store = self.store
        self.value = value
        if value is not None:
            store.values[self.key] = value
        else:
            store.values.pop(self.key, None)
        if problem is not None:
            store.problems[self.key] = problem
        elif self.problem is not None:
            del store.problems[self.key]
        self.problem = problem

    def read_from(self, reads: tuple[Cell, ...]) -> None:
        """Notes the cells that it was computed from this time."""
        before = self.reads
        if before == reads:
            return
        self.reads = reads
        for each in reads:
            known: Any = each.readers
            if known is None:
                each.readers = self
            elif type(known) is set:
                known.add(self)
            elif type(known) is tuple:
                if self not in known:
                    few = len(known) < _FEW
                    each.readers = (*known, self) if few else {*known, self}
            elif known is not self:
                each.readers = (known, self)
        # Not sooner: one that nobody reads goes.
        for each in set(before).difference(reads) if before else ():
            each.drop_reader(self)

    def drop_reader(self, reader: Cell) -> None:
        """Notes that 'reader' depends on the value no more."""
        known = self.readers
        if isinstance(known, set):
            known.discard(reader)
        elif isinstance(known, tuple):
            self.readers = tuple([each for each in known if each is not reader])
        if known is reader or not self.readers:
            self.readers = None
            self.drop_if_idle()

    def mark_readers(self) -> None:
        """Makes those that depend on the value dirty."""
        known = self.readers
        if isinstance(known, Cell):
            known.store.dirty.add(known)
        elif known is not None:
            for each in known:
                each.store.dirty.add(each)

    def drop_if_idle(self) -> None:
        """Goes, if it holds nothing and nobody reads it."""
        if self.value is None and self.problem is None and not self.readers and not self.reads:
            self.store.cells.pop(self.key, None)


class Cells(dict[Any, Cell]):
    """The cells of a store by key: one that is asked for is there."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    def __missing__(self, key: Any) -> Cell:
        cell = self[key] = Cell(self._store, key)
        return cell


class Store:
    """What the engine keeps of one datum.

    'values' and 'problems' are those of its cells, by key.
    """

    __slots__ = (
        "cells",
        "changed",
        "dependents",
        "dirty",
        "everything",
        "followers",
        "name",
        "problems",
        "values",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.cells = Cells(self)
        self.values: dict[Any, Any] = {}
        self.problems: dict[Any, str] = {}
        # Of what a node computes: the cells to compute.
        self.dirty: set[Cell] = set()
        # What nodes compute that have the same keys.
        self.followers: list[Store] = []
        self.dependents: list[Any] = []
        # Of a datum that somebody outside asks for: the keys that changed.
        self.changed: set[Any] | None = None
        # Who reads it depends on every key.
        self.everything = Cell(self, EVERYTHING)

    @property
    def has_problems(self) -> bool:
        """Whether the value of any key could not be computed."""
        return bool(self.problems)

    def clear(self) -> None:
        """Takes every value away, and tells nobody."""
        self.values.clear()
        for cell in list(self.cells.values()):
            cell.value = None
            cell.drop_if_idle()
