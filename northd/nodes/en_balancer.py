"""Node 'attached_balancers': the load balancers on each router and on the switches behind it.

Only which they are: what is in them is read for a router that is served.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from uuid import UUID

from ...lib.balancer import parse_endpoint
from ...services.api.balancers import (
    ATTACHED_BALANCERS,
    BALANCERS_BY_ADDRESS,
    GROUPS_BY_BALANCER,
    LOAD_BALANCER,
    LOAD_BALANCER_GROUP,
    ROUTERS_BY_BALANCER,
    ROUTERS_BY_BALANCER_GROUP,
    Attached,
)
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ..ovn import rows as ovn
from .tables import (
    LOGICAL_ROUTER,
    LOGICAL_ROUTER_PORT,
    LOGICAL_SWITCH,
    LOGICAL_SWITCH_PORT,
    find_rows,
)

# By the name of the router port that they lead to.
_SWITCH_PORTS: Datum[str, AbstractSet[UUID]] = Datum("ovn switch ports by router port")
# Only switches that have load balancers.
_SWITCHES: Datum[UUID, AbstractSet[UUID]] = Datum("ovn switches by port")


def run(read: Read, uuid: UUID) -> Attached | None:
    """Returns what hangs on a router, None if nothing does."""
    row = read(LOGICAL_ROUTER, uuid)
    if row is None:
        return None
    holders: list[ovn.LogicalRouter | ovn.LogicalSwitch] = [row, *_find_switches(read, row)]
    balancers = {each for holder in holders for each in holder.load_balancer}
    groups = {each for holder in holders for each in holder.load_balancer_group}
    if not balancers and not groups:
        return None
    return Attached(tuple(sorted(balancers)), tuple(sorted(groups)))


def _find_switches(read: Read, row: ovn.LogicalRouter) -> Iterator[ovn.LogicalSwitch]:
    for each in row.ports:
        port = read(LOGICAL_ROUTER_PORT, each)
        if port is None or ovn.find_key(port.external_ids) is not None:
            continue
        for beyond in sorted(read(_SWITCH_PORTS, port.name) or ()):
            yield from find_rows(read, LOGICAL_SWITCH, read(_SWITCHES, beyond))


def _find_router_port(_uuid: UUID, row: ovn.LogicalSwitchPort) -> Iterable[str]:
    name = row.options.get("router-port") if row.type == "router" else None
    return () if name is None else (name,)


def _find_ports(_uuid: UUID, row: ovn.LogicalSwitch) -> Iterable[UUID]:
    return row.ports if row.load_balancer or row.load_balancer_group else ()


def _find_addresses(_uuid: UUID, row: ovn.LoadBalancer) -> Iterable[str]:
    ends = (parse_endpoint(text) for text in row.vips)
    return {str(each.address) for each in ends if each is not None}


NODES: tuple[AnyNode, ...] = (
    Index(_SWITCH_PORTS, LOGICAL_SWITCH_PORT, _find_router_port),
    Index(_SWITCHES, LOGICAL_SWITCH, _find_ports),
    Node(
        ATTACHED_BALANCERS,
        run,
        (LOGICAL_ROUTER,),
        (LOGICAL_ROUTER_PORT, _SWITCH_PORTS, _SWITCHES, LOGICAL_SWITCH),
    ),
    Index(BALANCERS_BY_ADDRESS, LOAD_BALANCER, _find_addresses),
    Index(GROUPS_BY_BALANCER, LOAD_BALANCER_GROUP, lambda _uuid, row: row.load_balancer),
    # Those of a switch behind it a router does not answer for.
    Index(ROUTERS_BY_BALANCER, LOGICAL_ROUTER, lambda _uuid, row: row.load_balancer),
    Index(ROUTERS_BY_BALANCER_GROUP, LOGICAL_ROUTER, lambda _uuid, row: row.load_balancer_group),
)
