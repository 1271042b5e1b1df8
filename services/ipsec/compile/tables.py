"""The tables of the type as data, and what finds their rows."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from uuid import UUID

from ....lib.addresses import canonical_address
from ...api.compile import ROUTER
from ...api.node import AnyNode, Datum, Index
from ..router_rules import make_container_name
from ..rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService

SERVICE: Datum[UUID, VPNService] = Datum("nb.VPN_Service")
CONNECTION: Datum[UUID, IPsecConnection] = Datum("nb.IPsec_Connection")
IKE_POLICY: Datum[UUID, IKEPolicy] = Datum("nb.IKE_Policy")
IPSEC_POLICY: Datum[UUID, IPsecPolicy] = Datum("nb.IPsec_Policy")

SERVICES_BY_CONNECTION: Datum[UUID, AbstractSet[UUID]] = Datum("services by connection")
SERVICES_BY_ADDRESS: Datum[str, AbstractSet[UUID]] = Datum("services by external address")
CONNECTIONS_BY_PEER: Datum[str, AbstractSet[UUID]] = Datum("connections by peer address")
ROUTERS_BY_CONTAINER: Datum[str, AbstractSet[UUID]] = Datum("routers by container")


def _find_addresses(_uuid: UUID, row: VPNService) -> Iterable[str]:
    return (canonical_address(text) for text in row.external_ips)


INDEXES: tuple[AnyNode, ...] = (
    Index(SERVICES_BY_CONNECTION, SERVICE, lambda _uuid, row: row.connections),
    Index(SERVICES_BY_ADDRESS, SERVICE, _find_addresses),
    Index(
        CONNECTIONS_BY_PEER, CONNECTION, lambda _uuid, row: (canonical_address(row.peer_address),)
    ),
    Index(ROUTERS_BY_CONTAINER, ROUTER, lambda uuid, _router: (make_container_name(uuid),)),
)
