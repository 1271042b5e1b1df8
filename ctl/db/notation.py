"""Values of columns from the command line.

The notation is that of ovs-vsctl and ovn-nbctl (ovs/lib/ovsdb-data.c): atoms,
sets as 'a,b' or '[a,b]', maps as 'k=v,k=v' or '{k=v}', '@name' for a row that
the same transaction creates, the name of a row for a reference to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from ...lib.errors import UsageError
from .schema import UNLIMITED, Base, ColumnSchema
from .values import Atom, Datum, find_count_problem, format_atom, is_uuid, make_datum

_DELIMITERS = ":=, []{}!<>"
_LONGEST_INTEGER = 20
_LONGEST_RANGE = 4096
_VIOLATION = "constraint violation: "
_EMPTY = 'An empty string is not valid as input; use "" to represent the empty string'
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

Resolve = Callable[[str, Base], str]


def parse_datum(text: str, column: ColumnSchema, resolve: Resolve) -> Datum:
    """Returns the value of 'column' in 'text'; 'resolve' gives the UUID of a name."""
    datum = _parse_elements(text, column, resolve)
    count_problem = find_count_problem(datum, column)
    if count_problem is not None:
        raise UsageError(f"{text}: {count_problem}")
    return datum


def parse_atom(text: str, base: Base, resolve: Resolve) -> Atom:
    """Returns the atom in 'text'; raises UsageError if it is none of type 'base'."""
    atom = _parse_unconstrained(text, base, resolve)
    _check(atom, base)
    return atom


def make_complaint(subject: str, error: UsageError) -> UsageError:
    """Returns what is wrong with the value of 'subject', without the database's own words."""
    return UsageError(f"{subject}: {strip_complaint(error)}")


def strip_complaint(error: UsageError) -> UsageError:
    """Returns what is wrong with a value without the database's own words."""
    return UsageError(str(error).removeprefix(_VIOLATION))


def take_token(text: str, start: int) -> tuple[str, int]:
    """Returns the token at 'start', quotes included, and where it ends.

    A delimiter within quotes, or behind a backslash, is a character like others.
    """
    token: list[str] = []
    end, is_quoted = start, False
    while end < len(text):
        character = text[end]
        if character == "\\":
            if end + 1 == len(text):
                raise UsageError(f"{text}: backslash at end of argument")
            token.append(text[end : end + 2] if is_quoted else text[end + 1])
            end += 2
            continue
        if not is_quoted and character in _DELIMITERS:
            break
        is_quoted ^= character == '"'
        token.append(character)
        end += 1
    if is_quoted:
        raise UsageError(f"{text}: quoted string extends past end of argument")
    return "".join(token), end


def _parse_elements(text: str, column: ColumnSchema, resolve: Resolve) -> Datum:
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
        found, position = _parse_element(text, position, column, resolve)
        elements += found
        position = _skip_spaces(text, position)
        if text[position : position + 1] == ",":
            position = _skip_spaces(text, position + 1)
    if bracketed:
        if position == len(text):
            raise UsageError(f'{text}: missing "{closing}" at end of data')
        if _skip_spaces(text, position + 1) != len(text):
            raise UsageError(f'{text}: trailing garbage after "{closing}"')
    return _collect(text, elements, column)


def _collect(text: str, elements: list[Any], column: ColumnSchema) -> Datum:
    keys = [element[0] for element in elements] if column.is_map else elements
    if len(set(keys)) != len(keys):
        if column.is_map:
            raise UsageError(f"{text}: map contains duplicate key")
        raise UsageError(f"{text}: set contains duplicate value")
    return make_datum(column, elements)


def _parse_element(
    text: str, start: int, column: ColumnSchema, resolve: Resolve
) -> tuple[list[Any], int]:
    """Returns the element at 'start', or those of a range of integers, and where it ends."""
    token, position = take_token(text, start)
    if column.value is None:
        if column.key.type == "integer":
            return [*_parse_range(token, column.key, resolve)], position
        return [parse_atom(token, column.key, resolve)], position
    key = parse_atom(token, column.key, resolve)
    position = _skip_spaces(text, position)
    if text[position : position + 1] != "=":
        found = f'"{text[position]}"' if position < len(text) else "end of value"
        raise UsageError(f'{text}: syntax error at {found} expecting "="')
    token, position = take_token(text, _skip_spaces(text, position + 1))
    return [(key, parse_atom(token, column.value, resolve))], position


def _parse_range(token: str, base: Base, resolve: Resolve) -> Iterable[Atom]:
    """Returns the integer in 'token', or those of FIRST-LAST."""
    match = re.fullmatch(r"(-?[0-9]+)-(-?[0-9]+)", token, re.ASCII)
    if match is None:
        return [parse_atom(token, base, resolve)]
    first, last = map(_parse_integer, match.groups())
    if last < first:
        raise UsageError(f'"{token}" is not a valid range. Range end cannot be before start.')
    for each in (first, last):
        _check(each, base)
    if last - first >= _LONGEST_RANGE:
        raise UsageError(f'"{token}" is not a valid range: more than {_LONGEST_RANGE} elements')
    return range(first, last + 1)


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
    raise UsageError(f'"{text}" is not a valid integer or range')


def _parse_string(text: str) -> str:
    if not text:
        raise UsageError(_EMPTY)
    if not text.startswith('"'):
        return check_text(text)
    if len(text) < 2 or not text.endswith('"'):
        raise UsageError(f"{text}: missing quote at end of quoted string")
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


def _describe(column: ColumnSchema) -> str:
    """Returns the type of 'column' in the words of ovsdb_type_to_english()."""
    if column.value is None and column.min == column.max == 1:
        return column.key.type
    count = f" {column.min} to {column.max}" if column.min else f" up to {column.max}"
    if column.max == UNLIMITED:
        count = f" {column.min} or more" if column.min else ""
    if column.value is not None:
        return f"map of{count} ({column.key.type}, {column.value.type}) pairs"
    return f"set of{count} {column.key.type}s"
