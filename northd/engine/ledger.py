"""What should be in a database and what is there, by owner: always the difference.

An owner is whoever a row is there for, such as a container.  A change of what
it should have, or of a row that it has, makes it dirty; plan() compares the rows
of one owner and no other.  Of an owner without an entry every row is taken away;
one whose rows could not be computed is 'frozen': its rows stay as they are.  So
do those of one that is held, while it should have nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ...lib.delta import (
    Actual,
    Change,
    Delete,
    Desired,
    Insert,
    Key,
    Parent,
    SetKeys,
    Verify,
    plan,
)
from ...lib.rows import Row

Owner = Hashable


@dataclass(frozen=True, slots=True)
class Owned:
    """The rows that an owner should have.

    'updates' are what is kept true of rows that are there, and made for none
    that is not.  'kept' are the subjects of rows that stay if they are there,
    though they are not among 'rows'; with 'keeps_all' every row does.  'name' is what
    people call the owner, "" for one that nothing is told of.  'passing' says that the
    status among 'updates' has no cause yet.
    """

    rows: tuple[Desired, ...] = ()
    updates: tuple[Desired, ...] = ()
    kept: frozenset[str] = frozenset()
    keeps_all: bool = False
    name: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose row it is, its key, and the subject by which it can be kept ("" for none).

    A 'foreign' one is somebody else's: columns of it are kept true, and it stays.
    """

    owner: Owner
    key: Key
    subject: str = ""
    foreign: bool = False


