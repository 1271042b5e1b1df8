"""What OVN has on the networks outside of routers: who else is there, and whether they are reached.

Nothing of it is known while OVN_Southbound was never read; then nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol
from uuid import UUID

from ...lib.addresses import canonical_address, quote
from ...lib.router import GatewayPort, Router
from .node import Datum, Read

# Types of Port_Binding, keys of its options, and a key of Chassis (ovn-sb(5)).
LOCALNET = "localnet"
REDIRECT = "chassisredirect"
PEER = "peer"
NETWORK = "network_name"
ROUTER_PORT = "distributed-port"
MAPPINGS = "ovn-bridge-mappings"
# What others have, as against ports that lead to routers or to other switches.
_OF_OTHERS = ("", "virtual", "external", "localport", "vtep")


class OutsidePort(Protocol):
    """A row of Port_Binding."""

    @property
    def logical_port(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """What kind of port it is."""

    @property
    def datapath(self) -> UUID:
        """The switch or router that it is on."""

    @property
    def mac(self) -> tuple[str, ...]:
        """A MAC address and the addresses of each guest there, as text."""

    @property
    def chassis(self) -> UUID | None:
        """Where it is bound, None for nowhere."""

    @property
    def options(self) -> Mapping[str, str]:
        """What leads on from it."""


class OutsideChassis(Protocol):
    """A row of Chassis."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def external_ids(self) -> Mapping[str, str]:
        """What ovn-controller found set; as 'other_config' since OVN 22.09."""

    @property
    def other_config(self) -> Mapping[str, str]:
        """What ovn-controller found set."""


OUTSIDE_PORT: Datum[UUID, OutsidePort] = Datum("outside.Port_Binding")
OUTSIDE_CHASSIS: Datum[UUID, OutsideChassis] = Datum("outside.Chassis")
# By address: ports of others that have it.
NEIGHBOURS_BY_ADDRESS: Datum[str, AbstractSet[UUID]] = Datum("outside ports by address")
# By the name of a router's port: the switch's port that leads to it, and what binds it somewhere.
JOINTS_BY_ROUTER_PORT: Datum[str, AbstractSet[UUID]] = Datum("outside joints by router port")
REDIRECTS_BY_ROUTER_PORT: Datum[str, AbstractSet[UUID]] = Datum("outside redirects by router port")
# By switch: its ports to a network of the chassis.  By network: the chassis that have it.
LOCALNETS_BY_SWITCH: Datum[UUID, AbstractSet[UUID]] = Datum("outside localnets by switch")
CHASSIS_BY_NETWORK: Datum[str, AbstractSet[UUID]] = Datum("outside chassis by network")
# By the name of a chassis: why OVN's part of it does not work, in words.
OVN_TROUBLE: Datum[str, str] = Datum("ovn_trouble")

# What a node that calls find_neighbour() has among its inputs, and one that calls
# find_gateway_problem().
NEIGHBOUR_DATA: tuple[Datum[Any, Any], ...] = (
    OUTSIDE_PORT,
    NEIGHBOURS_BY_ADDRESS,
    JOINTS_BY_ROUTER_PORT,
)
GATEWAY_DATA: tuple[Datum[Any, Any], ...] = (
    OUTSIDE_PORT,
    OUTSIDE_CHASSIS,
    JOINTS_BY_ROUTER_PORT,
    REDIRECTS_BY_ROUTER_PORT,
    LOCALNETS_BY_SWITCH,
    CHASSIS_BY_NETWORK,
    OVN_TROUBLE,
)


def list_addresses(_uuid: UUID, port: OutsidePort) -> Iterable[str]:
    """Returns the addresses that a port of somebody else has, behind its MAC address."""
    if port.type not in _OF_OTHERS:
        return ()
    return {canonical_address(each) for text in port.mac for each in text.split()[1:]}


def list_networks(_uuid: UUID, chassis: OutsideChassis) -> Iterable[str]:
    """Returns the provider networks that a chassis has a bridge for."""
    texts = (each.get(MAPPINGS, "") for each in (chassis.other_config, chassis.external_ids))
    return {each.partition(":")[0].strip() for text in texts for each in text.split(",")} - {""}


def find_neighbour(read: Read, router: Router, address: str) -> str | None:
    """Returns which port on a network outside of 'router' has an address, in words."""
    for uuid in sorted(read(NEIGHBOURS_BY_ADDRESS, canonical_address(address)) or ()):
        port = read(OUTSIDE_PORT, uuid)
        if port is not None and port.datapath in _find_switches(read, router.gateway_ports):
            return f"port {quote(port.logical_port)} of a switch outside"
    return None


def find_gateway_problem(read: Read, router: Router) -> str | None:
    """Returns a sentence if nothing gets through a gateway port of 'router' as OVN stands."""
    found = (_find_problem_of(read, router, port) for port in router.gateway_ports)
    return next((each for each in found if each is not None), None)


def _find_problem_of(read: Read, router: Router, port: GatewayPort) -> str | None:
    subject = f"gateway port {quote(port.name)} of router {quote(router.name)}"
    bound = list(_read_all(read, read(REDIRECTS_BY_ROUTER_PORT, port.name)))
    if not bound:
        return None
    holder = next((each.chassis for each in bound if each.chassis is not None), None)
    chassis = read(OUTSIDE_CHASSIS, holder) if holder is not None else None
    if chassis is None or holder is None:
        return f"{subject} is on no chassis: none that may have it is there"
    trouble = read(OVN_TROUBLE, chassis.name)
    if trouble is not None:
        where = f"chassis {quote(chassis.name)} ({trouble})"
        return f"{subject} is on {where}: what has moved is not reached from outside"
    networks = sorted(set(_find_networks(read, port)))
    holders = {each: read(CHASSIS_BY_NETWORK, each) or frozenset() for each in networks}
    # Of the segments of a network a chassis has the one that it is on.
    if not networks or any(holder in each for each in holders.values()):
        return None
    if any(holders.values()):
        lack = f"chassis {quote(chassis.name)}, where it is, does not map"
    else:
        lack = "no chassis maps"
    names = " or ".join(map(quote, networks))
    return f"{subject} leads nowhere: {lack} network {names} ({MAPPINGS})"


def _find_networks(read: Read, port: GatewayPort) -> Iterator[str]:
    for switch in sorted(_find_switches(read, (port,))):
        for each in _read_all(read, read(LOCALNETS_BY_SWITCH, switch)):
            network = each.options.get(NETWORK)
            if network:
                yield network


def _find_switches(read: Read, ports: Iterable[GatewayPort]) -> set[UUID]:
    joints = (read(JOINTS_BY_ROUTER_PORT, port.name) for port in ports)
    return {each.datapath for uuids in joints for each in _read_all(read, uuids)}


def _read_all(read: Read, uuids: AbstractSet[UUID] | None) -> Iterator[OutsidePort]:
    for uuid in sorted(uuids or ()):
        port = read(OUTSIDE_PORT, uuid)
        if port is not None:
            yield port
