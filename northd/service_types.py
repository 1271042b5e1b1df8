"""The compile halves of the installed service types; one that cannot be loaded is told."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..services.api.compile import CompileHalf
from ..services.api.service_type import ServiceType

_PARTS = (
    "tables",
    "nodes",
    "units",
    "prefix",
    "inputs",
    "compiled",
    "held",
    "status_nodes",
    "statuses",
    "compile",
    "find_secrets",
)
_PREFIX = re.compile(r"[a-z]{1,3}")


def load_halves(types: Mapping[str, ServiceType]) -> tuple[dict[str, CompileHalf], list[str]]:
    """Returns the compile halves by type, and a sentence on each that there is none of.

    A type of somebody else must not end svc-northd.
    """
    halves: dict[str, CompileHalf] = {}
    problems = []
    for name, service_type in sorted(types.items()):
        try:
            half = service_type.compile_half()
            problem = _find_problem(half)
        except Exception as error:  # as above
            problem = repr(error)
        if problem is None:
            halves[name] = half
        else:
            problems.append(f"service type {name} cannot be compiled: {problem}")
    return halves, problems


def _find_problem(half: CompileHalf) -> str | None:
    missing = [name for name in _PARTS if not hasattr(half, name)]
    if missing:
        return f"its compile half has no {missing[0]}"
    if half.units is not None and _PREFIX.fullmatch(half.prefix) is None:
        return f"its prefix {half.prefix!r} is not one to three lower-case letters"
    return None
