"""As many file descriptors as a host with many containers needs.

python-ovs waits with select(), which fails from descriptor 1024 on, and a
process may have 1024 by default.  loop.py calls 'use_poll' and 'raise_limit'
once, before it waits for anything.
"""

from __future__ import annotations

import resource
import select
from typing import Any

import ovs.poller

MOST_DESCRIPTORS = 1 << 20
# poll() takes its timeout as a C int.
_LONGEST_WAIT_MS = 2**31 - 1


class _Poll:
    """What ovs.poller.Poller waits with, by poll(): register(), then poll() once."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, file: Any, events: int) -> None:
        """Adds 'events' to what is waited for on a descriptor or on what has a fileno()."""
        number = file if isinstance(file, int) else file.fileno()
        self._events[number] = self._events.get(number, 0) | events

    def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
        """Returns the descriptors with what happened on each; waits for ever if below 0."""
        waiting = select.poll()
        for number, events in self._events.items():
            waiting.register(number, events)
        return waiting.poll(min(timeout_ms, _LONGEST_WAIT_MS))


def use_poll() -> None:
    """Makes each ovs.poller.Poller wait by poll()."""
    ovs.poller.SelectPoll = _Poll


def raise_limit() -> None:
    """Lets this process have MOST_DESCRIPTORS, or as many as it may have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= MOST_DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_DESCRIPTORS, hard))
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_DESCRIPTORS, MOST_DESCRIPTORS))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
