"""The other side in words, for whoever has a gateway of another make, and as JSON.  Pure."""

from __future__ import annotations

import json
from dataclasses import asdict

from .remote_side import HOW_TO_SEE, PLACEHOLDER, RemoteChild, RemoteSide, list_notes
from .strongswan_key import format_key

_INDENT = "    "


def format_text(side: RemoteSide) -> list[str]:
    """Returns what the administrator of the other side has to know."""
    lines = [*list_notes(side), *list_facts(side), f"pre-shared key: {_format_key(side)}"]
    for child in side.children:
        lines.append(f"child SA of {child.name}")
        lines += (f"{_INDENT}{line}" for line in list_child_facts(side, child))
    return lines


def format_json(side: RemoteSide) -> list[str]:
    """Returns one JSON object with the fields of a RemoteSide."""
    return json.dumps(asdict(side), indent=2, ensure_ascii=True).splitlines()


def list_facts(side: RemoteSide) -> list[str]:
    """Returns what the other side must have for the IKE SA; the key is left out."""
    dpd = "off"
    if side.dpd_interval_s is not None:
        dpd = f"after {side.dpd_interval_s} s without traffic"
        dpd += f", gone after {side.dpd_timeout_s} s" if side.ike_version == 1 else ""
    return [
        f"address: {side.local_address}",
        f"id: {side.local_id}",
        f"address of the other gateway: {side.remote_address}",
        f"id of the other gateway: {side.remote_id}",
        f"IKE version: {side.ike_version}",
        f"IKE proposals: {', '.join(side.ike_proposals)}",
        f"IKE lifetime: {side.ike_lifetime_s} s",
        f"dead peer detection: {dpd}",
        f"ESP in UDP: {'always' if side.force_udp_encapsulation else 'where there is a NAT'}",
        f"opened by: {'this side' if side.must_initiate else 'either side'}",
    ]


def list_child_facts(side: RemoteSide, child: RemoteChild) -> list[str]:
    """Returns what the other side must have for the child SAs of a connection."""
    volume = f" or {child.esp_lifetime_bytes} bytes" if child.esp_lifetime_bytes is not None else ""
    several = len(child.local_subnets) * len(child.remote_subnets) > 1
    each = "for each pair one" if side.ike_version == 1 else "one for all pairs, or for each one"
    return [
        f"its subnets: {', '.join(child.local_subnets)}",
        f"subnets of the other gateway: {', '.join(child.remote_subnets)}",
        *([f"child SAs: {each}"] if several else []),
        f"ESP proposals: {', '.join(child.esp_proposals)}",
        f"ESP lifetime: {child.esp_lifetime_s} s{volume}",
    ]


def _format_key(side: RemoteSide) -> str:
    if side.psk is None:
        return f"{PLACEHOLDER} ({HOW_TO_SEE})"
    if side.psk.isprintable() and side.psk == side.psk.strip():
        return side.psk
    return f"{format_key(side.psk)} (base64 behind 0s)"
