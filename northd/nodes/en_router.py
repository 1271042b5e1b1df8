"""Node 'router': what matters of each logical router of OVN (lib/router.py), and who finds it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from ...lib.router import GatewayPort, Router, parse_hosts, parse_networks
from ...services.api.compile import (
    ROUTER,
    ROUTERS_BY_ADDRESS,
    ROUTERS_BY_NAME,
)
from ...services.api.node import AnyNode, Index, Node, Read
from ..ovn import rows as ovn
from .tables import LOGICAL_ROUTER, LOGICAL_ROUTER_PORT, NAT, STATIC_ROUTE


def run(read: Read, uuid: UUID) -> Router | None:
    """Returns the router as it would be without what svc-northd has put on it."""
    row = read(LOGICAL_ROUTER, uuid)
    if row is None:
        return None
    ports = [port for each in row.ports if (port := read(LOGICAL_ROUTER_PORT, each))]
    foreign = [port for port in ports if ovn.find_key(port.external_ids) is None]
    routes = [route for each in row.static_routes if (route := read(STATIC_ROUTE, each))]
    nats = [nat for each in row.nat if (nat := read(NAT, each))]
    return Router(
        uuid=uuid,
        name=row.name,
        networks=parse_networks(text for port in foreign for text in port.networks),
        addresses=parse_hosts(text for port in foreign for text in port.networks),
        routes=parse_networks(route.ip_prefix for route in routes if _leads_somewhere(route)),
        nat_addresses=parse_hosts(
            nat.external_ip for nat in nats if ovn.find_key(nat.external_ids) is None
        ),
        gateway_ports=tuple(
            GatewayPort(port.uuid, port.name, parse_networks(port.networks))
            for port in foreign
            if port.gateway_chassis or port.ha_chassis_group
        ),
        is_gateway="chassis" in row.options,
        next_hops=parse_hosts(
            route.nexthop for route in routes if ovn.find_key(route.external_ids) is None
        ),
    )


def find_outside(_uuid: UUID, router: Router) -> Iterable[str]:
    """Returns the addresses for which a router answers on the network of a gateway port."""
    return router.addresses | router.nat_addresses if router.gateway_ports else ()


def _leads_somewhere(route: ovn.StaticRoute) -> bool:
    """Returns whether a foreign route takes every packet to its prefix to a next hop."""
    foreign = ovn.find_key(route.external_ids) is None
    by_destination = route.policy in (None, "dst-ip") and not route.route_table
    return foreign and by_destination and route.nexthop != "discard"


NODES: tuple[AnyNode, ...] = (
    Node(ROUTER, run, (LOGICAL_ROUTER,), (LOGICAL_ROUTER_PORT, STATIC_ROUTE, NAT)),
    # Of rows: a router that cannot be computed is not one that is gone.
    Index(ROUTERS_BY_NAME, LOGICAL_ROUTER, lambda _uuid, row: (row.name,)),
    Index(ROUTERS_BY_ADDRESS, ROUTER, find_outside),
)
