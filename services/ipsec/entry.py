"""A connection as the configuration of its container has it.  Pure.

schemas/svc-sb.rst documents the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import proposals, rules
from .rows import IPsecConnection, IPsecPolicy, VPNService

Sides = tuple[tuple[str, ...], tuple[str, ...]]
"""Local and peer subnets as text."""


def make_entry(
    service: VPNService,
    row: IPsecConnection,
    ike: Mapping[str, Any],
    ipsec: IPsecPolicy | None,
    sides: Sides,
) -> Mapping[str, Any]:
    """Returns one connection of the configuration; 'ike' is make_ike_entry()'s part of it."""
    return {
        "id": str(row.uuid),
        "name": f"{service.name}/{row.name}",
        **ike,
        "local_subnets": list(sides[0]),
        "peer_subnets": list(sides[1]),
        "esp_proposals": proposals.make_esp_proposals(ipsec, ike["ike_version"]),
        "esp_lifetime_s": (ipsec and ipsec.lifetime) or rules.DEFAULT_IPSEC_LIFETIME_S,
        "esp_lifetime_bytes": ipsec.lifetime_bytes if ipsec is not None else None,
        "initiate": row.initiator != "response-only",
        "mtu": row.mtu,
    }
