"""Brings the host to what is wanted: read, compare, apply in order, prune.

Called by containers.py with the containers that may not be as they should be.
One container's failure is told and retried with a growing delay; the rest goes
on.  Each pass stops after PASS_BUDGET_MS, so that the heartbeat is never late,
and goes on in the next.

    dirty ──> looked at ──> as wanted, or gone
                 │  ^
                 v  │ after LOOK_AGAIN_MS, or the delay of a failure
      removing, waiting, failures
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import ovs.vlog

from ...lib.container import is_name
from ...lib.errors import ConfigError, HostError, TransientError
from ...lib.failures import describe, format_trace
from ...lib.loop import monotonic_ms
from ...lib.moment import add_retry
from ...services.api.host import Network, Workload
from ..timers import Timers
from .desired import Container, Wanted
from .driver import Host, Unfinished
from .kinds import ORDER, Kind, Links, Namespace, Resource, StateDirectory, SwitchPorts

vlog = ovs.vlog.Vlog("reconcile")

PASS_BUDGET_MS = 100
_FIRST_RETRY_MS = 500
_LOOK_AGAIN_MS = 100
_MAX_RETRY_MS = 30_000
# A removal takes a second or two.
_LONG_MS = 10_000
_STAYS: Mapping[Kind, str] = {
    Workload: "its programs have not ended",
    Network: "its network is still there",
    SwitchPorts: "Open vSwitch has not let go of its ports",
    Links: "its links are still there",
    Namespace: "its namespace is still there",
    StateDirectory: "its state directory is still there",
}


@dataclass(slots=True)
class _Failure:
    sentence: str
    told: str
    attempts: int
    retry_at_ms: int


@dataclass(slots=True)
class _Stay:
    """What of a container has not gone yet that nobody wants, and since when it is to go."""

    since_ms: int
    kind: Kind


@dataclass(slots=True)
class Reconciler:
    """Knows which containers are to be looked at, and which failed and why.

    'removing' are containers that nobody wants and that are not gone yet;
    'waiting' are those where something must go before it can be made anew.
    'touched' are those of which something may have changed that is told.
    """

    host: Host
    dirty: OrderedDict[str, None] = field(default_factory=OrderedDict)
    removing: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    failures: dict[str, _Failure] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    clock_ms: Callable[[], int] = monotonic_ms
    _timers: Timers = field(default_factory=Timers)
    _stays: dict[str, _Stay] = field(default_factory=dict)

    def run(self, wanted: Mapping[str, Wanted]) -> str:
        """Does one pass and returns what it did in one sentence; "" if nothing."""
        started_ms = self.clock_ms()
        self.mark(self._timers.take_due(started_ms))
        return self._work(wanted, self.dirty, started_ms + PASS_BUDGET_MS)

    def look(
        self, wanted: Mapping[str, Wanted], names: OrderedDict[str, None], budget_ms: int
    ) -> str:
        """Looks at some of 'names' though nothing was told of them, and takes these away.

        Looks at one at least.
        """
        return self._work(wanted, names, self.clock_ms() + budget_ms)

    def find_next_ms(self) -> int | None:
        """Returns when run() has something to do again, events aside."""
        return 0 if self.dirty else self._timers.find_next_ms()

    def mark(self, names: Iterable[str]) -> None:
        """Makes containers be looked at; what is not a name is nothing on a host."""
        self.dirty.update((name, None) for name in names if is_name(name))

    def find_owned(self) -> set[str]:
        """Returns the containers of which anything is there with our mark."""
        return {name for driver in self.host.drivers.values() for name in driver.owned()}

    def find_problem(self, name: str) -> str | None:
        """Returns why the last attempt on a container failed, and when the next one is."""
        failure = self.failures.get(name)
        return failure.told if failure else None

    def find_left_over(self) -> dict[str, str]:
        """Returns by container why what nobody wants of it does not go, or not for long."""
        now_ms = self.clock_ms()
        found = {
            name: self.failures[name].sentence for name in self.removing & self.failures.keys()
        }
        for name, stay in self._stays.items():
            if name not in found and now_ms >= stay.since_ms + _LONG_MS:
                found[name] = _STAYS[stay.kind]
        return found

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done that can be done."""
        under_way = itertools.chain(self.removing, self.waiting)
        return not self.dirty and all(name in self.failures for name in under_way)

    def fence(self, wanted: Mapping[str, Wanted]) -> None:
        """Brings the links of all containers to what is wanted, whatever else they wait for."""
        for name in filter(is_name, wanted):
            try:
                self._set_links(wanted[name])
            except Exception as error:  # the others are to be fenced all the same
                self._fail(name, str(error))
        self.mark(wanted)

    # -- helpers -----------------------------------------------------------

    def _work(
        self, wanted: Mapping[str, Wanted], names: OrderedDict[str, None], until_ms: int
    ) -> str:
        done: list[str] = []
        while names:
            name, _ = names.popitem(last=False)
            outcome = self._run_one(name, wanted.get(name))
            self._plan_next(name)
            self.touched.add(name)
            if outcome:
                done.append(f"{name} {outcome}")
            if self.clock_ms() > until_ms:
                break
        return "; ".join(done)

    def _plan_next(self, name: str) -> None:
        failure = self.failures.get(name)
        if failure is not None:
            self._timers.put(name, failure.retry_at_ms)
        elif name in self.removing or name in self.waiting:
            self._timers.put(name, self.clock_ms() + _LOOK_AGAIN_MS)
        else:
            self._timers.drop(name)

    def _run_one(self, name: str, wanted: Wanted | None) -> str:
        try:
            outcome = self._remove(name) if wanted is None else self._bring(wanted)
        except Unfinished as error:
            self.waiting.add(name)
            self.failures.pop(name, None)
            return f"waits: {error}"
        except (HostError, TransientError, ConfigError, OSError) as error:
            return self._fail(name, str(error))
        except Exception as error:  # a mistake in handling one container stays with it
            return self._fail(name, f"unexpected failure: {describe(error)}", error)
        if self.failures.pop(name, None) is not None:
            vlog.info(f"{name}: done after a failure")
        return outcome

    def _bring(self, wanted: Wanted) -> str:
        if isinstance(wanted, Container):
            return self._apply(wanted)
        # What runs goes on with what it was last given.
        self.failures.pop(wanted.name, None)
        self._set_links(wanted)
        return ""

    def _set_links(self, wanted: Wanted) -> None:
        """Brings the links of a container that are there up or down, as wanted."""
        actual = self.host.links.read(wanted.name)
        if isinstance(actual, Links) and any(each.up != wanted.up for each in actual.links):
            self.host.links.set_up(wanted.name, wanted.up)

    def _apply(self, wanted: Container) -> str:
        name = wanted.name
        self._note_gone(name)
        changed = []
        for kind in ORDER:
            driver, resource = self.host.drivers[kind], wanted.resources[kind]
            actual = driver.read(name)
            if not self._clear(name, actual, resource):
                self.waiting.add(name)
                return "waits for what is left of before"
            if actual != resource:
                driver.apply(name, resource)
                changed.append(kind.__name__)
        self.waiting.discard(name)
        return f"applied {', '.join(changed)}" if changed else ""

    def _clear(self, name: str, actual: object, wanted: Resource) -> bool:
        """Removes the ports of links that are gone; returns whether that is done.

        Open vSwitch would go on with the link that it knew by the same name.
        """
        if not isinstance(wanted, Links):
            return True
        links = actual.links if isinstance(actual, Links) else ()
        # One without its end inside is about to go with it.
        there = {each.outside for each in links if each.inside}
        gone = {each.outside for each in wanted.links} - there
        return not gone or self.host.ports.let_go(name, gone)

    def _remove(self, name: str) -> str:
        """Removes a container as far as can be now, if anything there has our mark."""
        self.waiting.discard(name)
        first = name not in self.removing
        if first and not any(driver.owns(name) for driver in self.host.drivers.values()):
            return ""
        self.removing.add(name)
        for kind in reversed(ORDER):
            if not self.host.drivers[kind].remove(name):
                stay = self._stays.setdefault(name, _Stay(self.clock_ms(), kind))
                stay.kind = kind
                return "is being removed" if first else ""
        self._note_gone(name)
        return "removed"

    def _note_gone(self, name: str) -> None:
        """Notes that nothing of a container is to go any more."""
        self.removing.discard(name)
        self._stays.pop(name, None)

    def _fail(self, name: str, sentence: str, unexpected: Exception | None = None) -> str:
        before = self.failures.get(name)
        early = before is not None and self.clock_ms() < before.retry_at_ms
        if before is not None and early and before.sentence == sentence:
            return ""  # what is told of the next try stays, however often it is looked at
        attempts = before.attempts + 1 if before else 1
        delay_ms = min(_FIRST_RETRY_MS << min(attempts - 1, 10), _MAX_RETRY_MS)
        told = add_retry(sentence, delay_ms)
        self.failures[name] = _Failure(sentence, told, attempts, self.clock_ms() + delay_ms)
        if before is None or before.sentence != sentence:
            vlog.warn(f"{name}: {sentence}")
            if unexpected is not None:
                vlog.err(f"{name}: where it happened\n{format_trace(unexpected)}")
        return ""
