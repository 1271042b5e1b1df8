"""Values of columns between python-ovs and what the rules take; checked before they are written.

python-ovs drops a value that the schema refuses, with a line in its own log,
and the transaction succeeds without it.  A text that the server cannot read
costs the connection.  Here both raise Refused.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import ovs.db.data
import ovs.db.error
import ovs.db.idl
import ovs.db.types

from ..lib.redaction import SECRET_COLUMNS
from ..lib.transaction import Unwritable, check_atom
from ..services.api.commands import Atom, Datum
from .errors import Refused

_INTEGER = re.compile(r"-?[0-9]{1,19}")


def check_value(table: Any, column: str, value: Any) -> None:
    """Raises Refused if 'value' (as python-ovs takes it) cannot be in a column of 'table'."""
    known = table.columns.get(column)
    if known is None:
        raise Refused(f"table {table.name} has no column {column}")
    problem = _find_problem(known.type, value)
    if problem is not None:
        secret = column in SECRET_COLUMNS
        raise Refused(f"{column}: {'not a value of this column' if secret else problem}")


def check_member(table: Any, column: str, value: Any) -> None:
    """Raises Refused if 'value' cannot be a member of a set, or one to be removed."""
    known = table.columns.get(column)
    if known is not None and known.type.is_map():
        raise Refused(f"{column}: a map, which takes pairs of key and value")
    check_value(table, column, value)


def read_datum(row: Any, column: str) -> Datum:
    """Returns the value of a column of an ovs.db.idl.Row; references are texts."""
    kind = row._table.columns[column].type
    value = getattr(row, column, None)
    if value is None:
        return make_default(kind)
    if isinstance(value, dict):
        return dict(sorted((_plain(key), _plain(each)) for key, each in value.items()))
    if isinstance(value, (list, tuple, set)):
        return tuple(sorted(_plain(each) for each in value if each is not None))
    return (_plain(value),)


def make_default(kind: Any) -> Datum:
    """Returns what a column of type 'kind' has that nobody set."""
    return {} if kind.is_map() else () if kind.n_min == 0 else (kind.key.type.default,)


def make_value(kind: Any, datum: Datum) -> Any:
    """Returns 'datum' as python-ovs takes it for a column of type 'kind'."""
    if isinstance(datum, dict):
        return dict(datum)
    atoms = [make_member(kind, atom) for atom in datum]
    return atoms[0] if len(atoms) == 1 and kind.n_max == 1 else atoms


def make_member(kind: Any, atom: Atom) -> Any:
    """Returns one atom as python-ovs takes it."""
    return UUID(str(atom)) if kind.key.type == ovs.db.types.UuidType else atom


def parse_atom(table: Any, column: str, text: str) -> Atom:
    """Returns the atom of 'column' in 'text'; raises Refused."""
    kind = table.columns[column].type.key.type
    atom: Atom = text
    if kind == ovs.db.types.BooleanType and text in ("true", "false"):
        atom = text == "true"
    elif kind == ovs.db.types.IntegerType:
        if _INTEGER.fullmatch(text) is None:
            raise Refused(f'"{text}" is not a valid integer or range')
        atom = int(text)
    problem = _find_problem(table.columns[column].type, atom)
    if problem is not None:
        raise Refused(problem)
    return atom


def _find_problem(kind: Any, value: Any) -> str | None:
    try:
        for key, each in _list_pairs(value):
            _check_type(kind.key, key)
            if kind.is_map():
                _check_type(kind.value, each)
        ovs.db.data.Datum.from_python(kind, value, _find_uuid)
    except ovs.db.error.Error as error:
        return str(error.msg)
    except (Unwritable, AttributeError, TypeError) as error:
        return str(error)
    if kind.is_map() and not isinstance(value, dict) and value != []:
        return "a map takes pairs of key and value"
    return None


def _list_pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(each, None) for each in value]
    return [(value, None)]


def _check_type(base: Any, atom: Any) -> None:
    """Raises Unwritable for what python-ovs would hand on and no server takes."""
    if base.type == ovs.db.types.UuidType:
        return
    if isinstance(atom, bool) != (base.type == ovs.db.types.BooleanType):
        raise Unwritable(f"expected {base.type.to_string()}, got {type(atom).__name__}")
    check_atom(atom)


def _find_uuid(value: Any) -> Any:
    uuid = getattr(value, "uuid", value)
    return uuid if isinstance(uuid, UUID) else value


def _plain(value: Any) -> Any:
    uuid = _find_uuid(value)
    return str(uuid) if isinstance(uuid, UUID) else value
