"""Turns planned changes (delta.py) into one transaction (RFC 7047, 4.1.3), and reads its outcome.

Called by idl.Session only.  All changes of a list go together or not at all; a
'Ref' in a column stands for a row inserted beside it.  A set that holds a row
that is added or removed is mutated, so that it costs the same at any size and
nobody else's member is touched.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .delta import Change, Delete, Insert, Parent, Ref, SetKeys, Update, Verify
from .refusal import describe_refusal

Operation = Mapping[str, Any]


_ATOMS = frozenset((str, int, float, bool))


class Status(enum.Enum):
    """How a transaction stands."""

    UNDER_WAY = "under way"
    DONE = "done"
    REFUSED = "refused"
    LOST_RACE = "lost a race, or the connection"
    NOT_LOCKED = "not locked"
    NOT_GUARDED = "its guard does not hold"


@dataclass(slots=True)
class Transaction:
    """A transaction that was sent; 'reason' is the server's, where it was refused.

    'guard' is what it was sent with (guard.py), 'guards' how many operations stand in front of it.
    """

    status: Status = Status.UNDER_WAY
    reason: str = ""
    guard: Sequence[Any] = ()
    guards: int = 0


class Unwritable(ValueError):
    """A value that no database takes; the message says which."""


def make_operations(
    changes: Sequence[Change],
    tables: Mapping[str, Mapping[UUID, Any]],
    is_root: Callable[[str], bool],
    comment: str,
) -> list[Operation]:
    """Returns the operations for 'changes' on the rows 'tables', none if all is so already.

    A change of a row that is gone is left out.  Raises Unwritable.
    """
    maker = _Maker(tables, is_root)
    for number, change in enumerate(changes):
        if isinstance(change, Insert):
            maker.names[change.table, change.key] = f"row{number}"
    for change in changes:
        maker.add(change)
    if not maker.differs:
        return []
    mutations = [maker.make_mutation(holder) for holder in maker.members]
    note = {"op": "comment", "comment": check_atom(comment)}
    return [*maker.waits, *maker.operations, *mutations, note]


def read_results(results: Any, guards: int = 0) -> Transaction:
    """Returns the outcome of a transaction from the server's reply.

    'guards' is how many operations in front of it say whether it may be carried out.
    """
    if not isinstance(results, list):
        return Transaction(Status.REFUSED, f"the reply is no list: {results!r}")
    # None is for an operation that was not tried, since one before it failed.
    errors = [each for each in results if each is None or "error" in each]
    kinds = [each["error"] if each else "timed out" for each in errors]
    hard = [
        error
        for error, kind in zip(errors, kinds, strict=True)
        if kind not in ("timed out", "not owner", "aborted")
    ]
    if hard:
        return Transaction(Status.REFUSED, describe_refusal(hard[0] or {}))
    if "not owner" in kinds:
        return Transaction(Status.NOT_LOCKED)
    if is_unguarded(results, guards):
        return Transaction(Status.NOT_GUARDED)
    return Transaction(Status.LOST_RACE if "timed out" in kinds else Status.DONE)


def is_unguarded(results: Sequence[Any], guards: int) -> bool:
    """Returns whether one of the first 'guards' operations found that something is not so."""
    return any(each is not None and each.get("error") == "timed out" for each in results[:guards])


@dataclass(slots=True)
class _Members:
    """References that are added to a set and removed from it."""

    added: list[Any] = field(default_factory=list)
    removed: list[Any] = field(default_factory=list)


class _Maker:
    """Makes the operations of one transaction."""

    def __init__(
        self, tables: Mapping[str, Mapping[UUID, Any]], is_root: Callable[[str], bool]
    ) -> None:
        self.names: dict[tuple[str, Any], str] = {}
        self.waits: list[Operation] = []
        self.operations: list[Operation] = []
        self.members: dict[Parent, _Members] = {}
        self.differs = False
        self._tables = tables
        self._is_root = is_root

    def add(self, change: Change) -> None:
        """Adds what is to be done for one change."""
        if isinstance(change, Insert):
            self._insert(change)
            return
        row = self._tables[change.table].get(change.uuid)
        if row is None:
            return
        if isinstance(change, Update):
            self._update(change, row)
        elif isinstance(change, Verify):
            self._verify(change, row)
        elif isinstance(change, SetKeys):
            self._set_keys(change)
        else:
            self._delete(change)

    def make_mutation(self, holder: Parent) -> Operation:
        """Returns the change of one set of references."""
        members = self.members[holder]
        return {
            "op": "mutate",
            "table": holder.table,
            "where": [["_uuid", "==", self._to_json(holder.row)]],
            "mutations": [
                [holder.column, mutator, ["set", rows]]
                for mutator, rows in (("delete", members.removed), ("insert", members.added))
                if rows
            ],
        }

    # -- helpers, in the order they are called ------------------------------

    def _insert(self, change: Insert) -> None:
        name = self.names[change.table, change.key]
        row = {column: self._to_json(value) for column, value in change.columns.items()}
        self.operations.append(
            {"op": "insert", "table": change.table, "uuid-name": name, "row": row}
        )
        self.differs = True
        if change.parent is not None:
            self._find_members(change.parent).added.append(["named-uuid", name])

    def _find_members(self, parent: Parent) -> _Members:
        return self.members.setdefault(parent, _Members())

    def _update(self, change: Update, row: Any) -> None:
        # What is so already is sent all the same, if anything is: somebody else may change it.
        for column, value in change.columns.items():
            if not self.differs:
                self.differs = not _is_equal(getattr(row, column, None), value)
        columns = {column: self._to_json(value) for column, value in change.columns.items()}
        self._append("update", change, row=columns)

    def _append(self, op: str, change: Update | Delete | SetKeys, **arguments: Any) -> None:
        where = [["_uuid", "==", ["uuid", str(change.uuid)]]]
        self.operations.append({"op": op, "table": change.table, "where": where, **arguments})

    def _verify(self, change: Verify, row: Any) -> None:
        self.waits.append(
            {
                "op": "wait",
                "table": change.table,
                "timeout": 0,
                "where": [["_uuid", "==", ["uuid", str(change.uuid)]]],
                "until": "==",
                "columns": [change.column],
                "rows": [{change.column: self._to_json(getattr(row, change.column))}],
            }
        )

    def _set_keys(self, change: SetKeys) -> None:
        removed = ["set", [check_atom(key) for key in change.keys]]
        mutations = [
            [change.column, "delete", removed],
            [change.column, "insert", self._to_json(change.keys)],
        ]
        self._append("mutate", change, mutations=mutations)
        self.differs = True

    def _delete(self, change: Delete) -> None:
        """Removes a row, or its reference, which is all that keeps it."""
        if change.parent is not None:
            self._find_members(change.parent).removed.append(["uuid", str(change.uuid)])
        elif self._is_root(change.table):
            self._append("delete", change)
        else:
            return
        self.differs = True

    def _to_json(self, value: Any) -> Any:
        """Returns 'value' as OVSDB writes it (RFC 7047, 5.1)."""
        if type(value) in _ATOMS:
            return check_atom(value)
        if value is None:
            return ["set", []]
        # In the order of how many there are; to ask whether one is a Mapping takes long.
        if isinstance(value, (tuple, list, set, frozenset)):
            return ["set", [self._to_json(each) for each in value]]
        if isinstance(value, UUID):
            return ["uuid", str(value)]
        if isinstance(value, Mapping):
            return ["map", [[check_atom(key), self._to_json(each)] for key, each in value.items()]]
        return (
            ["named-uuid", self._find_name(value)] if isinstance(value, Ref) else check_atom(value)
        )

    def _find_name(self, ref: Ref) -> str:
        name = self.names.get((ref.table, ref.key))
        if name is None:
            raise Unwritable(f"{ref.table} {ref.key!r} is not there to be referred to")
        return name


def check_atom(atom: Any) -> Any:
    """Returns 'atom' if a server can read it: of a message that it cannot, it takes nothing."""
    if isinstance(atom, str):
        if "\0" in atom:
            raise Unwritable("a text with a null character")
        try:
            if not atom.isascii():
                atom.encode()
        except UnicodeEncodeError as error:
            raise Unwritable(f"a text that is not Unicode: {error.reason}") from None
    elif isinstance(atom, float) and not math.isfinite(atom):
        raise Unwritable(f"{atom} is no number")
    elif isinstance(atom, int) and not -(2**63) <= atom < 2**63:
        raise Unwritable("a number of more than 64 bits")
    elif not isinstance(atom, (bool, int, float)):
        raise Unwritable(f"a value of type {type(atom).__name__}")
    return atom


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, Collection) and not isinstance(other, str):
        return frozenset(one) == frozenset(other)
    return bool(one == other)
