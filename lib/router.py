"""What matters of a logical router of OVN to a VPN on it: problems as sentences.

Pure.  svcctl asks before it writes a row and svc-northd asks of every row that
it finds, as with 'vpn'.  Rows that svc-northd itself has put on a router are
not part of a Router, so that it looks the same before and after.  A function
named ..._problem returns None if all is well.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from . import nb, vpn
from .addresses import Subnet, find_overlap, quote

OWNER_KEY = "ovnsvc"
OWNER = "svc-northd"


@dataclass(frozen=True, slots=True)
class GatewayPort:
    """A distributed gateway port of a router."""

    uuid: UUID
    name: str
    networks: tuple[Subnet, ...]


@dataclass(frozen=True, slots=True)
class Router:
    """A logical router: addresses of its ports, its routes, its NAT addresses.

    'is_gateway' tells a router that is bound to one chassis as a whole
    (options:chassis) from a distributed one.
    """

    uuid: UUID
    name: str
    networks: tuple[Subnet, ...]
    addresses: frozenset[str]
    routes: tuple[Subnet, ...]
    nat_addresses: frozenset[str]
    gateway_ports: tuple[GatewayPort, ...]
    is_gateway: bool

    @property
    def container(self) -> str:
        """The name of the container that serves this router."""
        return make_container_name(self.uuid)


def make_container_name(router: UUID) -> str:
    """Returns the name of the container of a router: it is an interface name too."""
    return f"vpn-{router.hex[:11]}"


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


def service_problem(service: nb.VPNService, router: Router) -> str | None:
    """Returns what keeps 'router' from serving 'service' in address mode routed."""
    name = quote(router.name)
    if router.is_gateway:
        return f"router {name} is a gateway router, which is not served yet"
    if not router.gateway_ports:
        return f"router {name} has no distributed gateway port"
    for address in service.external_ips:
        if address in router.addresses:
            return (
                f"external address {address} is an address of router {name};"
                " mode routed needs one of its own"
            )
        if address in router.nat_addresses:
            return f"external address {address} is used by a NAT rule of router {name}"
        if find_gateway_port(router, address) is None:
            return (
                f"external address {address} is in no network of the"
                f" {len(router.gateway_ports)} gateway ports of router {name}"
            )
    return None


def connection_problem(connection: nb.IPsecConnection, router: Router) -> str | None:
    """Returns what keeps 'router' from sending the traffic of 'connection' to the tunnel."""
    peer = connection.peer_address
    if peer in router.addresses:
        return f"peer address {peer} is an address of router {quote(router.name)} itself"
    return network_problem(connection, router)


def network_problem(connection: nb.IPsecConnection, router: Router) -> str | None:
    """Returns a sentence if a peer subnet is also a network of the router itself."""
    found = find_overlap(vpn.parse_subnets(connection.peer_subnets), router.networks)
    if found is None:
        return None
    return f"peer subnet {found[0]} overlaps network {found[1]} of router {quote(router.name)}"


def find_gateway_port(router: Router, address: str) -> GatewayPort | None:
    """Returns the gateway port through which 'address' is reached, if that is clear."""
    if len(router.gateway_ports) == 1:
        return router.gateway_ports[0]
    parsed = ipaddress.ip_address(address)
    for port in router.gateway_ports:
        if any(parsed in network for network in port.networks):
            return port
    return None


def parse_networks(texts: Iterable[str]) -> tuple[Subnet, ...]:
    """Returns the networks of the addresses in 'texts' in order, without what is none."""
    networks = (parse_network(text) for text in texts)
    found = [network for network in networks if network is not None]
    return tuple(sorted(found, key=lambda network: (network.version, network)))


def parse_hosts(texts: Iterable[str]) -> frozenset[str]:
    """Returns the addresses in 'texts', of which each may have a length after a slash."""
    return frozenset(text.split("/")[0] for text in texts)


@functools.lru_cache(maxsize=65536)
def parse_network(text: str) -> Subnet | None:
    """Returns the network of "ADDRESS/LENGTH", None if that cannot be read."""
    try:
        return ipaddress.ip_interface(text).network
    except ValueError:
        return None
