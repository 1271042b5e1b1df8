"""The generic database commands that write, as ovs/lib/db-ctl-base.c has them.

They know no table: everything comes from the server's schema.
"""

from __future__ import annotations

from ...lib.errors import UsageError
from ...lib.schema import NORTHBOUND
from ..context import Context
from .conditions import check_key, parse_assignment
from .database import check_columns, find, get_table
from .notation import parse_atom, parse_datum
from .row import Row
from .schema import UNLIMITED, ColumnSchema, TableSchema
from .values import Atom, Datum, NewUuid, make_datum


def set_values(context: Context) -> None:
    """set TABLE RECORD COLUMN[:KEY]=VALUE..: changes a row."""
    table = get_table(context)
    check_columns(context, table, context.arguments[2:])
    row = find(context, table, context.arguments[1])
    for position in range(2, len(context.arguments)):
        _assign(context, table, row, position)
        place, _ = parse_assignment(context.arguments[position], table)
        _warn_of_status(context, place.column)


def add_values(context: Context) -> None:
    """add TABLE RECORD COLUMN [KEY=]VALUE..: adds to a set or a map."""
    table = get_table(context)
    column = table.get_writable_column(context.arguments[2])
    row = find(context, table, context.arguments[1])
    _warn_of_status(context, column)
    for position in range(3, len(context.arguments)):
        elements = _parse(context, context.arguments[position], _some(column))
        if row is not None:
            row.insert(column.name, elements)


def remove_values(context: Context) -> None:
    """remove TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE..: takes out of a set or a map."""
    table = get_table(context)
    column = table.get_writable_column(context.arguments[2])
    row = find(context, table, context.arguments[1])
    _warn_of_status(context, column)
    for position in range(3, len(context.arguments)):
        gone = _parse_removal(context, context.arguments[position], column)
        if row is not None:
            _remove(row, column, gone)


def clear_columns(context: Context) -> None:
    """clear TABLE RECORD COLUMN..: empties columns."""
    table = get_table(context)
    columns = [table.get_writable_column(text) for text in context.arguments[2:]]
    row = find(context, table, context.arguments[1])
    for column in columns:
        _warn_of_status(context, column)
        if column.min > 0:
            raise UsageError(
                f'"clear" operation cannot be applied to column {column.name} of table '
                f"{table.name}, which is not allowed to be empty"
            )
        if row is not None:
            row.set(column.name, {} if column.is_map else ())


def create_row(context: Context) -> None:
    """create TABLE COLUMN[:KEY]=VALUE..: adds a row and prints its UUID."""
    table = get_table(context)
    name = context.options.get("id")
    uuid: NewUuid | None = None
    if name is not None:
        uuid = context.names.create(name)
    elif not table.is_root:
        context.warnings.append(
            f'applying "create" command to table {table.name} without --id option '
            "will have no effect"
        )
    row = context.replica.insert(table.name, uuid)
    for position in range(1, len(context.arguments)):
        _assign(context, table, row, position)
    context.lines.append(row.uuid)


def destroy_rows(context: Context) -> None:
    """destroy TABLE [RECORD]..: removes rows."""
    table, names = get_table(context), context.arguments[1:]
    if context.has("all"):
        if names:
            raise UsageError("--all and records argument should not be specified together")
        if context.has("if-exists"):
            raise UsageError("--all and --if-exists should not be specified together")
        for row in list(context.replica.rows(table.name).values()):
            context.replica.delete(row)
    for name in names:
        found = find(context, table, name)
        if found is not None:
            context.replica.delete(found)


# -- pieces ----------------------------------------------------------------


def _assign(context: Context, table: TableSchema, row: Row | None, position: int) -> None:
    place, text = parse_assignment(context.arguments[position], table)
    column = table.get_writable_column(place.column.name)
    check_key(place)
    resolve = context.names.resolve
    if place.key is None:
        datum = _parse(context, text, column)
        if row is not None:
            row.set(column.name, datum)
        return
    key, value = place.parse_key(resolve), _parse_value(context, text, column)
    if row is not None:
        have = row.datum(column.name)
        assert isinstance(have, dict)
        row.set(column.name, make_datum(column, {**have, key: value}))


def _parse(context: Context, given: str, column: ColumnSchema) -> Datum:
    """Returns the value in an argument, of which a secret column's is not to be repeated."""
    try:
        return parse_datum(given, column, context.names.resolve)
    except UsageError as error:
        raise _conceal(context, column, error) from None
    finally:
        _warn_of_secret(context, column)


def _parse_value(context: Context, given: str, column: ColumnSchema) -> Atom:
    """As _parse(), for the value of one key of a map."""
    assert column.value is not None
    try:
        return parse_atom(given, column.value, context.names.resolve)
    except UsageError as error:
        raise _conceal(context, column, error) from None
    finally:
        _warn_of_secret(context, column)


def _conceal(context: Context, column: ColumnSchema, error: UsageError) -> UsageError:
    """Returns an error that does not repeat the value of a secret column."""
    if not _is_secret(context, column):
        return error
    return UsageError(f"{column.name}: the value cannot be read (is it quoted?)")


def _warn_of_secret(context: Context, column: ColumnSchema) -> None:
    if not _is_secret(context, column):
        return
    words = context.types.find_words(column.table)
    advice = f"; {words.advice}" if words is not None and words.advice else ""
    warning = f"{column.name} on the command line shows in the list of processes{advice}"
    if warning not in context.warnings:
        context.warnings.append(warning)


def _is_secret(context: Context, column: ColumnSchema) -> bool:
    return context.types.is_secret(context.replica.schema.name, column.table, column.name)


def _warn_of_status(context: Context, column: ColumnSchema) -> None:
    if context.replica.schema.name != NORTHBOUND:
        return
    words = context.types.find_words(column.table)
    if words is not None and column.name in words.statuses:
        context.warnings.append(f"{column.name} is for svc-northd to write, which may overwrite it")


def _some(column: ColumnSchema) -> ColumnSchema:
    """Returns the type of one or more elements of 'column'."""
    some = ColumnSchema(column.table, column.name, "string")
    some.key, some.value, some.min, some.max = column.key, column.value, 1, UNLIMITED
    return some


def _parse_removal(context: Context, given: str, column: ColumnSchema) -> Datum:
    some = _some(column)
    if column.is_map:
        try:
            return _parse(context, given, some)
        except UsageError:
            some.value = None
    return _parse(context, given, some)


def _remove(row: Row, column: ColumnSchema, gone: Datum) -> None:
    have = row.datum(column.name)
    if isinstance(have, dict) and isinstance(gone, dict):
        keys = tuple(key for key, value in gone.items() if have.get(key) == value)
    else:
        keys = tuple(key for key in gone if key in have)
    rest = len(have) - len(set(keys))
    if rest < column.min:
        kind = "pair(s)" if column.is_map else "values"
        raise UsageError(
            f'"remove" operation would put {rest} {kind} in column {column.name} of table '
            f"{row.table.name} but the minimum number is {column.min}"
        )
    row.remove(column.name, keys)
