"""Rows of a database as frozen dataclasses.

A row class names its table and has one field for each column that its readers
need, in the column's own name, and 'uuid'.  The IDL session monitors just
those columns.  Values are plain Python:

    optional column   the atom, or None
    set               a sorted tuple
    map               a dict (never changed by a reader: rows share equal ones)
    reference         a uuid.UUID

so that two rows compare by value and a compile step can be a pure function of
them.  Of a map in which others write too only some keys may be kept
(keep_keys); what else it holds is neither kept nor a change.  A field with a
default has it where the server's schema lacks the column, the others None.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar

_KEPT = "kept keys"


@dataclass(frozen=True, slots=True)
class Row:
    """The base of each row class; 'TABLE' is the name of its table."""

    TABLE: ClassVar[str] = ""

    uuid: uuid.UUID


def find_columns(row_class: type[Row]) -> tuple[str, ...]:
    """Returns the names of the columns that 'row_class' reads."""
    return tuple(field.name for field in fields(row_class) if field.name != "uuid")


def find_defaults(row_class: type[Row]) -> dict[str, Any]:
    """Returns the fields of 'row_class' that have a default, with it."""
    found = {each.name: _find_default(each) for each in fields(row_class)}
    return {name: value for name, value in found.items() if value is not MISSING}


def _find_default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def keep_keys(*keys: str) -> Mapping[str, Any]:
    """Returns the metadata of a field for a map of which no other key is of any interest."""
    return {_KEPT: frozenset(keys)}


def find_kept_keys(row_class: type[Row]) -> Mapping[str, frozenset[str]]:
    """Returns, by column, the keys that a row keeps of a map that it does not keep whole."""
    return {each.name: each.metadata[_KEPT] for each in fields(row_class) if _KEPT in each.metadata}
