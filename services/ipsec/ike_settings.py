"""The settings of an IKE connection: what all connections to one peer have in common.

Pure.  Two connections with the same addresses and identities are one IKE
connection with a child SA of each, so that these settings must be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import rules
from .rows import IKEPolicy, IPsecConnection, VPNService

IkeSettings = tuple[Any, ...]
"""The ends, and then what is agreed between them."""

_ENDS = ("local_address", "peer_address")
_AGREED = ("ike_version", "ike_proposal", "ike_lifetime_s", "dpd_interval_s", "dpd_timeout_s")


def make_ike_entry(
    service: VPNService, row: IPsecConnection, policy: IKEPolicy | None
) -> Mapping[str, Any]:
    """Returns the part of a connection of the configuration that is about IKE.

    schemas/svc-sb.rst documents the keys.
    """
    local_address = service.external_ips[0] if service.external_ips else ""
    version = (policy and policy.ike_version) or rules.DEFAULT_IKE_VERSION
    return {
        "local_address": local_address,
        "peer_address": row.peer_address,
        "local_id": row.local_id or local_address,
        "peer_id": row.peer_id or row.peer_address,
        "ike_version": int(version.removeprefix("v")),
        "ike_proposal": rules.ike_proposal(policy),
        "ike_lifetime_s": (policy and policy.lifetime) or rules.DEFAULT_IKE_LIFETIME_S,
        "dpd_action": row.dpd_action or rules.DEFAULT_DPD_ACTION,
        "dpd_interval_s": row.dpd_interval or rules.DEFAULT_DPD_INTERVAL_S,
        "dpd_timeout_s": row.dpd_timeout or rules.DEFAULT_DPD_TIMEOUT_S,
    }


def find_ike_settings(entry: Mapping[str, Any]) -> IkeSettings:
    """Returns what two connections with the same identities must have in common."""
    detects = entry["dpd_action"] != "disabled"
    return (*(entry[key] for key in (*_ENDS, *_AGREED)), detects)


def find_difference(one: IkeSettings, other: IkeSettings) -> str:
    """Returns in words in what two settings differ."""
    count = len(_ENDS)
    if one[:count] != other[:count]:
        return "with other addresses"
    return "with other settings of IKE or of dead peer detection"
