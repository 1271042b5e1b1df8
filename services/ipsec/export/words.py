"""The other side in words, for whoever has a gateway of another make, and as JSON.  Pure.

"Local" is what is of that gateway, as in the forms that its administrator fills.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from ipaddress import ip_network

from .algorithm_names import list_esp_algorithms, list_ike_algorithms, name_identity
from .remote_side import HOW_TO_SEE, PLACEHOLDER, RemoteChild, RemoteSide
from .strongswan_key import format_key

_INDENT = "    "
# As devices count a lifetime in kB.
_KILOBYTE = 1024
_PRIVATE = "the same as on the remote gateway"


def format_text(side: RemoteSide) -> list[str]:
    """Returns what the administrator of the other side has to know."""
    return [
        f"VPN {side.name}, as the gateway {side.local_address} must have it",
        f'"Local" is that gateway and what is behind it, "remote" is {side.remote_address}.',
        *list_facts(side, _format_key(side)),
        *(line for child in side.children for line in list_child_facts(side, child)),
    ]


def format_json(side: RemoteSide) -> list[str]:
    """Returns one JSON object with the fields of a RemoteSide."""
    return json.dumps(asdict(side), indent=2, ensure_ascii=True).splitlines()


def list_facts(side: RemoteSide, key: str = _PRIVATE) -> list[str]:
    """Returns what the other side must have for the IKE SA, with what is told of the key."""
    version = "IKEv2" if side.ike_version == 2 else "IKEv1, main mode (aggressive mode is refused)"
    return [
        "Gateways",
        *_indent(_list_ends(side, key)),
        "Phase 1 (IKE)",
        *_indent([f"version: {version}"]),
        *_indent(_tell_sets(list_ike_algorithms(side.ike_proposals, side.ike_version))),
        *_indent([f"lifetime: {side.ike_lifetime_s} s", *_list_watch(side)]),
    ]


def list_child_facts(side: RemoteSide, child: RemoteChild) -> list[str]:
    """Returns what the other side must have for the child SAs of a connection."""
    most = child.esp_lifetime_bytes
    volume = "no lifetime in kB" if most is None else f"{most // _KILOBYTE} kB ({most} bytes)"
    return [
        f"Phase 2 (ESP) of {child.name}",
        *_indent(["mode: tunnel", *_tell_sets(list_esp_algorithms(child.esp_proposals))]),
        *_indent([f"lifetime: {child.esp_lifetime_s} s, {volume}"]),
        *_indent(_list_selectors(side, child)),
        *_indent([f"inner MTU: {child.mtu} bytes, the longest packet of the remote gateway"]),
        *_indent([f"TCP MSS: {child.tcp_mss} bytes, set by the remote gateway in both directions"]),
    ]


def _list_ends(side: RemoteSide, key: str) -> list[str]:
    ports = "UDP 500, UDP 4500 and ESP (IP protocol 50)"
    opens = "the local gateway; the remote one waits" if side.must_initiate else "either side"
    wraps = "always" if side.force_udp_encapsulation else "where either side wants it"
    return [
        f"local gateway: {side.local_address}",
        f"local identity: {name_identity(side.local_id)}",
        f"remote gateway: {side.remote_address}",
        f"remote identity: {name_identity(side.remote_id)}",
        "authentication: pre-shared key",
        f"pre-shared key: {key}",
        f"opened by: {opens}",
        f"firewall: {ports}, both ways between the gateways",
        f"NAT traversal: on; ESP in UDP 4500 {wraps}",
    ]


def _list_watch(side: RemoteSide) -> list[str]:
    if side.dpd_interval_s is None:
        return ["dead peer detection: off"]
    timeout = f", timeout {side.dpd_timeout_s} s" if side.ike_version == 1 else ""
    action = "restart (open it again)" if side.reopens else "clear (the remote gateway opens it)"
    return [
        f"dead peer detection: after {side.dpd_interval_s} s without traffic{timeout}",
        f"action for a dead peer: {action}",
    ]


def _list_selectors(side: RemoteSide, child: RemoteChild) -> list[str]:
    pairs = len(child.local_subnets) * len(child.remote_subnets)
    if pairs == 1:
        count = "one"
    elif side.ike_version == 1:
        count = f"{pairs}, one for each local subnet with each remote subnet"
    else:
        count = f"one for all subnets, or {pairs}, one for each local with each remote subnet"
    if side.ike_version == 1:
        wide = "these subnets as phase 2 selectors (proxy IDs); IKEv1 cannot narrow 0.0.0.0/0"
    else:
        wide = "these subnets as selectors, or 0.0.0.0/0, which is narrowed to them (RFC 7296, 2.9)"
    return [
        f"local subnets: {_list_masks(child.local_subnets)}",
        f"remote subnets: {_list_masks(child.remote_subnets)}",
        f"SAs: {count}",
        "policy-based device: exactly these subnets, any protocol and port",
        f"route-based device: {wide}",
        "routes of a route-based device: the remote subnets into the tunnel, and nothing else",
        "NAT: none between these subnets; leave them out of source NAT",
    ]


def _tell_sets(sets: list[list[str]]) -> list[str]:
    """Returns the lines of the only set, or of several under a heading for each."""
    if len(sets) == 1:
        return sets[0]
    numbered = enumerate(sets, start=1)
    return [line for n, lines in numbered for line in (f"proposal {n}", *_indent(lines))]


def _list_masks(subnets: Iterable[str]) -> str:
    return ", ".join(f"{each} ({ip_network(each).netmask})" for each in subnets)


def _indent(lines: Iterable[str]) -> list[str]:
    return [f"{_INDENT}{line}" for line in lines]


def _format_key(side: RemoteSide) -> str:
    if side.psk is None:
        return f"{PLACEHOLDER} ({HOW_TO_SEE})"
    if side.psk.isprintable() and side.psk == side.psk.strip():
        return side.psk
    return f"{format_key(side.psk)} (base64 behind 0s)"
