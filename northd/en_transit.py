"""Node 'transit': the link between a router and its container.

Each router has one: a /30 of 169.254.0.0/16 that is free on that router, the
router's end first.  A link that is there stays as it is while its network does
not clash with another one of the router, so the memory of an allocation is the
router port itself.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from ..lib.router import Router, parse_network
from . import ovn
from .en_container import Containers

RANGE = ipaddress.IPv4Network("169.254.0.0/16")
# Clouds serve their metadata at this address (RFC 3927 leaves it to them).
METADATA = ipaddress.IPv4Address("169.254.169.254")
_PREFIX_LENGTH = 30


@dataclass(frozen=True, slots=True)
class Transit:
    """The two ends of the link, addresses without and with prefix length."""

    network: ipaddress.IPv4Network
    router_mac: str
    container_mac: str

    @property
    def router_address(self) -> str:
        return str(self.network[1])

    @property
    def container_address(self) -> str:
        return str(self.network[2])

    @property
    def router_interface(self) -> str:
        return f"{self.network[1]}/{_PREFIX_LENGTH}"

    @property
    def container_interface(self) -> str:
        return f"{self.network[2]}/{_PREFIX_LENGTH}"


def make_port_name(container: str) -> str:
    """Returns the name of the router's port on the link."""
    return f"{container}-lrp"


def run(
    containers: Containers,
    routers: Mapping[UUID, Router],
    ports: Mapping[UUID, ovn.LogicalRouterPort],
) -> Mapping[str, Transit]:
    """Returns the link of each container by its name; none where no network is free."""
    present = {
        port.name: port.networks[0]
        for port in ports.values()
        if port.networks and ovn.find_key(port.external_ids) is not None
    }
    links: dict[str, Transit] = {}
    for name, container in containers.by_name.items():
        network = _choose(present.get(make_port_name(name)), routers[container.router])
        if network is not None:
            macs = make_mac(f"{name}/router"), make_mac(f"{name}/container")
            links[name] = Transit(network, *macs)
    return links


def make_mac(seed: str) -> str:
    """Returns a locally administered unicast MAC address that depends on 'seed' only."""
    octets = bytearray(hashlib.sha256(seed.encode()).digest()[:6])
    octets[0] = (octets[0] & 0xFC) | 0x02
    return ":".join(f"{octet:02x}" for octet in octets)


def _choose(present: str | None, router: Router) -> ipaddress.IPv4Network | None:
    used = [net for net in (*router.networks, *router.routes) if net.prefixlen]
    kept = parse_network(present) if present is not None else None
    fits = isinstance(kept, ipaddress.IPv4Network) and kept.prefixlen == _PREFIX_LENGTH
    if isinstance(kept, ipaddress.IPv4Network) and fits and _is_free(kept, used):
        return kept
    free = (net for net in RANGE.subnets(new_prefix=_PREFIX_LENGTH) if _is_free(net, used))
    return next(free, None)


def _is_free(
    network: ipaddress.IPv4Network,
    used: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    if METADATA in network or not network.subnet_of(RANGE):
        return False
    return not any(net.version == 4 and net.overlaps(network) for net in used)
