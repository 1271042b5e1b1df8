"""Node 'router': what matters of each logical router of OVN (lib/router.py)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ..lib.router import GatewayPort, Router, parse_hosts, parse_networks
from . import ovn


def run(
    routers: Mapping[UUID, ovn.LogicalRouter],
    ports: Mapping[UUID, ovn.LogicalRouterPort],
    routes: Mapping[UUID, ovn.StaticRoute],
    nats: Mapping[UUID, ovn.NAT],
) -> Mapping[UUID, Router]:
    """Returns the routers by UUID."""
    return {uuid: _make(row, ports, routes, nats) for uuid, row in routers.items()}


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
        networks=parse_networks(text for port in foreign for text in port.networks),
        addresses=parse_hosts(text for port in foreign for text in port.networks),
        routes=parse_networks(foreign_routes),
        nat_addresses=frozenset(foreign_nats),
        gateway_ports=tuple(
            GatewayPort(port.uuid, port.name, parse_networks(port.networks))
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
