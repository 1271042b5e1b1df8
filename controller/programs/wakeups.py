"""What each service waits for, so that a wake-up costs what fired and not what is there.

A service says what it waits for as it would to a poller.  That is kept under the name of its
container: descriptors in one epoll(7), which is the only one that the loop of svc-controller
watches, and timers in a heap.  ServiceDriver asks which fired and runs those.

A descriptor that a service closed is forgotten by the kernel, and its number may be another's
by then; so watch() is to be called whenever a service may have closed or opened one.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ovs.poller
import ovs.timeval

from ..timers import Timers


@dataclass(slots=True)
class Waits:
    """Takes what a service waits for, as an ovs.poller.Poller does."""

    now_ms: int
    descriptors: dict[int, int] = field(default_factory=dict)
    at_ms: int | None = None

    def fd_wait(self, fd: Any, events: int) -> None:
        """Notes a descriptor, or what has one, and the events of poll(2) on it."""
        number = fd if isinstance(fd, int) else int(fd.fileno())
        self.descriptors[number] = self.descriptors.get(number, 0) | events

    def timer_wait(self, msec: float) -> None:
        """Notes that the service has something to do in so many ms."""
        at_ms = self.now_ms + max(0, int(msec))
        self.at_ms = at_ms if self.at_ms is None else min(self.at_ms, at_ms)

    def timer_wait_until(self, msec: float) -> None:
        """Notes a time of python-ovs' clock."""
        self.timer_wait(msec - ovs.timeval.msec())

    def immediate_wake(self) -> None:
        """Notes that the service has something to do now."""
        self.timer_wait(0)


class Wakeups:
    """Descriptors and timers by the name that they are watched for."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._descriptors: dict[str, dict[int, int]] = {}
        self._names: dict[int, set[str]] = {}
        self._timers = Timers()

    def watch(self, name: str, wait: Callable[[Any, int], None], now_ms: int) -> None:
        """Asks 'wait' what 'name' waits for from here on, in place of what it did.

        Whatever 'wait' raises is raised, and OSError for a descriptor that cannot be watched.
        """
        self.forget(name)
        waits = Waits(now_ms)
        wait(waits, now_ms)
        if waits.at_ms is not None:
            self._timers.put(name, waits.at_ms)
        for descriptor, events in waits.descriptors.items():
            self._add(name, descriptor, events)

    def set_timer(self, name: str, at_ms: int) -> None:
        """Makes 'name' be due at 'at_ms', and for nothing else."""
        self.forget(name)
        self._timers.put(name, at_ms)

    def forget(self, name: str) -> None:
        """Watches nothing for 'name' any more."""
        self._timers.drop(name)
        for descriptor in self._descriptors.pop(name, {}):
            self._drop(name, descriptor)

    def take_due(self, now_ms: int) -> set[str]:
        """Returns the names of which a descriptor or the timer fired."""
        due = self._timers.take_due(now_ms)
        stray = False
        for descriptor, _events in self._epoll.poll(0):
            names = self._names.get(descriptor, set())
            due |= names
            stray = stray or not names
        if stray:
            # Somebody closed a descriptor of which a child has a copy: epoll goes on with that.
            self._build_anew()
        return due

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for whatever fires first."""
        poller.fd_wait(self._epoll.fileno(), ovs.poller.POLLIN)
        next_ms = self._timers.find_next_ms()
        if next_ms is not None:
            poller.timer_wait(max(0, next_ms - now_ms))

    def close(self) -> None:
        """Watches nothing any more."""
        self._epoll.close()

    # -- helpers -----------------------------------------------------------

    def _add(self, name: str, descriptor: int, events: int) -> None:
        self._descriptors.setdefault(name, {})[descriptor] = events
        self._names.setdefault(descriptor, set()).add(name)
        try:
            self._register(descriptor)
        except OSError:
            self._drop(name, descriptor)
            del self._descriptors[name][descriptor]
            raise

    def _drop(self, name: str, descriptor: int) -> None:
        names = self._names[descriptor]
        names.discard(name)
        with contextlib.suppress(OSError):  # it was closed
            if names:
                self._register(descriptor)
            else:
                self._epoll.unregister(descriptor)
        if not names:
            del self._names[descriptor]

    def _register(self, descriptor: int) -> None:
        events = 0
        for name in self._names[descriptor]:
            events |= self._descriptors.get(name, {}).get(descriptor, 0)
        try:
            self._epoll.modify(descriptor, events)
        except FileNotFoundError:
            self._epoll.register(descriptor, events)

    def _build_anew(self) -> None:
        self._epoll.close()
        self._epoll = select.epoll()
        for descriptor in self._names:
            with contextlib.suppress(OSError):
                self._register(descriptor)
