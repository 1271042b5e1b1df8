"""The kinds of things that a container consists of on its chassis, and their order.

Each kind is a frozen dataclass that compares by value, so that desired and
actual state are told apart with '=='.  They are applied in ORDER and removed
in the reverse: a container leaves its mark (the state directory) before
anything else of it exists, and the mark goes last, so whatever point
svc-controller dies at, the next one knows what is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...services.api import FIRST_INTERFACE
from ...services.api.host import Network, Route, Rule, Workload

_DIGITS = 11


@dataclass(frozen=True, slots=True)
class StateDirectory:
    """The directory of a container under RUNDIR/containers, mode 0700."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """The network namespace with the name of the container."""


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair: 'outside' is its name on the host, 'inside' that in the namespace.

    'offload' is whether checksums may be left to the other end; 'up' whether
    the end outside is administratively up, which it is not while fenced.
    """

    inside: str
    outside: str
    mac: str
    mtu: int
    offload: bool
    up: bool = True


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a container, sorted by 'inside'."""

    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class SwitchPort:
    """The Port and Interface rows of a link in the local Open_vSwitch.

    With a 'tag' the port is an access port of that VLAN.
    """

    name: str
    bridge: str
    iface_id: str
    mac: str
    tag: int | None = None


@dataclass(frozen=True, slots=True)
class SwitchPorts:
    """The ports of a container on the integration bridge, sorted by name."""

    ports: tuple[SwitchPort, ...]


Resource = StateDirectory | Namespace | Links | SwitchPorts | Network | Workload
Kind = type[Resource]

ORDER: tuple[Kind, ...] = (StateDirectory, Namespace, Links, SwitchPorts, Network, Workload)


def name_outside(container: str, inside: str) -> str:
    """Returns the name on the host of the link that is 'inside' in the namespace."""
    if inside == FIRST_INTERFACE:
        return container
    digest = hashlib.sha256(f"{container}/{inside}".encode()).hexdigest()
    return f"svc-{digest[:_DIGITS]}"


def sort_network(network: Network) -> Network:
    """Returns 'network' in the order in which it is read from a host, whatever a type's is."""
    return replace(
        network,
        addresses=tuple(sorted(network.addresses)),
        loopback=tuple(sorted(network.loopback)),
        routes=sort_routes(network.routes),
        rules=sort_rules(network.rules),
    )


def sort_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Returns 'routes' by table, destination and gateway."""
    return tuple(
        sorted(routes, key=lambda each: (each.table, each.destination, each.gateway or ""))
    )


def sort_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Returns 'rules' by IP version, priority and source."""
    return tuple(
        sorted(rules, key=lambda each: (each.ip_version, each.priority, each.source or ""))
    )
