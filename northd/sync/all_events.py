"""All events of the northbound: what number the next one has, and which go when they are too many.

What is planned counts until its outcome is known: many subjects go into one
transaction, and the rows change only when the server answers.  A number that
leaves hardly a higher one is somebody else's: it is not counted on from, and its
row is the first to go.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from uuid import UUID

from ...lib import nb
from ...lib.delta import Change, Delete, Insert, Update
from . import events

_SLACK = 5000
_STRANGE = -1
# So many higher numbers must be left.
_ROOM = 2**32


class AllEvents:
    """The rows, with what of them is in the transaction that is planned."""

    def __init__(self) -> None:
        self._rows: dict[UUID, nb.Event] = {}
        # All of them by age, with some that are gone or have another one by now.
        self._oldest: list[tuple[int, UUID]] = []
        self._number = 0
        # Up to which numbers are believed.
        self._limit = events.MOST_NUMBER
        self._added = 0
        self._gone: set[UUID] = set()
        # How many of those there are, which somebody else may have deleted before.
        self._going = 0
        self._changed: set[UUID] = set()
        # What was taken from '_oldest' for it.
        self._taken: list[tuple[int, UUID]] = []

    def note(self, before: nb.Event | None, after: nb.Event | None) -> None:
        """Takes the change of a row, None for one that is not there."""
        if before is not None:
            self._rows.pop(before.uuid, None)
        if after is None:
            return
        self._rows[after.uuid] = after
        self._number = max(self._number, self._find_age(after))
        heapq.heappush(self._oldest, (self._find_age(after), after.uuid))
        if len(self._oldest) > 2 * len(self._rows) + _SLACK:
            self._sort()

    def find(self, uuid: UUID) -> nb.Event | None:
        """Returns a row, None if it is not there."""
        return self._rows.get(uuid)

    def is_strange(self, row: nb.Event) -> bool:
        """Whether the number of a row says nothing of when it was written."""
        return row.number > self._limit

    def is_going(self, row: nb.Event) -> bool:
        """Whether the transaction that is planned deletes a row."""
        return row.uuid in self._gone

    def take_number(self) -> int:
        """Returns a number that is higher than all before."""
        self._number += 1
        return self._number

    def drop_planned(self) -> None:
        """Forgets what was planned: it is written by now, or never will be."""
        for age, uuid in self._taken:
            row = self._rows.get(uuid)
            if row is not None and self._find_age(row) == age:
                heapq.heappush(self._oldest, (age, uuid))
        self._taken.clear()
        self._gone.clear()
        self._going = 0
        self._changed.clear()
        self._added = 0
        self._lower_limit()

    def plan(self, changes: Iterable[Change]) -> list[Change]:
        """Notes the 'changes' of one subject; returns what else is to go beside them."""
        for change in changes:
            if isinstance(change, Insert):
                self._added += 1
            elif isinstance(change, Delete):
                self._let_go(change.uuid)
            elif isinstance(change, Update):
                self._changed.add(change.uuid)
        surplus = len(self._rows) + self._added - self._going - events.MOST
        # What somebody else filled is emptied in steps.
        most = self._added + events.MOST_DROPPED - self._going
        return list(self._take_oldest(min(surplus, most)))

    # -- helpers, in the order they are called -----------------------------

    def _let_go(self, uuid: UUID) -> None:
        if uuid not in self._gone:
            self._gone.add(uuid)
            self._going += uuid in self._rows

    def _find_age(self, row: nb.Event) -> int:
        return _STRANGE if self.is_strange(row) else row.number

    def _sort(self) -> None:
        self._oldest = [(self._find_age(row), uuid) for uuid, row in self._rows.items()]
        heapq.heapify(self._oldest)

    def _lower_limit(self) -> None:
        """Believes no number near the highest: somebody else wrote one."""
        before = self._limit
        while self._number > self._limit - _ROOM > _ROOM:
            self._limit //= 2
            ages = (self._find_age(row) for row in self._rows.values())
            self._number = max(0, max(ages, default=0))
        if self._limit != before:
            self._sort()

    def _take_oldest(self, count: int) -> Iterable[Change]:
        while count > 0 and self._oldest:
            age, uuid = heapq.heappop(self._oldest)
            row = self._rows.get(uuid)
            if row is None or self._find_age(row) != age:
                continue
            self._taken.append((age, uuid))
            if uuid not in self._gone and uuid not in self._changed:
                count -= 1
                self._let_go(uuid)
                yield Delete(nb.Event.TABLE, uuid, None)
