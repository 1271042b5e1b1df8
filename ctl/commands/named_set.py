"""Named sets of chassis or of ports: what chassis-group-* and port-group-* have in common."""

from __future__ import annotations

from ...lib.errors import UsageError
from ..context import Context
from .group import check_name, check_unused, find_to_delete, sort_by_name


def exists(context: Context, table: str, column: str, noun: str) -> bool:
    """Returns whether the group is there, and may be, with the members that were named."""
    name = context.arguments[0]
    check_name(name)
    row = context.replica.find(table, "name", name)
    if row is None:
        return False
    if not context.has("may-exist"):
        raise UsageError(f"{name}: {noun} with this name already exists")
    if row.datum(column) != _find_members(context):
        raise UsageError(f"{name}: {noun} with this name already exists, with other {column}")
    return True


def insert(context: Context, table: str, column: str) -> None:
    """Adds the set."""
    row = context.replica.insert(table)
    row.set_atom("name", context.arguments[0])
    row.set(column, _find_members(context))


def delete(context: Context, table: str, noun: str) -> None:
    """Removes the set, unless a group uses it."""
    row = find_to_delete(context, table, noun)
    if row is not None:
        check_unused(context, row)
        context.replica.delete(row)


def list_all(context: Context, table: str, column: str) -> None:
    """Prints every set with its members."""
    output = context.start_table(["name", column], [column])
    for row in sort_by_name(context, table):
        output.add(row.text("name"), row.strings(column))


def _find_members(context: Context) -> tuple[str, ...]:
    return tuple(sorted(set(context.arguments[1:])))
