"""Keeps a transaction that the server refuses from being sent over and over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..lib.delta import Change

COMMIT_AGAIN_MS = 1000


@dataclass(slots=True)
class Gate:
    """What was let pass last, and when the same may pass again."""

    changes: Sequence[Change] = field(default_factory=list)
    again_at_ms: int = 0

    def admit(self, changes: Sequence[Change], now_ms: int) -> bool:
        """Returns whether to send 'changes' now; the same ones only once in a while."""
        if not changes or (changes == self.changes and now_ms < self.again_at_ms):
            return False
        self.changes = changes
        self.again_at_ms = now_ms + COMMIT_AGAIN_MS
        return True
