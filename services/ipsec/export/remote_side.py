"""A connection as its peer has to see it: what is local here is remote there.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import product
from typing import Any

from ....lib.errors import UsageError
from .. import inner_mtu

PLACEHOLDER = "PRE-SHARED-KEY"
HOW_TO_SEE = "svcctl conn-export --show-secrets writes it"

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_LABEL = 48


Subnets = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteChild:
    """The child SA of a connection; 'local' is what is the peer's own.

    'name' is SERVICE/CONNECTION, 'label' the same in letters, digits and two marks.
    'mtu' is the longest packet that the container sends and takes through it whole.
    """

    name: str
    label: str
    local_subnets: Subnets
    remote_subnets: Subnets
    esp_proposals: tuple[str, ...]
    esp_lifetime_s: int
    esp_lifetime_bytes: int | None
    mtu: int
    tcp_mss: int


@dataclass(frozen=True, slots=True)
class RemoteSide:
    """What the peer must have; 'local' is what is its own.

    Connections with the same ends are one IKE SA, so 'children' are of all of them, that
    which was asked for being the first.  With 'must_initiate' nobody else opens the
    tunnels; with 'reopens' nobody else opens what was lost.  'dpd_interval_s' is None
    where nobody looks whether the other one answers, 'psk' where it is not to be shown.
    """

    local_address: str
    remote_address: str
    local_id: str
    remote_id: str
    ike_version: int
    ike_proposals: tuple[str, ...]
    ike_lifetime_s: int
    force_udp_encapsulation: bool
    must_initiate: bool
    reopens: bool
    dpd_interval_s: int | None
    dpd_timeout_s: int
    children: tuple[RemoteChild, ...]
    psk: str | None = None

    @property
    def name(self) -> str:
        """SERVICE/CONNECTION of what was asked for."""
        return self.children[0].name

    @property
    def label(self) -> str:
        """The name in letters that every format takes."""
        return self.children[0].label

    def list_sas(self) -> list[tuple[str, RemoteChild, Subnets, Subnets]]:
        """Returns each child SA that there may be: a name of its own, local and remote subnets.

        A connection has one of all its subnets, or with IKE v1 one of each pair.
        """
        found = []
        for child in self.children:
            pairs = [(child.local_subnets, child.remote_subnets)]
            if self.ike_version == 1:
                both = product(child.local_subnets, child.remote_subnets)
                pairs = [((ours,), (theirs,)) for ours, theirs in both]
            for number, (local, remote) in enumerate(pairs, start=1):
                label = child.label if len(pairs) == 1 else f"{child.label}-{number}"
                found.append((label, child, local, remote))
        return found


def make_remote_side(
    entries: Sequence[Mapping[str, Any]], port_mtu: int, psk: str | None = None
) -> RemoteSide:
    """Returns the other side of entries of a container's configuration that have the same ends.

    'port_mtu' is the size of the largest packet that leaves the container.
    """
    entry = entries[0]
    initiates = any(each["initiate"] for each in entries)
    watches = entry["dpd_action"] != "disabled"
    return RemoteSide(
        local_address=entry["peer_address"],
        remote_address=entry["local_address"],
        local_id=entry["peer_id"],
        remote_id=entry["local_id"],
        ike_version=entry["ike_version"],
        ike_proposals=tuple(entry["ike_proposals"]),
        ike_lifetime_s=entry["ike_lifetime_s"],
        force_udp_encapsulation=entry["force_udp_encapsulation"],
        must_initiate=not initiates,
        reopens=not initiates or entry["dpd_action"] == "clear",
        dpd_interval_s=entry["dpd_interval_s"] if watches else None,
        dpd_timeout_s=entry["dpd_timeout_s"],
        children=tuple(_make_child(each, port_mtu) for each in entries),
        psk=psk,
    )


def _make_child(entry: Mapping[str, Any], port_mtu: int) -> RemoteChild:
    mtu = inner_mtu.find_inner_mtu(port_mtu, [entry["local_address"]])
    mtu = min(mtu, entry["mtu"] or mtu)
    return RemoteChild(
        name=entry["name"],
        label=_make_label(entry["name"], entry["id"]),
        local_subnets=tuple(entry["peer_subnets"]),
        remote_subnets=tuple(entry["local_subnets"]),
        esp_proposals=tuple(entry["esp_proposals"]),
        esp_lifetime_s=entry["esp_lifetime_s"],
        esp_lifetime_bytes=entry["esp_lifetime_bytes"],
        mtu=mtu,
        tcp_mss=inner_mtu.find_segment(mtu, ip_network(entry["local_subnets"][0]).version),
    )


def list_notes(side: RemoteSide) -> list[str]:
    """Returns what no format says in words of its own."""
    names = ", ".join(each.name for each in side.children)
    noun = "connection" if len(side.children) == 1 else "connections"
    if side.must_initiate:
        who = "This side must open the tunnel; the other one waits."
    else:
        who = "Either side may open the tunnel."
    sizes = (
        f"Packets in the tunnel of {each.name} have {each.mtu} bytes at most (TCP MSS"
        f" {each.tcp_mss})."
        for each in side.children
    )
    return [f"The gateway {side.local_address} of {noun} {names}.", who, *sizes]


def refuse(side: RemoteSide, format_name: str, what: str) -> UsageError:
    """Returns that a format cannot say something."""
    return UsageError(f"{side.name}: {format_name} cannot say {what}")


def _make_label(name: str, uuid: str) -> str:
    """Returns a name that every format takes, another one for each connection."""
    parts = name.split("/")
    if len(parts) == 2 and all(map(_PLAIN.fullmatch, parts)) and len(name) <= _LONGEST_LABEL:
        return "_".join(parts)
    label = _NOT_PLAIN.sub("-", name)[:_LONGEST_LABEL].strip("-")
    return f"{label or 'connection'}-{uuid[:8]}"
