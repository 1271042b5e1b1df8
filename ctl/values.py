"""Values of columns: from the command line, to the terminal, to and from JSON.

The notation is that of ovs-vsctl and ovn-nbctl (ovs/lib/ovsdb-data.c): atoms,
sets as 'a,b' or '[a,b]', maps as 'k=v,k=v' or '{k=v}', '@name' for a row that
the same transaction creates, the name of a row for a reference to it.

A datum is a sorted tuple of atoms (one for a scalar, at most one for an
optional column), or a dict in the order of its keys for a map.  An atom is an
int, a float, a bool or a str; a UUID is its text, and one that the server has
yet to choose is a NewUuid.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..lib.errors import UsageError
from .schema import UNLIMITED, Base, Column

Atom = int | float | bool | str
Datum = tuple[Atom, ...] | dict[Atom, Atom]

_DELIMITERS = ":=, []{}!<>"
_HEX = frozenset("0123456789abcdefABCDEF")
_LONGEST_INTEGER = 20
_VIOLATION = "constraint violation: "
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_ZEROES: dict[str, Atom] = {"integer": 0, "real": 0.0, "boolean": False, "string": ""}
_ZERO_UUID = "00000000-0000-0000-0000-000000000000"

Resolve = Callable[[str, Base], str]


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


def make_default(column: Column) -> Datum:
    """Returns what an inserted row has in a column that nobody set."""
    if column.is_map:
        return {}
    if column.min == 0:
        return ()
    return (_ZEROES.get(column.key.type, _ZERO_UUID),)


def make_datum(column: Column, atoms: Any) -> Datum:
    """Returns 'atoms' (of a set or a map) as a datum, in order and without duplicates."""
    if column.is_map:
        return dict(sorted(dict(atoms).items()))
    return tuple(sorted(set(atoms)))


# -- from text -------------------------------------------------------------


def parse_datum(text: str, column: Column, resolve: Resolve) -> Datum:
    """Returns the value of 'column' in 'text'; 'resolve' gives the UUID of a name."""
    datum = _parse_elements(text, column, resolve)
    count_problem = find_count_problem(datum, column)
    if count_problem is not None:
        raise UsageError(f"{text}: {count_problem}")
    return datum


def find_count_problem(datum: Datum, column: Column) -> str | None:
    """Returns in words that a datum has too few or too many elements, if it has."""
    kind = "pair(s)" if column.is_map else "value(s)"
    if len(datum) < column.min:
        return f"{len(datum)} {kind} specified but the minimum number is {column.min}"
    if len(datum) > column.max:
        return f"{len(datum)} {kind} specified but the maximum number is {column.max}"
    return None


def parse_atom(text: str, base: Base, resolve: Resolve) -> Atom:
    """Returns the atom in 'text'; raises UsageError if it is none of type 'base'."""
    atom = _parse_unconstrained(text, base, resolve)
    _check(atom, base)
    return atom


def make_complaint(subject: str, error: UsageError) -> UsageError:
    """Returns what is wrong with the value of 'subject', without the database's own words."""
    return UsageError(f"{subject}: {str(error).removeprefix(_VIOLATION)}")


def take_token(text: str, start: int) -> tuple[str, int]:
    """Returns the token at 'start', quotes included, and where it ends."""
    if text[start : start + 1] != '"':
        end = start
        while end < len(text) and text[end] not in _DELIMITERS:
            end += 1
        return text[start:end], end
    end = start + 1
    while end < len(text):
        if text[end] == "\\":
            end += 1
        elif text[end] == '"':
            return text[start : end + 1], end + 1
        end += 1
    raise UsageError(f"{text}: quoted string extends past end of argument")


def _parse_elements(text: str, column: Column, resolve: Resolve) -> Datum:
    opening, closing = ("{", "}") if column.is_map else ("[", "]")
    position = _skip_spaces(text, 0)
    bracketed = text[position : position + 1] == opening
    if bracketed:
        position = _skip_spaces(text, position + 1)
    elif position == len(text) and not column.is_map:
        raise UsageError('use "[]" to specify the empty set')
    elements: list[Any] = []
    while position < len(text) and not (bracketed and text[position] == closing):
        if text[position] in _DELIMITERS:
            kind = _describe(column)
            raise UsageError(f'{text}: unexpected "{text[position]}" parsing {kind}')
        element, position = _parse_element(text, position, column, resolve)
        elements.append(element)
        position = _skip_spaces(text, position)
        if text[position : position + 1] == ",":
            position = _skip_spaces(text, position + 1)
    if bracketed:
        if position == len(text):
            raise UsageError(f'{text}: missing "{closing}" at end of data')
        if _skip_spaces(text, position + 1) != len(text):
            raise UsageError(f'{text}: trailing garbage after "{closing}"')
    return _collect(text, elements, column)


def _collect(text: str, elements: list[Any], column: Column) -> Datum:
    keys = [element[0] for element in elements] if column.is_map else elements
    if len(set(keys)) != len(keys):
        if column.is_map:
            raise UsageError(f"{text}: map contains duplicate key")
        raise UsageError(f"{text}: set contains duplicate value")
    return make_datum(column, elements)


