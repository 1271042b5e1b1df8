"""The load balancers of OVN that a type may read, and the virtual addresses of a router's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from ...lib.addresses import Address
from ...lib.balancer import VirtualAddress, parse_vips
from .node import Datum, Read


class LoadBalancer(Protocol):
    """A row of Load_Balancer."""

    @property
    def vips(self) -> Mapping[str, str]:
        """Members by virtual address, as text that anybody may have written."""

    @property
    def protocol(self) -> str | None:
        """The protocol of those that have a port; None stands for TCP."""


class LoadBalancerGroup(Protocol):
    """A row of Load_Balancer_Group."""

    @property
    def load_balancer(self) -> tuple[UUID, ...]:
        """Its load balancers."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The load balancers, and the groups of them, that hang on a router and the switches there."""

    balancers: tuple[UUID, ...]
    groups: tuple[UUID, ...]


# By router, if there are any.
ATTACHED_BALANCERS: Datum[UUID, Attached] = Datum("attached_balancers")
LOAD_BALANCER: Datum[UUID, LoadBalancer] = Datum("ovn.Load_Balancer")
LOAD_BALANCER_GROUP: Datum[UUID, LoadBalancerGroup] = Datum("ovn.Load_Balancer_Group")

# By address: load balancers that answer for it; and who has them, by way of a group or not.
BALANCERS_BY_ADDRESS: Datum[str, AbstractSet[UUID]] = Datum("ovn load balancers by address")
GROUPS_BY_BALANCER: Datum[UUID, AbstractSet[UUID]] = Datum("ovn balancer groups by balancer")
ROUTERS_BY_BALANCER: Datum[UUID, AbstractSet[UUID]] = Datum("ovn routers by balancer")
ROUTERS_BY_BALANCER_GROUP: Datum[UUID, AbstractSet[UUID]] = Datum("ovn routers by balancer group")

BALANCED_ADDRESS_DATA: tuple[Datum[Any, Any], ...] = (
    BALANCERS_BY_ADDRESS,
    GROUPS_BY_BALANCER,
    ROUTERS_BY_BALANCER,
    ROUTERS_BY_BALANCER_GROUP,
)

BALANCER_DATA: tuple[Datum[Any, Any], ...] = (
    ATTACHED_BALANCERS,
    LOAD_BALANCER,
    LOAD_BALANCER_GROUP,
)


def find_virtual_addresses(
    read: Read, router: UUID, is_wanted: Callable[[Address], bool]
) -> list[VirtualAddress]:
    """Returns the virtual addresses of a router's load balancers that are wanted, in an order.

    Of load balancers that have the same one the first by UUID counts.  A node that
    asks has BALANCER_DATA among its inputs.
    """
    found: dict[object, VirtualAddress] = {}
    for uuid in sorted(set(_list_balancers(read, router))):
        row = read(LOAD_BALANCER, uuid)
        for each in parse_vips(row.vips, row.protocol, is_wanted) if row is not None else ():
            found.setdefault(each.rank, each)
    return sorted(found.values(), key=lambda each: each.rank)


def find_balanced(read: Read, address: str) -> set[UUID]:
    """Returns the routers of which a load balancer answers for an address in canonical form.

    Those of switches are not meant: no router answers for their addresses.
    A node that asks has BALANCED_ADDRESS_DATA among its inputs.
    """
    found: set[UUID] = set()
    for balancer in read(BALANCERS_BY_ADDRESS, address) or ():
        found |= read(ROUTERS_BY_BALANCER, balancer) or set()
        for group in read(GROUPS_BY_BALANCER, balancer) or ():
            found |= read(ROUTERS_BY_BALANCER_GROUP, group) or set()
    return found


def _list_balancers(read: Read, router: UUID) -> Iterator[UUID]:
    attached = read(ATTACHED_BALANCERS, router)
    if attached is None:
        return
    yield from attached.balancers
    for uuid in attached.groups:
        group = read(LOAD_BALANCER_GROUP, uuid)
        yield from group.load_balancer if group is not None else ()
