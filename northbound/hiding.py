"""Keeps secrets out of what ovsdbapp and python-ovs log and print.

ovsdbapp logs each command with its arguments and each row that an event
matches, both at level DEBUG, and puts commands into its exceptions; python-ovs
logs each message.  What makes text of rows and messages is replaced for the
whole process, by name of column, so that other schemas print as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ovs.db.idl
from ovsdbapp.backend.ovs_idl import idlutils

from ..lib import redaction
from ..lib.redaction import HIDDEN, SECRET_COLUMNS
from .values import read_datum

# What a command remembers of its surroundings, which nobody wants to read.
_UNSAID = frozenset({"api", "result", "_result"})


def install() -> None:
    """Makes texts of rows and messages without secrets; may be called again."""
    redaction.install()
    idlutils.row2str = _format_row
    ovs.db.idl.Row.__str__ = _format_row


def format_command(name: str, attributes: Mapping[str, Any]) -> str:
    """Returns a command with its arguments as a log may have it."""
    column = attributes.get("column")
    shown = []
    for key, value in attributes.items():
        if key in _UNSAID:
            continue
        hidden = column in SECRET_COLUMNS and key in ("values", "keyvalues")
        said = _hide_columns(value) if key == "col_values" else _hide(value)
        shown.append(f"{key}={HIDDEN if hidden else said}")
    return f"{name}({', '.join(shown)})"


def _hide_columns(pairs: Any) -> Any:
    """Returns columns with their values; what is no such thing may be a secret as a whole."""
    try:
        return _hide(dict(pairs))
    except (TypeError, ValueError):
        return HIDDEN


def _hide(value: Any) -> Any:
    return redaction.redact(value) if isinstance(value, (dict, list, tuple)) else value


def _format_row(row: Any) -> str:
    """Returns a row as ovsdbapp shows it, without secrets."""
    columns = ["uuid", *sorted(name for name in row._table.columns if hasattr(row, name))]
    return f"{row._table.name}({', '.join(f'{each}={_show(row, each)}' for each in columns)})"


def _show(row: Any, column: str) -> str:
    if column in SECRET_COLUMNS:
        return HIDDEN
    if column == "uuid":
        return str(row.uuid)
    datum = read_datum(row, column)
    if isinstance(datum, dict):
        return repr(datum)
    single = len(datum) == 1 and row._table.columns[column].type.n_max == 1
    return repr(datum[0] if single else list(datum))
