"""How often the active svc-northd beats, how much patience it asks for, and when it gives way.

The active svc-northd beats: it writes a number that grows in table Northd, and
with it how long the next beat may take, its patience.  Those that stand by
watch the number (watch.py), and relieve one that is killed, stopped, hangs, or is
cut off from the server without a word.

No process may be relieved for being busy, and no two may relieve each other in
turns: the patience is a multiple of what passes took of late, it starts long
enough for a first pass, and one that relieves another asks for twice the
patience of its predecessor until its own first pass is over.  The longest
patience is only there to be one: were it shorter than a pass can take, two
would relieve each other for ever.

One whose passes fail beats all the same, so it gives way by itself.  Pure.
"""

from __future__ import annotations

from collections import deque

BEAT_INTERVAL_MS = 500
LEAST_PATIENCE_MS = 2000
FIRST_PATIENCE_MS = 8000
LONGEST_PATIENCE_MS = 3_600_000
# For so long no pass may succeed until another one gets its turn.
FIRST_TURN_MS = 10_000
LONGEST_TURN_MS = 80_000
_RECENT_MS = 60_000


class Pace:
    """How much patience the active svc-northd asks for; all times are monotonic."""

    def __init__(self) -> None:
        self._first_ms = 0
        self._spans: deque[tuple[int, int]] = deque()

    def begin(self, inherited_ms: int) -> None:
        """Begins a term; 'inherited_ms' is the patience of the one that was relieved, or 0."""
        self._first_ms = max(FIRST_PATIENCE_MS, 2 * inherited_ms)
        self._spans.clear()

    def note(self, now_ms: int, span_ms: int) -> None:
        """Notes that no beat could be written for 'span_ms' until 'now_ms'."""
        while self._spans and self._spans[-1][1] <= span_ms:
            self._spans.pop()
        self._spans.append((now_ms, span_ms))

    def end_first_pass(self) -> bool:
        """Notes that a pass was done; returns whether it was the first of the term."""
        first, self._first_ms = self._first_ms, 0
        return first != 0

    def find_patience(self, now_ms: int) -> int:
        """Returns for how long in ms a beat may be late."""
        while self._spans and now_ms - self._spans[0][0] > _RECENT_MS:
            self._spans.popleft()
        longest_ms = self._spans[0][1] if self._spans else 0
        wanted_ms = max(LEAST_PATIENCE_MS, self._first_ms, 2 * longest_ms + BEAT_INTERVAL_MS)
        return min(wanted_ms, LONGEST_PATIENCE_MS)


class Turn:
    """For how long the active svc-northd goes on though no pass succeeds; times are monotonic.

    Each turn that ends without a whole pass makes the next one longer, so that
    two that both cannot work take turns without spinning.
    """

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._longest_ms = FIRST_TURN_MS
        self._over = False

    def begin(self) -> None:
        """Begins a term as the active one."""
        self._since_ms, self._over = None, False

    def note_pass(self) -> None:
        """Notes that a whole pass ended."""
        self.begin()
        self._longest_ms = FIRST_TURN_MS

    def note_failure(self, now_ms: int) -> None:
        """Notes that a pass failed."""
        if self._since_ms is None:
            self._since_ms = now_ms
        self._over = now_ms - self._since_ms > self._longest_ms

    def take_end(self) -> bool:
        """Returns whether it is another one's turn; the next failure begins one of ours, longer."""
        if not self._over:
            return False
        self.begin()
        self._longest_ms = min(2 * self._longest_ms, LONGEST_TURN_MS)
        return True
