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
(keep_keys); what else it holds is neither kept nor a change.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
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


def keep_keys(*keys: str) -> Mapping[str, Any]:
    """Returns the metadata of a field for a map of which no other key is of any interest."""
    return {_KEPT: frozenset(keys)}


def find_kept_keys(row_class: type[Row]) -> Mapping[str, frozenset[str]]:
    """Returns, by column, the keys that a row keeps of a map that it does not keep whole."""
    return {each.name: each.metadata[_KEPT] for each in fields(row_class) if _KEPT in each.metadata}
