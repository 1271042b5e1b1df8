"""Whether the rows under a former name of this host are its own, by what is seen of them.  Pure.

They are another host's if another key or another incarnation wrote them, or if their heartbeat
goes on.  A copy of this host's disk has its key, and knows its incarnation; so besides one of
these is required:

* this very process wrote them;
* this host wrote them in this boot;
* their heartbeat has stood still for longer than svc-northd waits for one, without a gap in what
  was seen.  Then what was bound there has got another place already.

One move of the heartbeat may be the last word of a svc-controller before this one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .kept_names import Host, Name

# A heartbeat that stands still has missed as many.
_LEAST_MISSED = 3
_MOST_MOVES = 1


@dataclass(frozen=True, slots=True)
class Sight:
    """What stands under the name; without a row in Chassis_Private no incarnation."""

    public_key: str | None
    incarnation: str = ""
    heartbeat: int = 0
    heartbeat_interval_ms: int = 0


@dataclass(slots=True)
class FormerRow:
    """What was seen of the rows under 'name' over time; all times are monotonic, in ms.

    'incarnation' is that of this process, 'next_ms' when is_ours() may turn out otherwise.
    """

    name: Name
    host: Host
    public_key: str
    incarnation: str
    next_ms: int | None = None
    _seen: Sight | None = None
    _moves: int = 0
    _doubted: bool = False

    def interrupt(self) -> None:
        """Notes that nothing is seen for the time being."""
        self.next_ms = None

    def find_stranger(self, sight: Sight | None, dead_after_ms: int, now_ms: int) -> str:
        """Takes what is seen; returns in words why it is another host's, "" if it may be ours."""
        if sight is None:
            return ""
        if self.name.host.machine != self.host.machine:
            return "the disk of this host is a copy of that of another one, which had that name"
        if sight.public_key != self.public_key:
            return "another host has registered there"
        if sight.incarnation not in self.name.incarnations:
            return "another svc-controller than those of this host has written them"
        moved = self._seen is not None and sight.heartbeat != self._seen.heartbeat
        if self._seen is None or moved or self.next_ms is None:
            missed_ms = _LEAST_MISSED * sight.heartbeat_interval_ms
            self.next_ms = now_ms + max(dead_after_ms, missed_ms) + 1
        self._seen = sight
        self._moves += moved
        if self._moves > _MOST_MOVES and not self._is_own:
            return "their heartbeat goes on, as of a host whose disk was copied"
        self._doubted |= moved
        return ""

    def is_ours(self, now_ms: int) -> bool:
        """Returns whether what was seen last is proved to be ours."""
        if self._is_own:
            return True
        if self.name.host == self.host and not self._doubted:
            return True
        return self.next_ms is not None and now_ms >= self.next_ms

    @property
    def _is_own(self) -> bool:
        """Whether this very process wrote what was seen; no copy of a disk did that."""
        return self._seen is not None and self._seen.incarnation == self.incarnation
