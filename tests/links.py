"""A law of OVN_Northbound: on a router nothing shares addresses with a link of ours.

OVN finds the port by which a policy leads out from the next hop alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from ..lib.addresses import overlap, parse_network
from ..lib.router import is_ours
from .ovsdb import Database


def find_shared_links(ovn: Database) -> list[str]:
    """Returns a sentence on each two ports of one router that share addresses, one of them ours."""
    ports = {row["_uuid"][1]: row for row in ovn.rows("Logical_Router_Port")}
    return [
        f"{one['name']} and {other['name']} share {one['networks']}"
        for router in ovn.rows("Logical_Router")
        for one, other in combinations([ports[uuid] for uuid in find_members(router["ports"])], 2)
        if (_is_marked(one) or _is_marked(other)) and _share(one, other)
    ]


def _is_marked(row: dict[str, Any]) -> bool:
    return is_ours(dict(row["external_ids"][1]))


def _share(one: dict[str, Any], other: dict[str, Any]) -> bool:
    mine, its = list(_list_networks(one)), list(_list_networks(other))
    return any(overlap(first, second) for first in mine for second in its)


def _list_networks(row: dict[str, Any]) -> Iterator[Any]:
    found = (parse_network(text) for text in find_members(row["networks"]))
    return (network for network in found if network is not None)


def find_members(value: Any) -> list[Any]:
    """Returns the members of a set as the server writes it: UUIDs and texts."""
    members = value[1] if isinstance(value, list) and value[0] == "set" else [value]
    return [each[1] if isinstance(each, list) else each for each in members]
