"""Values of columns: OVSDB's JSON (RFC 7047, 5.1) to the plain Python of rows.py.

Called by replica.py.  Equal strings, tuples and maps become one object, since
most columns of most rows are empty or say what other rows say too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import ovs.db.types

# Longer texts are hardly ever said twice.
LONGEST_SHARED = 64
MOST_SHARED = 16_384


class Shared:
    """Gives one object for equal values; it remembers what was asked for lately, no more."""

    def __init__(self) -> None:
        self._recent: dict[Any, Any] = {}
        self._older: dict[Any, Any] = {}

    def find(self, key: Any, value: Any) -> Any:
        """Returns the value that was given first with 'key', 'value' if that was none."""
        found = self._recent.get(key)
        if found is None:
            found = self._older.get(key, value)
            if len(self._recent) >= MOST_SHARED:
                self._older, self._recent = self._recent, {}
            self._recent[key] = found
        return found


class Column:
    """Reads the values of one column of 'column_type', an ovs.db.types.Type.

    'find_uuid' gives the object that stands for a UUID elsewhere already.  Of a
    map only the 'kept' keys are read, all if None.
    """

    def __init__(
        self,
        column_type: Any,
        shared: Shared,
        find_uuid: Callable[[UUID], UUID],
        kept: frozenset[str] | None = None,
    ) -> None:
        self._shared = shared
        self._find_uuid = find_uuid
        self._kept = kept
        self._is_map = bool(column_type.is_map())
        self._is_single = column_type.n_max == 1
        self._is_optional = column_type.n_min == 0
        self._read_key = self._find_reader(column_type.key)
        self._read_value = self._find_reader(column_type.value) if self._is_map else None
        self.refers = column_type.key.ref_table_name
        self.default = self._make_default(column_type)

    def read(self, json: Any) -> Any:
        """Returns the plain value of a whole column."""
        if self._is_map:
            return self._share_map(self._read_pairs(json))
        if self._is_single:
            if self._is_optional and isinstance(json, list) and json[0] == "set":
                return self._read_key(json[1][0]) if json[1] else None
            return self._read_key(json)
        return self._share_set(sorted(self._read_atoms(json)))

    def apply(self, value: Any, json: Any) -> Any:
        """Returns 'value' changed by what an "update2" says of a column (ovsdb-server(7), 4.1.14).

        Of a set it has the members that came or went, of a map the keys that
        came or changed, with their values, or went, with the values that they had.
        """
        if self._is_single:
            return self.read(json)
        if not self._is_map:
            return self._share_set(_toggle(list(value), self._read_atoms(json)))
        changed = dict(value)
        for key, new in self._read_pairs(json):
            if changed.get(key) == new:
                del changed[key]
            else:
                changed[key] = new
        return self._share_map(changed.items())

    # -- helpers, in the order they are called ------------------------------

    def _find_reader(self, base: Any) -> Callable[[Any], Any]:
        """Returns what reads one atom of a type."""
        if base.type == ovs.db.types.UuidType:
            return self._read_uuid
        if base.type == ovs.db.types.StringType:
            return self._read_text
        return float if base.type == ovs.db.types.RealType else _keep

    def _read_uuid(self, json: Any) -> UUID:
        return self._find_uuid(UUID(json[1]))

    def _read_text(self, json: str) -> str:
        found: str = json if len(json) > LONGEST_SHARED else self._shared.find(json, json)
        return found

    def _make_default(self, column_type: Any) -> Any:
        """Returns the value of a column of which the server says nothing."""
        if self._is_optional:
            return self._share_map(()) if self._is_map else None if self._is_single else ()
        key = column_type.key.type.default
        if self._is_map:
            return self._share_map([(key, column_type.value.type.default)])
        return key if self._is_single else (key,)

    def _read_pairs(self, json: Any) -> list[tuple[Any, Any]]:
        assert self._read_value is not None
        pairs = json[1]
        if self._kept is not None:
            pairs = [pair for pair in pairs if pair[0] in self._kept]
        return [(self._read_key(key), self._read_value(value)) for key, value in pairs]

    def _read_atoms(self, json: Any) -> list[Any]:
        """Returns the atoms of a set, which is written without "set" if it has one."""
        atoms = json[1] if isinstance(json, list) and json[0] == "set" else [json]
        return [self._read_key(atom) for atom in atoms]

    def _share_set(self, atoms: list[Any]) -> tuple[Any, ...]:
        value = tuple(atoms)
        # 1 and True are equal, so that only texts may stand for each other.
        if value and isinstance(value[0], str):
            value = self._shared.find(value, value)
        return value

    def _share_map(self, pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        key = tuple(pairs)
        value = dict(key)
        if all(isinstance(each, str) for each in value.values()):
            value = self._shared.find(("map", key), value)
        return value


def _keep(json: Any) -> Any:
    return json


def _toggle(members: list[Any], atoms: Iterable[Any]) -> list[Any]:
    """Returns sorted 'members' with each of 'atoms' added if it is not there, else removed."""
    for atom in atoms:
        place = bisect_left(members, atom)
        if place < len(members) and members[place] == atom:
            del members[place]
        else:
            members.insert(place, atom)
    return members
