"""Values of columns: to the terminal, to and from JSON; notation.py reads them.

A datum is a sorted tuple of atoms (one for a scalar, at most one for an
optional column), or a dict in the order of its keys for a map.  An atom is an
int, a float, a bool or a str; a UUID is its text, and one that the server has
yet to choose is a NewUuid.
"""

from __future__ import annotations

import json
from typing import Any

from ...services.api.commands import Atom, Datum
from .schema import Base, ColumnSchema

__all__ = ["Atom", "Datum"]

_HEX = frozenset("0123456789abcdefABCDEF")
_ZEROES: dict[str, Atom] = {"integer": 0, "real": 0.0, "boolean": False, "string": ""}
_ZERO_UUID = "00000000-0000-0000-0000-000000000000"


class NewUuid(str):
    """Stands for the UUID of a row that the current transaction inserts."""

    __slots__ = ()

    @property
    def label(self) -> str:
        """The name of the row within the transaction (RFC 7047, <named-uuid>)."""
        return "row" + self.replace("-", "_")


def is_uuid(text: str) -> bool:
    """Returns whether 'text' is a UUID in its usual form."""
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and _HEX.issuperset("".join(parts))


def make_default(column: ColumnSchema) -> Datum:
    """Returns what an inserted row has in a column that nobody set."""
    if column.is_map:
        return {}
    if column.min == 0:
        return ()
    return (_ZEROES.get(column.key.type, _ZERO_UUID),)


def make_datum(column: ColumnSchema, atoms: Any) -> Datum:
    """Returns 'atoms' (of a set or a map) as a datum, in order and without duplicates."""
    if column.is_map:
        return dict(sorted(dict(atoms).items()))
    return tuple(sorted(set(atoms)))


def find_count_problem(datum: Datum, column: ColumnSchema) -> str | None:
    """Returns in words that a datum has too few or too many elements, if it has."""
    kind = "pair(s)" if column.is_map else "value(s)"
    if len(datum) < column.min:
        return f"{len(datum)} {kind} specified but the minimum number is {column.min}"
    if len(datum) > column.max:
        return f"{len(datum)} {kind} specified but the maximum number is {column.max}"
    return None


def format_datum(datum: Datum, column: ColumnSchema, bare: bool = False) -> str:
    """Returns 'datum' in the notation above; 'bare' leaves out quotes and brackets."""
    if not datum and not bare:
        return "{}" if column.is_map else "[]"
    if isinstance(datum, dict):
        value = column.value
        assert value is not None
        parts = [
            f"{format_atom(key, column.key, bare)}={format_atom(each, value, bare)}"
            for key, each in datum.items()
        ]
    else:
        parts = [format_atom(atom, column.key, bare) for atom in datum]
    if bare:
        return " ".join(parts)
    if isinstance(datum, dict):
        return "{" + ", ".join(parts) + "}"
    if datum and column.max == 1:
        return parts[0]
    return "[" + ", ".join(parts) + "]"


def format_atom(atom: Atom, base: Base, bare: bool = False) -> str:
    """Returns 'atom' in the notation above, quoted where it would be read otherwise."""
    if isinstance(atom, bool):
        return "true" if atom else "false"
    if not isinstance(atom, str):
        return f"{atom:.15g}" if isinstance(atom, float) else str(atom)
    if bare or base.type == "uuid":
        return str(atom)
    return atom if _is_plain(atom) else json.dumps(atom, ensure_ascii=False)


def escape(text: str) -> str:
    """Returns 'text' as a terminal can show it, what cannot be printed as in JSON."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _is_plain(text: str) -> bool:
    """Returns whether a string is read back as it is, without quotes."""
    if not text.isascii() or not (text[:1].isalpha() or text[:1] == "_"):
        return False
    if text in ("true", "false") or is_uuid(text[:36]):
        return False
    return text.isalnum() or all(c.isalnum() or c in "_-." for c in text)


# -- JSON ------------------------------------------------------------------


def to_json(datum: Datum, column: ColumnSchema) -> Any:
    """Returns 'datum' as RFC 7047 has it (section 5.1)."""
    if isinstance(datum, dict):
        value = column.value
        assert value is not None
        pairs = [[_atom_json(k, column.key), _atom_json(v, value)] for k, v in datum.items()]
        return ["map", pairs]
    if len(datum) == 1:
        return _atom_json(datum[0], column.key)
    return ["set", [_atom_json(atom, column.key) for atom in datum]]


def set_json(datum: Datum, column: ColumnSchema) -> Any:
    """Returns 'datum' with the keys of a map as a set, for a "delete" mutation."""
    return ["set", [_atom_json(atom, column.key) for atom in datum]]


def from_json(value: Any, column: ColumnSchema) -> Datum:
    """Returns the datum that a server sent."""
    if column.is_map:
        return dict(sorted((_atom(key), _atom(each)) for key, each in value[1]))
    if not isinstance(value, list):
        return (value,)
    if value[0] != "set":
        return (value[1],)
    return tuple(sorted(map(_atom, value[1]))) if value[1] else ()


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


def _atom_json(atom: Atom, base: Base) -> Any:
    if isinstance(atom, NewUuid):
        return ["named-uuid", atom.label]
    return ["uuid", atom] if base.type == "uuid" else atom
