"""When each container is looked at though nothing was told of it.

Netlink, the local OVSDB and pidfds tell most of what goes wrong on a host; a
look at everything finds the rest.  A look at one container costs some requests
to the kernel, so the looks are spread, and take a small share of the time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

INTERVAL_MS = 30_000
TICK_MS = 1000
BUDGET_MS = 20


@dataclass(slots=True)
class Sweep:
    """What is left of a round of looks; a round begins INTERVAL_MS after the last, if that is
    over."""

    left: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _round_at_ms: int = 0
    _tick_at_ms: int = 0

    def begins(self, now_ms: int) -> bool:
        """Returns whether a round is to begin now: 'left' is to be filled then."""
        if self.left or now_ms < self._round_at_ms:
            return False
        self._round_at_ms = now_ms + INTERVAL_MS
        return True

    def is_due(self, now_ms: int) -> bool:
        """Returns whether some of 'left' are to be looked at now, for BUDGET_MS."""
        return bool(self.left) and now_ms >= self._tick_at_ms

    def rest(self, begun_ms: int, ended_ms: int) -> None:
        """Notes from when to when some were looked at: one look may take more than BUDGET_MS."""
        self._tick_at_ms = begun_ms + max(TICK_MS, (ended_ms - begun_ms) * TICK_MS // BUDGET_MS)

    def hasten(self) -> None:
        """Makes a round begin at once."""
        self.left.clear()
        self._round_at_ms = 0

    def find_next_ms(self) -> int:
        """Returns when there is something to do again."""
        return self._tick_at_ms if self.left else self._round_at_ms
