"""Finds the router that somebody named, and another one that answers for an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ...lib.addresses import Subnet, canonical_address, quote
from ...lib.router import Router
from .balancers import BALANCED_ADDRESS_DATA, find_balanced
from .compile import ROUTER, ROUTERS_BY_ADDRESS, ROUTERS_BY_NAME
from .node import Datum, Read
from .outside import NEIGHBOUR_DATA, find_neighbour

_UUID_LENGTH = 36


def find_routers(read: Read, name: str) -> list[UUID]:
    """Returns the routers that 'name' stands for: the one with that UUID, or those named so."""
    uuid = _parse_uuid(name)
    if uuid is not None and read(ROUTER, uuid) is not None:
        return [uuid]
    return sorted(read(ROUTERS_BY_NAME, name) or ())


def _parse_uuid(name: str) -> UUID | None:
    """Returns the UUID that 'name' is as it is always written, None if it is none."""
    if len(name) != _UUID_LENGTH:  # an exception for each name would be most of the work
        return None
    try:
        uuid = UUID(name)
    except ValueError:
        return None
    return uuid if str(uuid) == name else None


# What a node that calls find_foreign() has among its inputs.
FOREIGN_DATA: tuple[Datum[Any, Any], ...] = (
    ROUTER,
    ROUTERS_BY_ADDRESS,
    *BALANCED_ADDRESS_DATA,
    *NEIGHBOUR_DATA,
)


def find_foreign(read: Read, router: Router, address: str) -> str | None:
    """Returns who else has an address on a network outside of 'router', in words.

    That is another router; a load balancer of 'router' itself or of such a one; a
    port of a switch there.
    """
    canonical = canonical_address(address)
    for uuid in sorted(read(ROUTERS_BY_ADDRESS, canonical) or ()):
        other = read(ROUTER, uuid) if uuid != router.uuid else None
        if other is not None and _list_networks(router) & _list_networks(other):
            return f"router {quote(other.name)}"
    for uuid in sorted(find_balanced(read, canonical)):
        other = read(ROUTER, uuid)
        if other is None:
            continue
        if uuid == router.uuid or _list_networks(router) & _list_networks(other):
            return f"a load balancer of router {quote(other.name)}"
    return find_neighbour(read, router, canonical)


def tell_foreign(read: Read, router: Router, address: str) -> str | None:
    """Returns a sentence if somebody else has an address, as find_foreign() has it."""
    user = find_foreign(read, router, address)
    return f"external address {address} is used by {user}" if user is not None else None


def _list_networks(router: Router) -> set[Subnet]:
    return {network for port in router.gateway_ports for network in port.networks}
