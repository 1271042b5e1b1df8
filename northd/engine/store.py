"""The values of one datum by key, who read them, and the indexes that follow them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

Reader = tuple[int, Hashable]
"""Position of a node, and one of its keys."""


class Everything:
    """Stands for every key of a datum at once."""


EVERYTHING = Everything()


class Store:
    """What the engine keeps of one datum.

    'problems' are sentences on keys whose value could not be computed; they
    have no value.
    """

    __slots__ = ("_readers", "changed", "dependents", "followers", "name", "problems", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: dict[Any, Any] = {}
        self.problems: dict[Any, str] = {}
        # Positions of nodes that have the same keys.
        self.followers: list[int] = []
        self.dependents: list[Any] = []
        # Of a datum that somebody outside asks for: the keys that changed.
        self.changed: set[Any] | None = None
        # Most keys have one reader: a set for each would be most of the memory.
        self._readers: dict[Any, Reader | set[Reader]] = {}

    @property
    def has_problems(self) -> bool:
        """Whether the value of any key could not be computed."""
        return bool(self.problems)

    def add_reader(self, key: Any, reader: Reader) -> None:
        """Notes that 'reader' depends on the value of 'key'."""
        known = self._readers.get(key)
        if known is None:
            self._readers[key] = reader
        elif isinstance(known, set):
            known.add(reader)
        elif known != reader:
            self._readers[key] = {known, reader}

    def drop_reader(self, key: Any, reader: Reader) -> None:
        """Notes that 'reader' depends on 'key' no more."""
        known = self._readers.get(key)
        if isinstance(known, set):
            known.discard(reader)
            if not known:
                del self._readers[key]
        elif known == reader:
            del self._readers[key]

    def find_readers(self, key: Any) -> Iterable[Reader]:
        """Returns those that depend on 'key', and those that depend on everything."""
        known, of_all = self._readers.get(key), self._readers.get(EVERYTHING)
        if known is None and of_all is None:
            return ()
        return (*_to_readers(known), *_to_readers(of_all))


def _to_readers(known: Reader | set[Reader] | None) -> Iterable[Reader]:
    if isinstance(known, set):
        return known
    return () if known is None else (known,)
