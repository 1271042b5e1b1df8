"""Who of several is refused: what is refused together is tried by halves."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Suspects(Generic[K]):
    """Groups of those that were refused together, each of which is to be tried by itself."""

    def __init__(self) -> None:
        self._groups: deque[tuple[K, ...]] = deque()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def find_members(self) -> set[K]:
        """Returns all that are in a group."""
        return {each for group in self._groups for each in group}

    def add(self, refused: Sequence[K]) -> None:
        """Notes that several were refused together: its halves are to be tried next."""
        half = len(refused) // 2
        self._groups.extendleft((tuple(refused[half:]), tuple(refused[:half])))

    def take(self) -> tuple[K, ...]:
        """Takes the group that is to be tried next; () if there is none."""
        return self._groups.popleft() if self._groups else ()
