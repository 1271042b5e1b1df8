"""What matters of a logical router of OVN to a service on it.

Pure.  Rows that svc-northd itself has put on a router are not part of a Router,
so that it looks the same before and after.  A function named ..._problem
returns None if all is well.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from .addresses import Subnet, canonical_address, parse_network, quote, read_address

OWNER_KEY = "ovnsvc"
OWNER = "svc-northd"
_LONGEST_WITH_BROADCAST = 30


@dataclass(frozen=True, slots=True)
class GatewayPort:
    """A distributed gateway port of a router."""

    uuid: UUID
    name: str
    networks: tuple[Subnet, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """A static route of a router to 'prefix', or for what comes from there with 'by_source'.

    'table' is its route table, "" for the main one.  One that 'leads' takes every
    packet somewhere; of the others OVN discards what those with 'discards' match,
    and may pass over the rest of them.
    """

    prefix: Subnet
    table: str = ""
    by_source: bool = False
    leads: bool = True
    discards: bool = False


@dataclass(frozen=True, slots=True)
class Router:
    """A logical router: addresses of its ports, its routes and next hops, its NAT addresses.

    'is_gateway' tells a router that is bound to one chassis as a whole
    (options:chassis) from a distributed one.  'tables' are the route tables that
    OVN looks into for what comes in by its ports.
    """

    uuid: UUID
    name: str
    networks: tuple[Subnet, ...]
    addresses: frozenset[str]
    routes: tuple[Route, ...]
    nat_addresses: frozenset[str]
    gateway_ports: tuple[GatewayPort, ...]
    is_gateway: bool
    next_hops: frozenset[str] = frozenset()
    tables: tuple[str, ...] = ("",)


def is_ours(external_ids: Mapping[str, str]) -> bool:
    """Returns whether svc-northd has made the row of OVN_Northbound that has 'external_ids'."""
    return external_ids.get(OWNER_KEY) == OWNER


def name_problem(name: str, count: int) -> str | None:
    """Returns what is wrong if OVN has 'count' routers whose name or UUID is 'name'."""
    if count == 0:
        return f"router {quote(name)} not found in OVN_Northbound"
    if count > 1:
        return f"{count} routers of OVN_Northbound are named {quote(name)}; give the UUID of one"
    return None


def find_gateway_port(router: Router, address: str) -> GatewayPort | None:
    """Returns the gateway port through which 'address' is reached, if that is clear."""
    if len(router.gateway_ports) == 1:
        return router.gateway_ports[0]
    parsed = ipaddress.ip_address(address)
    for port in router.gateway_ports:
        if any(parsed in network for network in port.networks):
            return port
    return None


def address_problem(router: Router, address: str) -> str | None:
    """Returns why 'address' cannot be one outside of a container, in mode routed."""
    return _find_use(router, address) or misplacement_problem(router, address)


def find_user(router: Router, address: str) -> str | None:
    """Returns what else of a router has an address, in words."""
    name = quote(router.name)
    if address in router.addresses:
        return f"router {name} itself"
    if address in router.nat_addresses:
        return f"a NAT rule of router {name}"
    if address in router.next_hops:
        return f"router {name} as the next hop of a route"
    return None


def _find_use(router: Router, address: str) -> str | None:
    """Returns what the router has an address for already."""
    user = find_user(router, address)
    if user is None:
        return None
    advice = "; mode routed needs one of its own" if address in router.addresses else ""
    return f"external address {address} is used by {user}{advice}"


def misplacement_problem(router: Router, address: str) -> str | None:
    """Returns why an address cannot be on the networks of the gateway ports."""
    name, ports = quote(router.name), router.gateway_ports
    if ports and not _has_version(router, address):
        version = 6 if ":" in address else 4
        return f"router {name} has no IPv{version} address on a gateway port"
    if _is_of_all(router, address):
        return f"external address {address} is that of a whole network of router {name}"
    if find_gateway_port(router, address) is None:
        return (
            f"external address {address} is in no network of the {len(ports)} gateway ports"
            f" of router {name}"
        )
    return None


def _has_version(router: Router, address: str) -> bool:
    """Returns whether a gateway port has an address of the same version of IP."""
    version = 6 if ":" in address else 4
    return any(each.version == version for port in router.gateway_ports for each in port.networks)


def address_warning(router: Router, address: str) -> str | None:
    """Returns what is to be seen to with an address that is in no network outside."""
    parsed = read_address(address)
    if any(parsed in each for port in router.gateway_ports for each in port.networks):
        return None
    name = quote(router.name)
    return (
        f"external address {address} is in no network of a gateway port of router {name}:"
        " others must have a route to it by that router"
    )


def _is_of_all(router: Router, address: str) -> bool:
    """Returns whether an address is a gateway port's network's own, or its broadcast address."""
    try:
        parsed = read_address(address)
    except ValueError:
        return False
    if parsed.version != 4:
        return False
    for port in router.gateway_ports:
        for network in port.networks:
            if network.version != 4 or network.prefixlen > _LONGEST_WITH_BROADCAST:
                continue
            last = 2 ** (32 - network.prefixlen) - 1
            if int(parsed) - int(network.network_address) in (0, last):
                return True
    return False


def parse_networks(texts: Iterable[str]) -> tuple[Subnet, ...]:
    """Returns the networks of the addresses in 'texts' in order, without what is none."""
    found = [network for text in texts if (network := parse_network(text)) is not None]
    if len(found) > 1:
        found.sort(key=lambda network: (network.version, network))
    return tuple(found)


def parse_hosts(texts: Iterable[str]) -> frozenset[str]:
    """Returns the addresses in 'texts', of which each may have a length after a slash."""
    return frozenset([canonical_address(text.partition("/")[0]) for text in texts])
