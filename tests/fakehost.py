"""A host in memory: what svc-controller made on it can be asked, and it can be told to fail.

FakeHost outlives the svc-controller under test, as a kernel does: a test makes
a second Controller on the same one.  The state directories are real, in the
test's directory; ports are rows of a real Open_vSwitch database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ovs.poller

from ..controller.host.driver import Driver, Host
from ..controller.host.kinds import Kind, Links, Namespace, StateDirectory, SwitchPorts
from ..controller.linux.directory import DirectoryDriver
from ..controller.linux.ovs import PortDriver
from ..controller.name import check_name
from ..controller.programs.driver import ServiceDriver
from ..lib.errors import ConfigError, HostError
from ..services.api import host as api
from ..services.api.host import Address, Network, Workload
from ..services.api.item import Item

MEMORY_KINDS: tuple[Kind, ...] = (Namespace, Links, Network)


@dataclass
class FakeHost:
    """'things' is what is there by kind and container; 'programs' what runs.

    'raised' is what the service of a container raises at each run.
    'answering' are the addresses that answer an echo; 'asked' those that were asked.
    'interval_ms' is how often a service looks what became of its program, None for
    never; 'metrics' and 'items' are what it tells beside its tunnels, by container.
    'reads', 'plans' and 'runs' are what was asked for, in order.
    'broken' maps (container, method of a service or its type) to what that raises.
    'failures' maps (operation, kind, container) to the sentence that the host
    refuses with, where operation is "apply" or "remove".
    """

    things: dict[tuple[Kind, str], Any] = field(default_factory=dict)
    programs: dict[str, FakeProgram] = field(default_factory=dict)
    failures: dict[tuple[str, Kind, str], str] = field(default_factory=dict)
    operations: list[tuple[str, str, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    probe: api.Probe = field(default_factory=api.Probe)
    slow: bool = False
    ovn_problem: str = ""
    ovn_expected: bool = False
    loads: int = 0
    interval_ms: int | None = 20
    metrics: dict[str, Mapping[str, float]] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)
    broken: dict[tuple[str, str], Exception] = field(default_factory=dict)
    reads: list[tuple[str, str]] = field(default_factory=list)
    plans: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    raised: dict[str, Exception] = field(default_factory=dict)
    answering: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)
    # The longest content of an echo that passes the underlay.
    longest: int | None = None
    probe_answers: set[tuple[str, int]] = field(default_factory=set)
    full_disks: tuple[str, ...] = ()

    def make_host(self, ports: PortDriver, services: ServiceDriver) -> Host:
        """Returns the drivers; Controller calls it."""
        memory: dict[Kind, Driver] = {kind: FakeDriver(self, kind) for kind in MEMORY_KINDS}
        links = FakeLinksDriver(self, Links)
        own: dict[Kind, Driver] = {
            StateDirectory: DirectoryDriver(),
            SwitchPorts: ports,
            Workload: services,
            Links: links,
        }
        return Host({**memory, **own}, links, ports)

    def lose(self, kind: Kind, container: str) -> None:
        """Removes a thing behind svc-controller's back, and lets the kernel tell."""
        del self.things[kind, container]
        self.lost.add(container)

    def find_names(self) -> set[str]:
        """Returns the containers of which anything is there."""
        return {name for _kind, name in self.things} | set(self.programs)

    def find_operations(self, container: str) -> list[str]:
        """Returns what was done to a container, in order, as 'apply Links'."""
        return [f"{what} {kind}" for what, kind, name in self.operations if name == container]

    # -- the controller's Events -------------------------------------------

    def take_lost(self, containers: Collection[str], links: Mapping[str, str]) -> set[str]:
        lost, self.lost = self.lost & set(containers), set()
        return lost

    def find_ovn_problem(self, now_ms: int, look: bool, known: str, expected: bool) -> str:
        self.ovn_expected = expected
        return self.ovn_problem

    def find_load(self, now_ms: int) -> dict[str, str]:
        self.loads += 1
        return {"cpu": str(self.loads % 100)}

    def send_echoes(self, addresses: Collection[str]) -> None:
        self.asked.extend(addresses)
        self.answers |= self.answering & set(addresses)

    def take_answers(self) -> set[str]:
        answers, self.answers = self.answers, set()
        return answers

    def send_probes(self, addresses: Collection[str], length: int) -> set[str]:
        longest = self.longest
        self.probe_answers |= {
            (each, length)
            for each in self.answering & set(addresses)
            if longest is None or length <= longest
        }
        return set()

    def take_probe_answers(self) -> set[tuple[str, int]]:
        answers, self.probe_answers = self.probe_answers, set()
        return answers

    def find_full_disks(self, now_ms: int) -> tuple[str, ...]:
        return self.full_disks

    def wait_answers(self, poller: ovs.poller.Poller) -> None:
        if self.answers:
            poller.immediate_wake()

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        if self.lost:
            poller.immediate_wake()

    def close(self) -> None:
        """Has nothing to close."""


