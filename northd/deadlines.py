"""What is due when, by name; a deadline that is put off costs nothing until it comes.  Pure."""

from __future__ import annotations

import heapq


class Deadlines:
    """The earliest known deadline of each name; whoever takes one looks whether it still holds."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        # The entry of the heap that counts; an entry that is not here is a leftover.
        self._due_ms: dict[str, int] = {}

    def set(self, name: str, due_ms: int) -> None:
        """Makes 'name' due at 'due_ms' or before; one that is due earlier stays so."""
        before_ms = self._due_ms.get(name)
        if before_ms is None or due_ms < before_ms:
            self._due_ms[name] = due_ms
            heapq.heappush(self._heap, (due_ms, name))

    def drop(self, name: str) -> None:
        """Forgets 'name'."""
        self._due_ms.pop(name, None)

    def take_before(self, now_ms: int) -> list[str]:
        """Returns those that were due before 'now_ms', and forgets them."""
        taken = []
        while self._heap and self._heap[0][0] < now_ms:
            due_ms, name = heapq.heappop(self._heap)
            if self._due_ms.get(name) == due_ms:
                del self._due_ms[name]
                taken.append(name)
        return taken
