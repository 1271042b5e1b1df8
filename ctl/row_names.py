"""The names of rows in a run: @names that 'create' makes, and names of rows that are there."""

from __future__ import annotations

from ..lib.errors import UsageError
from .db.records import find_named
from .db.replica import Replica, make_uuid
from .db.schema import Base
from .db.values import NewUuid


class RowNames:
    """What each name of a run stands for."""

    def __init__(self, replica: Replica | None = None) -> None:
        self._replica = replica
        self._uuids: dict[str, str] = {}
        self._created: set[str] = set()
        self._held: set[str] = set()

    def resolve(self, text: str, base: Base) -> str:
        """Returns the UUID of the row called 'text', to which a column of type 'base' refers."""
        if not text.startswith("@"):
            return self._find(text, base)
        if base.strong and base.ref_table is not None:
            self._held.add(text)
        return self._uuids.setdefault(text, make_uuid())

    def _find(self, text: str, base: Base) -> str:
        if self._replica is None or base.ref_table is None:
            raise UsageError(f'"{text}" is not a valid UUID')
        named = find_named(self._replica, base.ref_table, text)
        if len(named) > 1:
            raise UsageError(f'multiple rows in {base.ref_table} match "{text}"')
        if not named:
            raise UsageError(
                f'"{text}" is not a valid UUID, and no row of {base.ref_table} has that name'
            )
        return named[0].uuid

    def create(self, text: str) -> NewUuid:
        """Returns the provisional UUID for the new row that is called 'text'."""
        self._define(text)
        uuid = self._uuids.setdefault(text, make_uuid())
        assert isinstance(uuid, NewUuid)
        return uuid

    def bind(self, text: str, uuid: str) -> None:
        """Makes 'text' stand for a row that is there, in the commands that follow."""
        if text in self._uuids:
            raise UsageError(f'row id "{text}" is used before it is defined')
        self._define(text)
        self._uuids[text] = uuid

    def find_name(self, uuid: str) -> str | None:
        """Returns the @name of a row, if it has one."""
        return next((name for name, each in self._uuids.items() if each == uuid), None)

    def is_held(self, name: str) -> bool:
        """Returns whether something refers to the row, so that the server keeps it."""
        return name in self._held

    def _define(self, text: str) -> None:
        if not text.startswith("@"):
            raise UsageError(f'row id "{text}" does not begin with "@"')
        if text in self._created:
            raise UsageError(f'row id "{text}" may only be specified on one --id option')
        self._created.add(text)

    def check(self) -> None:
        """Raises UsageError if a name stands for no row."""
        for name in self._uuids:
            if name not in self._created:
                raise UsageError(
                    f'row id "{name}" is referenced but never created '
                    f'(e.g. with "-- --id={name} create ...")'
                )
