"""What a row says in plain words, whatever it was read by; for svcctl and for ovnsvc.northbound."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from .commands import Datum


class RowReading:
    """A row of which datum() returns columns."""

    __slots__ = ()

    @abstractmethod
    def datum(self, column: str) -> Datum:
        """Returns the value of 'column'."""

    def find(self, column: str) -> Any:
        """Returns the one atom of 'column', or None if there is none."""
        datum = self.datum(column)
        return datum[0] if isinstance(datum, tuple) and datum else None

    def text(self, column: str) -> str:
        """Returns the string in 'column', or "" if there is none."""
        found = self.find(column)
        return "" if found is None else str(found)

    def strings(self, column: str) -> tuple[str, ...]:
        """Returns the members of a set of strings or references."""
        return tuple(str(atom) for atom in self.datum(column))
