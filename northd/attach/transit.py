"""A link of its own between a router and a container: a transit switch with two ports.

Each link is a /30 of 169.254.0.0/16 that is free on that router, the router's
end first.  A link that is there stays as it is while its network does not clash
with another one of the router, so the memory of an allocation is the router
port itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import netaddr

from ...lib.addresses import Subnet, parse_network
from ...lib.delta import Desired, Parent, Ref
from ...lib.router import Router
from ..ovn import rows as ovn
from .port import Port, Unattached, make_mac, make_row

KIND = "transit"
RANGE = ipaddress.IPv4Network("169.254.0.0/16")
# Clouds serve their metadata at this address (RFC 3927 leaves it to them).
METADATA = "169.254.169.254"
NO_CHASSIS = "none"
_LENGTH = 30


def make_router_port_name(logical_port: str) -> str:
    """Returns the name of the router's port on the link."""
    return f"{logical_port}-lrp"


def attach(
    router: Router, logical_port: str, interface: str, present: Iterable[str]
) -> Port | Unattached:
    """Returns the container's end of the link; 'present' are the networks that the link has."""
    network = _choose(list(present), router)
    if network is None:
        return Unattached(interface, "no free /30 of 169.254.0.0/16 is left on the router")
    return Port(
        interface=interface,
        kind=KIND,
        logical_port=logical_port,
        mac=make_mac(f"{logical_port}/container"),
        addresses=(f"{network[2]}/{_LENGTH}",),
        gateways=(str(network[1]),),
        router=router.uuid,
        in_port=make_router_port_name(logical_port),
        next_hops={4: str(network[2])},
    )


def make_rows(container: str, port: Port, chassis: str) -> list[Desired]:
    """Returns the transit switch, the router's port on it and the container's, on 'chassis'."""
    name, prefix = port.logical_port, make_key_prefix(container, port)
    switch = Ref(ovn.LogicalSwitch.TABLE, prefix)
    on_switch = Parent(ovn.LogicalSwitch.TABLE, switch, "ports")
    address = port.next_hops[4]
    return [
        make_row(ovn.LogicalSwitch, prefix, {"name": f"svc-{name}"}),
        make_row(
            ovn.LogicalRouterPort,
            f"{prefix}/lrp",
            {
                "name": port.in_port,
                "mac": make_mac(f"{name}/router"),
                "networks": (f"{port.gateways[0]}/{_LENGTH}",),
            },
            Parent(ovn.LogicalRouter.TABLE, port.router, "ports"),
        ),
        make_row(
            ovn.LogicalSwitchPort,
            f"{prefix}/router",
            {
                "name": f"{name}-router",
                "type": "router",
                "addresses": ("router",),
                "options": {"router-port": port.in_port},
            },
            on_switch,
        ),
        make_row(
            ovn.LogicalSwitchPort,
            f"{prefix}/container",
            {
                "name": name,
                "type": "",
                "addresses": (f"{port.mac} {address}",),
                "options": {"requested-chassis": chassis},
            },
            on_switch,
        ),
    ]


def make_key_prefix(container: str, port: Port) -> str:
    """Returns what the keys of a link's rows begin with: the first port's is the container's."""
    first = port.logical_port == container
    return container if first else f"{container}/{port.interface}"


def _choose(present: list[str], router: Router) -> ipaddress.IPv4Network | None:
    used = [net for net in (*router.networks, *router.routes) if net.prefixlen]
    kept = parse_network(present[0]) if present else None
    if isinstance(kept, ipaddress.IPv4Network) and _fits(kept, used):
        return kept
    return _find_free(used)


def _fits(network: ipaddress.IPv4Network, used: Iterable[Subnet]) -> bool:
    if network.prefixlen != _LENGTH or not network.subnet_of(RANGE):
        return False
    if ipaddress.IPv4Address(METADATA) in network:
        return False
    return not any(net.version == 4 and net.overlaps(network) for net in used)


def _find_free(used: Iterable[Subnet]) -> ipaddress.IPv4Network | None:
    near = [str(net) for net in used if net.version == 4 and net.overlaps(RANGE)]
    if not near:
        return next(RANGE.subnets(new_prefix=_LENGTH))
    free = netaddr.IPSet([str(RANGE)]) - netaddr.IPSet([*near, METADATA])
    for block in free.iter_cidrs():
        if block.prefixlen <= _LENGTH:
            return ipaddress.IPv4Network(str(next(iter(block.subnet(_LENGTH)))))
    return None
