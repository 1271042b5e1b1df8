"""What the soak knows of the lab: an operation, and the state that operations lead to.  Pure.

The state is what was done to the lab, not what came of it; from it follows what may be done next,
what must be mended before the laws are looked at, and what they demand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CHASSIS_PROCESSES = ("ovsdb-server", "ovs-vswitchd", "ovn-controller", "svc-controller")
DATABASES = ("ovnnb_db", "ovnsb_db", "svcnb_db", "svcsb_db")
GROUPS = ("red", "green")
# One chassis and its tunnels and databases are always there to look at.
UNHURT = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing done to the lab, as it is printed: 'NAME TARGET VALUE'."""

    name: str
    target: str = ""
    value: str = ""

    def __str__(self) -> str:
        return " ".join(word for word in (self.name, self.target, self.value) if word)


@dataclass(frozen=True, slots=True)
class Vpn:
    """A tenant's VPN: its group and the chassis it is pinned to, "" for none.

    'spare' says that it has a second connection, to a peer that is not there; 'enabled' that its
    first one is enabled.
    """

    group: str = ""
    pin: str = ""
    spare: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What was done to the lab and not undone.

    'groups' has the number of standbys of each group, 'near' the tenants whose guests are the ports
    of its Port_Group, if it has one; 'ended' and 'stopped' are processes as (host, name); 'foreign'
    are rows of others on a tenant's router as (tenant, words), 'likes' which kind of gateway a
    tenant's site has, where that is not the usual one; 'pins' are chassis to which the container of
    a VPN that is gone is pinned, which holds when it comes again.
    """

    chassis: tuple[str, ...]
    northds: tuple[str, ...]
    tenants: tuple[int, ...]
    vpns: Mapping[int, Vpn] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    near: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    drained: frozenset[str] = frozenset()
    weightless: frozenset[str] = frozenset()
    limited: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    cut: frozenset[str] = frozenset()
    ended: frozenset[tuple[str, str]] = frozenset()
    stopped: frozenset[tuple[str, str]] = frozenset()
    foreign: frozenset[tuple[str, str]] = frozenset()
    likes: Mapping[int, str] = field(default_factory=dict)
    pins: Mapping[int, str] = field(default_factory=dict)

    def list_usable(self) -> list[str]:
        """Returns the chassis that take any container once everything is mended."""
        refused = self.drained | self.weightless | self.limited
        return [name for name in self.chassis if name not in refused]

    def list_near(self, vpn: Vpn) -> list[str]:
        """Returns the chassis on which a VPN's group lets it run."""
        numbers = self.near.get(vpn.group)
        if numbers is None:
            return list(self.chassis)
        hosts = {place_guest(self.chassis, number) for number in numbers}
        return [name for name in self.chassis if name in hosts]

    def list_places(self, vpn: Vpn) -> list[str]:
        """Returns the chassis that take a VPN's container once everything is mended."""
        usable = self.list_usable()
        return [name for name in self.list_near(vpn) if name in usable and vpn.pin in ("", name)]

    def list_unhurt(self) -> list[str]:
        """Returns the chassis that are alive and not cut, with all of their processes."""
        hurt = self.dead | self.cut | {host for host, _ in self.ended | self.stopped}
        return [name for name in self.chassis if name not in hurt]

    def has_commands(self) -> bool:
        """Says whether svcctl can reach the databases: it asks others before it changes one."""
        return not any(("central", name) in self.ended for name in DATABASES)

    def is_sound(self) -> bool:
        """Says whether every VPN has a place once everything is mended, and the lab bears it."""
        return (
            bool(self.list_usable())
            and all(self.list_places(vpn) for vpn in self.vpns.values())
            and len(self.list_unhurt()) >= UNHURT
        )

    def set_vpn(self, number: int, vpn: Vpn | None) -> State:
        """Returns the state with that VPN, or without it."""
        others = {each: there for each, there in self.vpns.items() if each != number}
        vpns = dict(sorted({**others, number: vpn}.items())) if vpn else others
        return dataclasses.replace(self, vpns=vpns)

    def list_demanded(self) -> list[int]:
        """Returns the VPNs through which traffic must pass."""
        return [number for number, vpn in self.vpns.items() if vpn.enabled]


def place_guest(chassis: Sequence[str], number: int) -> str:
    """Returns the chassis of a tenant's guest."""
    return chassis[(number - 1) % len(chassis)]
