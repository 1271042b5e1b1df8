"""The generic database commands that read, as ovs/lib/db-ctl-base.c has them.

They know no table: everything comes from the server's schema.  What a secret
column holds is not shown without --show-secrets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ...lib.errors import UsageError
from ..context import Context
from ..run import Unsatisfied
from ..telling import is_condition_secret
from .conditions import ColumnKey, Condition, find_column, make_where, parse_column_key
from .records import find_row, get_row
from .row import Row
from .schema import ColumnSchema, TableSchema
from .table import HIDDEN
from .values import format_atom, format_datum

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def list_rows(context: Context) -> None:
    """list TABLE [RECORD]..: prints the rows, or all of them."""
    table, names = get_table(context), context.arguments[1:]
    columns = _choose_columns(context, table)
    if names:
        found = [find(context, table, name) for name in names]
        rows: Sequence[Row] = [row for row in found if row is not None]
    elif context.reads_columns_only:
        rows = context.replica.list_partly(table.name, [column.name for column in columns])
    else:
        rows = context.replica.in_order(table.name)
    _print(context, columns, rows)


def find_rows(context: Context) -> None:
    """find TABLE [CONDITION]..: prints the rows that fulfil all conditions."""
    table, conditions = get_table(context), context.arguments[1:]
    check_columns(context, table, conditions)
    columns = _choose_columns(context, table)
    tests = {text: Condition(text, context.names.resolve) for text in conditions}

    def is_meant(row: Row) -> bool:
        return all(_holds(context, row, text, test) for text, test in tests.items())

    found = _find_candidates(context, table, conditions)
    _print(context, columns, context.replica.choose(found, list(tests.values()), is_meant))


def get_values(context: Context) -> None:
    """get TABLE RECORD [COLUMN[:KEY]]..: prints each value on a line."""
    table = get_table(context)
    check_columns(context, table, context.arguments[2:])
    row = find(context, table, context.arguments[1])
    if row is None:
        return
    name = context.options.get("id")
    if name is not None:
        context.names.bind(name, row.uuid)
    for text in context.arguments[2:]:
        context.lines.append(_format_column(context, row, parse_column_key(text, table)))


def wait_until(context: Context) -> None:
    """wait-until TABLE RECORD [CONDITION]..: goes on when the row is there and fulfils them."""
    table = get_table(context)
    conditions = context.arguments[2:]
    check_columns(context, table, conditions)
    row = find_row(context.replica, table.name, context.arguments[1])
    if row is None and not context.has("if-exists"):
        raise Unsatisfied(table.name)
    resolve = context.names.resolve
    if row is not None and not all(
        _holds(context, row, each, Condition(each, resolve)) for each in conditions
    ):
        raise Unsatisfied(table.name)


def comment(context: Context) -> None:
    """comment [WORD]..: puts the words into the log of the database."""


# -- pieces ----------------------------------------------------------------


def get_table(context: Context) -> TableSchema:
    """Returns the table that the first argument names."""
    return context.replica.schema.get_table(context.arguments[0])


def check_columns(context: Context, table: TableSchema, texts: Sequence[str]) -> None:
    """Raises UsageError if a text begins with no column, whatever else is wrong with the command.

    What may hold a secret is for whoever reads its value, who does not repeat it.
    """
    for text in texts:
        if not is_condition_secret(context, table, text):
            find_column(text, table)


def _find_candidates(
    context: Context, table: TableSchema, conditions: Sequence[str]
) -> Sequence[Row]:
    """Returns all rows that may fulfil 'conditions': the server has no use for some of them."""
    where: list[Any] = []
    for text in conditions:
        # The log of the server is not to have a secret.
        if not is_condition_secret(context, table, text):
            try:
                found = make_where(text, table, context.names.resolve)
            except UsageError:  # for the rows to complain of
                return context.replica.in_order(table.name)
            where += [] if found is None else [found]
    if not where:
        return context.replica.in_order(table.name)
    return context.replica.find_candidates(table.name, where)


def _holds(context: Context, row: Row, text: str, condition: Condition) -> bool:
    """Returns whether 'row' fulfils what 'text' says, of which a secret is not to be repeated."""
    try:
        return condition.holds(row)
    except UsageError:
        if not is_condition_secret(context, row.table, text):
            raise
    name = _NAME.match(text)
    if name is not None:
        row.table.get_column(name[0])  # a column that is not there is named, and nothing behind it
    raise UsageError("a condition that may hold a secret cannot be read")


def find(context: Context, table: TableSchema, text: str) -> Row | None:
    """Returns the row that is meant; None is possible with --if-exists only."""
    if context.has("if-exists"):
        return find_row(context.replica, table.name, text)
    return get_row(context.replica, table.name, text)


def _print(context: Context, columns: Sequence[ColumnSchema], rows: Sequence[Row]) -> None:
    shown = [(column, _is_hidden(context, column)) for column in columns]
    context.table = context.replica.make_table(shown, rows)


def _choose_columns(context: Context, table: TableSchema) -> list[ColumnSchema]:
    text = context.options.get("columns")
    if text is None:
        return list(table.columns.values())
    names = text.replace(",", " ").split()
    if not names:
        raise UsageError("must specify at least one column name")
    return [table.get_column(name) for name in names]


def _is_hidden(context: Context, column: ColumnSchema) -> bool:
    if context.settings.has("show-secrets"):
        return False
    return context.types.is_secret(context.replica.schema.name, column.table, column.name)


def _format_column(context: Context, row: Row, place: ColumnKey) -> str:
    column = place.column
    datum = row.datum(column.name)
    if datum and _is_hidden(context, column):
        return HIDDEN
    if place.key is None:
        return format_datum(datum, column)
    if column.value is None:
        raise UsageError(f"cannot specify key to get for non-map column {column.name}")
    assert isinstance(datum, dict)
    key = place.parse_key(context.names.resolve)
    if key in datum:
        return format_atom(datum[key], column.value)
    if context.has("if-exists"):
        return ""
    raise UsageError(
        f'no key "{place.key}" in {row.table.name} record "{context.arguments[1]}" '
        f"column {column.name}"
    )
