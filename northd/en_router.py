"""Node 'router': what matters of each logical router of OVN.

The rows of svc-northd itself are left out, so that a router looks the same
before and after a VPN was put on it.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from . import ovn

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class GatewayPort:
    """A distributed gateway port of a router."""

    uuid: UUID
    name: str
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Router:
    """A logical router: addresses of its ports, its routes, its NAT addresses.

    'is_gateway' tells a router that is bound to one chassis as a whole
    (options:chassis) from a distributed one.
    """

    uuid: UUID
    name: str
    networks: tuple[Network, ...]
    addresses: frozenset[str]
    routes: tuple[Network, ...]
    nat_addresses: frozenset[str]
    gateway_ports: tuple[GatewayPort, ...]
    is_gateway: bool

    @property
    def container(self) -> str:
        """The name of the container that serves this router."""
        return make_container_name(self.uuid)


def run(
    routers: Mapping[UUID, ovn.LogicalRouter],
    ports: Mapping[UUID, ovn.LogicalRouterPort],
    routes: Mapping[UUID, ovn.StaticRoute],
    nats: Mapping[UUID, ovn.NAT],
) -> Mapping[UUID, Router]:
    """Returns the routers by UUID."""
    return {uuid: _make(row, ports, routes, nats) for uuid, row in routers.items()}


def make_container_name(router: UUID) -> str:
    """Returns the name of the container of a router: it is an interface name too."""
    return f"vpn-{router.hex[:11]}"


def _make(
    row: ovn.LogicalRouter,
    ports: Mapping[UUID, ovn.LogicalRouterPort],
    routes: Mapping[UUID, ovn.StaticRoute],
    nats: Mapping[UUID, ovn.NAT],
) -> Router:
    own_ports = [ports[uuid] for uuid in row.ports if uuid in ports]
    foreign = [port for port in own_ports if ovn.find_key(port.external_ids) is None]
    foreign_routes = [
        routes[uuid].ip_prefix
        for uuid in row.static_routes
        if uuid in routes and _leads_somewhere(routes[uuid])
    ]
    foreign_nats = [
        nats[uuid].external_ip
        for uuid in row.nat
        if uuid in nats and ovn.find_key(nats[uuid].external_ids) is None
    ]
    return Router(
        uuid=row.uuid,
        name=row.name,
        networks=_parse(text for port in foreign for text in port.networks),
        addresses=frozenset(text.split("/")[0] for port in foreign for text in port.networks),
        routes=_parse(foreign_routes),
        nat_addresses=frozenset(foreign_nats),
        gateway_ports=tuple(
            GatewayPort(port.uuid, port.name, _parse(port.networks))
            for port in foreign
            if port.gateway_chassis or port.ha_chassis_group
        ),
        is_gateway="chassis" in row.options,
    )


def _leads_somewhere(route: ovn.StaticRoute) -> bool:
    """Returns whether a foreign route takes every packet to its prefix to a next hop."""
    foreign = ovn.find_key(route.external_ids) is None
    by_destination = route.policy in (None, "dst-ip") and not route.route_table
    return foreign and by_destination and route.nexthop != "discard"


def _parse(texts: Iterable[str]) -> tuple[Network, ...]:
    """Returns the networks among 'texts'; what OVN itself cannot read is left out."""
    networks = (parse_network(text) for text in texts)
    found = [network for network in networks if network is not None]
    return tuple(sorted(found, key=lambda network: (network.version, network)))


@functools.lru_cache(maxsize=65536)
def parse_network(text: str) -> Network | None:
    """Returns the network of "ADDRESS/LENGTH", None if that cannot be read."""
    try:
        return ipaddress.ip_interface(text).network
    except ValueError:
        return None
