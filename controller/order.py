"""The kinds of things that a container consists of on its chassis, and their order.

Each kind is a frozen dataclass that compares by value, so that desired and
actual state are told apart with '=='.  They are applied in ORDER and removed
in the reverse: a container leaves its mark (the state directory) before
anything else of it exists, and the mark goes last, so whatever point
svc-controller dies at, the next one knows what is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..services.api.host import Network, Workload


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


Resource = StateDirectory | Namespace | Link | SwitchPort | Network | Workload
Kind = type[Resource]

ORDER: tuple[Kind, ...] = (StateDirectory, Namespace, Link, SwitchPort, Network, Workload)

# What has to go before a thing that is not there (any more) can be made: Open
# vSwitch would go on with the link that it knew by the same name.
DEPENDENTS: dict[Kind, tuple[Kind, ...]] = {Link: (SwitchPort,)}