class Ledger:
    """'find_mark' says of a row whose it is, None for one that is not ours.

    'empty' are, by table, columns in which no row of ours has anything but what is
    said there: they are kept so in rows, too, that stay as they are.
    """

    def __init__(
        self,
        find_mark: Callable[[Row], Mark | None],
        empty: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._find_mark = find_mark
        self._empty = empty or {}
        self._owned: dict[Owner, Owned] = {}
        self._frozen: set[Owner] = set()
        self._held: frozenset[str] = frozenset()
        self._actual: dict[Owner, dict[UUID, tuple[Row, Mark]]] = {}
        self._owners: dict[UUID, Owner] = {}
        self._parents: dict[UUID, Parent] = {}
        # Who should have something else since it was last found to have all that it should.
        self._changed: set[Owner] = set()
        self.dirty: set[Owner] = set()

    def set_owned(self, owner: Owner, owned: Owned | None) -> None:
        """Notes what an owner should have; None for nothing."""
        if owned is None:
            self._owned.pop(owner, None)
        else:
            self._owned[owner] = owned
        self._frozen.discard(owner)
        self._changed.add(owner)
        self.dirty.add(owner)

    def freeze(self, owner: Owner) -> None:
        """Notes that what an owner should have is not known: its rows stay as they are."""
        self._frozen.add(owner)
        self._changed.add(owner)
        self.dirty.discard(owner)

    def hold(self, names: frozenset[str]) -> None:
        """Keeps the rows of owners (KIND, NAME) of these names that should have nothing.

        Those that were held before, and are not any more, are dirty.
        """
        released, self._held = self._held - names, names
        for owner in list(self._actual) if released else ():
            if isinstance(owner, tuple) and owner[1] in released:
                self._touch(owner)

    def note_row(self, before: Row | None, after: Row | None) -> None:
        """Takes the change of a row, None for one that is not there."""
        if before is not None:
            self._drop(before.uuid)
        mark = self._find_mark(after) if after is not None else None
        if after is not None and mark is not None:
            self._actual.setdefault(mark.owner, {})[after.uuid] = after, mark
            self._owners[after.uuid] = mark.owner
            self._touch(mark.owner)

    def note_children(
        self, parent_class: type[Row], column: str, before: Row | None, after: Row | None
    ) -> None:
        """Takes the change of a row whose set 'column' holds rows that may be ours."""
        was = getattr(before, column) if before is not None else ()
        now = getattr(after, column) if after is not None else ()
        if was is now:
            return
        old, new = set(was), set(now)
        for child in old - new:
            assert before is not None
            # Another row may have it by now.
            if self._parents.get(child) == Parent(parent_class.TABLE, before.uuid, column):
                del self._parents[child]
        for child in new - old:
            assert after is not None
            self._parents[child] = Parent(parent_class.TABLE, after.uuid, column)
        for child in old ^ new:
            if child in self._owners:
                self._touch(self._owners[child])

    def forget(self, owner: Owner) -> None:
        """Notes that nothing is known of an owner any more, without making it dirty."""
        self._owned.pop(owner, None)
        self._frozen.discard(owner)
        self._changed.discard(owner)

    def find_rows(self, owner: Owner) -> Iterable[Row]:
        """Yields the rows that an owner has."""
        return (row for row, _ in self._actual.get(owner, {}).values())

    def find_row(self, uuid: UUID) -> Row | None:
        """Returns a row that has an owner, None if there is none of this UUID."""
        rows = self._actual.get(self._owners.get(uuid), {})
        return rows[uuid][0] if uuid in rows else None

    def mark_all(self) -> None:
        """Makes everybody dirty."""
        self.dirty = (set(self._actual) | set(self._owned)) - self._frozen

    def plan(self, owner: Owner) -> list[Change]:
        """Returns what to change for one owner."""
        if self.is_frozen(owner):
            return []
        owned = self.find_owned(owner)
        present = list(self._actual.get(owner, {}).values())
        there = {(row.TABLE, mark.key) for row, mark in present}
        wanted = [
            *owned.rows,
            *(each for each in owned.updates if (each.table, each.key) in there),
        ]
        named = {(each.table, each.key) for each in wanted}
        compared: list[Actual] = []
        changes: list[Change] = []
        for row, mark in present:
            actual = Actual(mark.key, row, self._parents.get(row.uuid))
            if (row.TABLE, mark.key) in named or not _is_kept(owned, mark):
                compared.append(actual)
            elif not mark.foreign and row.TABLE in self._empty:
                kept = Desired(row.TABLE, mark.key, {}, defaults=self._empty[row.TABLE])
                changes += plan([kept], [actual])
        changes += plan(wanted, compared)
        if not changes:
            self._changed.discard(owner)
        return changes

    def find_mended(self, owner: Owner, changes: Iterable[Change]) -> str | None:
        """Returns in words what of 'changes', which plan() said, mends what somebody else did.

        None where it is we who want something else, or where rows are somebody's whose
        columns only are kept true.
        """
        if owner in self._changed or owner not in self._owned:
            return None
        told = [each for each in (self._describe(owner, change) for change in changes) if each]
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        return told[0] + more if told else None

    def drop_planned(self) -> None:
        """Forgets what finish() said before: it is written by now, or never will be."""

    def note_committed(self, changes: Iterable[Change]) -> None:
        """Takes what the database has taken, of whichever owners."""

    def finish(self, owner: Owner, changes: list[Change]) -> list[Change]:
        """Returns the changes that plan() said, with what follows from them."""
        return changes

    def is_frozen(self, owner: Owner) -> bool:
        """Whether what an owner should have is not known, or not believed."""
        return owner in self._frozen or (
            bool(self._held)
            and owner not in self._owned
            and isinstance(owner, tuple)
            and owner[1] in self._held
        )

    def is_wanted(self, owner: Owner) -> bool:
        """Whether an owner should have anything, be it no row at this moment."""
        return owner in self._owned

    def find_owned(self, owner: Owner) -> Owned:
        """Returns what an owner should have."""
        return self._owned.get(owner, Owned())

    def _drop(self, uuid: UUID) -> None:
        owner = self._owners.pop(uuid, None)
        if owner is None:
            return
        rows = self._actual[owner]
        del rows[uuid]
        if not rows:
            del self._actual[owner]
        self._touch(owner)

    def _describe(self, owner: Owner, change: Change) -> str | None:
        if isinstance(change, Insert):
            return f"{change.table} {_format_key(change.key)} was gone"
        row, mark = self._actual.get(owner, {}).get(change.uuid, (None, None))
        if row is None or mark is None or mark.foreign or isinstance(change, Verify):
            return None
        what = f"{change.table} {_format_key(mark.key)}"
        if isinstance(change, Delete):
            return f"{what} was not to be there"
        columns = [change.column] if isinstance(change, SetKeys) else sorted(change.columns)
        return f"{what} had another {', '.join(columns)}"

    def _touch(self, owner: Owner) -> None:
        if owner not in self._frozen:
            self.dirty.add(owner)


def _is_kept(owned: Owned, mark: Mark) -> bool:
    by_subject = bool(mark.subject) and mark.subject in owned.kept
    return mark.foreign or owned.keeps_all or by_subject


def _format_key(key: Key) -> str:
    return " on ".join(map(str, key)) if isinstance(key, tuple) else str(key)
