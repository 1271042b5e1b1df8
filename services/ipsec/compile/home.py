"""Nodes 'home' and 'service_problem': the router of each VPN service, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from ....lib.addresses import canonical_address, quote
from ....lib.router import Router, find_user, name_problem
from ...api.compile import (
    ADDRESS_HOLDERS,
    CONTAINERS_BY_SERVED,
    ROUTER,
    ROUTERS_BY_NAME,
    SERVED,
)
from ...api.node import AnyNode, Datum, Index, Node, Read
from ...api.routers import FOREIGN_DATA, find_foreign, find_routers, tell_foreign
from .. import router_rules, rules
from ..router_rules import make_container_name
from ..rows import VPNService
from .tables import (
    CONNECTION,
    CONNECTIONS_BY_PEER,
    ROUTERS_BY_CONTAINER,
    SERVICE,
    SERVICES_BY_ADDRESS,
    SERVICES_BY_CONNECTION,
)


@dataclass(frozen=True, slots=True)
class Home:
    """The router that a service is on, None for none; 'problem' if its row does not lead there.

    'wanted' is the router that its row leads to, if that is another: its traffic
    is dropped there as well.
    """

    router: UUID | None
    problem: str | None = None
    wanted: UUID | None = None

    @property
    def routers(self) -> tuple[UUID, ...]:
        """Where its traffic must not cross in clear."""
        return tuple(each for each in (self.router, self.wanted) if each is not None)


@dataclass(frozen=True, slots=True)
class Claim:
    """The service and the router that have an external address."""

    name: str
    router: UUID


HOME: Datum[UUID, Home] = Datum("home")
SERVICES_BY_ROUTER: Datum[UUID, AbstractSet[UUID]] = Datum("services by router")
# What is wrong with a service but for what others have; with what the rows of others say
# besides; and all that is wrong with it.
OWN_PROBLEM: Datum[UUID, str] = Datum("service_own_problem")
CONTESTED: Datum[UUID, str] = Datum("service_contested")
# By external address: the services that have it, where those are several; and the addresses
# that a service shares.
SHARED: Datum[str, tuple[UUID, ...]] = Datum("address_shared")
SHARED_BY_SERVICE: Datum[UUID, AbstractSet[str]] = Datum("shared addresses by service")
# Of those: a service on each of two routers, by router, where they are on more than one.
CONTENDERS: Datum[str, Mapping[UUID, str]] = Datum("address_contenders")
# By external address, of several that have it.
CLAIM: Datum[str, Claim] = Datum("address_claim")
KEPT_CLAIMS: Datum[str, tuple[Claim, ...]] = Datum("address_kept_claims")
# Of addresses that somebody keeps, or of which that is not known: the services that have them.
AFFECTED: Datum[str, tuple[UUID, ...]] = Datum("address_affected")
AFFECTED_BY_SERVICE: Datum[UUID, AbstractSet[str]] = Datum("affected addresses by service")
SERVICE_PROBLEM: Datum[UUID, str] = Datum("service_problem")


def find_home(read: Read, uuid: UUID) -> Home | None:
    """Returns the router of a service.

    Of several with the name, and of none, the one that serves it already is meant.
    It stays there as well while it could not be served where it is to go.
    """
    row = read(SERVICE, uuid)
    if row is None:
        return None
    found = find_routers(read, row.router)
    serving = _find_serving(read, uuid)
    if len(found) == 1:
        return _move(read, row, serving, found[0])
    serving = [each for each in serving if each in found or not found]
    problem = name_problem(row.router, len(found)) if row.router else "no router is given"
    if len(serving) == 1:
        return Home(serving[0], None if found else problem)
    return Home(None, problem)


def _move(read: Read, row: VPNService, serving: list[UUID], wanted: UUID) -> Home:
    if len(serving) != 1 or wanted in serving:
        return Home(wanted)
    problem = (
        rules.service_problem(row)
        or find_taken(read, row)
        or _find_problem_on(read, row, wanted)
        or _find_holder(read, row, {wanted, *serving})
    )
    return Home(serving[0], problem, wanted) if problem is not None else Home(wanted)


def find_own_problem(read: Read, uuid: UUID) -> str | None:
    """Returns what is wrong with a service by itself, with its router and with its connections."""
    row, home = read(SERVICE, uuid), read(HOME, uuid)
    if row is None or home is None:
        return None
    return (
        rules.service_problem(row)
        or find_taken(read, row)
        or home.problem
        or _find_problem_on(read, row, home.router)
        or _find_peer(read, row, home.router)
    )


def _find_peer(read: Read, row: VPNService, router: UUID | None) -> str | None:
    """Returns a sentence if a connection of the router speaks with an address that is new there."""
    if router is None:
        return None
    container = make_container_name(router)
    for address in map(canonical_address, row.external_ips):
        if container in (read(ADDRESS_HOLDERS, address) or ()):
            continue
        for uuid in sorted(read(CONNECTIONS_BY_PEER, address) or ()):
            homes = (read(HOME, each) for each in read(SERVICES_BY_CONNECTION, uuid) or ())
            connection = read(CONNECTION, uuid)
            if connection and any(each is not None and router in each.routers for each in homes):
                name = quote(connection.name)
                return f"external address {address} is the peer address of connection {name}"
    return None


def _find_problem_on(read: Read, row: VPNService, uuid: UUID | None) -> str | None:
    """Returns what keeps a router from serving a service."""
    router = read(ROUTER, uuid) if uuid is not None else None
    if router is None:
        return None
    held = _find_held(read, row, router)
    foreign = (tell_foreign(read, router, each) for each in row.external_ips if each not in held)
    return (
        router_rules.service_problem(row, router, held)
        or next(filter(None, foreign), None)
        or _find_other_type(read, row, router)
    )


def _find_held(read: Read, row: VPNService, router: Router) -> frozenset[str]:
    """Returns the addresses of a service that its router's container has already."""
    container = make_container_name(router.uuid)
    return frozenset(
        each
        for each in row.external_ips
        if container in (read(ADDRESS_HOLDERS, canonical_address(each)) or ())
    )


