"""Driver of the programs of containers: one Service for each, whatever its type.

A service runs when something that it waits for came (wakeups.py), and after it
was told something.  What it raises, in any method, harms its container only.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import ovs.poller
import ovs.vlog

from ...lib import state_file
from ...lib.errors import HostError
from ...lib.failures import describe, format_trace
from ...lib.loop import monotonic_ms
from ...services.api.host import HostHalf, Sandbox, Service, ServiceMaker, Workload
from ..host.driver import Unfinished
from .supervisor import Supervisor
from .told import Told, ask
from .wakeups import Wakeups

vlog = ovs.vlog.Vlog("services")

_UNEXPECTED = "unexpected failure of the service"

RUN_BUDGET_MS = 100
_TYPE_FILE = "service_type"
_RETRY_MS = 1000


@dataclass(slots=True)
class _Running:
    """A service; 'told' is what it told when it ran last, None if that is not what is known."""

    service_type: str
    service: Service
    wanted: Workload | None = None
    problem: str | None = None
    told: Told | None = None


@dataclass(slots=True)
class ServiceDriver:
    """The services of this host; 'make_sandbox' says where a container's programs run.

    'ran' are the containers whose service ran and tells something else since the
    caller cleared it; 'failed' those whose service failed, or may have ended.
    """

    types: Mapping[str, HostHalf]
    make_sandbox: Callable[[str], Sandbox]
    find_restarts: Callable[[str], int]
    ran: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    _running: dict[str, _Running] = field(default_factory=dict)
    _stopping: dict[str, Service] = field(default_factory=dict)
    _installed: set[str] = field(default_factory=set)
    _due: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _wakeups: Wakeups = field(default_factory=Wakeups)

    # -- host.Driver -------------------------------------------------------

    def owned(self) -> set[str]:
        return set(self._running) | set(self._stopping)

    def owns(self, container: str) -> bool:
        return container in self._running or container in self._stopping

    def read(self, container: str) -> Workload | None:
        running = self._running.get(container)
        if running is None:
            return None
        if running.problem is None:  # else it runs when it is tried again
            self._due[container] = None
        running.service.check()
        return running.wanted if self._read_type(container) == running.service_type else None

    def apply(self, container: str, wanted: Workload) -> None:
        running = self._running.get(container)
        if running is not None and running.service_type != wanted.service_type:
            self.remove(container)
            running = None
        if container in self._stopping and not self.remove(container):
            raise Unfinished("the programs that ran before are still ending")
        self._write_type(container, wanted.service_type)
        if running is None:
            running = self._create(container, wanted.service_type)
        self._due[container] = None
        running.service.apply(wanted)
        running.wanted = wanted

    def remove(self, container: str) -> bool:
        running = self._running.pop(container, None)
        if running is not None:
            self._stopping[container] = running.service
        elif container not in self._stopping:
            recorded = self._read_type(container)
            service_type = self.types.get(recorded or "")
            if service_type is None:
                return True
            self._stopping[container] = self._make_service(service_type, container, 0)
        service = self._stopping[container]
        self._due.pop(container, None)
        self._wakeups.forget(container)
        if not service.stop():
            self._wakeups.watch(container, service.wait, monotonic_ms())
            return False
        _release(container, self._stopping.pop(container))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._type_path(container))
        return True

    # -- the loop ------------------------------------------------------------

    def note_installed(self, container: str, installed: bool) -> None:
        """Notes whether OVN has installed the ports of a container."""
        if installed == (container in self._installed):
            return
        (self._installed.add if installed else self._installed.discard)(container)
        if container in self._running:
            self._due[container] = None

    def run(self, now_ms: int) -> None:
        """Lets each service that has something to do do it; what is left waits for the next."""
        self._due.update(dict.fromkeys(sorted(self._wakeups.take_due(now_ms))))
        while self._due:
            container, _ = self._due.popitem(last=False)
            self._run_one(container, now_ms)
            if monotonic_ms() > now_ms + RUN_BUDGET_MS:
                break

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for all services."""
        if self._due:
            poller.immediate_wake()
        self._wakeups.wait(poller, now_ms)

    def release(self) -> None:
        """Lets go of all programs, which stay."""
        for container, each in self._running.items():
            _release(container, each.service)
        for container, service in self._stopping.items():
            _release(container, service)
        self._running.clear()
        self._stopping.clear()
        self._wakeups.close()

    # -- what is told ----------------------------------------------------------

    def find_told(self, container: str) -> Told:
        """Returns what the service of 'container' tells."""
        running = self._running.get(container)
        if running is None:
            return Told()
        told = ask(running.service)
        if told != running.told:
            running.told = None  # what is told now is not what it told when it ran
        if running.problem is None and told.failure is None:
            return told
        return replace(told, failure=running.problem or told.failure)

    # -- helpers -----------------------------------------------------------

    def _run_one(self, container: str, now_ms: int) -> None:
        running = self._running.get(container)
        if running is None:  # one that ends: remove() says what it waits for next
            self._wakeups.forget(container)
            self.failed.add(container)
            return
        service = running.service
        problem = _try(container, lambda: self._step(container, service, now_ms), running.problem)
        if problem is not None:
            self._wakeups.set_timer(container, now_ms + _RETRY_MS)
        self._note_problem(container, running, problem)

    def _step(self, container: str, service: Service, now_ms: int) -> None:
        service.set_installed(container in self._installed)
        service.run(now_ms)
        self._wakeups.watch(container, service.wait, now_ms)

    def _note_problem(self, container: str, running: _Running, problem: str | None) -> None:
        if problem is not None:
            self.failed.add(container)
            if problem != running.problem:
                vlog.warn(f"{container}: {problem}")
        told = ask(running.service)
        if (told, problem) != (running.told, running.problem):
            self.ran.add(container)
        running.told, running.problem = told, problem

    def _create(self, container: str, name: str) -> _Running:
        service_type = self.types.get(name)
        if service_type is None:
            raise HostError(f"service type {name} is not installed on this chassis")
        restarts = self.find_restarts(container)
        service = self._make_service(service_type, container, restarts)
        running = self._running[container] = _Running(name, service)
        return running

    def _make_service(self, half: HostHalf, container: str, restarts: int) -> Service:
        sandbox = self.make_sandbox(container)
        if isinstance(half, ServiceMaker):
            return half.create(sandbox, restarts)
        return Supervisor(sandbox, restarts)

    def _write_type(self, container: str, name: str) -> None:
        if name in self.types and self._read_type(container) != name:
            state_file.write(self._type_path(container), name.encode())

    def _read_type(self, container: str) -> str | None:
        return state_file.read_text(self._type_path(container))

    def _type_path(self, container: str) -> str:
        return os.path.join(self.make_sandbox(container).directory, _TYPE_FILE)


def _try(container: str, do: Callable[[], None], known: str | None) -> str | None:
    """Returns in a sentence what the service raised, None if nothing.

    Where it happened is logged if the sentence is not the one that is 'known'.
    """
    try:
        do()
    except (HostError, OSError) as error:
        return f"the service cannot go on: {error}"
    except Exception as error:  # a mistake in one type or row must not reach the others
        sentence = f"the service cannot go on: {describe(error)}"
        if sentence != known:
            vlog.err(f"{container}: {_UNEXPECTED}\n{format_trace(error)}")
        return sentence
    return None


def _release(container: str, service: Service) -> None:
    """Lets go of programs; one that cannot is not asked again."""
    try:
        service.release()
    except Exception as error:  # as above
        vlog.err(f"{container}: {_UNEXPECTED}\n{format_trace(error)}")
