"""Nodes 'ovn_container', 'ovn_drop' and 'ovn_reroute': what should be in OVN_Northbound.

For each container: the rows of its ports, and for an address in mode routed a
route and a stateless NAT rule of the address to itself, so that OVN answers ARP
for it and hands it on untouched; and routes to what is rerouted where the router
has none that leads on, since a policy is only looked at after a route was found.  For each
redirect: a router policy.  Drops are apart from everything else, so that no
mistake with the rest holds them up.

A stateful rule of an address to itself must never be made: ovs-vswitchd 3.1
aborts on it in its userspace connection tracker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from ...lib.addresses import read_network
from ...lib.delta import Desired, Parent
from ...lib.router import Router, find_gateway_port
from ...services.api.compile import (
    ADDRESS_HOLDERS,
    DROPS,
    OPERATOR_CONTAINER,
    ROUTER,
    AddressSpec,
    ContainerSpec,
)
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ..attach import transit
from ..attach.port import Port, make_row, make_update
from ..engine.ledger import Owned
from ..ovn import rows as ovn
from ..ovn.routing import Routing
from .en_address_wait import ADDRESS_WAIT, find_others
from .en_container import CONTAINER, Container
from .en_link import LINK, find_logical_port
from .en_placement import PLACEMENT
from .en_redirect import REDIRECT, Redirect
from .tables import PORT_BINDING, PORTS_BY_CONTAINER, ROUTER_POLICY, find_rows
from .type_data import TypeData

OVN_CONTAINER: Datum[str, Owned] = Datum("ovn_container")
OVN_DROP: Datum[str, Owned] = Datum("ovn_drop")
OVN_REROUTE: Datum[str, Owned] = Datum("ovn_reroute")
_DROPS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("ovn drops by container")
# Of the container of a unit that has a UUID (services/api/compile.py, make_container_name()).
_MADE_NAME = re.compile(r"([a-z]{1,3})-[0-9a-f]{11}")


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes."""
    held = _list_held(types)
    return (
        Node(
            OVN_CONTAINER,
            make_container,
            (CONTAINER,),
            (
                LINK,
                PLACEMENT,
                ROUTER,
                PORTS_BY_CONTAINER,
                PORT_BINDING,
                ADDRESS_HOLDERS,
                ADDRESS_WAIT,
            ),
        ),
        Node(OVN_REROUTE, make_reroutes, (REDIRECT,)),
        Index(_DROPS_BY_CONTAINER, ROUTER_POLICY, _find_dropper),
        Node(
            OVN_DROP,
            _make_run(types),
            (REDIRECT, _DROPS_BY_CONTAINER),
            (ROUTER_POLICY, OPERATOR_CONTAINER, *held),
        ),
    )


# -- containers ------------------------------------------------------------------


def make_container(read: Read, name: str) -> Owned | None:
    """Returns the rows of a container's ports and addresses."""
    container, placement = read(CONTAINER, name), read(PLACEMENT, name)
    if container is None or placement is None:
        return None
    chassis = placement.active or transit.NO_CHASSIS
    if container.spec is None or read(ADDRESS_WAIT, name) is not None:
        return Owned(updates=tuple(_make_fences(read, name, chassis)), keeps_all=True)
    ports = [each for each in read(LINK, name) or () if isinstance(each, Port)]
    rows = [row for port in ports for row in transit.make_rows(name, port, chassis)]
    for port in ports:
        router = read(ROUTER, port.router)
        if router is not None:
            rows += _make_addresses(read, container, container.spec, router, port)
            rows += _make_routes(container.name, container.spec, router, port)
    return Owned(tuple(rows))


def _make_fences(read: Read, name: str, chassis: str) -> Iterator[Desired]:
    """Yields what is kept true of a container whose other rows stay: who has its ports."""
    rows = find_rows(read, PORT_BINDING, read(PORTS_BY_CONTAINER, name))
    for interface in sorted({row.interface for row in rows}):
        first = find_logical_port(name, interface) == name
        key = f"{name}/container" if first else f"{name}/{interface}/container"
        yield make_update(ovn.LogicalSwitchPort, key, {"options": {"requested-chassis": chassis}})


def _make_addresses(
    read: Read, container: Container, spec: ContainerSpec, router: Router, port: Port
) -> Iterator[Desired]:
    """Yields route and NAT rule of each external address that nobody else has still."""
    for each in spec.addresses:
        if each.router != router.uuid or find_others(read, container.name, each.address):
            continue
        # It is in canonical form (en_address.py).
        version, length = (6, 128) if ":" in each.address else (4, 32)
        next_hop = port.next_hops.get(version)
        if next_hop is None:
            continue
        for table in router.tables:
            prefix = f"{each.address}/{length}"
            yield _make_route(container.name, port, prefix, next_hop, table)
        yield _make_nat(container.name, router, each)