def find_contender(read: Read, row: VPNService, router: UUID) -> str | None:
    """Returns a sentence on who else is to have an address that a service has on a router."""
    home = read(ROUTER, router)
    if home is None:
        return None
    for address in sorted(_find_held(read, row, home)):
        canonical = canonical_address(address)
        user = find_user(home, canonical) or find_foreign(read, home, canonical)
        others = (read(CONTENDERS, canonical) or {}).items()
        rival = next((name for each, name in others if each != router), None)
        if user is None and rival is not None:
            user = f"VPN service {quote(rival)}"
        if user is not None:
            return f"external address {address} is contested by {user}"
    return None


def find_contenders(read: Read, address: str) -> Mapping[UUID, str] | None:
    """Returns services that have an address, the first on each of two routers; None for one."""
    found: dict[UUID, str] = {}
    for uuid in read(SHARED, address) or ():
        row, home = read(SERVICE, uuid), read(HOME, uuid)
        if row is not None and home is not None and home.router is not None:
            found.setdefault(home.router, row.name)
        if len(found) > 1:
            return found
    return None


def find_shared(read: Read, address: str) -> tuple[UUID, ...] | None:
    """Returns the services that have an address, None if it is of one alone, as most are.

    Nobody takes it from that one, so that there is nothing to compute of claims.
    """
    services = read(SERVICES_BY_ADDRESS, address) or ()
    return tuple(sorted(services)) if len(services) > 1 else None


def find_claim(read: Read, address: str) -> Claim | None:
    """Returns who is to have an address, of those whose rows say so."""
    holders = read(ADDRESS_HOLDERS, address) or ()
    first = min(
        _find_rivals(read, address),
        key=lambda each: (_find_container(read, each) not in holders, *_rank(read, each)),
        default=None,
    )
    router = _find_home_router(read, first) if first is not None else None
    return Claim(first.name, router) if first is not None and router is not None else None


