"""Nodes 'ovn_wait' and 'health': who waits for OVN; how each is where it is bound, or failed."""

from __future__ import annotations

from collections.abc import Callable

from ...lib import nb
from ...services.api.node import AnyNode, Datum, Node, Read
from ..scheduler.failures import ChassisLife
from ..scheduler.health import Evidence, Health, Memory, find_wait, judge
from ..scheduler.orders import find_orders
from ..scheduler.ovn_wait import Wait
from .en_chassis import CANDIDATE
from .en_container import CONTAINER
from .en_options import START_TIMEOUT_MS
from .tables import (
    AVOIDED_BY_CONTAINER,
    AVOIDED_CHASSIS,
    BINDINGS_BY_CONTAINER,
    CONTAINER_BINDING,
    CONTAINER_WISH,
    ONLY,
    OVN_WORD,
    PORT_BINDING,
    PORTS_BY_CONTAINER,
    QUEUE_START,
    SERVICE_CONTAINER,
    SERVICE_CONTAINER_BY_NAME,
    VERDICT,
    WATCH,
    WISH_BY_NAME,
    find_rows,
)

HEALTH: Datum[str, Health] = Datum("health")
# Of those alone that are built and run, and whose ports OVN has not installed.
OVN_WAIT: Datum[str, Wait] = Datum("ovn_wait")


def make_nodes(memory: Memory) -> tuple[AnyNode, ...]:
    """Returns the nodes; 'memory' is what this process keeps for the time of containers."""
    return (
        # What is not bound does not run.
        Node(OVN_WAIT, _find_wait, (BINDINGS_BY_CONTAINER,), (CONTAINER, *_OF_PORTS)),
        Node(HEALTH, _make_run(memory), (CONTAINER,), _INPUTS),
    )


def _make_run(memory: Memory) -> Callable[[Read, str], Health | None]:
    def run(read: Read, name: str) -> Health | None:
        timeout_ms = read(START_TIMEOUT_MS, ONLY)
        if read(CONTAINER, name) is None or timeout_ms is None:
            return None
        health = judge(
            name,
            _find_evidence(read, name),
            lambda chassis: _find_life(read, chassis),
            timeout_ms,
            memory,
            read.is_past,
        )
        if health.unwell or health.avoided:
            read(WATCH, ONLY)  # a new watch gives it the whole time again
        return health

    return run


def _find_wait(read: Read, name: str) -> Wait | None:
    if read(CONTAINER, name) is None:
        return None
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    return find_wait(
        bindings, _find_ports_up(read, name), lambda chassis: _find_life(read, chassis)
    )


def _find_ports_up(read: Read, name: str) -> set[str]:
    """Returns the chassis on which all ports of a container are up."""
    ports = find_rows(read, PORT_BINDING, read(PORTS_BY_CONTAINER, name))
    return {row.chassis for row in ports} - {row.chassis for row in ports if not row.up}


def _find_evidence(read: Read, name: str) -> Evidence:
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    chassis = {row.chassis for row in bindings}
    starts = {each: read(QUEUE_START, (name, each)) for each in chassis}
    return Evidence(
        bindings=bindings,
        ports_up=_find_ports_up(read, name),
        avoided=find_rows(read, AVOIDED_CHASSIS, read(AVOIDED_BY_CONTAINER, name)),
        queue_start={each: start for each, start in starts.items() if start is not None},
        reported=None if bindings else _find_reported(read, name),
        wait=read(OVN_WAIT, name),
        word=read(OVN_WORD, name),
        find_orders=lambda chassis: find_orders(_find_wish(read, name), chassis),
    )


def _find_wish(read: Read, name: str) -> nb.ContainerWish | None:
    rows = find_rows(read, CONTAINER_WISH, read(WISH_BY_NAME, name))
    return rows[0] if rows else None


def _find_reported(read: Read, name: str) -> str | None:
    """Returns the chassis that the northbound remembers of a container."""
    rows = find_rows(read, SERVICE_CONTAINER, read(SERVICE_CONTAINER_BY_NAME, name))
    return rows[0].chassis if rows else None


def _find_life(read: Read, chassis: str) -> ChassisLife:
    verdict, candidate = read(VERDICT, chassis), read(CANDIDATE, chassis)
    return ChassisLife(
        is_fit=verdict is not None and verdict.alive and not verdict.ovn_problem,
        incarnation=verdict.incarnation if verdict is not None else None,
        weight=candidate.weight if candidate is not None else None,
    )


_OF_PORTS = (
    CANDIDATE,
    VERDICT,
    CONTAINER_BINDING,
    PORTS_BY_CONTAINER,
    PORT_BINDING,
)
_INPUTS = (
    *_OF_PORTS,
    BINDINGS_BY_CONTAINER,
    OVN_WAIT,
    OVN_WORD,
    AVOIDED_BY_CONTAINER,
    AVOIDED_CHASSIS,
    SERVICE_CONTAINER,
    SERVICE_CONTAINER_BY_NAME,
    QUEUE_START,
    START_TIMEOUT_MS,
    WATCH,
    WISH_BY_NAME,
    CONTAINER_WISH,
)
