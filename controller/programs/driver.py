"""Driver of the programs of containers: one Service for each, whatever its type."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ovs.poller
import ovs.vlog

from ...lib.errors import HostError
from ...services.api.host import HostHalf, Sandbox, Service, ServiceMaker, Workload
from ..host import Unfinished
from .supervisor import Supervisor

vlog = ovs.vlog.Vlog("services")

_TYPE_FILE = "service_type"
_RETRY_MS = 1000


@dataclass(slots=True)
class _Running:
    service_type: str
    service: Service
    wanted: Workload | None = None
    problem: str | None = None
    run_at_ms: int = 0


@dataclass(slots=True)
class ServiceDriver:
    """The services of this host; 'make_sandbox' says where a container's programs run."""

    types: Mapping[str, HostHalf]
    make_sandbox: Callable[[str], Sandbox]
    find_restarts: Callable[[str], int]
    _running: dict[str, _Running] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _stopping: dict[str, Service] = field(default_factory=dict)
    _installed: set[str] = field(default_factory=set)

    def owned(self) -> set[str]:
        return set(self._running) | set(self._stopping)

    def read(self, container: str) -> Workload | None:
        running = self._running.get(container)
        if running is None:
            return None
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
        running.service.apply(wanted)
        running.wanted = wanted
        running.run_at_ms = 0

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
        if not self._stopping[container].stop():
            return False
        self._stopping.pop(container).release()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._type_path(container))
        return True

    def find_service(self, container: str) -> Service | None:
        """Returns the service that runs for 'container'."""
        running = self._running.get(container)
        return running.service if running else None

    def note_installed(self, containers: set[str]) -> None:
        """Notes the containers whose port OVN has installed."""
        self._installed = containers
        for container, each in self._running.items():
            each.service.set_installed(container in containers)

    def run(self, now_ms: int) -> None:
        """Lets each service do what it can do now; what one raises harms its container only."""
        for container, each in self._running.items():
            if now_ms < each.run_at_ms:
                continue
            sentence = _find_failure(container, each.service, now_ms)
            if sentence is not None:
                each.run_at_ms = now_ms + _RETRY_MS
                self._failed.add(container)
                if sentence != each.problem:
                    vlog.warn(f"{container}: {sentence}")
            each.problem = sentence
        for container, service in self._stopping.items():
            _find_failure(container, service, now_ms)

    def take_failed(self) -> set[str]:
        """Returns the containers whose service failed since the last call."""
        failed, self._failed = self._failed, set()
        return failed

    def find_problem(self, container: str) -> str | None:
        """Returns why the service of 'container' could not do its work at its last run."""
        running = self._running.get(container)
        return running.problem if running else None

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for each service."""
        for each in self._running.values():
            if each.problem is None:
                each.service.wait(poller, now_ms)
            else:
                poller.timer_wait(max(0, each.run_at_ms - now_ms))
        for service in self._stopping.values():
            service.wait(poller, now_ms)

    def release(self) -> None:
        """Lets go of all programs, which stay."""
        for each in self._running.values():
            each.service.release()
        for service in self._stopping.values():
            service.release()
        self._running.clear()
        self._stopping.clear()

    def _create(self, container: str, name: str) -> _Running:
        service_type = self.types.get(name)
        if service_type is None:
            raise HostError(f"service type {name} is not installed on this chassis")
        restarts = self.find_restarts(container)
        running = _Running(name, self._make_service(service_type, container, restarts))
        running.service.set_installed(container in self._installed)
        self._running[container] = running
        return running

    def _make_service(self, half: HostHalf, container: str, restarts: int) -> Service:
        sandbox = self.make_sandbox(container)
        if isinstance(half, ServiceMaker):
            return half.create(sandbox, restarts)
        return Supervisor(sandbox, restarts)

    def _write_type(self, container: str, name: str) -> None:
        if name in self.types and self._read_type(container) != name:
            with open(self._type_path(container), "w", encoding="utf-8") as file:
                file.write(name)

    def _read_type(self, container: str) -> str | None:
        path = self._type_path(container)
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            return file.read()
        return None

    def _type_path(self, container: str) -> str:
        return os.path.join(self.make_sandbox(container).directory, _TYPE_FILE)


def _find_failure(container: str, service: Service, now_ms: int) -> str | None:
    """Runs 'service' once; returns in a sentence what it raised."""
    try:
        service.run(now_ms)
    except (HostError, OSError) as error:
        return f"the service cannot go on: {error}"
    except Exception as error:  # a mistake in one type or row must not reach the others
        vlog.exception(f"{container}: unexpected failure of the service")
        return f"the service cannot go on: {error!r}"
    return None
