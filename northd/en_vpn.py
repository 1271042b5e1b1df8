"""Node 'vpn': the VPN services and connections that can be served, and what is wrong with the rest.

A row with a problem harms only itself.  Of two rows that cannot stand beside
each other the first by name stays good, so the verdict does not depend on the
order in which rows came.

A connection whose subnets can be read is guarded even when it is disabled or
has another problem: its traffic is dropped rather than sent out in clear.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from ..lib import nb, vpn
from ..lib import router as router_rules
from ..lib.addresses import Subnet, quote
from ..lib.router import Router


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that can be served."""

    row: nb.IPsecConnection
    ike_policy: nb.IKEPolicy | None
    ipsec_policy: nb.IPsecPolicy | None

    @property
    def enabled(self) -> bool:
        return self.row.enabled is not False


@dataclass(frozen=True, slots=True)
class Service:
    """A VPN service that can be served on 'router'."""

    row: nb.VPNService
    router: UUID
    connections: tuple[Connection, ...]

    @property
    def enabled(self) -> bool:
        return self.row.enabled is not False


@dataclass(frozen=True, slots=True)
class Guard:
    """Traffic of a connection that must not cross 'router' in clear."""

    connection: UUID
    router: UUID
    local_subnets: tuple[str, ...]
    peer_subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VPN:
    """What can be served, what is guarded, and sentences on rows with a problem.

    'held' are the connections that cannot be served for a problem of their own
    or of their service: what was dropped for them goes on being dropped.
    """

    services: tuple[Service, ...] = ()
    guards: tuple[Guard, ...] = ()
    held: frozenset[UUID] = frozenset()
    problems: Mapping[UUID, str] = field(default_factory=dict)


def run(
    services: Mapping[UUID, nb.VPNService],
    connections: Mapping[UUID, nb.IPsecConnection],
    ike_policies: Mapping[UUID, nb.IKEPolicy],
    ipsec_policies: Mapping[UUID, nb.IPsecPolicy],
    routers: Mapping[UUID, Router],
    homes: frozenset[str],
) -> VPN:
    """Returns the verdict on every VPN_Service and IPsec_Connection row."""
    problems: dict[UUID, str] = {}
    guards: list[Guard] = []
    by_router: dict[UUID, list[tuple[nb.VPNService, Connection]]] = {}
    owners = _find_owners(services.values(), problems)
    placed = _place_services(services.values(), routers, homes, problems)
    for service, router in placed:
        members = _find_members(service, connections, ike_policies, ipsec_policies)
        guards.extend(_guard(service, router, members))
        for each in members:
            if owners[each.row.uuid] is not service:
                continue
            problem = _problem(each, service, router)
            if problem is not None:
                problems[each.row.uuid] = problem
            elif service.uuid not in problems:
                by_router.setdefault(router.uuid, []).append((service, each))
    for pairs in by_router.values():
        problems.update(vpn.sibling_problems((service, each.row) for service, each in pairs))
    good = [
        Service(service, router.uuid, _find_good(service, by_router, router, problems))
        for service, router in placed
        if service.uuid not in problems
    ]
    held = _find_held(services.values(), problems)
    return VPN(tuple(good), _merge(guards), held, problems)


def find_homes(rows: Mapping[UUID, nb.ServiceContainer]) -> frozenset[str]:
    """Returns the names of the containers that are there."""
    return frozenset(row.name for row in rows.values())


def _find_held(rows: Iterable[nb.VPNService], problems: Mapping[UUID, str]) -> frozenset[UUID]:
    return frozenset(
        uuid
        for row in rows
        for uuid in row.connections
        if row.uuid in problems or uuid in problems
    )


def _find_owners(
    rows: Iterable[nb.VPNService], problems: dict[UUID, str]
) -> dict[UUID, nb.VPNService]:
    """Returns the service of each connection, and notes services that take another's."""
    owners: dict[UUID, nb.VPNService] = {}
    for row in sorted(rows, key=lambda row: (row.name, row.uuid)):
        for uuid in row.connections:
            owner = owners.setdefault(uuid, row)
            if owner is not row:
                name = quote(owner.name)
                problems[row.uuid] = f"a connection of it belongs to VPN service {name} already"
    return owners


def _find_members(
    service: nb.VPNService,
    connections: Mapping[UUID, nb.IPsecConnection],
    ike_policies: Mapping[UUID, nb.IKEPolicy],
    ipsec_policies: Mapping[UUID, nb.IPsecPolicy],
) -> list[Connection]:
    rows = (connections[uuid] for uuid in service.connections if uuid in connections)
    return [
        Connection(
            row,
            ike_policies.get(row.ike_policy) if row.ike_policy else None,
            ipsec_policies.get(row.ipsec_policy) if row.ipsec_policy else None,
        )
        for row in sorted(rows, key=lambda row: (row.name, row.uuid))
    ]


