"""Node 'gateway': all connections of a router together, and the container that they come to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ...api.compile import (
    ALLOWS,
    CONTAINERS_BY_SERVED,
    DROPS,
    FIRST,
    INSIDE,
    LAST,
    LAST_RESORT,
    OUTSIDE,
    REROUTE,
    REROUTES,
    ROUTER,
    AddressSpec,
    Compiled,
    ContainerSpec,
    PortSpec,
    RedirectSpec,
    RouteSpec,
    Secret,
    Transit,
)
from ...api.node import AnyNode, Datum, Node, Read
from ..router_rules import find_detached, make_container_name
from ..rows import VPNService
from .checked import CHECKED, Checked, Guard
from .choice import Choice
from .home import SERVICE_PROBLEM, SERVICES_BY_ROUTER
from .last import Entry
from .tables import SERVICE


@dataclass(frozen=True, slots=True)
class Gateway:
    """What a router's container is to serve.

    'entries' are the connections of its configuration by UUID, 'kept' those of
    them that go on as they were.  'problems' are sentences on rows.  'held' are
    services with a problem that were served of late, 'last_addresses' the outer
    addresses of then.  'detached' are sentences on services with a local subnet
    that the router does not lead to, 'contested' on connections whose place others
    are to have.
    """

    services: tuple[VPNService, ...]
    members: tuple[Checked, ...]
    entries: Mapping[str, Entry]
    kept: frozenset[str]
    problems: Mapping[UUID, str]
    held: tuple[VPNService, ...] = ()
    last_addresses: tuple[str, ...] = ()
    detached: Mapping[UUID, str] = field(default_factory=dict)
    contested: Mapping[UUID, str] = field(default_factory=dict)


_Traffic = list[tuple[int, tuple[str, ...], tuple[str, ...]]]
"""IP version, local subnets, peer subnets."""

# What is encoded is made here, or was read from JSON: nothing in it holds itself.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)

GATEWAY: Datum[UUID, Gateway] = Datum("gateway")
COMPILED: Datum[UUID, Compiled] = Datum("ipsec compiled")


def run(read: Read, router: UUID) -> Gateway | None:
    """Returns what the container of a router is to serve."""
    services = _sort(read(SERVICE, uuid) for uuid in read(SERVICES_BY_ROUTER, router) or ())
    row = read(ROUTER, router)
    if not services or row is None:
        return None
    owned = {service.uuid: service for service in services}
    problems = {
        uuid: problem for uuid in owned if (problem := read(SERVICE_PROBLEM, uuid)) is not None
    }
    uuids = sorted({uuid for service in services for uuid in service.connections})
    found = (read(CHECKED, uuid) for uuid in uuids)
    members = sorted(
        (each for each in found if each is not None),
        key=lambda each: (each.row.name, each.row.uuid),
    )
    mine = [each for each in members if each.owner.uuid in owned]
    container = make_container_name(router)
    choice = Choice(read, container, problems)
    choice.take(mine)
    held = tuple(
        service
        for service in services
        if service.uuid in problems
        and service.enabled is not False
        and container in (read(CONTAINERS_BY_SERVED, service.uuid) or ())
    )
    return Gateway(
        tuple(services),
        tuple(members),
        # In one order, since two that are equal must come to the same.
        dict(sorted(choice.entries.items())),
        frozenset(choice.kept),
        {**problems, **choice.problems},
        held,
        choice.find_last_addresses() if held else (),
        {each.uuid: words for each in services if (words := find_detached(each, row)) is not None},
        choice.contested,
    )


# -- what it comes to ----------------------------------------------------------


def compile_gateway(read: Read, router: UUID, balancers: Sequence[Mapping[str, Any]]) -> Compiled:
    """Returns the container of a router, and what is rerouted and dropped around it.

    'balancers' are those of its configuration.
    """
    gateway = read(GATEWAY, router)
    if gateway is None:
        return Compiled()
    guards = _merge(guard for each in gateway.members for guard in _find_guards(each, router))
    return Compiled(
        _make_container(gateway, router, guards, balancers),
        tuple(_make_redirects(gateway, router, guards)),
        gateway.problems,
    )


def _make_container(
    gateway: Gateway,
    router: UUID,
    guards: Mapping[str, Guard],
    balancers: Sequence[Mapping[str, Any]],
) -> ContainerSpec | None:
    serving = [
        each
        for each in gateway.services
        if each.enabled is not False and each.uuid not in gateway.problems
    ]
    addresses = {address for each in serving for address in each.external_ips}
    addresses |= {str(entry["local_address"]) for entry in gateway.entries.values()}
    if not addresses:
        addresses |= set(gateway.last_addresses)
    if not addresses:
        return None
    configuration: dict[str, Any] = {
        "outer_addresses": sorted(addresses),
        "connections": [gateway.entries[uuid] for uuid in sorted(gateway.entries)],
    }
    if balancers:
        configuration["balancers"] = list(balancers)
    keys = _find_keys(gateway)
    peers = {peer for guard in guards.values() for peer in guard.peer_subnets}
    peers |= {str(peer) for entry in gateway.entries.values() for peer in entry["peer_subnets"]}
    return ContainerSpec(
        ports=(PortSpec(Transit(router)),),
        configuration=_ENCODER.encode(configuration),
        secrets=tuple(Secret(uuid, key) for uuid in gateway.entries if (key := keys.get(uuid))),
        kept_secrets=tuple(uuid for uuid in gateway.entries if not keys.get(uuid)),
        group=next((each.group for each in (*serving, *gateway.held) if each.group), None),
        serves=tuple(each.uuid for each in (*serving, *gateway.held)),
        addresses=tuple(AddressSpec(router, address) for address in sorted(addresses)),
        routes=tuple(RouteSpec(router, peer) for peer in sorted(peers)),
        remotes=tuple(
            AddressSpec(router, peer)
            for peer in sorted({str(entry["peer_address"]) for entry in gateway.entries.values()})
        ),
    )


def _find_keys(gateway: Gateway) -> dict[str, str | None]:
    """Returns the key of each connection.

    Those with the same identities share an IKE SA, and so a key.  One that goes
    on as it was takes the key of those that stand, not another one of its own row.
    """
    standing = {
        each.contender.identities: each.row.psk
        for each in gateway.members
        if each.contender.uuid in gateway.entries and each.contender.uuid not in gateway.kept
    }
    found = {}
    for each in gateway.members:
        name, mine = each.contender.uuid, each.contender.identities
        kept = name in gateway.kept and mine in standing
        found[name] = standing[mine] if kept else each.row.psk
    return found


def _find_guards(each: Checked, router: UUID) -> Iterator[tuple[str, Guard]]:
    for guard in each.guards:
        if guard.router == router:
            yield each.contender.uuid, guard


def _merge(guards: Iterable[tuple[str, Guard]]) -> dict[str, Guard]:
    """Returns one guard for each connection, since rules are named after it."""
    merged: dict[str, Guard] = {}
    for uuid, guard in guards:
        before = merged.get(uuid)
        if before is None:
            merged[uuid] = guard
        else:
            local = tuple(sorted({*before.local_subnets, *guard.local_subnets}))
            merged[uuid] = Guard(guard.service, guard.router, local, guard.peer_subnets)
    return merged


def _make_redirects(
    gateway: Gateway, router: UUID, guards: Mapping[str, Guard]
) -> Iterator[RedirectSpec]:
    """Yields the reroutes of what is served, and the drops of what is guarded or served."""
    guarded = {
        uuid: _split(guard.local_subnets, guard.peer_subnets) for uuid, guard in guards.items()
    }
    for uuid, traffic in guarded.items():
        yield from _make_drops(uuid, router, traffic)
    for uuid, entry in gateway.entries.items():
        sides = tuple(entry["local_subnets"]), tuple(entry["peer_subnets"])
        guard = guards.get(uuid)
        served = guarded.get(uuid, [])
        if guard is None or (guard.local_subnets, guard.peer_subnets) != sides:
            served = _split(*sides)
        if served != guarded.get(uuid):
            yield from _make_drops(uuid, router, served)
        for version, inner, outer in served:
            yield RedirectSpec(uuid, "reroute", router, REROUTES, version, inner, outer, REROUTE)
            # What was decrypted: no policy of others may lead it elsewhere.
            yield RedirectSpec(
                uuid, "allow-in", router, ALLOWS, version, outer, inner, REROUTE, (INSIDE,)
            )


def _make_drops(uuid: str, router: UUID, traffic: _Traffic) -> Iterator[RedirectSpec]:
    """Yields the drops of one connection, each of another kind.

    Local to peer subnets that came from outside or out of the container itself
    (spoofed, or looping while there is no tunnel); local to peer subnets still
    here; peer to local subnets from outside, as only what the container
    decrypted is let in; and that which the router would send out again.
    """
    for version, inner, outer in traffic:
        kinds = (
            ("drop-loop", inner, outer, FIRST, (OUTSIDE, INSIDE), ()),
            ("drop-back", outer, inner, FIRST, (INSIDE,), (OUTSIDE,)),
            ("drop-out", inner, outer, LAST_RESORT, (), ()),
            ("drop-in", outer, inner, LAST_RESORT, (OUTSIDE,), ()),
        )
        for kind, sources, destinations, level, origins, exits in kinds:
            yield RedirectSpec(
                uuid, kind, router, DROPS, version, sources, destinations, level, origins, exits
            )


def _split(local: Iterable[str], peers: Iterable[str]) -> _Traffic:
    """Returns the traffic of each IP version of which both sides have subnets."""
    ours, theirs = _sort_out(local), _sort_out(peers)
    return [(each, ours[each], theirs[each]) for each in (4, 6) if each in ours and each in theirs]


def _sort_out(texts: Iterable[str]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for each in texts:  # of guards and entries, so that they are subnets in canonical form
        version = 6 if ":" in each else 4
        found[version] = (*found.get(version, ()), each)
    return found


def _sort(rows: Iterable[VPNService | None]) -> list[VPNService]:
    found = [row for row in rows if row is not None]
    return sorted(found, key=lambda row: (row.name, row.uuid))


NODES: tuple[AnyNode, ...] = (
    Node(
        GATEWAY,
        run,
        (SERVICES_BY_ROUTER,),
        (SERVICE, ROUTER, SERVICE_PROBLEM, CHECKED, LAST, CONTAINERS_BY_SERVED),
    ),
)
