"""The compile half as one object (services/api/compile.py, CompileHalf)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from ....lib.rows import Row
from ...api.compile import Compiled, ConfigurationKey
from ...api.node import AnyNode, Datum, Index, Read
from ..rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService
from . import balanced, checked, gateway, home, status
from .tables import CONNECTION, IKE_POLICY, INDEXES, IPSEC_POLICY, SERVICE


class IpsecCompile:
    """VPN services to the containers of their routers."""

    tables: Mapping[type[Row], Datum[UUID, Any]] = {
        VPNService: SERVICE,
        IPsecConnection: CONNECTION,
        IKEPolicy: IKE_POLICY,
        IPsecPolicy: IPSEC_POLICY,
    }
    nodes: Sequence[AnyNode] = (
        *INDEXES,
        *home.NODES,
        *checked.NODES,
        *gateway.NODES,
        *balanced.NODES,
    )
    units: Index[Any, Any, Any] | None = home.UNITS
    prefix = "vpn"
    inputs: Sequence[Datum[Any, Any]] = (gateway.GATEWAY, balanced.BALANCED, CONNECTION)
    compiled = gateway.COMPILED
    held: Datum[UUID, bool] | None = status.HELD
    status_nodes: Sequence[AnyNode] = status.NODES
    statuses: Datum[Any, Any] | None = status.STATUSES

    def compile(self, read: Read, unit: UUID) -> Compiled:
        """Returns the container of a router."""
        return gateway.compile_gateway(read, unit, balanced.list_entries(read, unit))

    def find_secrets(self, read: Read, unit: UUID, names: Iterable[str]) -> Mapping[str, str]:
        """Returns the pre-shared keys of connections by UUID."""
        found = {}
        for name in names:
            uuid = _parse_uuid(name)
            row = read(CONNECTION, uuid) if uuid is not None else None
            if row is not None and row.psk:
                found[name] = row.psk
        return found

    def describe(self) -> Sequence[ConfigurationKey]:
        """Returns nothing: its configuration has tables of its own."""
        return ()


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


HALF = IpsecCompile()