def find_contested(read: Read, uuid: UUID) -> str | None:
    """Returns what is wrong with a service, if another one is to have its address included."""
    row, home, problem = read(SERVICE, uuid), read(HOME, uuid), read(OWN_PROBLEM, uuid)
    if row is None or home is None or problem is not None:
        return problem
    for address in row.external_ips:
        claim = read(CLAIM, canonical_address(address))
        if claim is not None and claim.router != home.router:
            return _tell_used(address, claim.name)
    return None


def find_kept_claims(read: Read, address: str) -> tuple[Claim, ...] | None:
    """Returns who keeps an address, by router: whoever goes on as it was, whatever its row says."""
    claims: dict[UUID, Claim] = {}
    for router, other in _find_holders(read, address):
        if router not in claims and read(CONTESTED, other.uuid) is not None:
            claims[router] = Claim(other.name, router)
    return tuple(claims.values()) or None


def find_affected(read: Read, address: str) -> tuple[UUID, ...] | None:
    """Returns the services for which it counts who keeps an address."""
    if read.find_problem(KEPT_CLAIMS, address) is None and read(KEPT_CLAIMS, address) is None:
        return None
    return tuple(sorted(read(SERVICES_BY_ADDRESS, address) or ())) or None


def find_problem(read: Read, uuid: UUID) -> str | None:
    """Returns what is wrong with a service, if another one keeps its address included."""
    row, home, problem = read(SERVICE, uuid), read(HOME, uuid), read(CONTESTED, uuid)
    if row is None or home is None or problem is not None:
        return problem
    for address in row.external_ips:
        for claim in read(KEPT_CLAIMS, canonical_address(address)) or ():
            if claim.router not in home.routers:
                return _tell_used(address, claim.name)
    return None


def _find_holder(read: Read, row: VPNService, but: AbstractSet[UUID]) -> str | None:
    """Returns a sentence if an address of a service is on a router that is none of 'but'."""
    for address in row.external_ips:
        for router, other in _find_holders(read, canonical_address(address)):
            if router not in but:
                return _tell_used(address, other.name)
    return None


def _find_holders(read: Read, address: str) -> Iterator[tuple[UUID, VPNService]]:
    """Yields the routers on which a container has an address, with each service that it serves."""
    for container in sorted(read(ADDRESS_HOLDERS, address) or ()):
        served = [read(SERVICE, uuid) for uuid in read(SERVED, container) or ()]
        for router in read(ROUTERS_BY_CONTAINER, container) or ():
            yield from ((router, other) for other in served if other is not None)


def _tell_used(address: str, name: str) -> str:
    return (
        f"external address {address} is already used by VPN service {quote(name)} on another router"
    )


def find_owner(read: Read, connection: UUID) -> VPNService | None:
    """Returns the service that a connection belongs to: of several one that is served."""
    found = [read(SERVICE, each) for each in read(SERVICES_BY_CONNECTION, connection) or ()]
    rows = [row for row in found if row is not None]
    if len(rows) <= 1:
        return rows[0] if rows else None
    return min(rows, key=lambda row: _rank(read, row))


def find_taken(read: Read, row: VPNService) -> str | None:
    """Returns a sentence if a connection of a service belongs to another one."""
    for connection in row.connections:
        owner = find_owner(read, connection)
        if owner is not None and owner.uuid != row.uuid:
            name = quote(owner.name)
            return f"a connection of it belongs to VPN service {name} already"
    return None


def _find_serving(read: Read, uuid: UUID) -> list[UUID]:
    """Returns the routers whose containers have served a service of late."""
    containers = read(CONTAINERS_BY_SERVED, uuid) or ()
    return [router for each in containers for router in read(ROUTERS_BY_CONTAINER, each) or ()]


