"""The child SAs of a connection: which there may be, what they leave out, and which are missing.

Pure.  A pair is one local and one peer subnet; all pairs of a connection are
wanted.  IKEv2 negotiates them in one child SA, of which some peers take one
pair only, or narrow it to less (RFC 7296, 2.9); of IKEv1 strongSwan takes one
pair for each.  So each pair has a child SA of its own beside the one of all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .connections import Connection
from .vici import text

Pair = tuple[str, str]
"""Local subnet, peer subnet."""

# Beyond it charon could not be told of all in one message of vici (512 kB).
MOST_APART = 256
_ID_LENGTH = 36


def find_connection_id(child: str) -> str:
    """Returns the id of the connection that a child SA of this name is of."""
    return child[:_ID_LENGTH]


def find_pairs(connection: Connection) -> list[Pair]:
    """Returns each local subnet with each peer subnet."""
    return [(local, peer) for local in connection.local_subnets for peer in connection.peer_subnets]


def find_children(connection: Connection) -> dict[str, tuple[list[str], list[str]]]:
    """Returns the selectors, local and peer, of the child SAs that charon knows, by name.

    The one of all pairs comes first and has the name of the connection.
    """
    names = _name_pairs(connection)
    apart = {name: ([local], [peer]) for (local, peer), name in names.items()}
    if connection.ike_version == 1:
        return apart
    whole = list(connection.local_subnets), list(connection.peer_subnets)
    return {connection.id: whole, **(apart if len(names) <= MOST_APART else {})}


def find_left_out(connection: Connection, children: Iterable[Mapping[str, Any]]) -> list[Pair]:
    """Returns the pairs that none of the installed child SAs takes, as list-sas has them.

    charon never takes more than it was configured with, so that a subnet is in
    a selector as a whole only if they are equal.
    """
    taken = {
        (local, peer)
        for child in children
        for local in map(text, child.get("local-ts") or ())
        for peer in map(text, child.get("remote-ts") or ())
    }
    return [pair for pair in find_pairs(connection) if pair not in taken]


def find_part(pair: Pair, children: Iterable[Mapping[str, Any]]) -> Pair | None:
    """Returns which part of a pair one of the installed child SAs takes, as list-sas has it."""
    for child in children:
        local = _find_within(pair[0], child.get("local-ts"))
        peer = _find_within(pair[1], child.get("remote-ts"))
        if local is not None and peer is not None:
            return local, peer
    return None


def find_missing(
    connection: Connection, installed: Collection[str], left_out: Sequence[Pair], apart: bool
) -> list[str]:
    """Returns the names of the child SAs to begin, so that no pair is left out.

    'apart' says that the peer was seen not to take all pairs in one.  What is
    installed and leaves out a part of its own pair is not begun again: the peer
    would narrow it again.
    """
    if not left_out:
        return []
    names = _name_pairs(connection)
    at_once = connection.ike_version != 1 and not installed and not apart
    if at_once or (connection.ike_version != 1 and len(names) > MOST_APART):
        return [] if connection.id in installed else [connection.id]
    missing = [names[pair] for pair in left_out]
    return [name for name in missing if name not in installed]


def _find_within(subnet: str, selectors: Iterable[Any] | None) -> str | None:
    return next((each for each in map(text, selectors or ()) if _is_within(each, subnet)), None)


def _is_within(selector: str, subnet: str) -> bool:
    """Returns whether a selector, such as 10.0.0.0/25[tcp] or 10.0.0.1..10.0.0.9, is of a subnet.

    So charon formats them (strongSwan, selectors/traffic_selector.c).
    """
    whole = ipaddress.ip_network(subnet)
    ends = selector.partition("[")[0].split("..")
    try:
        parts = [ipaddress.ip_network(each) for each in ends]
    except ValueError:
        return False
    return all(
        part.version == whole.version
        and int(whole.network_address) <= int(part.network_address)
        and int(part.broadcast_address) <= int(whole.broadcast_address)
        for part in parts
    )


def _name_pairs(connection: Connection) -> dict[Pair, str]:
    pairs = find_pairs(connection)
    if len(pairs) == 1:
        return {pairs[0]: connection.id}
    return {pair: f"{connection.id}-{number}" for number, pair in enumerate(pairs)}