def _make_nat(name: str, router: Router, each: AddressSpec) -> Desired:
    columns: dict[str, object] = {
        "type": "dnat_and_snat",
        "external_ip": each.address,
        "logical_ip": each.address,
        "options": {"stateless": "true"},
    }
    gateway = find_gateway_port(router, each.address)
    if len(router.gateway_ports) > 1 and gateway is not None:
        columns["gateway_port"] = gateway.uuid
    parent = Parent(ovn.LogicalRouter.TABLE, router.uuid, "nat")
    return make_row(ovn.NAT, f"{name}/nat/{each.address}", columns, parent)


def _make_routes(name: str, spec: ContainerSpec, router: Router, port: Port) -> Iterator[Desired]:
    """Yields routes to each prefix that the longest match does not route all of."""
    routing = Routing(router)
    for each in spec.routes:
        if each.router != router.uuid:
            continue
        network = read_network(each.prefix)
        next_hop = port.next_hops.get(network.version)
        if next_hop is None:
            continue
        for table in router.tables:
            for own in routing.look_up(network, table).own:
                yield _make_route(name, port, str(own), next_hop, table)


def _make_route(name: str, port: Port, prefix: str, next_hop: str, table: str) -> Desired:
    columns = {"ip_prefix": prefix, "nexthop": next_hop, "output_port": port.in_port}
    if table:
        columns["route_table"] = table
    return make_row(
        ovn.StaticRoute,
        f"{name}/route/{prefix}/{table}" if table else f"{name}/route/{prefix}",
        columns,
        Parent(ovn.LogicalRouter.TABLE, port.router, "static_routes"),
    )


# -- redirects -------------------------------------------------------------------


def make_reroutes(read: Read, name: str) -> Owned | None:
    """Returns the policies that reroute to a container."""
    redirects = read(REDIRECT, name)
    if redirects is None:
        return None
    rules = redirects.list_reroutes()
    if not rules and not redirects.keeps_others:
        return None
    return Owned(tuple(_make_policy(each) for each in rules), keeps_all=redirects.keeps_others)


def _list_held(types: Sequence[TypeData]) -> tuple[Datum[UUID, bool], ...]:
    return tuple(each.half.held for each in types if each.half.held is not None)


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], Owned | None]:
    held = _list_held(types)

    def run(read: Read, name: str) -> Owned | None:
        """Returns the policies that drop, and whose stay though nobody says them."""
        redirects = read(REDIRECT, name)
        rules = redirects.list_drops() if redirects is not None else []
        if redirects is not None and redirects.keeps_others:
            return Owned(tuple(_make_policy(each) for each in rules), keeps_all=True)
        present = find_rows(read, ROUTER_POLICY, read(_DROPS_BY_CONTAINER, name))
        subjects = {_find_subject(row) for row in present}
        if present and not rules and _is_of_no_type(read, types, name):
            return Owned(keeps_all=True)
        kept = frozenset(each for each in subjects if _is_held(read, held, each))
        if not rules and not kept:
            return None
        return Owned(tuple(_make_policy(each) for each in rules), kept=kept)

    return run


def _is_of_no_type(read: Read, types: Sequence[TypeData], name: str) -> bool:
    """Returns whether the type that a container is of is not installed, so that nobody speaks."""
    row = read(OPERATOR_CONTAINER, name)
    if row is not None:
        return row.service_type not in {each.name for each in types}
    made = _MADE_NAME.fullmatch(name)
    prefixes = {each.half.prefix for each in types if each.half.units is not None}
    return made is not None and made[1] not in prefixes


def _is_held(read: Read, held: Sequence[Datum[UUID, bool]], subject: str) -> bool:
    try:
        uuid = UUID(subject)
    except ValueError:
        return False
    return any(
        read.find_problem(each, uuid) is not None or read(each, uuid) is not None for each in held
    )


def _find_dropper(_uuid: UUID, row: ovn.RouterPolicy) -> Iterable[str]:
    key = ovn.find_key(row.external_ids)
    return (key.partition("/")[0],) if key and row.action == DROPS else ()


def _find_subject(row: ovn.RouterPolicy) -> str:
    return ovn.find_subject(ovn.find_key(row.external_ids) or "")


def _make_policy(rule: Redirect) -> Desired:
    columns = {
        "priority": rule.priority,
        "match": rule.match,
        "action": rule.action,
        "nexthops": (rule.next_hop,) if rule.next_hop else (),
    }
    parent = Parent(ovn.LogicalRouter.TABLE, rule.router, "policies")
    return make_row(ovn.RouterPolicy, rule.name, columns, parent)
