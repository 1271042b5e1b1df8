"""Node 'checked': each connection by itself and with its router, as the container would get it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ....lib.addresses import Subnet, find_overlap
from ....lib.router import Router
from ...api.compile import CONTAINERS_BY_SERVED, ROUTER
from ...api.node import AnyNode, Datum, Node, Read
from .. import router_rules, rules
from ..contention import Contender, make_contender
from ..entry import Sides, make_entry
from ..rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService
from .home import HOME, find_owner
from .tables import CONNECTION, IKE_POLICY, IPSEC_POLICY, SERVICE, SERVICES_BY_CONNECTION


@dataclass(frozen=True, slots=True)
class Guard:
    """Traffic of a connection that must not cross 'router' in clear."""

    service: UUID
    router: UUID
    local_subnets: tuple[str, ...]
    peer_subnets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A connection: 'entry' of the container's configuration, or why there can be none.

    A connection whose subnets can be read is guarded even when it is disabled
    or has another problem: its traffic is dropped rather than sent out in clear.
    """

    row: IPsecConnection
    owner: VPNService
    contender: Contender
    guards: tuple[Guard, ...] = ()
    entry: Mapping[str, Any] | None = None
    problem: str | None = None


CHECKED: Datum[UUID, Checked] = Datum("checked")


def run(read: Read, uuid: UUID) -> Checked | None:
    """Returns what is known of a connection without the others of its router."""
    row, owner = read(CONNECTION, uuid), find_owner(read, uuid)
    if row is None or owner is None:
        return None
    ike = read(IKE_POLICY, row.ike_policy) if row.ike_policy else None
    ipsec = read(IPSEC_POLICY, row.ipsec_policy) if row.ipsec_policy else None
    home = read(HOME, owner.uuid)
    router = read(ROUTER, home.router) if home is not None and home.router else None
    problem = _find_problem(row, owner, router, (ike, ipsec))
    contender = make_contender(owner, row, ike)
    # As text once, for the guards and the entry.
    local, peers = _format(contender.local_subnets), _format(contender.peer_subnets)
    return Checked(
        row=row,
        owner=owner,
        contender=contender,
        guards=_find_guards(read, contender, row, (local, peers)),
        entry=make_entry(owner, row, contender.entry, ipsec, (local, peers))
        if problem is None
        else None,
        problem=problem,
    )


def _find_problem(
    row: IPsecConnection,
    service: VPNService,
    router: Router | None,
    policies: tuple[IKEPolicy | None, IPsecPolicy | None],
) -> str | None:
    problem = rules.connection_problem(row, service)
    if problem is None:
        problem = rules.policies_problem(*policies)
    if problem is None and router is not None:
        problem = router_rules.connection_problem(row, router)
    if problem is None and not service.external_ips:
        problem = "its VPN service has no external address"
    return problem


def _format(subnets: Iterable[Subnet]) -> tuple[str, ...]:
    return tuple([str(each) for each in subnets])


def _find_guards(
    read: Read, contender: Contender, row: IPsecConnection, texts: Sides
) -> tuple[Guard, ...]:
    """Returns a guard for each service that has the connection, on each of its routers.

    'texts' are the subnets of the two sides of 'contender'.
    """
    guards = []
    for uuid in sorted(read(SERVICES_BY_CONNECTION, row.uuid) or ()):
        service, home = read(SERVICE, uuid), read(HOME, uuid)
        if service is None or home is None:
            continue
        local, local_texts = contender.local_subnets, texts[0]
        if uuid != contender.service:
            local = tuple(rules.parse_subnets(service.local_subnets))
            local_texts = _format(local)
        if not local or not texts[1] or find_overlap(local, contender.peer_subnets) is not None:
            continue
        for each in home.routers:
            router = read(ROUTER, each)
            # Where the subnets make no sense nothing can be guarded.
            if router is not None and router_rules.network_problem(row, router) is None:
                guards.append(Guard(uuid, router.uuid, local_texts, texts[1]))
    return tuple(guards)


NODES: tuple[AnyNode, ...] = (
    Node(
        CHECKED,
        run,
        (CONNECTION, SERVICES_BY_CONNECTION),
        (SERVICE, HOME, ROUTER, IKE_POLICY, IPSEC_POLICY, CONTAINERS_BY_SERVED),
    ),
)
