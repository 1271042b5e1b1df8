"""Node 'redirect': the traffic that containers must get, and what is dropped around it.

For each connection, from high to low priority:

    drop     local to peer subnets that came from outside or out of the
             container itself (spoofed, or looping while there is no tunnel)
    reroute  local to peer subnets, to the container, once that is ready
    drop     local to peer subnets still here: fail closed
    drop     peer to local subnets from outside: only what the container
             decrypted is let in

The drops are there from the moment the connection is known, with a tunnel or
without.  Matches are in OVN's expression language (ovn-sb(5), Logical_Flow),
in which inport can be tested for equality only; a policy with another test is
silently missing from the flows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ..lib.router import Router, make_container_name
from . import ovn
from .en_container import Containers
from .en_transit import Transit, make_port_name
from .en_vpn import VPN, Guard

LOOP_PRIORITY = 32020
REROUTE_PRIORITY = 32010
DROP_PRIORITY = 32000


@dataclass(frozen=True, slots=True)
class Redirect:
    """One rule on 'router'; 'name' is unique and tells what it is for."""

    name: str
    container: str
    router: UUID
    priority: int
    match: str
    action: str
    next_hop: str | None = None


def run(
    verdict: VPN,
    routers: Mapping[UUID, Router],
    containers: Containers,
    transits: Mapping[str, Transit],
    ready: frozenset[str],
    held: tuple[Redirect, ...],
) -> tuple[Redirect, ...]:
    """Returns the rules of every guarded connection, and those that are held."""
    served = {
        connection.row.uuid
        for service in verdict.services
        if service.enabled
        for connection in service.connections
        if connection.enabled
    }
    rules: list[Redirect] = []
    for guard in verdict.guards:
        name = make_container_name(guard.router)
        transit = transits.get(name) if name in containers.by_name else None
        rules.extend(_make_drops(guard, name, routers[guard.router], transit is not None))
        if transit and name in ready and guard.connection in served:
            rules.append(_make_reroute(guard, name, transit))
    names = {rule.name for rule in rules}
    return (*rules, *(rule for rule in held if rule.name not in names))


def find_reroutes(policies: Mapping[UUID, ovn.RouterPolicy]) -> set[str]:
    """Returns the containers to which OVN reroutes traffic already."""
    names = (ovn.find_key(row.external_ids) for row in policies.values() if row.action == "reroute")
    return {name.partition("/")[0] for name in names if name}


def find_held(
    verdict: VPN,
    policies: Mapping[UUID, ovn.RouterPolicy],
    routers: Mapping[UUID, ovn.LogicalRouter],
) -> tuple[Redirect, ...]:
    """Returns the drops that OVN holds for connections which cannot be served now.

    A mistake in a row, or a router that was renamed, must not open a way
    around the tunnel that was there: the drops go with the row or the router.
    """
    if not verdict.held:
        return ()
    held = {str(uuid) for uuid in verdict.held}
    holders = {uuid: router.uuid for router in routers.values() for uuid in router.policies}
    rules = []
    for policy in policies.values():
        name = ovn.find_key(policy.external_ids) or ""
        container, _, rest = name.partition("/")
        if policy.action == "drop" and policy.uuid in holders and set(rest.split("/")) & held:
            router = holders[policy.uuid]
            rule = Redirect(name, container, router, policy.priority, policy.match, "drop")
            rules.append(rule)
    return tuple(sorted(rules, key=lambda rule: rule.name))


def _make_reroute(guard: Guard, container: str, transit: Transit) -> Redirect:
    return Redirect(
        name=f"{container}/reroute/{guard.connection}",
        container=container,
        router=guard.router,
        priority=REROUTE_PRIORITY,
        match=_match(guard.local_subnets, guard.peer_subnets),
        action="reroute",
        next_hop=transit.container_address,
    )


def _make_drops(guard: Guard, container: str, router: Router, linked: bool) -> list[Redirect]:
    """Returns the drops; 'linked' says whether the container's router port is there."""
    outside = [port.name for port in router.gateway_ports]
    looping = [*outside, make_port_name(container)] if linked else outside
    outward = _match(guard.local_subnets, guard.peer_subnets)
    inward = _match(guard.peer_subnets, guard.local_subnets)
    matches = {"drop-out": (DROP_PRIORITY, outward)}
    if looping:
        matches["drop-loop"] = (LOOP_PRIORITY, f"{_match_inport(looping)} && {outward}")
    if outside:
        matches["drop-in"] = (DROP_PRIORITY, f"{_match_inport(outside)} && {inward}")
    return [
        Redirect(
            name=f"{container}/{kind}/{guard.connection}/{_digest(match)}",
            container=container,
            router=guard.router,
            priority=priority,
            match=match,
            action="drop",
        )
        for kind, (priority, match) in matches.items()
    ]


def _digest(match: str) -> str:
    """Returns what tells drops of a connection apart, so that an old one can be held."""
    return hashlib.sha256(match.encode()).hexdigest()[:8]


def _match_inport(ports: list[str]) -> str:
    return f"inport == {_format([json.dumps(port) for port in ports])}"


def _match(sources: Sequence[str], destinations: Sequence[str]) -> str:
    return f"ip4.src == {_format(sources)} && ip4.dst == {_format(destinations)}"


def _format(members: Sequence[str]) -> str:
    """Returns a constant or a constant set of OVN's expression language."""
    return members[0] if len(members) == 1 else "{" + ", ".join(members) + "}"
