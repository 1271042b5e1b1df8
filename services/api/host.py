"""The host half of a service type: a configuration to a network and programs.

svc-controller asks the type whether this host can run it (probe) and what a
configuration comes to (plan, pure).  It makes the network, and it starts,
watches and ends the programs of the plan itself.  A type that speaks a protocol
with its programs is a ServiceMaker: it makes a Service for each container, and
drives its programs through the Sandbox that it is given.

A Service is driven by the loop of svc-controller: apply() notes what is
wanted, run() does what can be done now without blocking, wait() arms the
poller.  What it started outlives svc-controller; a new Service for the same
container takes it over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import ovs.poller

from ...lib.errors import ConfigError
from . import FIRST_INTERFACE
from .item import Item
from .program import Launch, Program

# Status:code.
UNKNOWN = ""
STARTING = "starting"
RUNNING = "running"
ERROR = "error"


# -- what a container needs ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a container, in its namespace; addresses are "A/N", the MTU in bytes."""

    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    mtu: int
    interface: str = FIRST_INTERFACE


@dataclass(frozen=True, slots=True)
class Site:
    """The ports of a container, svc0 first: the pure input of plan() beside the configuration."""

    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An address "A/N" of an interface in the namespace."""

    address: str
    interface: str = FIRST_INTERFACE


# Route:kind.
UNICAST = "unicast"
LOCAL = "local"
UNREACHABLE = "unreachable"

MAIN_TABLE = 254


@dataclass(frozen=True, slots=True)
class Route:
    """A route: by 'gateway' and 'interface' if it is UNICAST, else to here or to nowhere."""

    destination: str
    gateway: str | None = None
    source: str | None = None
    kind: str = UNICAST
    table: int = MAIN_TABLE
    interface: str = FIRST_INTERFACE


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that makes packets of a mark, or from a prefix, be looked up in 'table'."""

    priority: int
    table: int
    ip_version: int = 4
    mark: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What is inside the namespace: addresses, routes, filter, forwarding.

    'loopback' are the addresses on lo beside 127.0.0.1 and ::1; 'ruleset' is
    the body of the nft table that is ours; 'sysctls' are pairs of a path below
    /proc/sys/net, such as "ipv4/ip_nonlocal_bind", and a value.  Each tuple is
    sorted.
    """

    addresses: tuple[Address, ...]
    loopback: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    ruleset: str = ""
    rules: tuple[Rule, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a container needs: its network, its programs, and settings for a ServiceMaker."""

    network: Network
    programs: tuple[Program, ...] = ()
    settings: object = None

    def __post_init__(self) -> None:
        names = [each.name for each in self.programs]
        if len(set(names)) != len(names):
            raise ConfigError("two programs have the same name")


@dataclass(frozen=True, slots=True)
class Workload:
    """What a service is to do.

    'programs' and 'settings' are what the type made of the configuration;
    'secrets' are still sealed, sorted by name.
    """

    service_type: str
    settings: object
    secrets: tuple[tuple[str, str], ...] = field(repr=False)
    active: bool
    generation: int
    programs: tuple[Program, ...] = ()


# -- what is told -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether the host can run a type: 'problem' says why not.

    'facts' go into Chassis:other_config.  'pending' says that it is not known
    yet, for which 'problem' may say what it waits for: probe() is called again
    soon.  Until then a chassis is what it was for that type, and none of its
    containers is touched.
    """

    problem: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """What a Container_Binding says of a service; 'code' UNKNOWN: nothing new yet."""

    code: str
    message: str
    reached_generation: int = 0
    restarts: int = 0


# -- what the core gives -----------------------------------------------------


class Process(Protocol):
    """A running program, ours by birth or taken over."""

    pid: int

    def ended(self) -> str | None:
        """Returns how it ended, such as "exited with status 1"; None while it runs."""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for its end, and for the harder signal of terminate()."""

    def terminate(self, now_ms: int) -> None:
        """Asks it to end; one that does not heed that is killed at a later call."""

    def kill(self) -> None:
        """Ends it at once."""

    def send(self, number: int) -> None:
        """Sends it a signal."""

    def in_namespace(self, inode: int | None) -> bool:
        """Returns whether it runs in the network namespace with that inode number."""

    def close(self) -> None:
        """Lets go of it; it runs on."""


class Sandbox(Protocol):
    """Where the programs of one container run, and what may be done there.

    Files in 'directory', the state directory, go with the container.  Each
    method raises HostError when the host refuses.
    """

    @property
    def container(self) -> str:
        """The name of the container."""

    @property
    def directory(self) -> str:
        """The state directory; only root may enter."""

    @property
    def log_path(self) -> str:
        """The file for what programs print."""

    def unseal(self, sealed: str) -> str:
        """Returns a secret of Workload:secrets in clear; raises ConfigError."""

    def entered(self) -> AbstractContextManager[None]:
        """Is in the network namespace within the context, to open a socket there."""

    def find_namespace(self) -> int | None:
        """Returns the inode number of the namespace; None if there is none."""

    def set_mtu(self, interface: str, mtu: int) -> None:
        """Sets the MTU of an interface that a program made, if it is there."""

    def make_directory(self, name: str, user: str) -> str:
        """Makes a directory that 'user' owns in the state directory; returns its path."""

    def write_file(self, path: str, content: bytes, mode: int, user: str) -> None:
        """Writes a file of 'user' at once and whole."""

    def start(self, launch: Launch) -> Process:
        """Starts a program in the namespace, in a session of its own, and records it."""

    def adopt(self, launch: Launch, environment: str) -> Process | None:
        """Returns the program that was started as 'launch' if it still runs.

        'environment' is a "NAME=VALUE" of it that no other program has.
        """

    def bound_log(self) -> None:
        """Empties the log file when it is too large; who writes there appends.

        What was in it is kept for a while.
        """


# -- what a type gives --------------------------------------------------------


class Service(Protocol):
    """The programs of one container."""

    def apply(self, wanted: Workload) -> None:
        """Notes what is wanted from now on.

        A standby (not Workload.active) is made ready and opens nothing to a peer.
        """

    def set_installed(self, installed: bool) -> None:
        """Notes whether OVN has installed the container's port on this chassis.

        Called before run().  Without it no packet leaves, so what an active
        container opens to a peer it opens once the port is installed; what is
        open stays when the port goes, until the container stands by.
        """

    def run(self, now_ms: int) -> None:
        """Does what can be done now; 'now_ms' is a clock that only goes forward."""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what run() waits for."""

    def status(self) -> Status:
        """Returns how the service is."""

    def items(self) -> Sequence[Item]:
        """Returns what there is to tell of what the service does, by kind and name."""

    def metrics(self) -> Mapping[str, float]:
        """Returns figures by name, such as "sessions"."""

    def check(self) -> None:
        """Looks at what no event tells of; called now and then."""

    def stop(self) -> bool:
        """Ends the programs; returns False while that is still under way."""

    def release(self) -> None:
        """Lets go of the programs, which stay."""


class HostHalf(Protocol):
    """What svc-controller asks of a service type."""

    def probe(self) -> Probe:
        """Returns whether this host can run it; what takes time is asked aside, and 'pending'."""

    def plan(self, configuration: str, site: Site) -> Plan:
        """Returns what 'configuration' asks for; raises ConfigError. Pure."""


@runtime_checkable
class ServiceMaker(HostHalf, Protocol):
    """A host half that drives its programs by itself."""

    def create(self, sandbox: Sandbox, restarts: int) -> Service:
        """Returns the service of a container, which takes over what runs there already.

        'restarts' is how often its programs were started again before.
        """
