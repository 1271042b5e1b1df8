"""Rows of a database as frozen dataclasses.

A row class names its table and has one field for each column that its readers
need, in the column's own name, and 'uuid'.  The IDL session monitors just
those columns.  Values are plain Python:

    optional column   the atom, or None
    set               a sorted tuple
    map               a dict (never changed by a reader: rows share equal ones)
    reference         a uuid.UUID

so that two rows compare by value and a compile step can be a pure function of
them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Row:
    """The base of each row class; 'TABLE' is the name of its table."""

    TABLE: ClassVar[str] = ""

    uuid: uuid.UUID


def find_columns(row_class: type[Row]) -> tuple[str, ...]:
    """Returns the names of the columns that 'row_class' reads."""
    return tuple(field.name for field in fields(row_class) if field.name != "uuid")