def _find_other_type(read: Read, row: VPNService, router: Router) -> str | None:
    """Returns a sentence if a container that is of no VPN has the address."""
    own = make_container_name(router.uuid)
    for address in row.external_ips:
        holders = read(ADDRESS_HOLDERS, canonical_address(address)) or set()
        others = [each for each in sorted(holders) if not read(ROUTERS_BY_CONTAINER, each)]
        if others and own not in holders:
            return f"external address {address} is already used by container {others[0]}"
    return None


def _find_rivals(read: Read, address: str) -> list[VPNService]:
    """Returns the services that have an address and nothing else wrong with them, or run."""
    uuids = read(SERVICES_BY_ADDRESS, address) or ()
    rows = [
        read(SERVICE, uuid)
        for uuid in uuids
        if read(OWN_PROBLEM, uuid) is None or _is_served(read, uuid)
    ]
    return [row for row in rows if row is not None]


def _is_served(read: Read, uuid: UUID) -> bool:
    containers = read(CONTAINERS_BY_SERVED, uuid)
    return bool(containers)


def _rank(read: Read, row: VPNService) -> tuple[bool, str, UUID]:
    return not _is_served(read, row.uuid), row.name, row.uuid


def _find_container(read: Read, row: VPNService) -> str | None:
    router = _find_home_router(read, row)
    return make_container_name(router) if router is not None else None


def _find_home_router(read: Read, row: VPNService) -> UUID | None:
    home = read(HOME, row.uuid)
    return home.router if home is not None else None


UNITS: Index[UUID, UUID, Home] = Index(SERVICES_BY_ROUTER, HOME, lambda _uuid, home: home.routers)

_HOLDERS = (ADDRESS_HOLDERS, ROUTERS_BY_CONTAINER)

NODES: tuple[AnyNode, ...] = (
    Node(
        HOME,
        find_home,
        (SERVICE,),
        (
            *FOREIGN_DATA,
            *_HOLDERS,
            ROUTERS_BY_NAME,
            SERVED,
            SERVICES_BY_CONNECTION,
            CONTAINERS_BY_SERVED,
        ),
    ),
    UNITS,
    Node(
        OWN_PROBLEM,
        find_own_problem,
        (SERVICE,),
        (
            HOME,
            *FOREIGN_DATA,
            *_HOLDERS,
            CONNECTION,
            CONNECTIONS_BY_PEER,
            SERVICES_BY_CONNECTION,
            CONTAINERS_BY_SERVED,
        ),
    ),
    Node(SHARED, find_shared, (SERVICES_BY_ADDRESS,)),
    Node(CONTENDERS, find_contenders, (SHARED,), (SERVICE, HOME)),
    Index(SHARED_BY_SERVICE, SHARED, lambda _address, uuids: uuids),
    Node(
        CLAIM,
        find_claim,
        (SHARED,),
        (
            SERVICES_BY_ADDRESS,
            SERVICE,
            HOME,
            OWN_PROBLEM,
            CONTAINERS_BY_SERVED,
            ADDRESS_HOLDERS,
        ),
    ),
    Node(CONTESTED, find_contested, (OWN_PROBLEM, SHARED_BY_SERVICE), (SERVICE, HOME, CLAIM)),
    Node(
        KEPT_CLAIMS,
        find_kept_claims,
        (ADDRESS_HOLDERS,),
        (ROUTERS_BY_CONTAINER, SERVED, SERVICE, CONTESTED),
    ),
    Node(AFFECTED, find_affected, (KEPT_CLAIMS,), (SERVICES_BY_ADDRESS,)),
    Index(AFFECTED_BY_SERVICE, AFFECTED, lambda _address, uuids: uuids),
    Node(
        SERVICE_PROBLEM,
        find_problem,
        (CONTESTED, AFFECTED_BY_SERVICE),
        (SERVICE, HOME, KEPT_CLAIMS),
    ),
)
