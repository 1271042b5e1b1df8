"""Node 'container': the containers that should run, whichever type they are of, by name.

A type compiles its units (services/api/compile.py); each has a container of a
name.  Of two with one name the first by type and unit has it.

A unit that cannot be compiled, for a mistake of ours or of its type, harms only
itself: its container goes on with its last good configuration, as its bindings
have it, and is placed like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ...lib import nb
from ...lib.container import is_name
from ...lib.router import is_ours
from ...services.api.compile import (
    CONTAINERS_BY_SERVED,
    CORE_DATA,
    LAST,
    OPERATOR_CONTAINER,
    SERVED,
    ContainerSpec,
    Last,
    Unit,
    make_container_name,
)
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ...services.api.routers import FOREIGN_DATA
from ..scheduler.model import ACTIVE
from . import en_address
from .doubt import find_doubt, find_sources
from .tables import (
    BINDINGS_BY_CONTAINER,
    CONTAINER_BINDING,
    SERVICE_CONTAINER,
    SERVICE_CONTAINER_BY_NAME,
    find_rows,
)
from .type_data import TypeData


@dataclass(frozen=True, slots=True)
class Container:
    """A container, before it has a place.

    'spec' is None for one that goes on as it was, since its unit cannot be
    compiled; then 'problem' says why.
    """

    name: str
    service_type: str
    unit: Unit | None
    spec: ContainerSpec | None
    problem: str | None = None


CONTAINER: Datum[str, Container] = Datum("container")


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes up to 'container', with those of the types themselves."""
    nodes: list[AnyNode] = [
        *en_address.HOLDER_NODES,
        Node(OPERATOR_CONTAINER, find_operator_row, (SERVICE_CONTAINER_BY_NAME,), _ROWS),
        Node(SERVED, find_served, (SERVICE_CONTAINER_BY_NAME,), _ROWS),
        Index(CONTAINERS_BY_SERVED, SERVED, lambda _name, uuids: uuids),
        Node(LAST, find_last, (BINDINGS_BY_CONTAINER,), (CONTAINER_BINDING,)),
    ]
    for each in types:
        nodes += _make_type_nodes(each)
    nodes += en_address.make_nodes(types)
    units = tuple(each.units for each in types)
    granted = tuple(each.granted for each in types)
    doubts = tuple(datum for each in types for datum in find_sources(each))
    inputs: tuple[Datum[Any, Any], ...] = (OPERATOR_CONTAINER, *granted, *doubts)
    return (*nodes, Node(CONTAINER, _make_run(types), (*units, LAST), inputs))


def find_operator_row(read: Read, name: str) -> nb.ServiceContainer | None:
    """Returns the row of a container that the operator made, without what is written to it here."""
    rows = find_rows(read, SERVICE_CONTAINER, read(SERVICE_CONTAINER_BY_NAME, name))
    row: nb.ServiceContainer | None = rows[0] if rows else None
    if row is None or is_ours(row.external_ids):
        return None
    return replace(
        row,
        serves=(),
        ports=(),
        status_code=None,
        status_message="",
        chassis=None,
        namespace_name=None,
        interface_name=None,
        since=None,
        standby=None,
    )


def find_group(read: Read, container: Container) -> UUID | None:
    """Returns the group; of a container that goes on as it was, the one that it had.

    It reads SERVICE_CONTAINER by name.
    """
    if container.spec is not None:
        return container.spec.group
    rows = find_rows(read, SERVICE_CONTAINER, read(SERVICE_CONTAINER_BY_NAME, container.name))
    group: UUID | None = rows[0].group if rows else None
    return group


def find_served(read: Read, name: str) -> tuple[UUID, ...]:
    """Returns the northbound rows that a container has served of late."""
    rows = find_rows(read, SERVICE_CONTAINER, read(SERVICE_CONTAINER_BY_NAME, name))
    return tuple(_parse_uuids(each for row in rows for each in row.serves))


def find_last(read: Read, name: str) -> Last | None:
    """Returns what a container was last given where it serves."""
    rows = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    active = [row for row in rows if row.role == ACTIVE] or rows
    return Last(active[0].service_type, active[0].configuration) if active else None


def _parse_uuids(texts: Iterable[str]) -> Iterable[UUID]:
    for text in texts:
        try:
            yield UUID(text)
        except ValueError:
            continue


def _make_type_nodes(each: TypeData) -> list[AnyNode]:
    half = each.half
    nodes: list[AnyNode] = [*half.nodes]
    units: Datum[Any, Any] = each.own_units
    if half.units is not None:
        units = half.units.datum
    else:
        nodes.append(Index(units, OPERATOR_CONTAINER, _make_find_unit(each.name)))
    return [
        *nodes,
        Node(each.named, _make_find_name(half.prefix), (units,)),
        Index(each.units, each.named, lambda _unit, name: (name,)),
        Node(
            half.compiled,
            en_address.make_compile(each),
            (units,),
            (*half.inputs, *dict.fromkeys((*CORE_DATA, *FOREIGN_DATA))),
        ),
    ]


def _make_find_unit(service_type: str) -> Callable[[str, nb.ServiceContainer], Iterable[str]]:
    return lambda name, row: (name,) if row.service_type == service_type and is_name(name) else ()


def _make_find_name(prefix: str) -> Callable[[Read, Unit], str]:
    return lambda _read, unit: make_container_name(prefix, unit)


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], Container | None]:
    def run(read: Read, name: str) -> Container | None:
        for each in types:
            unit = each.find_unit(read, name)
            if unit is not None:
                return _make(read, name, each, unit)
        last = read(LAST, name)
        problem = find_doubt(read, name, last, types) if last is not None else None
        if last is None or problem is None:
            return None
        return Container(name, last.service_type, None, None, problem)

    return run


def _make(read: Read, name: str, each: TypeData, unit: Unit) -> Container | None:
    problem = read.find_problem(each.granted, unit)
    if problem is not None:
        if read(LAST, name) is None:
            return None
        return Container(name, each.name, unit, None, problem)
    compiled = read(each.granted, unit)
    if compiled is None or compiled.container is None:
        return None
    return Container(name, each.name, unit, compiled.container)


_ROWS = (SERVICE_CONTAINER,)
