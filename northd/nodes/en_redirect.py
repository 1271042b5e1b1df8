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
    REROUTES,
    ROUTER,
    Compiled,
    RedirectSpec,
)
from ...services.api.node import AnyNode, Datum, Node, Read
from ..attach import transit
from ..attach.port import Port
from ..ovn import rows as ovn
from ..ovn.expression import format_match
from .en_container import CONTAINER
from .en_link import LINK, find_logical_port
from .en_ready import READY
from .type_data import TypeData

# The highest that there are: a policy of somebody else above them would lead traffic around the
# container.  Of those as high OVN takes any (en_redirect_problem.py tells of them).
PRIORITIES = {
    FIRST: ovn.HIGHEST_PRIORITY,
    REROUTE: ovn.HIGHEST_PRIORITY - 1,
    LAST_RESORT: ovn.LOWEST_PRIORITY,
}


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
    out_ports: tuple[str, ...]
    action: str
    match: str
    next_hop: str | None = None


@dataclass(frozen=True, slots=True)
class Redirects:
    """The rules of a container; with 'keeps_others' those that are there stay beside them."""

    rules: tuple[Redirect, ...]
    keeps_others: bool = False

    def list_drops(self) -> list[Redirect]:
        """Returns those that drop."""
        return [each for each in self.rules if each.action == DROPS]

    def list_reroutes(self) -> list[Redirect]:
        """Returns those that reroute to the container, and allow what comes out of it."""
        return [each for each in self.rules if each.action != DROPS]


# By the name of the container that they are for, whether it is there or not.
REDIRECT: Datum[str, Redirects] = Datum("redirect")


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the node."""
    units = tuple(each.units for each in types)
    granted = tuple(datum for each in types for datum in (each.half.compiled, each.granted))
    follows: tuple[Datum[Any, Any], ...] = (*units, CONTAINER)
    return (Node(REDIRECT, _make_run(types), follows, (*granted, ROUTER, LINK, READY)),)


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], Redirects | None]:
    def run(read: Read, name: str) -> Redirects | None:
        for each in types:
            unit = each.find_unit(read, name)
            if unit is None:
                continue
            compiled = read(each.half.compiled, unit)
            if compiled is None:
                continue
            if read.find_problem(each.granted, unit) is None:
                rules = tuple(_resolve(read, name, compiled.redirects))
                return Redirects(rules) if rules else None
            # It goes on as it was, if it is there; what must not leave in clear must not anyhow.
            return Redirects(tuple(_resolve_drops(read, name, compiled)), keeps_others=True)
        container = read(CONTAINER, name)
        if container is not None and container.problem is not None:
            # It goes on though no unit is known for it, and so does its traffic.
            raise ConfigError(container.problem)
        return None

    return run


def _resolve(read: Read, name: str, specs: Sequence[RedirectSpec]) -> Iterator[Redirect]:
    ports = [each for each in read(LINK, name) or () if isinstance(each, Port)]
    ready = read(READY, name) is not None
    where: UUID | None = None
    for spec in specs:
        if spec.router is not where:  # mostly all are on one
            where = spec.router
            router = read(ROUTER, where)
            port = next((each for each in ports if each.router == where), None)
        next_hop = port.next_hops.get(spec.ip_version) if port is not None else None
        if router is None or (spec.action != DROPS and not (ready and next_hop)):
            continue
        inside = port.in_port if port is not None else None
        rule = _make(name, spec, router, inside, next_hop)
        if rule is not None:
            yield rule


def _resolve_drops(read: Read, name: str, compiled: Compiled) -> Iterator[Redirect]:
    """Yields the drops around a container that goes on as it was, or that is not there."""
    runs = read(CONTAINER, name) is not None
    specs = compiled.container.ports if runs and compiled.container is not None else ()
    ports = {
        each.attachment.router: transit.make_router_port_name(
            find_logical_port(name, each.interface)
        )
        for each in specs
    }
    for spec in compiled.redirects:
        router = read(ROUTER, spec.router)
        if spec.action != DROPS or router is None:
            continue
        rule = _make(name, spec, router, ports.get(spec.router), None)
        if rule is not None:
            yield rule


def _find_ports(where: Sequence[str], router: Router, inside: str | None) -> tuple[str, ...]:
    found: list[str] = []
    if OUTSIDE in where:
        found += [each.name for each in router.gateway_ports]
    if INSIDE in where and inside is not None:
        found.append(inside)
    return tuple(found)


def _make(
    name: str, spec: RedirectSpec, router: Router, inside: str | None, next_hop: str | None
) -> Redirect | None:
    """Returns the rule, None if the router has not the ports that it is about."""
    in_ports = _find_ports(spec.origins, router, inside)
    out_ports = _find_ports(spec.exits, router, inside)
    if (spec.origins and not in_ports) or (spec.exits and not out_ports):
        return None
    match = format_match(
        spec.ip_version,
        spec.sources,
        spec.destinations,
        (in_ports, out_ports),
        spec.protocol,
        spec.ports,
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
        out_ports=out_ports,
        action=spec.action,
        match=match,
        next_hop=next_hop if spec.action == REROUTES else None,
    )
