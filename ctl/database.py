"""The generic database commands, as ovs/lib/db-ctl-base.c has them.

They know no table: everything comes from the server's schema.  What a secret
column holds is not shown without --show-secrets and never logged.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..lib.errors import UsageError
from .command import HIDDEN, Context, is_secret
from .conditions import Place, check_key, holds, parse_assignment, parse_place
from .records import find_row, get_row
from .replica import Row
from .run import Unsatisfied
from .schema import UNLIMITED, Column
from .schema import Table as TableSchema
from .table import Cell, PlainCell, Table
from .values import (
    Datum,
    NewUuid,
    format_atom,
    format_datum,
    make_datum,
    parse_atom,
    parse_datum,
)

# What svc-northd writes, schemas/svc-nb.rst.
_STATUS_COLUMNS = {
    "SVC_Global": {
        *("nb_cfg_timestamp", "sb_cfg", "sb_cfg_timestamp", "hv_cfg", "hv_cfg_timestamp"),
    },
    "VPN_Service": {"status", "status_message"},
    "IPsec_Connection": {"status", "status_message"},
    "Service_Container": {
        *("status_code", "status_message", "chassis", "namespace_name", "interface_name", "since"),
        *("migrated_cfg", "migrate_status"),
    },
}

# -- the commands ----------------------------------------------------------


def list_rows(context: Context) -> None:
    """list TABLE [RECORD]..: prints the rows, or all of them."""
    table, names = _get_table(context), context.arguments[1:]
    if names:
        found = [_find(context, table, name) for name in names]
    else:
        found = list(_in_order(context, table))
    _print(context, table, (row for row in found if row is not None))


def find_rows(context: Context) -> None:
    """find TABLE [CONDITION]..: prints the rows that fulfil all conditions."""
    table, conditions = _get_table(context), context.arguments[1:]
    resolve = context.symbols.resolve
    rows = _in_order(context, table)
    _print(context, table, (row for row in rows if all(holds(row, c, resolve) for c in conditions)))


def get_values(context: Context) -> None:
    """get TABLE RECORD [COLUMN[:KEY]]..: prints each value on a line."""
    table = _get_table(context)
    row = _find(context, table, context.arguments[1])
    if row is None:
        return
    name = context.options.get("id")
    if name is not None:
        context.symbols.bind(name, row.uuid)
    for text in context.arguments[2:]:
        context.lines.append(_format_place(context, row, parse_place(text, table)))


def set_values(context: Context) -> None:
    """set TABLE RECORD COLUMN[:KEY]=VALUE..: changes a row."""
    table = _get_table(context)
    row = _find(context, table, context.arguments[1])
    for position in range(2, len(context.arguments)):
        _assign(context, table, row, position)
        place, _ = parse_assignment(context.arguments[position], table)
        _warn_of_status(context, place.column)


def add_values(context: Context) -> None:
    """add TABLE RECORD COLUMN [KEY=]VALUE..: adds to a set or a map."""
    table = _get_table(context)
    row = _find(context, table, context.arguments[1])
    column = table.get_writable_column(context.arguments[2])
    _warn_of_status(context, column)
    for position in range(3, len(context.arguments)):
        elements = _parse(context, position, _some(column))
        if row is not None:
            row.insert(column.name, elements)


def remove_values(context: Context) -> None:
    """remove TABLE RECORD COLUMN KEY|VALUE|KEY=VALUE..: takes out of a set or a map."""
    table = _get_table(context)
    row = _find(context, table, context.arguments[1])
    column = table.get_writable_column(context.arguments[2])
    _warn_of_status(context, column)
    for position in range(3, len(context.arguments)):
        gone = _parse_removal(context, position, column)
        if row is not None:
            _remove(row, column, gone)


def clear_columns(context: Context) -> None:
    """clear TABLE RECORD COLUMN..: empties columns."""
    table = _get_table(context)
    row = _find(context, table, context.arguments[1])
    for text in context.arguments[2:]:
        column = table.get_writable_column(text)
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
    table = _get_table(context)
    name = context.options.get("id")
    uuid: NewUuid | None = None
    if name is not None:
        uuid = context.symbols.create(name)
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
    table, names = _get_table(context), context.arguments[1:]
    if context.has("all"):
        if names:
            raise UsageError("--all and records argument should not be specified together")
        if context.has("if-exists"):
            raise UsageError("--all and --if-exists should not be specified together")
        found: list[Row | None] = list(context.replica.rows(table.name).values())
    else:
        found = [_find(context, table, name) for name in names]
    for row in dict.fromkeys(row for row in found if row is not None):
        context.replica.delete(row)


def wait_until(context: Context) -> None:
    """wait-until TABLE RECORD [CONDITION]..: goes on when the row is there and fulfils them."""
    table = _get_table(context)
    resolve = context.symbols.resolve
    row = find_row(context.replica, table.name, context.arguments[1])
    conditions = context.arguments[2:]
    if row is None and not context.has("if-exists"):
        raise Unsatisfied(table.name)
    if row is not None and not all(holds(row, each, resolve) for each in conditions):
        raise Unsatisfied(table.name)


def comment(context: Context) -> None:
    """comment [WORD]..: puts the words into the log of the database."""


# -- pieces ----------------------------------------------------------------


def _get_table(context: Context) -> TableSchema:
    return context.replica.schema.get_table(context.arguments[0])


def _in_order(context: Context, table: TableSchema) -> Iterable[Row]:
    rows = context.replica.rows(table.name)
    return [rows[uuid] for uuid in sorted(rows)]


def _find(context: Context, table: TableSchema, text: str) -> Row | None:
    """Returns the row that is meant; None is possible with --if-exists only."""
    if context.has("if-exists"):
        return find_row(context.replica, table.name, text)
    return get_row(context.replica, table.name, text)


def _print(context: Context, table: TableSchema, rows: Iterable[Row]) -> None:
    columns = _choose_columns(context, table)
    context.table = Table([column.name for column in columns])
    for row in rows:
        context.table.rows.append([_make_cell(context, row, column) for column in columns])


def _choose_columns(context: Context, table: TableSchema) -> list[Column]:
    text = context.options.get("columns")
    if text is None:
        return list(table.columns.values())
    names = text.replace(",", " ").split()
    if not names:
        raise UsageError("must specify at least one column name")
    return [table.get_column(name) for name in names]


def _make_cell(context: Context, row: Row, column: Column) -> Cell | PlainCell:
    datum = row.datum(column.name)
    if datum and _is_hidden(context, column):
        return PlainCell(HIDDEN)
    return Cell(datum, column)


def _is_hidden(context: Context, column: Column) -> bool:
    return is_secret(column.table, column.name) and not context.settings.has("show-secrets")


def _format_place(context: Context, row: Row, place: Place) -> str:
    column = place.column
    datum = row.datum(column.name)
    if datum and _is_hidden(context, column):
        return HIDDEN
    if place.key is None:
        return format_datum(datum, column)
    if column.value is None:
        raise UsageError(f"cannot specify key to get for non-map column {column.name}")
    assert isinstance(datum, dict)
    key = place.parse_key(context.symbols.resolve)
    if key in datum:
        return format_atom(datum[key], column.value)
    if context.has("if-exists"):
        return ""
    raise UsageError(
        f'no key "{place.key}" in {row.table.name} record "{context.arguments[1]}" '
        f"column {column.name}"
    )


def _assign(context: Context, table: TableSchema, row: Row | None, position: int) -> None:
    place, text = parse_assignment(context.arguments[position], table)
    column = table.get_writable_column(place.column.name)
    check_key(place)
    resolve = context.symbols.resolve
    if place.key is None:
        datum = _parse(context, position, column, text)
        if row is not None:
            row.set(column.name, datum)
        return
    assert column.value is not None
    key, value = place.parse_key(resolve), parse_atom(text, column.value, resolve)
    if row is not None:
        have = row.datum(column.name)
        assert isinstance(have, dict)
        row.set(column.name, make_datum(column, {**have, key: value}))


def _parse(context: Context, position: int, column: Column, text: str | None = None) -> Datum:
    """Returns the value in an argument, of which a secret column's is not to be repeated."""
    resolve = context.symbols.resolve
    given = context.arguments[position] if text is None else text
    if not is_secret(column.table, column.name):
        return parse_datum(given, column, resolve)
    context.hidden.add(position)
    warning = f"{column.name} on the command line shows in the list of processes"
    if column.name == "psk":
        warning += "; use conn-set --psk-file"
    if warning not in context.warnings:
        context.warnings.append(warning)
    try:
        return parse_datum(given, column, resolve)
    except UsageError:
        raise UsageError(f"{column.name}: the value cannot be read (is it quoted?)") from None


def _warn_of_status(context: Context, column: Column) -> None:
    if column.name in _STATUS_COLUMNS.get(column.table, ()):
        context.warnings.append(f"{column.name} is for svc-northd to write, which may overwrite it")


def _some(column: Column) -> Column:
    """Returns the type of one or more elements of 'column'."""
    some = Column(column.table, column.name, "string")
    some.key, some.value, some.min, some.max = column.key, column.value, 1, UNLIMITED
    return some


def _parse_removal(context: Context, position: int, column: Column) -> Datum:
    some = _some(column)
    if column.is_map:
        try:
            return _parse(context, position, some)
        except UsageError:
            some.value = None
    return _parse(context, position, some)


def _remove(row: Row, column: Column, gone: Datum) -> None:
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
