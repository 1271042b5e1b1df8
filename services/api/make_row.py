"""Row classes from what svcctl has: columns of a row that is there, or new values.

A type's rules take rows as frozen dataclasses (lib/rows.py).  svcctl has
columns by name, and of a row that is about to be written some of them only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar
from uuid import UUID

from ...lib.rows import Row
from .commands import Datum

_Row = TypeVar("_Row", bound=Row)

# For a row that has no UUID yet.
NO_UUID = UUID(int=0)
_ATOMS = {"int": int, "float": float, "bool": bool, "str": str}


def make_row(row_class: type[_Row], columns: Mapping[str, Datum], uuid: str = "") -> _Row:
    """Returns a row of 'row_class' with 'columns', and OVSDB's defaults for those not there.

    A reference to a row that the same transaction inserts has a UUID too, that
    svcctl chose for it.
    """
    values: dict[str, Any] = {"uuid": UUID(uuid) if uuid else NO_UUID}
    for field in fields(row_class):
        if field.name != "uuid":
            values[field.name] = _make_value(str(field.type), columns.get(field.name))
    return row_class(**values)


def _make_value(annotation: str, datum: Datum | None) -> Any:
    if annotation.startswith("dict["):
        return dict(datum) if isinstance(datum, dict) else {}
    atoms: tuple[Any, ...] = tuple(datum or ())
    if "UUID" in annotation:
        atoms = tuple(UUID(str(atom)) for atom in atoms)
    if annotation.startswith("tuple["):
        return atoms
    if atoms or annotation.endswith("| None"):
        return atoms[0] if atoms else None
    return _ATOMS[annotation]()
