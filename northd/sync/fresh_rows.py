"""Rows of operators that were made just now, until it shows whether they stay as they are.

What a row is when it is made is no event.  Once it stays so it is one, though nothing
changes by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from ...lib.loop import monotonic_ms
from .events import SETTLING_MS
from .northbound import SINCE

# A svc-northd that takes over looks so far back.
_LONGEST_MS = 3_600_000


class FreshRows:
    """'now_ms' is the wall clock, by which rows say since when they are as they are."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        # When it is to be looked at again (monotonic); the first is the next.
        self._due: dict[UUID, int] = {}

    def note(self, before: Any, after: Any) -> None:
        """Takes the change of a row, None for one that is not there."""
        if after is None:
            self._due.pop(before.uuid, None)
            return
        since = getattr(after, SINCE, None)
        if since is None or getattr(after, "status", None) is None:
            return
        if before is not None and before.status is not None:
            return
        age_ms = abs(self._now_ms() - since)
        if age_ms < _LONGEST_MS:
            self._due[after.uuid] = monotonic_ms() + max(0, SETTLING_MS - age_ms)

    def take_due(self, now_ms: int, most: int) -> Iterator[UUID]:
        """Yields those that were made a minute ago, 'most' at a time; 'now_ms' is monotonic."""
        while most > 0 and self._due:
            uuid, due_ms = next(iter(self._due.items()))
            if due_ms > now_ms:
                return
            del self._due[uuid]
            most -= 1
            yield uuid