def _find_good(
    service: nb.VPNService,
    by_router: Mapping[UUID, Sequence[tuple[nb.VPNService, Connection]]],
    router: Router,
    problems: Mapping[UUID, str],
) -> tuple[Connection, ...]:
    pairs = by_router.get(router.uuid, ())
    return tuple(
        each
        for owner, each in pairs
        if owner.uuid == service.uuid and each.row.uuid not in problems
    )


@functools.lru_cache(maxsize=65536)
def _problem(connection: Connection, service: nb.VPNService, router: Router) -> str | None:
    """Returns what is wrong with a connection, without its siblings."""
    problem = vpn.connection_problem(connection.row, service)
    for policy in (connection.ike_policy, connection.ipsec_policy):
        if problem is None and policy is not None:
            found = vpn.policy_problem(policy)
            problem = None if found is None else f"policy {policy.name}: {found}"
    return problem or router_rules.connection_problem(connection.row, router)


def _place_services(
    rows: Iterable[nb.VPNService],
    routers: Mapping[UUID, Router],
    homes: frozenset[str],
    problems: dict[UUID, str],
) -> list[tuple[nb.VPNService, Router]]:
    """Returns each service whose router is known, and notes problems of services.

    Of several routers with the name, one that has a container already is meant.
    """
    names: dict[str, list[Router]] = {}
    for router in routers.values():
        for name in {router.name, str(router.uuid)}:
            names.setdefault(name, []).append(router)
    chosen: dict[str, UUID] = {}
    outside = _find_outside(routers.values())
    placed = []
    for row in sorted(rows, key=lambda row: (row.name, row.uuid)):
        problem = _own_problem(row) or problems.get(row.uuid)
        found = names.get(row.router, [])
        if len(found) > 1:
            found = [each for each in found if each.container in homes] or found
        if len(found) == 1:
            placed.append((row, found[0]))
            chosen[row.router] = found[0].uuid
            problem = (
                problem
                or _router_problem(row, found[0])
                or _foreign_problem(row, found[0], outside)
            )
        elif problem is None:
            problem = router_rules.name_problem(row.router, len(found))
        if problem is not None:
            problems[row.uuid] = problem
    good = (row for row, _ in placed if row.uuid not in problems)
    problems.update(vpn.service_sibling_problems(good, chosen.__getitem__))
    return placed


def _find_outside(routers: Iterable[Router]) -> dict[str, list[Router]]:
    """Returns the routers that answer for an address on a gateway port's network."""
    outside: dict[str, list[Router]] = {}
    for router in routers:
        if router.gateway_ports:
            for address in router.addresses | router.nat_addresses:
                outside.setdefault(address, []).append(router)
    return outside


def _foreign_problem(
    row: nb.VPNService, router: Router, outside: Mapping[str, Sequence[Router]]
) -> str | None:
    """Returns a sentence if another router on the same network has the address."""
    for address in row.external_ips:
        own = {network for port in router.gateway_ports for network in port.networks}
        for other in outside.get(address, ()):
            networks = {network for port in other.gateway_ports for network in port.networks}
            if other.uuid != router.uuid and own & networks:
                return f"external address {address} is used by router {other.name}"
    return None


_own_problem = functools.lru_cache(maxsize=65536)(vpn.service_problem)
_router_problem = functools.lru_cache(maxsize=65536)(router_rules.service_problem)
_network_problem = functools.lru_cache(maxsize=65536)(router_rules.network_problem)


@functools.lru_cache(maxsize=65536)
def _parse(texts: tuple[str, ...]) -> tuple[Subnet, ...]:
    return tuple(vpn.parse_subnets(texts))


@functools.lru_cache(maxsize=65536)
def _overlap(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return any(
        each.version == other.version and each.overlaps(other)
        for each in _parse(some)
        for other in _parse(others)
    )


def _guard(
    service: nb.VPNService, router: Router, members: Iterable[Connection]
) -> list[Guard]:
    """Returns the guards of the connections whose subnets make sense on 'router'."""
    found = (_guard_one(service, router, each.row) for each in members)
    return [each for each in found if each is not None]


@functools.lru_cache(maxsize=65536)
def _guard_one(
    service: nb.VPNService, router: Router, row: nb.IPsecConnection
) -> Guard | None:
    local, peers = _parse(service.local_subnets), _parse(row.peer_subnets)
    if not local or not peers or _overlap(service.local_subnets, row.peer_subnets):
        return None
    if _network_problem(row, router) is not None:
        return None
    return Guard(
        row.uuid,
        router.uuid,
        tuple(str(network) for network in local),
        tuple(str(network) for network in peers),
    )


def _merge(guards: Iterable[Guard]) -> tuple[Guard, ...]:
    """Returns one guard for each connection on a router, since rules are named after it."""
    merged: dict[tuple[UUID, UUID], Guard] = {}
    for guard in guards:
        first = merged.setdefault((guard.router, guard.connection), guard)
        if first is not guard:
            subnets = tuple(sorted({*first.local_subnets, *guard.local_subnets}))
            merged[guard.router, guard.connection] = replace(first, local_subnets=subnets)
    return tuple(merged.values())
