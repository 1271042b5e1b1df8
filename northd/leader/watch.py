"""What is missing for too long: the beat of the active svc-northd, or a northbound.

By the clock of the one that watches.  Time in which it did not run itself is
not held against anybody.  Pure; pace.py says why no process is relieved for
being busy.
"""

from __future__ import annotations

from enum import Enum, auto

from .pace import BEAT_INTERVAL_MS, FIRST_PATIENCE_MS, LEAST_PATIENCE_MS, LONGEST_PATIENCE_MS

# For so long a northbound may be away until the southbound is left to another.
MOST_ABSENCE_MS = 8000
# So much patience has one that was never seen to beat, whatever its row says.
LONGEST_UNSEEN_MS = 60_000
_STALL_MS = 3 * BEAT_INTERVAL_MS


class Step(Enum):
    """What one that stands by does next."""

    WAIT = auto()
    PROBE = auto()
    TAKE = auto()


class Watch:
    """Waits for the beat of another svc-northd.

    Before it is relieved the server is probed: what it had yet to tell is
    then known, and one that was busy itself for long gets the time to pass on
    the beats that wait for it.  Time in which this process did not run counts
    as one interval.
    """

    def __init__(self) -> None:
        self._mark: object = None
        self._seen_ms: int | None = None
        self._looked_ms = 0
        self._patience_ms = LEAST_PATIENCE_MS
        self._beats = False
        self._probed_ms: int | None = None
        self._forgave_server = False

    def begin(self) -> None:
        """Gives whoever leads the full time from the next look on."""
        self._seen_ms, self._beats = None, False

    def look(
        self, now_ms: int, mark: object, patience_ms: int, answered: bool, *, freed: bool = False
    ) -> Step:
        """Returns what to do at 'now_ms' (monotonic).

        'mark' changes with each beat; 'patience_ms' is what the active one asks
        for; 'answered' is whether the server answered the last probe; 'freed'
        is whether the server gave its lock to us.
        """
        self._forgive_stall(now_ms)
        if self._seen_ms is None or mark != self._mark:
            self._beats = self._seen_ms is not None
            self._mark, self._seen_ms = mark, now_ms
            self._probed_ms, self._forgave_server = None, False
        self._patience_ms = find_patience(patience_ms, beats=self._beats, freed=freed)
        if now_ms - self._seen_ms < self._patience_ms:
            return Step.WAIT
        if self._probed_ms is None:
            self._probed_ms = now_ms
            return Step.PROBE
        return self._decide(now_ms, self._probed_ms) if answered else Step.WAIT

    def find_deadline_ms(self) -> int | None:
        """Returns when the next look is due, None if it is once something arrived."""
        if self._seen_ms is None or self._probed_ms is not None:
            return None
        return self._seen_ms + self._patience_ms

    def _decide(self, now_ms: int, probed_ms: int) -> Step:
        if now_ms - probed_ms > BEAT_INTERVAL_MS and not self._forgave_server:
            self._forgave_server = True
            self._probed_ms = None
            self._seen_ms = now_ms - self._patience_ms + 2 * BEAT_INTERVAL_MS
            return Step.WAIT
        self.begin()
        return Step.TAKE

    def _forgive_stall(self, now_ms: int) -> None:
        gap_ms, self._looked_ms = now_ms - self._looked_ms, now_ms
        if self._seen_ms is not None and gap_ms > _STALL_MS:
            self._seen_ms += gap_ms - BEAT_INTERVAL_MS


def find_patience(asked_ms: int, *, beats: bool, freed: bool) -> int:
    """Returns for how long in ms a beat may be late, of one that asks for 'asked_ms'.

    'beats' is whether it was seen to beat, 'freed' whether the server gave its
    lock to us: then it ended most likely, and a beat and what a pass of it
    takes (pace.py) is waited for, in case it did not.
    """
    longest_ms = LONGEST_PATIENCE_MS if beats else LONGEST_UNSEEN_MS
    patience_ms = min(max(LEAST_PATIENCE_MS, asked_ms), longest_ms)
    if not freed:
        return patience_ms
    busy_ms = (patience_ms - BEAT_INTERVAL_MS) // 2 if patience_ms > LEAST_PATIENCE_MS else 0
    return min(patience_ms, busy_ms + 3 * BEAT_INTERVAL_MS // 2, FIRST_PATIENCE_MS)


class Absence:
    """For how long something was missing, by what each look found.

    Time in which this process did not run counts as one interval.
    """

    def __init__(self) -> None:
        self._looked_ms: int | None = None
        self._missing_ms = 0

    def note(self, now_ms: int, missing: bool) -> bool:
        """Notes a look at 'now_ms' (monotonic); returns whether it was missing for too long."""
        before_ms, self._looked_ms = self._looked_ms, now_ms if missing else None
        if before_ms is None:
            self._missing_ms = 0
        else:
            self._missing_ms += min(now_ms - before_ms, BEAT_INTERVAL_MS)
        return missing and self._missing_ms > MOST_ABSENCE_MS
