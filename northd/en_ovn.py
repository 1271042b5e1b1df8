"""Node 'ovn': the rows of OVN_Northbound that should be there.

For each container: a transit switch with two ports, a router port, a route to
each external address, a stateless NAT rule of the address to itself (so that
OVN answers ARP for it and hands it on untouched), and routes to peer subnets
where the router has none, since a policy is only looked at after a route was
found.  For each redirect: a router policy.

A stateful rule of an address to itself must never be made: ovs-vswitchd 3.1
aborts on it in its userspace connection tracker.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from uuid import UUID

from ..lib.addresses import Subnet
from ..lib.delta import Desired, Keys, Parent, Ref
from ..lib.router import Router, find_gateway_port
from ..lib.rows import Row
from . import ovn
from .en_container import Container, Containers
from .en_redirect import Redirect
from .en_transit import Transit, make_port_name
from .en_vpn import VPN
from .scheduler.model import Schedule

# No chassis has this name, so none claims the port of a container without a place.
NO_CHASSIS = "none"


def run(
    containers: Containers,
    transits: Mapping[str, Transit],
    plan: Schedule,
    redirects: tuple[Redirect, ...],
    verdict: VPN,
    routers: Mapping[UUID, Router],
) -> tuple[Desired, ...]:
    """Returns every row of ours."""
    peers = _find_peer_subnets(verdict)
    rows: list[Desired] = []
    for name, container in sorted(containers.by_name.items()):
        transit = transits.get(name)
        if transit is None:
            continue
        router = routers[container.router]
        rows.extend(_make_switch(name, router, transit, plan.chassis.get(name, NO_CHASSIS)))
        rows.extend(_make_addresses(container, router, transit))
        rows.extend(_make_routes(name, router, transit, peers.get(router.uuid, ())))
    rows.extend(_make_policy(rule) for rule in redirects)
    return tuple(rows)


def _find_peer_subnets(verdict: VPN) -> dict[UUID, list[str]]:
    found: dict[UUID, set[str]] = {}
    for guard in verdict.guards:
        found.setdefault(guard.router, set()).update(guard.peer_subnets)
    return {router: sorted(subnets) for router, subnets in found.items()}


def _make_switch(name: str, router: Router, transit: Transit, chassis: str) -> list[Desired]:
    """Returns the transit switch, the router's port on it and the container's."""
    switch = Ref(ovn.LogicalSwitch.TABLE, name)
    on_switch = Parent(ovn.LogicalSwitch.TABLE, switch, "ports")
    port_name = make_port_name(name)
    return [
        _row(ovn.LogicalSwitch, name, {"name": f"svc-{name}"}),
        _row(
            ovn.LogicalRouterPort,
            f"{name}/lrp",
            {
                "name": port_name,
                "mac": transit.router_mac,
                "networks": (transit.router_interface,),
            },
            Parent(ovn.LogicalRouter.TABLE, router.uuid, "ports"),
        ),
        _row(
            ovn.LogicalSwitchPort,
            f"{name}/router",
            {
                "name": f"{name}-router",
                "type": "router",
                "addresses": ("router",),
                "options": {"router-port": port_name},
            },
            on_switch,
        ),
        _row(
            ovn.LogicalSwitchPort,
            f"{name}/container",
            {
                "name": name,
                "type": "",
                "addresses": (f"{transit.container_mac} {transit.container_address}",),
                "options": {"requested-chassis": chassis},
            },
            on_switch,
        ),
    ]


def _make_addresses(container: Container, router: Router, transit: Transit) -> list[Desired]:
    """Returns route and NAT rule of each external address."""
    rows = []
    for address in container.outer_addresses:
        rows.append(_make_route(container.name, router, transit, f"{address}/32"))
        columns: dict[str, object] = {
            "type": "dnat_and_snat",
            "external_ip": address,
            "logical_ip": address,
            "options": {"stateless": "true"},
        }
        gateway = find_gateway_port(router, address)
        if len(router.gateway_ports) > 1 and gateway is not None:
            columns["gateway_port"] = gateway.uuid
        rows.append(
            _row(
                ovn.NAT,
                f"{container.name}/nat/{address}",
                columns,
                Parent(ovn.LogicalRouter.TABLE, router.uuid, "nat"),
            )
        )
    return rows


def _make_routes(
    name: str, router: Router, transit: Transit, peers: Iterable[str]
) -> list[Desired]:
    """Returns a route for each peer subnet to which the router has none that covers it."""
    covered = (*router.routes, *router.networks)
    return [
        _make_route(name, router, transit, peer) for peer in peers if not _is_covered(peer, covered)
    ]


@functools.lru_cache(maxsize=65536)
def _is_covered(peer: str, covered: tuple[Subnet, ...]) -> bool:
    network = ipaddress.IPv4Network(peer)
    return any(known.version == 4 and network.subnet_of(known) for known in covered)


def _make_route(name: str, router: Router, transit: Transit, prefix: str) -> Desired:
    return _row(
        ovn.StaticRoute,
        f"{name}/route/{prefix}",
        {
            "ip_prefix": prefix,
            "nexthop": transit.container_address,
            "output_port": make_port_name(name),
        },
        Parent(ovn.LogicalRouter.TABLE, router.uuid, "static_routes"),
    )


def _make_policy(rule: Redirect) -> Desired:
    return _row(
        ovn.RouterPolicy,
        rule.name,
        {
            "priority": rule.priority,
            "match": rule.match,
            "action": rule.action,
            "nexthops": (rule.next_hop,) if rule.next_hop else (),
        },
        Parent(ovn.LogicalRouter.TABLE, rule.router, "policies"),
    )


def _row(
    row_class: type[Row],
    key: str,
    columns: Mapping[str, object],
    parent: Parent | None = None,
) -> Desired:
    marked = {**columns, ovn.MARKED_COLUMN: Keys(ovn.make_mark(key))}
    return Desired(row_class.TABLE, key, marked, parent=parent)
