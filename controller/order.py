"""The kinds of things that a container consists of on its chassis, and their order.

Each kind is a frozen dataclass that compares by value, so that desired and
actual state are told apart with '=='.  They are applied in ORDER and removed
in the reverse: a container leaves its mark (the state directory) before
anything else of it exists, and the mark goes last, so whatever point
svc-controller dies at, the next one knows what is ours.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The directory of a container under RUNDIR/containers, mode 0700."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The network namespace with the name of the container."""


@dataclass(frozen=True, slots=True)
class Link:
    """The veth pair: the container's name outside, 'svc0' inside.

    'offload' is whether checksums may be left to the other end; 'up' whether
    the end outside is administratively up, which it is not while fenced.
    """

    mac: str
    mtu: int
    offload: bool
    up: bool = True


@dataclass(frozen=True, slots=True)
class SwitchPort:
    """The Port and Interface rows in the local Open_vSwitch."""

    bridge: str
    iface_id: str
    mac: str


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the main table: through 'gateway', or unreachable without one."""

    destination: str
    gateway: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """What is inside the namespace: addresses ("A/N"), routes, filter, forwarding.

    'loopback' are the addresses on lo beside 127.0.0.1 and ::1; 'ruleset' is
    the body of the nft table that is ours.  Each tuple is sorted.
    """

    addresses: tuple[str, ...]
    loopback: tuple[str, ...]
    routes: tuple[Route, ...]
    ruleset: str


@dataclass(frozen=True, slots=True)
class Daemon:
    """The service's programs, with what they are to do.

    'settings' is what the service type made of the configuration; 'secrets'
    are still sealed, sorted by name.
    """

    service_type: str
    settings: object
    secrets: tuple[tuple[str, str], ...]
    active: bool
    generation: int


Resource = StateDirectory | Namespace | Link | SwitchPort | Network | Daemon
Kind = type[Resource]

ORDER: tuple[Kind, ...] = (StateDirectory, Namespace, Link, SwitchPort, Network, Daemon)

# What has to go before a thing that is not there (any more) can be made: Open
# vSwitch would go on with the link that it knew by the same name.
DEPENDENTS: dict[Kind, tuple[Kind, ...]] = {Link: (SwitchPort,)}
