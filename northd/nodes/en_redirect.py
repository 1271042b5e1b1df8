"""Node 'redirect': the traffic that containers must get, and what is dropped around it.

Drops are there from the moment that a type says them, with a container or
without; reroutes once the container is ready.  By priority those of a level
that is looked at first are the highest; the operator's own policies win from
there on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ...lib.errors import ConfigError
from ...lib.router import Router
from ...services.api.compile import (
    DROPS,
    FIRST,
    INSIDE,
    LAST_RESORT,
    OUTSIDE,
    REROUTE,
    ROUTER,
    RedirectSpec,
)
from ...services.api.node import AnyNode, Datum, Node, Read
from ..attach.port import Port
from ..ovn.expression import format_match
from .en_container import CONTAINER
from .en_link import LINK
from .en_ready import READY
from .type_data import TypeData

PRIORITIES = {FIRST: 32020, REROUTE: 32010, LAST_RESORT: 32000}


@dataclass(frozen=True, slots=True)
class Redirect:
    """One rule on 'router'; 'name' is unique and tells what it is for.

    'match' is the rule in OVN's words.
    """

    name: str
    container: str
    subject: str
    router: UUID
    priority: int
    ip_version: int
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    protocol: int | None
    ports: tuple[int, ...]
    in_ports: tuple[str, ...]
    action: str
    match: str
    next_hop: str | None = None


# By the name of the container that they are for, whether it is there or not.
REDIRECT: Datum[str, tuple[Redirect, ...]] = Datum("redirect")


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the node."""
    units = tuple(each.units for each in types)
    granted = tuple(each.granted for each in types)
    follows: tuple[Datum[Any, Any], ...] = (*units, CONTAINER)
    return (Node(REDIRECT, _make_run(types), follows, (*granted, ROUTER, LINK, READY)),)


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], tuple[Redirect, ...] | None]:
    def run(read: Read, name: str) -> tuple[Redirect, ...] | None:
        for each in types:
            unit = each.find_unit(read, name)
            compiled = read(each.granted, unit) if unit is not None else None
            if compiled is not None:
                return tuple(_resolve(read, name, compiled.redirects)) or None
        container = read(CONTAINER, name)
        if container is not None and container.problem is not None:
            # It goes on though no unit is known for it, and so does its traffic.
            raise ConfigError(container.problem)
        return None

    return run


def _resolve(read: Read, name: str, specs: Sequence[RedirectSpec]) -> Iterator[Redirect]:
    ports = [each for each in read(LINK, name) or () if isinstance(each, Port)]
    ready = read(READY, name) is not None
    for spec in specs:
        router = read(ROUTER, spec.router)
        port = next((each for each in ports if each.router == spec.router), None)
        next_hop = port.next_hops.get(spec.ip_version) if port is not None else None
        if router is None or (spec.action != DROPS and not (ready and next_hop)):
            continue
        in_ports = _find_in_ports(spec, router, port)
        if spec.origins and not in_ports:
            continue
        yield _make(name, spec, in_ports, None if spec.action == DROPS else next_hop)


def _find_in_ports(spec: RedirectSpec, router: Router, port: Port | None) -> tuple[str, ...]:
    found: list[str] = []
    if OUTSIDE in spec.origins:
        found += [each.name for each in router.gateway_ports]
    if INSIDE in spec.origins and port is not None:
        found.append(port.in_port)
    return tuple(found)


def _make(
    name: str, spec: RedirectSpec, in_ports: tuple[str, ...], next_hop: str | None
) -> Redirect:
    match = format_match(
        spec.ip_version, spec.sources, spec.destinations, in_ports, spec.protocol, spec.ports
    )
    # What tells rules of a subject apart, so that an old one can stay beside a new one.
    digest = hashlib.sha256(match.encode()).hexdigest()[:8]
    return Redirect(
        name=f"{name}/{spec.kind}/{spec.subject}/{digest}",
        container=name,
        subject=spec.subject,
        router=spec.router,
        priority=PRIORITIES[spec.level],
        ip_version=spec.ip_version,
        sources=spec.sources,
        destinations=spec.destinations,
        protocol=spec.protocol,
        ports=spec.ports,
        in_ports=in_ports,
        action=spec.action,
        match=match,
        next_hop=next_hop,
    )
