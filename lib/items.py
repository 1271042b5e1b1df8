"""How much a container may tell of itself: rows of Container_Item.  Pure.

svc-controller tells no more, and svc-northd takes away what is more, which nobody has written but
who has the key of the chassis.  The schema bounds what one row holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

MOST_ITEMS = 2000
# Characters of the texts of all together.
MOST_TEXT = 4_000_000


class Telling(Protocol):
    """An item, or its row, by what is long of it."""

    @property
    def message(self) -> str:
        """A sentence."""

    @property
    def detail(self) -> Mapping[str, str]:
        """Facts by name."""


def weigh(item: Telling) -> int:
    """Returns how many characters an item has, but for what is short of every one."""
    detail = item.detail
    return len(item.message) + sum(map(len, detail)) + sum(map(len, detail.values()))
