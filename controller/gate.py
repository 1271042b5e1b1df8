"""Keeps a transaction that the server refuses from being sent over and over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..lib.delta import Change

COMMIT_AGAIN_MS = 1000
_LONGEST_AGAIN_MS = 8000


@dataclass(slots=True)
class Gate:
    """What was let pass last, and when the same may pass again."""

    changes: Sequence[Change] = field(default_factory=list)
    again_at_ms: int = 0
    _again_ms: int = COMMIT_AGAIN_MS

    def admit(self, changes: Sequence[Change], now_ms: int) -> bool:
        """Returns whether to send 'changes' now; the same ones more and more seldom."""
        same = changes == self.changes
        if not changes or (same and now_ms < self.again_at_ms):
            return False
        self._again_ms = min(2 * self._again_ms, _LONGEST_AGAIN_MS) if same else COMMIT_AGAIN_MS
        self.changes = changes
        self.again_at_ms = now_ms + self._again_ms
        return True
