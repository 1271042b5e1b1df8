"""The interface of a service type's host half, and the registry.

A type is a class found through the entry-point group 'ovnsvc.service_types';
its name there is the service_type of a Container_Binding.  svc-controller
makes one object of it.  The type says whether this host can run it (probe),
turns a configuration into what the namespace needs (plan, pure) and makes one
Service for each container.

A Service is driven by the loop of svc-controller: apply() notes what is
wanted, run() does what can be done now without blocking, wait() arms the
poller.  What it started outlives svc-controller; a new Service for the same
Place takes it over.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import ovs.poller

from ...lib.delta import Desired
from ...lib.loop import monotonic_ms
from ...lib.rows import Row
from ..order import Daemon, Network

ENTRY_POINTS = "ovnsvc.service_types"

clock_ms = monotonic_ms

UNKNOWN = ""
STARTING = "starting"
RUNNING = "running"
ERROR = "error"


@dataclass(frozen=True, slots=True)
class Site:
    """The port of a container: the pure input that plan() has beside the configuration."""

    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a container needs: its network and the service's own settings."""

    network: Network
    settings: object


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service runs, and the files it may make; they go with the container."""

    container: str
    chassis: str
    directory: str
    log_path: str
    unseal: Callable[[str], str] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Status:
    """What a Container_Binding says of a service; 'code' UNKNOWN: nothing new yet."""

    code: str
    message: str
    reached_generation: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the host can run a type: 'problem' says why not.

    'facts' go into Chassis:other_config.
    """

    problem: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A southbound table that a service type writes; it has a column 'chassis'."""

    row_class: type[Row]
    key: Callable[[Any], Hashable]


class Service(Protocol):
    """One container's programs."""

    def apply(self, wanted: Daemon) -> None:
        """Notes what is wanted from now on.

        A standby (not Daemon.active) is made ready and opens nothing to a peer.
        """

    def set_installed(self, installed: bool) -> None:
        """Notes whether OVN has installed the container's port on this chassis.

        Called before each run().  Without it no packet leaves, so what an
        active container opens to a peer it opens once the port is installed;
        what is open stays when the port goes, until the container stands by.
        """

    def run(self, now_ms: int) -> None:
        """Does what can be done now; 'now_ms' is a clock that only goes forward."""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what run() waits for."""

    def status(self) -> Status:
        """Returns how the service is."""

    def rows(self) -> Sequence[Desired]:
        """Returns the southbound rows of the service's own, such as IPsec_Tunnel."""

    def check(self) -> None:
        """Looks at what no event tells of; called now and then."""

    def stop(self) -> bool:
        """Ends the programs; returns False while that is still under way."""

    def release(self) -> None:
        """Lets go of the programs, which stay."""


class ServiceType(Protocol):
    """A kind of service."""

    def probe(self) -> Probe:
        """Returns whether this host can run it."""

    def plan(self, configuration: str, site: Site) -> Plan:
        """Returns what 'configuration' asks for; raises ConfigError. Pure."""

    def create(self, place: Place, restarts: int) -> Service:
        """Returns the service of a container, which takes over what runs there already."""

    def tables(self) -> Sequence[Table]:
        """Returns the southbound tables that rows() writes."""


def load_types() -> tuple[dict[str, ServiceType], list[str]]:
    """Returns the installed service types by name, and a sentence on each that fails to load.

    To be called before the log is opened: a module of python-ovs' vlog can
    only be made until then.
    """
    types: dict[str, ServiceType] = {}
    problems = []
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            types[entry.name] = entry.load()()
        except Exception as error:  # somebody else's plug-in must not end the daemon
            problems.append(f"service type {entry.name} cannot be loaded: {error!r}")
    return types, problems
