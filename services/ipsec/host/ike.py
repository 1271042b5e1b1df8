"""IKE connections as charon knows them, in messages of vici.

Pure.  Connections with the same addresses and identities are one IKE connection
with child SAs of each: to charon, and to the peer, a second IKE connection of
the same two would be the first one again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .children import find_children
from .connections import Connection, find_ends

_NAMES = uuid.UUID("9f3c1d5e-5b0e-4d0c-9c4e-0f8f0b6f7c11")


@dataclass(frozen=True, slots=True)
class Ike:
    """One IKE connection; 'members' are the connections that it is of, sorted by id."""

    name: str
    members: tuple[Connection, ...]


def find_name(connection: Connection) -> str:
    """Returns the name of the IKE connection that a connection is of.

    It stays the same whichever others there are.
    """
    return str(uuid.uuid5(_NAMES, repr(find_ends(connection))))


def find_ikes(connections: Iterable[Connection]) -> dict[str, Ike]:
    """Returns the IKE connections that connections come to, by name."""
    members: dict[str, list[Connection]] = {}
    for connection in connections:
        members.setdefault(find_name(connection), []).append(connection)
    return {
        name: Ike(name, tuple(sorted(each, key=lambda one: one.id)))
        for name, each in members.items()
    }


def format_ike(ike: Ike) -> dict[str, Any]:
    """Returns the message of vici's load-conn."""
    message = {**format_settings(ike.members[0]), "children": format_children(ike)}
    return {ike.name: message}


def format_settings(connection: Connection) -> dict[str, Any]:
    """Returns the part of load-conn that is not of a child; one change makes an IKE_SA anew."""
    dead_peer = connection.dpd_action != "disabled"
    return {
        "version": connection.ike_version,
        "local_addrs": [connection.local_address],
        "remote_addrs": [connection.peer_address],
        "proposals": list(connection.ike_proposals),
        "rekey_time": f"{_rekey_s(connection.ike_lifetime_s)}s",
        "over_time": f"{connection.ike_lifetime_s - _rekey_s(connection.ike_lifetime_s)}s",
        "reauth_time": "0s",
        "dpd_delay": f"{connection.dpd_interval_s if dead_peer else 0}s",
        "dpd_timeout": f"{connection.dpd_timeout_s}s",
        # The addresses on lo must not be offered to the peer as alternatives.
        "mobike": "no",
        "encap": "yes" if connection.force_udp_encapsulation else "no",
        "unique": "replace",
        "keyingtries": 0,
        "send_cert": "never",
        "local": {"auth": "psk", "id": connection.local_id},
        "remote": {"auth": "psk", "id": connection.peer_id},
    }


def format_children(ike: Ike) -> dict[str, dict[str, Any]]:
    """Returns the child SAs of load-conn by name; a change of one makes it anew."""
    return {
        name: _format_child(connection, local, peer)
        for connection in ike.members
        for name, (local, peer) in find_children(connection).items()
    }


def format_secret(connection: Connection, psk: str) -> dict[str, Any]:
    """Returns the message of vici's load-shared; it must not be logged."""
    return {
        "id": connection.id,
        "type": "IKE",
        "data": psk.encode(),
        "owners": [connection.local_id, connection.peer_id],
    }


def format_initiation(name: str, child: str) -> dict[str, Any]:
    """Returns the message of vici's initiate; nobody waits for what comes of it."""
    return {"ike": name, "child": child, "timeout": -1, "init-limits": "no"}


def format_termination(name: str, child: str | None = None) -> dict[str, Any]:
    """Returns the message of vici's terminate that ends all SAs of a connection, or of a child.

    charon sends one DELETE for an established IKE_SA and waits for no answer.
    """
    what: Mapping[str, Any] = {"ike": name} if child is None else {"ike": name, "child": child}
    return {**what, "timeout": -1, "force": "yes"}


def _format_child(connection: Connection, local: list[str], peer: list[str]) -> dict[str, Any]:
    return {
        "mode": "tunnel",
        "local_ts": local,
        "remote_ts": peer,
        "esp_proposals": list(connection.esp_proposals),
        "life_time": f"{connection.esp_lifetime_s}s",
        "rekey_time": f"{_rekey_s(connection.esp_lifetime_s)}s",
        **_format_lifetime_bytes(connection.esp_lifetime_bytes),
        # The gateway begins anew what is to be up: charon would not know when it may, and
        # could keep no trap in kernel-libipsec.
        "dpd_action": "clear",
        "start_action": "none",
        "close_action": "none",
    }


def _rekey_s(lifetime_s: int) -> int:
    """Returns when to begin a rekeying, so that it is done within the lifetime."""
    return max(1, lifetime_s * 9 // 10)


def _format_lifetime_bytes(most: int | None) -> dict[str, str]:
    """Returns when the bytes of an SA end it, and when to begin a rekeying before that.

    A fifth is left for the rekeying.  The two gateways, which count the same
    packets, are to begin at different moments, so a tenth of it is left to chance.
    """
    if most is None:
        return {}
    moments = {"life_bytes": most, "rekey_bytes": most * 8 // 10, "rand_bytes": most // 10}
    return {key: str(value) for key, value in moments.items()}
