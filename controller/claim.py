"""Whether this svc-controller may have the name of its chassis.  Pure.

Chassis_Private:incarnation says who writes under the name.  Each transaction is carried out by the
server only while that is so (lib/guard.py), and the row passes on by compare-and-swap:
two never both write, whoever holds or steals which lock, at whichever server or relay.  The row may
be taken

* at once if it is nobody's: there is none, or it has no incarnation;
* at once from this host in this boot (kept_names.py), so that a restart costs no time;
* at once as this process left it, but for the incarnation: somebody edited it, and nobody beats;
* from anybody else when its heartbeat has stood still for as long as a rival would need for
  several, without a gap in what was seen.

So of two hosts with one name the one that beats goes on.  The other one waits, be it the newcomer,
or one that was silent for so long that it has lost the name.  A copy of a disk has the file that
this host keeps, but is not in this boot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..lib.options import HEARTBEATS_MISSED, MOST_HEARTBEAT_INTERVAL_MS

RIVAL = "another svc-controller has it; two hosts must not have the same external_ids:system-id"
WATCHED = "another svc-controller had it, whose heartbeat is watched"
# Between two looks at a row that is another's.
LOOK_MS = 500
# A host may be busy for a moment, however short the interval is.
_LEAST_STILL_MS = 4000
# Of the time between two looks: a server or a process that was stopped saw nothing in the rest.
_MOST_COUNTED_MS = 2 * LOOK_MS


@dataclass(frozen=True, slots=True)
class Found:
    """What stood in the row when it was read; 'exists' is whether there was one."""

    exists: bool = False
    incarnation: str = ""
    heartbeat: int = 0
    heartbeat_timestamp: int = 0
    heartbeat_interval: int = 0
    nb_cfg: int = 0
    nb_cfg_timestamp: int = 0
    ovn_problem: str = ""


def find_still_ms(found: Found, interval_ms: int) -> int:
    """Returns for how long the heartbeat of another's row is to stand still.

    'interval_ms' is that by which this chassis would beat.
    """
    told_ms = min(found.heartbeat_interval, MOST_HEARTBEAT_INTERVAL_MS)
    return max(_LEAST_STILL_MS, HEARTBEATS_MISSED * max(told_ms, interval_ms))


@dataclass(slots=True)
class Claim:
    """What was seen of the row over time; all times are monotonic, in ms.

    'incarnation' is that of this process, 'lives' those of this host in this boot.
    'watching' is whether the row is another's, 'rival' whether that one is seen to beat.
    """

    incarnation: str
    lives: Collection[str] = ()
    watching: bool = False
    rival: bool = False
    _mark: tuple[bool, str, int] | None = field(default=None)
    _looked_ms: int = 0
    _still_ms: int = 0

    def is_ours(self, found: Found) -> bool:
        """Returns whether this process has the name."""
        return found.incarnation == self.incarnation

    def may_take(
        self, found: Found, last: Mapping[str, Any], interval_ms: int, now_ms: int
    ) -> bool:
        """Takes what was read at 'now_ms'; returns whether the row may be taken, as it is.

        'last' is what this process wrote last.
        """
        nobodys = not found.incarnation and not self.rival
        if nobodys or found.incarnation in self.lives or _is_as_left(found, last):
            return True
        mark = found.exists, found.incarnation, found.heartbeat
        if self._mark is None:
            self._still_ms = 0
        elif mark != self._mark:
            self._still_ms, self.rival = 0, True
        else:
            self._still_ms += min(now_ms - self._looked_ms, _MOST_COUNTED_MS)
        self._mark, self._looked_ms, self.watching = mark, now_ms, True
        return self._still_ms >= find_still_ms(found, interval_ms)

    def interrupt(self) -> None:
        """Notes that nothing is seen for the time being."""
        self._mark = None

    def end(self) -> None:
        """Notes that this process has the name."""
        self._mark, self.watching, self.rival = None, False, False


def _is_as_left(found: Found, last: Mapping[str, Any]) -> bool:
    """Returns whether nobody has beaten since this process did.  Who takes a row sets it to 0."""
    beat = found.heartbeat, found.heartbeat_timestamp
    return bool(last) and beat == (last["heartbeat"], last["heartbeat_timestamp"])
