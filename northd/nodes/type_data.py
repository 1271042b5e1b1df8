"""The data of each installed service type."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from ...services.api.compile import Compiled, CompileHalf, Unit
from ...services.api.node import Datum, Read


@dataclass(frozen=True, slots=True)
class TypeData:
    """The data of one service type; beside them those of its half.

    'named' is the container's name by unit, 'units' the units by that name.
    'claims' are units by an address outside that they want, 'speakers' those that
    speak with one, by router and address; 'contested' what was compiled of those
    that are to have all of theirs, 'granted' of those that get them, which is what
    counts (en_address.py).
    """

    name: str
    half: CompileHalf
    named: Datum[Unit, str]
    units: Datum[str, AbstractSet[Unit]]
    own_units: Datum[str, AbstractSet[str]]
    claims: Datum[str, AbstractSet[Unit]]
    speakers: Datum[tuple[UUID, str], AbstractSet[Unit]]
    contested: Datum[Unit, Compiled]
    granted: Datum[Unit, Compiled]

    def find_unit(self, read: Read, container: str) -> Unit | None:
        """Returns the unit whose container has this name."""
        units = read(self.units, container)
        if not units:
            return None
        return min(units, key=str) if len(units) > 1 else next(iter(units))


def make_type_data(halves: Mapping[str, CompileHalf]) -> tuple[TypeData, ...]:
    """Returns the data of each type; those with tables of their own go first."""
    return tuple(
        TypeData(
            name,
            half,
            Datum(f"{name} named"),
            Datum(f"{name} units by container"),
            Datum(f"{name} units"),
            Datum(f"{name} units by address"),
            Datum(f"{name} units by remote"),
            Datum(f"{name} contested"),
            Datum(f"{name} granted"),
        )
        for name, half in sorted(halves.items(), key=lambda each: (each[1].units is None, each[0]))
    )
