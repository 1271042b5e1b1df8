"""What one chassis says of itself: its heartbeat, how late that may be, its load.  Pure.

For liveness.py.

What is asked of a chassis and what it does differ for a while: it learns of an
option later than svc-northd, and beats on as it was last told.  So it says with
each heartbeat by which interval it beats, and is judged by the longest of what
is asked and what it says.  Whoever was granted a longer time before an option
changed has it until two heartbeats have come since: a chassis that is cut off
does not know of the change either, and fences its containers by the old time.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..lib import sb
from ..lib.numbers import parse_number
from ..lib.options import HEARTBEATS_MISSED, MOST_HEARTBEAT_INTERVAL_MS
from .options import Options

_BEATS_OF_GRACE = 2


@dataclass(slots=True)
class Pulse:
    """When a heartbeat was last read to move (monotonic ms), and by what the next is expected.

    'death_ms' is when Chassis_Weight says that the chassis died.  'interval_ms'
    is what the chassis said that it beats by, or else the longest that it was
    asked for.
    """

    row: sb.ChassisPrivate
    seen_ms: int
    alive: bool
    death_ms: int | None
    interval_ms: int
    granted_ms: int = 0
    grace_beats: int = 0

    def read(self, row: sb.ChassisPrivate) -> bool:
        """Takes the row as it is; returns whether its heartbeat moved."""
        before, self.row = self.row, row
        if (before.incarnation, before.heartbeat) == (row.incarnation, row.heartbeat):
            return False
        self.interval_ms = read_interval(row) or self.interval_ms
        self.grace_beats -= 1
        if self.grace_beats <= 0:
            self.granted_ms = self.grace_beats = 0
        return True

    def change_options(self, before: Options, after: Options) -> None:
        """Goes on granting what was granted, for as long as the chassis may not know."""
        granted_ms = self._find_limit(before)
        if granted_ms > self._find_expected(after):
            self.granted_ms, self.grace_beats = granted_ms, _BEATS_OF_GRACE
        if not read_interval(self.row):
            self.interval_ms = max(self.interval_ms, before.heartbeat_interval_ms)

    def is_silent(self, now_ms: int, options: Options) -> bool:
        """Returns whether it is overdue by half: of a heartbeat and a half nothing was read."""
        interval_ms = max(self.interval_ms, options.heartbeat_interval_ms)
        limit_ms = max(self._find_limit(options) // 2, interval_ms * 3 // 2)
        return now_ms > self.seen_ms + limit_ms

    def find_deadline(self, options: Options) -> int:
        """Returns from when on the chassis is overdue."""
        return self.seen_ms + self._find_limit(options)

    def _find_limit(self, options: Options) -> int:
        return max(self._find_expected(options), self.granted_ms)

    def _find_expected(self, options: Options) -> int:
        """Returns what is asked of a chassis, or what is fair for one that beats more slowly."""
        if self.interval_ms <= options.heartbeat_interval_ms:
            return options.chassis_dead_after_ms
        return max(options.chassis_dead_after_ms, HEARTBEATS_MISSED * self.interval_ms)


def read_interval(row: sb.ChassisPrivate) -> int:
    """Returns by how many ms a chassis says that it beats, 0 if it does not say.

    No chassis is believed more than may be asked of it, or it would never die.
    """
    return min(max(0, row.heartbeat_interval or 0), MOST_HEARTBEAT_INTERVAL_MS)


def find_first_interval(options: Options) -> int:
    """Returns by how many ms a chassis may beat that is new and does not say.

    Until it has read the options it beats by the default.
    """
    return max(options.heartbeat_interval_ms, Options().heartbeat_interval_ms)


def is_overloaded(
    row: sb.ChassisPrivate, weight: sb.ChassisWeight | None, options: Options
) -> bool:
    """Returns whether the load is too high; Chassis_Weight remembers, for the hysteresis."""
    load = parse_number((row.load or {}).get("cpu", "0"), 0, 2**31 - 1) or 0
    limit = options.load_threshold
    if weight is not None and weight.overloaded:
        # One that is idle is not overloaded, however far the load must fall.
        limit = max(1, limit - options.load_hysteresis)
    return load >= limit