def _parse_element(text: str, start: int, column: Column, resolve: Resolve) -> tuple[Any, int]:
    token, position = take_token(text, start)
    key = parse_atom(token, column.key, resolve)
    if column.value is None:
        return key, position
    position = _skip_spaces(text, position)
    if text[position : position + 1] != "=":
        found = f'"{text[position]}"' if position < len(text) else "end of value"
        raise UsageError(f'{text}: syntax error at {found} expecting "="')
    token, position = take_token(text, _skip_spaces(text, position + 1))
    return (key, parse_atom(token, column.value, resolve)), position


def _parse_unconstrained(text: str, base: Base, resolve: Resolve) -> Atom:
    if base.type == "integer":
        return _parse_integer(text)
    if base.type == "real":
        try:
            return float(text)
        except ValueError:
            raise UsageError(f'"{text}" is not a valid real number') from None
    if base.type == "boolean":
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise UsageError(f'"{text}" is not a valid boolean (use "true" or "false")')
    if base.type == "uuid":
        if is_uuid(text):
            return text.lower()
        return resolve(_parse_string(text) if text.startswith('"') else text, base)
    return _parse_string(text)


def _parse_integer(text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits.isascii() and digits.isdigit() and len(text) <= _LONGEST_INTEGER:
        number = int(text)
        if -(2**63) <= number < 2**63:
            return number
    raise UsageError(f'"{text}" is not a valid integer')


def _parse_string(text: str) -> str:
    if not text:
        raise UsageError('an empty string is not valid as input; use "" to represent it')
    if not text.startswith('"'):
        return check_text(text)
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        raise UsageError(f"{text}: bad quoted string") from None
    assert isinstance(value, str)
    return check_text(value)


def check_text(text: str) -> str:
    """Returns 'text' if a database can hold it: UTF-8 without NUL."""
    if "\0" in text or any("\ud800" <= each <= "\udfff" for each in text):
        raise UsageError(f"{text!a}: the database takes only valid UTF-8 without NUL")
    return text


def _check(atom: Atom, base: Base) -> None:
    if base.choices is not None and atom not in base.choices:
        allowed = ", ".join(format_atom(choice, base) for choice in sorted(base.choices))
        shown = format_atom(atom, base, bare=True)
        raise UsageError(f"{_VIOLATION}{shown} is not one of the allowed values ([{allowed}])")
    low, high = base.minimum, base.maximum
    if isinstance(atom, str) or base.type == "boolean":
        return
    if low is not None and high is not None and not low <= atom <= high:
        raise UsageError(
            f"{_VIOLATION}{atom} is not in the valid range {low} to {high} (inclusive)"
        )
    if low is not None and atom < low:
        raise UsageError(f"{_VIOLATION}{atom} is less than minimum allowed value {low}")
    if high is not None and atom > high:
        raise UsageError(f"{_VIOLATION}{atom} is greater than maximum allowed value {high}")


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] == " ":
        position += 1
    return position


def _describe(column: Column) -> str:
    """Returns the type of 'column' in the words of ovsdb_type_to_english()."""
    if column.value is not None:
        return f"map of ({column.key.type}, {column.value.type}) pairs"
    if column.max == 1:
        return f"{'optional ' if column.min == 0 else ''}{column.key.type}"
    some = "" if column.max == UNLIMITED else f" of up to {column.max}"
    return f"set{some or ' of'} {column.key.type}s" if some else f"set of {column.key.type}s"


# -- to text ---------------------------------------------------------------


def format_datum(datum: Datum, column: Column, bare: bool = False) -> str:
    """Returns 'datum' in the notation above; 'bare' leaves out quotes and brackets."""
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


def to_json(datum: Datum, column: Column) -> Any:
    """Returns 'datum' as RFC 7047 has it (section 5.1)."""
    if isinstance(datum, dict):
        value = column.value
        assert value is not None
        pairs = [[_atom_json(k, column.key), _atom_json(v, value)] for k, v in datum.items()]
        return ["map", pairs]
    if len(datum) == 1:
        return _atom_json(datum[0], column.key)
    return ["set", [_atom_json(atom, column.key) for atom in datum]]


def set_json(datum: Datum, column: Column) -> Any:
    """Returns 'datum' with the keys of a map as a set, for a "delete" mutation."""
    return ["set", [_atom_json(atom, column.key) for atom in datum]]


def from_json(value: Any, column: Column) -> Datum:
    """Returns the datum that a server sent."""
    if column.is_map:
        return dict(sorted((_atom(key), _atom(each)) for key, each in value[1]))
    if isinstance(value, list) and value[0] == "set":
        return tuple(sorted(_atom(each) for each in value[1]))
    return (_atom(value),)


def _atom(value: Any) -> Any:
    return value[1] if isinstance(value, list) else value


def _atom_json(atom: Atom, base: Base) -> Any:
    if isinstance(atom, NewUuid):
        return ["named-uuid", atom.label]
    return ["uuid", atom] if base.type == "uuid" else atom
