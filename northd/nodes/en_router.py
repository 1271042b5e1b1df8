"""Node 'router': what matters of each logical router of OVN (lib/router.py), and who finds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from uuid import UUID

from ...lib.addresses import Subnet, overlap, parse_network
from ...lib.router import GatewayPort, Route, Router, parse_hosts, parse_networks
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
    texts = [text for port in foreign for text in port.networks]
    networks = parse_networks(texts)
    return Router(
        uuid=uuid,
        name=row.name,
        networks=networks,
        addresses=parse_hosts(texts),
        routes=_read_routes(routes, networks, {port.name for port in foreign}),
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
        tables=tuple(sorted({"", *(port.options.get("route_table", "") for port in foreign)})),
    )


def find_outside(_uuid: UUID, router: Router) -> Iterable[str]:
    """Returns the addresses for which a router answers on the network of a gateway port."""
    return router.addresses | router.nat_addresses if router.gateway_ports else ()


def _read_routes(
    rows: Iterable[ovn.StaticRoute], networks: Sequence[Subnet], ports: AbstractSet[str]
) -> tuple[Route, ...]:
    """Returns the foreign routes, in an order that does not depend on their UUIDs."""
    foreign = (row for row in rows if ovn.find_key(row.external_ids) is None)
    found = {route for row in foreign if (route := _read_route(row, networks, ports)) is not None}
    return tuple(sorted(found, key=_rank))


def _rank(route: Route) -> tuple[Any, ...]:
    rest = (route.table, route.by_source, route.leads, route.discards)
    return (route.prefix.version, route.prefix, *rest)


def _read_route(
    row: ovn.StaticRoute, networks: Sequence[Subnet], ports: AbstractSet[str]
) -> Route | None:
    prefix = parse_network(row.ip_prefix)
    if prefix is None:
        return None
    # One without a port to its next hop is not there for OVN, and one with BFD only at times
    # (northd/northd.c, find_static_route_outport and parsed_routes_add).
    next_hop = parse_network(row.nexthop.partition("/")[0])
    if row.output_port is not None:
        has_port = row.output_port in ports
    else:
        has_port = any(next_hop is not None and overlap(next_hop, each) for each in networks)
    discards = row.nexthop == "discard"
    return Route(
        prefix=prefix,
        table=row.route_table,
        by_source=row.policy == "src-ip",
        leads=not discards and has_port and row.bfd is None,
        discards=discards,
    )


NODES: tuple[AnyNode, ...] = (
    Node(ROUTER, run, (LOGICAL_ROUTER,), (LOGICAL_ROUTER_PORT, STATIC_ROUTE, NAT)),
    # Of rows: a router that cannot be computed is not one that is gone.
    Index(ROUTERS_BY_NAME, LOGICAL_ROUTER, lambda _uuid, row: (row.name,)),
    Index(ROUTERS_BY_ADDRESS, ROUTER, find_outside),
)
