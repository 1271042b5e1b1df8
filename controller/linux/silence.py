"""Whether a daemon that does not answer hangs, or only works slowly.  Pure.

A process that was stopped says nothing and is seen to be stopped.  One whose
main thread sleeps though it was asked hangs.  One that computes, or waits for a
processor or a disk, is busy or on a slow machine: its answer comes late, and
that is no failure for much longer.  Time in which nobody looked does not count:
whoever looks may have been stopped with the rest of the host.
"""

from __future__ import annotations

from dataclasses import dataclass

STOPPED = "is stopped"
SILENT = "does not answer"

# More time than this between two looks is not the daemon's.
_MOST_BETWEEN_LOOKS_MS = 2000
# A main thread may sleep while it waits for another one that works (ovsrcu_synchronize()).
ASLEEP_MS = 5000
BUSY_MS = 60_000

# States of proc_pid_stat(5): stopped or traced, and asleep.
_STOPPED_STATES = "Tt"
_ASLEEP_STATE = "S"


@dataclass(frozen=True, slots=True)
class Activity:
    """A look at a main thread: its state, and how much processor time it has used, in ticks."""

    state: str
    ticks: int


@dataclass(slots=True)
class Silence:
    """How long one daemon has been silent; 'patience_ms' is the least that it is given.

    'known' is what an earlier svc-controller found, which holds until there is an answer.
    """

    patience_ms: int
    known: str = ""
    _seen: Activity | None = None
    _looked_ms: int | None = None
    _stopped_ms: int = 0
    _asleep_ms: int = 0
    _all_ms: int = 0

    @property
    def begun(self) -> bool:
        """Whether a question is open."""
        return self._looked_ms is not None

    def begin(self, now_ms: int, seen: Activity | None) -> None:
        """Notes that the daemon is asked, and how it was seen; None if it cannot be seen."""
        if self._looked_ms is None:
            self._looked_ms, self._seen = now_ms, seen

    def end(self) -> None:
        """Notes that it answered."""
        self.known = ""
        self._looked_ms = self._seen = None
        self._stopped_ms = self._asleep_ms = self._all_ms = 0

    def look(self, now_ms: int, seen: Activity | None) -> None:
        """Notes how it is seen, still without an answer."""
        if self._looked_ms is None:
            return
        passed_ms = min(max(0, now_ms - self._looked_ms), _MOST_BETWEEN_LOOKS_MS)
        before, self._seen, self._looked_ms = self._seen, seen, now_ms
        self._all_ms += passed_ms
        still = before is not None and before == seen
        stopped = still and seen is not None and seen.state in _STOPPED_STATES
        asleep = still and seen is not None and seen.state == _ASLEEP_STATE
        self._stopped_ms = self._stopped_ms + passed_ms if stopped else 0
        self._asleep_ms = self._asleep_ms + passed_ms if stopped or asleep else 0

    def find_problem(self) -> str:
        """Returns what is wrong with it, "" while it may be well."""
        if self._stopped_ms >= self.patience_ms:
            return STOPPED
        asleep = self._asleep_ms >= max(ASLEEP_MS, self.patience_ms)
        return SILENT if asleep or self._all_ms >= BUSY_MS else self.known
