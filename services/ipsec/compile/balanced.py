"""Node 'balanced': the load balancers' addresses that the container of a router translates.

Apart from the gateway, so that a change of a load balancer computes no connection
anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ....lib.addresses import Subnet
from ....lib.balancer import VirtualAddress
from ...api.balancers import ATTACHED_BALANCERS, BALANCER_DATA, find_virtual_addresses
from ...api.node import AnyNode, Datum, Node, Read
from .. import rules
from ..balancing import MOST_PAIRS, is_inside, narrow
from .gateway import GATEWAY

Group = tuple[Subnet, ...]


@dataclass(frozen=True, slots=True)
class Balanced:
    """'entries' of the configuration, and how many virtual addresses were too many for it."""

    entries: tuple[Mapping[str, Any], ...]
    left: int = 0

    @property
    def problem(self) -> str | None:
        """Returns in a sentence that some are left out."""
        if not self.left:
            return None
        return (
            f"{self.left} virtual addresses of load balancers are not reached through the VPN;"
            f" {MOST_PAIRS} pairs of virtual address and member are the most for a router"
        )


BALANCED: Datum[UUID, Balanced] = Datum("balanced")


def run(read: Read, router: UUID) -> Balanced | None:
    """Returns what is translated, None if nothing is."""
    gateway = read(GATEWAY, router) if read(ATTACHED_BALANCERS, router) is not None else None
    if gateway is None or not gateway.entries:
        return None
    texts = {tuple(each["local_subnets"]) for each in gateway.entries.values()}
    groups = [tuple(rules.parse_subnets(each)) for each in sorted(texts)]
    every = {subnet for group in groups for subnet in group}
    found = find_virtual_addresses(read, router, lambda address: is_inside(address, every))
    entries, pairs, left = [], 0, 0
    for each in found:
        chosen, cost = _choose(each, groups)
        if pairs + cost > MOST_PAIRS:
            left += 1
            continue
        pairs += cost
        entries.append(_make_entry(chosen))
    return Balanced(tuple(entries), left) if found else None


def list_entries(read: Read, router: UUID) -> Sequence[Mapping[str, Any]]:
    """Returns 'balancers' of the configuration of a router's container."""
    balanced = read(BALANCED, router)
    return balanced.entries if balanced is not None else ()


def _choose(virtual: VirtualAddress, groups: list[Group]) -> tuple[VirtualAddress, int]:
    """Returns a virtual address with the members that any group has, and its pairs.

    Each group of local subnets is a rule of its own on the chassis.
    """
    parts = [part for group in groups if (part := narrow(virtual, group)) is not None]
    members = {each for part in parts for each in part.members}
    kept = tuple(each for each in virtual.members if each in members)
    return replace(virtual, members=kept), sum(max(1, len(part.members)) for part in parts)


def _make_entry(virtual: VirtualAddress) -> Mapping[str, Any]:
    """Returns one of 'balancers' of the configuration; schemas/svc-sb.rst documents the keys."""
    return {
        "address": str(virtual.at.address),
        "port": virtual.at.port,
        "protocol": virtual.protocol,
        "members": [str(each) for each in virtual.members],
    }


NODES: tuple[AnyNode, ...] = (
    # Most routers have no load balancer.
    Node(BALANCED, run, (ATTACHED_BALANCERS,), (GATEWAY, *BALANCER_DATA)),
)