@dataclass
class FakeDriver:
    """One kind of thing in memory."""

    host: FakeHost
    kind: Kind

    def owned(self) -> set[str]:
        return {name for kind, name in self.host.things if kind is self.kind}

    def owns(self, container: str) -> bool:
        return (self.kind, container) in self.host.things

    def read(self, container: str) -> Any | None:
        check_name(container)
        self.host.reads.append((self.kind.__name__, container))
        return self.host.things.get((self.kind, container))

    def apply(self, container: str, wanted: Any) -> None:
        self._do("apply", container)
        self.host.things[self.kind, container] = wanted

    def remove(self, container: str) -> bool:
        if self.read(container) is not None:
            self._do("remove", container)
            del self.host.things[self.kind, container]
        return True

    def _do(self, operation: str, container: str) -> None:
        sentence = self.host.failures.get((operation, self.kind, container))
        check_name(container)
        if sentence is not None:
            raise HostError(sentence)
        self.host.operations.append((operation, self.kind.__name__, container))


class FakeLinksDriver(FakeDriver):
    """The links in memory."""

    def set_up(self, container: str, up: bool) -> None:
        actual = self.host.things[Links, container]
        self.apply(container, Links(tuple(replace(each, up=up) for each in actual.links)))


class FakePortsDriver(FakeDriver):
    """Ports in memory, for a test without a local Open_vSwitch."""

    def let_go(self, container: str, names: Collection[str]) -> bool:
        return True


@dataclass
class FakeProgram:
    """What runs in a container; it outlives svc-controller.

    'serving' is whether it may open something to a peer.
    """

    given: Workload | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    starts: int = 0
    serving: bool = False
    tunnels: dict[str, str] = field(default_factory=dict)


class FakeType:
    """The service type 'fake': its configuration is {"addresses": [..]}."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def probe(self) -> api.Probe:
        return self._host.probe

    def plan(self, configuration: str, site: api.Site) -> api.Plan:
        self._host.plans.append(configuration)
        try:
            document = json.loads(configuration)
            addresses = tuple(document["addresses"])
            if document.get("mistake"):
                raise RecursionError("a mistake")
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError("the configuration makes no sense") from error
        return api.Plan(
            Network(_find_addresses(site), addresses),
            settings=document.get("tunnels", {}),
        )

    def create(self, sandbox: api.Sandbox, restarts: int) -> api.Service:
        error = self._host.broken.get((sandbox.container, "create"))
        if error is not None:
            raise error
        return FakeService(self._host, sandbox, restarts)


def _find_addresses(site: api.Site) -> tuple[Address, ...]:
    addresses = (Address(each, port.interface) for port in site.ports for each in port.addresses)
    return tuple(sorted(addresses))


class FakeService:
    """Runs at the second run() after it was told to, or never on a slow host."""

    def __init__(self, host: FakeHost, sandbox: api.Sandbox, restarts: int) -> None:
        self._host = host
        self._sandbox = sandbox
        self._restarts = restarts
        self._wanted: Workload | None = None
        self._installed = False
        self._reached = 0

    def apply(self, wanted: Workload) -> None:
        self._meet("apply")
        self._wanted = wanted

    def set_installed(self, installed: bool) -> None:
        self._meet("set_installed")
        self._installed = installed

    def run(self, now_ms: int) -> None:
        self._host.runs.append(self._sandbox.container)
        self._meet("run")
        if self._sandbox.container in self._host.raised:
            raise self._host.raised[self._sandbox.container]
        if self._wanted is None or self._host.slow:
            return
        program = self._host.programs.get(self._sandbox.container)
        if program is None:
            program = self._host.programs[self._sandbox.container] = FakeProgram()
            program.starts += 1
        if program.given != self._wanted:
            program.given = self._wanted
            unseal: Callable[[str], str] = self._sandbox.unseal
            program.secrets = {name: unseal(each) for name, each in self._wanted.secrets}
        program.serving = self._wanted.active and self._installed
        self._reached = self._wanted.generation

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        self._meet("wait")
        if self._wanted is not None and self._wanted.generation != self._reached:
            poller.timer_wait(1)
        elif self._host.interval_ms is not None:
            poller.timer_wait(self._host.interval_ms)

    def status(self) -> api.Status:
        self._meet("status")
        program = self._host.programs.get(self._sandbox.container)
        if program is None:
            return api.Status(api.STARTING, "on its way", self._reached, self._restarts)
        stands_by = self._wanted is not None and not self._wanted.active
        message = "ready; stands by" if stands_by else ""
        return api.Status(api.RUNNING, message, self._reached, self._restarts)

    def items(self) -> Sequence[Item]:
        self._meet("items")
        tunnels = self._wanted.settings if self._wanted else {}
        assert isinstance(tunnels, dict)
        own = [Item("tunnel", name, state, subject=name) for name, state in tunnels.items()]
        return [*own, *self._host.items.get(self._sandbox.container, ())]

    def metrics(self) -> Mapping[str, float]:
        self._meet("metrics")
        return self._host.metrics.get(self._sandbox.container, {})

    def check(self) -> None:
        self._meet("check")

    def stop(self) -> bool:
        self._meet("stop")
        if self._host.slow:
            return False
        self._host.programs.pop(self._sandbox.container, None)
        return True

    def release(self) -> None:
        self._meet("release")

    def _meet(self, method: str) -> None:
        """Raises what the test wants of a method."""
        error = self._host.broken.get((self._sandbox.container, method))
        if error is not None:
            raise error
