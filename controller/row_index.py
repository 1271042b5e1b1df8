"""Rows of a session under keys of our own, kept by the rows that change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar
from uuid import UUID

from ..lib.idl import Session
from ..lib.rows import Row

RowT = TypeVar("RowT", bound=Row)
Change = tuple[RowT | None, RowT | None]


class RowIndex(Generic[RowT]):
    """The rows of a table by the keys that 'find_keys' gives each.

    It is the only one that takes the changed rows of its table from a session.
    """

    def __init__(self, row_class: type[RowT], find_keys: Callable[[RowT], Iterable[str]]) -> None:
        self._row_class = row_class
        self._find_keys = find_keys
        self._rows: dict[str, dict[UUID, RowT]] = {}

    def take(self, session: Session) -> list[Change[RowT]]:
        """Returns the rows that changed since the last call, before and after."""
        changes = session.take_rows(self._row_class)
        for before, after in changes:
            if before is not None:
                self._remove(before)
            if after is not None:
                self._add(after)
        return changes

    def find_keys(self, changes: Iterable[Change[RowT]]) -> set[str]:
        """Returns the keys that rows in 'changes' have, or had."""
        rows = [row for change in changes for row in change if row is not None]
        return {key for row in rows for key in self._find_keys(row)}

    def find(self, key: str) -> list[RowT]:
        """Returns the rows that have 'key'."""
        return list(self._rows.get(key, {}).values())

    @property
    def keys(self) -> Iterable[str]:
        """The keys that any row has."""
        return self._rows.keys()

    def _add(self, row: RowT) -> None:
        for key in self._find_keys(row):
            self._rows.setdefault(key, {})[row.uuid] = row

    def _remove(self, row: RowT) -> None:
        for key in self._find_keys(row):
            rows = self._rows.get(key, {})
            rows.pop(row.uuid, None)
            if not rows:
                self._rows.pop(key, None)
