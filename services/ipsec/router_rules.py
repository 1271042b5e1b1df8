"""What a logical router of OVN must be like for a VPN on it: problems as sentences.

Pure.  svcctl asks before it writes a row and svc-northd asks of every row that
it finds, as with 'rules'.  A function named ..._problem returns None if all is
well.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from uuid import UUID

from ...lib.addresses import Subnet, find_overlap, overlap, parse_network, quote
from ...lib.router import Route, Router, address_problem, misplacement_problem
from . import rules
from .rows import IPsecConnection, VPNService


def make_container_name(router: UUID) -> str:
    """Returns the name of the container of a router: it is an interface name too."""
    return f"vpn-{router.hex[:11]}"


def service_problem(
    service: VPNService, router: Router, held: AbstractSet[str] = frozenset()
) -> str | None:
    """Returns what keeps 'router' from serving 'service' in address mode routed.

    Of the addresses that its container has already, 'held', it is no problem if
    something else comes to have them: who is served keeps what it has.
    """
    name = quote(router.name)
    if router.is_gateway:
        return f"router {name} is a gateway router, which is not served yet"
    if not router.gateway_ports:
        return f"router {name} has no distributed gateway port"
    problems = (
        (misplacement_problem if address in held else address_problem)(router, address)
        for address in service.external_ips
    )
    return next((problem for problem in problems if problem is not None), None)


def find_detached(service: VPNService, router: Router) -> str | None:
    """Returns a sentence if a local subnet of a service is nowhere behind its router.

    A default route leads outside and tells nothing.
    """
    for text in service.local_subnets:
        subnet = parse_network(text)
        if subnet is None or any(overlap(subnet, each) for each in router.networks):
            continue
        if not any(_leads_to(each, subnet) for each in router.routes):
            name = quote(router.name)
            return (
                f"local subnet {subnet} is not behind router {name}: no network or route of it is"
            )
    return None


def _leads_to(route: Route, subnet: Subnet) -> bool:
    """Returns whether a route is to a part of a subnet, be it one that OVN follows at times."""
    leads = not route.discards and not route.by_source and bool(route.prefix.prefixlen)
    return leads and overlap(subnet, route.prefix)


def connection_problem(connection: IPsecConnection, router: Router) -> str | None:
    """Returns what keeps 'router' from sending the traffic of 'connection' to the tunnel."""
    peer = connection.peer_address
    if peer in router.addresses:
        return f"peer address {peer} is an address of router {quote(router.name)} itself"
    return network_problem(connection, router)


def network_problem(connection: IPsecConnection, router: Router) -> str | None:
    """Returns a sentence if a peer subnet is also a network of the router itself."""
    found = find_overlap(rules.parse_subnets(connection.peer_subnets), router.networks)
    if found is None:
        return None
    return f"peer subnet {found[0]} overlaps network {found[1]} of router {quote(router.name)}"
