"""How often each event happened in this process, by the name of the event (coverage/show).

As Open vSwitch's lib/coverage.c: what is counted decides nothing, and is for whoever looks at a
daemon that is busy, or is not.
"""

from __future__ import annotations

import time
from collections import deque

_SLOT_MS = 5000
_MINUTE = 60_000 // _SLOT_MS
_HOUR = 3_600_000 // _SLOT_MS


class Event:
    """One event: how often it happened, in all and in each of the last slots of 5 s."""

    __slots__ = ("_counts", "_open", "_slot", "total")

    def __init__(self, now_ms: int) -> None:
        self.total = 0
        self._slot = now_ms // _SLOT_MS
        self._open = 0
        self._counts: deque[int] = deque(maxlen=_HOUR)

    def count(self, now_ms: int, times: int = 1) -> None:
        """Notes that it happened."""
        self._turn(now_ms)
        self.total += times
        self._open += times

    def find_rates(self, now_ms: int) -> tuple[float, float, float]:
        """Returns how often a second it happened in the last 5 s, minute and hour that are over."""
        self._turn(now_ms)
        counts = list(self._counts)
        slots = (1, _MINUTE, _HOUR)
        first, minute, hour = (sum(counts[-each:]) * 1000 / (each * _SLOT_MS) for each in slots)
        return first, minute, hour

    def _turn(self, now_ms: int) -> None:
        """Closes the slots that are over."""
        passed = now_ms // _SLOT_MS - self._slot
        if passed <= 0:
            return
        self._counts.append(self._open)
        self._counts.extend([0] * min(passed - 1, _HOUR))
        self._open = 0
        self._slot += passed


_EVENTS: dict[str, Event] = {}


def count(name: str, times: int = 1) -> None:
    """Notes that the event 'name' happened."""
    now_ms = _read_clock()
    event = _EVENTS.get(name)
    if event is None:
        event = _EVENTS[name] = Event(now_ms)
    event.count(now_ms, times)


def find_total(name: str) -> int | None:
    """Returns how often an event happened, None if there is none of this name."""
    event = _EVENTS.get(name)
    return event.total if event is not None else None


def format_events() -> str:
    """Returns a line for each event that happened, as coverage/show of Open vSwitch."""
    now_ms = _read_clock()
    lines = ["Event coverage, avg rate over last: 5 seconds, last minute, last hour:"]
    for name, event in sorted(_EVENTS.items()):
        first, minute, hour = event.find_rates(now_ms)
        rates = f"{first:10.1f}/sec {minute:9.3f}/sec {hour:13.4f}/sec"
        lines.append(f"{name:<24} {rates}   total: {event.total}")
    return "\n".join(lines)


def _read_clock() -> int:
    return int(time.monotonic() * 1000)
