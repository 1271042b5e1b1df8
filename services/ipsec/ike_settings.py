"""The settings of an IKE connection: what all connections to one peer have in common.

Pure.  Two connections with the same addresses and identities are one IKE
connection with a child SA of each, so that these settings must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import proposals, rules
from .rows import IKEPolicy, IPsecConnection, VPNService

IkeSettings = tuple[str, str]
"""The ends, and what is agreed between them, as JSON."""

_ENDS = ("local_address", "peer_address")
_AGREED = (
    "ike_version",
    "ike_proposals",
    "ike_lifetime_s",
    "force_udp_encapsulation",
    "dpd_interval_s",
    "dpd_timeout_s",
)


def make_ike_entry(
    service: VPNService, row: IPsecConnection, policy: IKEPolicy | None
) -> Mapping[str, Any]:
    """Returns the part of a connection of the configuration that is about IKE.

    schemas/svc-sb.rst documents the keys.
    """
    local_address = service.external_ips[0] if service.external_ips else ""
    return {
        "local_address": local_address,
        "peer_address": row.peer_address,
        "local_id": row.local_id or local_address,
        "peer_id": row.peer_id or row.peer_address,
        "ike_version": proposals.find_ike_version(policy),
        "ike_proposals": proposals.make_ike_proposals(policy),
        "ike_lifetime_s": (policy and policy.lifetime) or rules.DEFAULT_IKE_LIFETIME_S,
        "force_udp_encapsulation": row.force_udp_encapsulation is True,
        "dpd_action": row.dpd_action or rules.DEFAULT_DPD_ACTION,
        "dpd_interval_s": row.dpd_interval or rules.DEFAULT_DPD_INTERVAL_S,
        "dpd_timeout_s": row.dpd_timeout or rules.DEFAULT_DPD_TIMEOUT_S,
    }


def find_ike_settings(entry: Mapping[str, Any]) -> IkeSettings:
    """Returns what two connections with the same identities must have in common.

    'entry' may be one that was read from a row, with whatever is in it.
    """
    ends = [entry.get(key) for key in _ENDS]
    return json.dumps(ends, sort_keys=True), find_agreed(entry)


def find_agreed(entry: Mapping[str, Any]) -> str:
    """Returns what must be the same besides the ends."""
    action = entry.get("dpd_action")
    # Nothing is kept waiting for traffic, so that 'hold' is as 'restart'.
    silence = "restart" if action == "hold" else action
    return json.dumps([*(entry.get(key) for key in _AGREED), silence], sort_keys=True)


def find_difference(one: IkeSettings, other: IkeSettings) -> str:
    """Returns in words in what two settings differ."""
    if one[0] != other[0]:
        return "with other addresses"
    return "with other settings of IKE or of dead peer detection"
