"""A link of its own between a router and a container: a transit switch with two ports.

Each link is a /30 of 169.254.0.0/16 that nothing else on that router has, the
router's end first.  They are given out for a router as a whole, since OVN finds
the port that a policy leads out by from its next hop alone
(northd/northd.c, get_outport_for_routing_policy_nexthop).  A link that is there
stays as it is while its network does not clash with another one of the router,
so the memory of the allocation is the router ports themselves.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from uuid import UUID

import netaddr

from ...lib.addresses import Subnet, overlap, parse_network
from ...lib.delta import Desired, Parent, Ref
from ...lib.router import Router
from ..ovn import rows as ovn
from .port import Port, Unattached, make_mac, make_row

KIND = "transit"
RANGE = ipaddress.IPv4Network("169.254.0.0/16")
# Clouds serve their metadata at this address (RFC 3927 leaves it to them).
METADATA = ipaddress.IPv4Address("169.254.169.254")
NO_CHASSIS = "none"
_LENGTH = 30
_LINK_ADDRESSES = 4
# Most routers have one of the first links.
_LATELY = 64


def make_router_port_name(logical_port: str) -> str:
    """Returns the name of the router's port on the link."""
    return f"{logical_port}-lrp"


def allocate(
    router: Router, present: Mapping[str, str], wanted: Iterable[str]
) -> dict[str, ipaddress.IPv4Network]:
    """Returns the network of each router port in 'wanted' for which there is one.

    'present' is what our ports on the router have by name, also those that nobody
    wants any more, or whose containers go on as they were: these go first, since
    they do not move.  New ones get what is free in the order of their names.
    """
    # What is discarded, or routed by its source or from some ports only, takes no link away.
    routes = (each for each in router.routes if not (each.discards or each.by_source or each.table))
    used = [net for net in (*router.networks, *(each.prefix for each in routes)) if net.prefixlen]
    names = set(wanted)
    kept: dict[ipaddress.IPv4Network, str] = {}
    for name in sorted(present, key=lambda name: (name in names, name)):
        network = parse_network(present[name])
        if isinstance(network, ipaddress.IPv4Network) and _fits(network, used):
            kept.setdefault(network, name)
    found = {name: network for network, name in kept.items()}
    free = _find_free([*used, *kept])
    for name in sorted(names):
        if name not in found and (network := next(free, None)) is not None:
            found[name] = network
    return {name: found[name] for name in names & found.keys()}


def attach(
    router: UUID, logical_port: str, interface: str, network: ipaddress.IPv4Network | None
) -> Port | Unattached:
    """Returns the container's end of the link that has 'network'."""
    if network is None:
        return Unattached(interface, "no free /30 of 169.254.0.0/16 is left on the router")
    address = str(network[2])
    return Port(
        interface=interface,
        kind=KIND,
        logical_port=logical_port,
        mac=make_mac(f"{logical_port}/container"),
        addresses=(f"{address}/{_LENGTH}",),
        gateways=(str(network[1]),),
        router=router,
        in_port=make_router_port_name(logical_port),
        next_hops={4: address},
    )


def make_rows(container: str, port: Port, chassis: str) -> list[Desired]:
    """Returns the transit switch, the router's port on it and the container's, on 'chassis'."""
    name, prefix = port.logical_port, make_key_prefix(container, port)
    switch = Ref(ovn.LogicalSwitch.TABLE, prefix)
    on_switch = Parent(ovn.LogicalSwitch.TABLE, switch, "ports")
    address = port.next_hops[4]
    ports = tuple(
        Ref(ovn.LogicalSwitchPort.TABLE, f"{prefix}/{end}") for end in ("router", "container")
    )
    return [
        make_row(ovn.LogicalSwitch, prefix, {"name": f"svc-{name}", "ports": ports}),
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


def _fits(network: ipaddress.IPv4Network, used: Iterable[Subnet]) -> bool:
    if network.prefixlen != _LENGTH or not network.subnet_of(RANGE):
        return False
    if METADATA in network:
        return False
    return not any(overlap(net, network) for net in used)


def _find_free(used: Iterable[Subnet]) -> Iterator[ipaddress.IPv4Network]:
    """Yields the networks that are free, in order; nothing is computed for those not asked for."""
    near = [str(net) for net in used if overlap(net, RANGE)]
    if not near:  # as on most routers; a set would cost more than all the rest
        links = map(_find_link, range(RANGE.num_addresses // _LINK_ADDRESSES))
        yield from (link for link in links if METADATA not in link)
        return
    free = netaddr.IPSet([str(RANGE)]) - netaddr.IPSet([*near, str(METADATA)])
    blocks = (each for each in free.iter_cidrs() if each.prefixlen <= _LENGTH)
    for link in chain.from_iterable(block.subnet(_LENGTH) for block in blocks):
        yield ipaddress.IPv4Network(str(link))


@functools.lru_cache(_LATELY)
def _find_link(number: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network((int(RANGE[0]) + _LINK_ADDRESSES * number, _LENGTH))
