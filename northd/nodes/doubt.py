"""Whether a container that runs goes on though no type has it, and why. Pure but for reading."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...services.api.compile import OPERATOR_CONTAINER, Last
from ...services.api.node import Datum, Read
from .type_data import TypeData

_UNKNOWN = "not installed on central, or svc-northd was not restarted since"


def find_sources(each: TypeData) -> tuple[Datum[Any, Any], ...]:
    """Returns what a type's containers are known by; a key of it with a problem hides one."""
    units = each.half.units
    return (each.named,) if units is None else (units.of, units.datum, each.named)


def find_type_problem(service_type: str, types: Iterable[TypeData]) -> str | None:
    """Returns why a row of the operator is of no type that makes a container of it."""
    each = next((each for each in types if each.name == service_type), None)
    if each is None:
        return f"service type {service_type or 'of no name'} is {_UNKNOWN}"
    if each.half.units is not None:
        return (
            f"service type {service_type} is not served by a row of its own; its containers"
            " come with rows of its own tables"
        )
    return None


def find_doubt(read: Read, name: str, last: Last, types: Sequence[TypeData]) -> str | None:
    """Returns why a container that runs goes on though no type has it, None if it does not."""
    each = next((each for each in types if each.name == last.service_type), None)
    if each is None:
        return f"service type {last.service_type} is {_UNKNOWN}"
    if any(read.has_problems(datum) for datum in find_sources(each)):
        return f"service type {each.name} cannot tell its containers"
    # Of a type with rows of its own the operator's row is of something else.
    row = read(OPERATOR_CONTAINER, name) if each.half.units is None else None
    return find_type_problem(row.service_type, types) if row is not None else None
