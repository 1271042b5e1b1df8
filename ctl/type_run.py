"""What a command of a service type gets: a Run of services/api/commands.py, on our Context."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, TypeVar

from ..lib.errors import ConfigError, UsageError
from ..lib.router import Router
from ..services.api.commands import Atom, Commands, Datum
from .ask.address import find_address_user
from .ask.lookup import read_southbound, select, to_datums
from .ask.northd import PATIENCE_S, warn_if_stale
from .ask.router import find_routers
from .ask.secret_file import read_secret
from .ask.units import find_units
from .command_table import CommandTable
from .context import Context
from .db.conditions import parse_assignment
from .db.notation import make_complaint, parse_atom, parse_datum, strip_complaint
from .db.records import find_row
from .db.replica import TryAgain
from .db.row import Row
from .db.table import OutputTable
from .run import Unsatisfied

_Told = TypeVar("_Told")
_OURS = (UsageError, ConfigError, TryAgain, Unsatisfied)
# What code of a type may raise by mistake; Ctrl-C is none.
NOT_OURS = (Exception, SystemExit, GeneratorExit)


class TypeRun:
    """One command at work, as a type sees it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.arguments: Sequence[str] = context.arguments
        self.options: Mapping[str, str | None] = context.options
        self.lines = context.lines
        self.warnings = context.warnings

    @property
    def name(self) -> str:
        return self._context.command.name

    @property
    def shared(self) -> MutableMapping[Any, Any]:
        return self._context.attempt.shared

    @property
    def no_check(self) -> bool:
        return self._context.settings.has("no-check")

    @property
    def shows_secrets(self) -> bool:
        return self._context.settings.has("show-secrets") or self.has("show-secrets")

    @property
    def table_format(self) -> str | None:
        return self._context.settings.format

    def has(self, option: str) -> bool:
        return self._context.has(option)

    def argument(self, position: int) -> str | None:
        return self._context.argument(position)

    def rows(self, table: str) -> Mapping[str, Row]:
        return self._context.replica.rows(table)

    def find(self, table: str, column: str, value: Atom) -> Row | None:
        return self._context.replica.find(table, column, value)

    def find_all(self, table: str, column: str, *values: Atom) -> Sequence[Row]:
        return self._context.replica.find_all(table, column, *values)

    def get(self, table: str, uuid: str) -> Row | None:
        return self._context.replica.get(table, uuid)

    def get_all(self, table: str, uuids: Sequence[str]) -> Sequence[Row]:
        return self._context.replica.get_all(table, uuids)

    def find_row(self, table: str, text: str) -> Row | None:
        return find_row(self._context.replica, table, text)

    def get_row(self, table: str, text: str) -> Row:
        row = self.find_row(table, text)
        if row is None:
            words = self._context.types.find_words(table)
            raise UsageError(f"{text}: {words.noun if words else table} not found")
        return row

    def insert(self, table: str) -> Row:
        return self._context.replica.insert(table)

    def delete(self, row: Row) -> None:
        self._context.replica.delete(row)

    def delete_member(self, row: Row) -> None:
        self._context.replica.delete_member(row)

    def list_columns(self, table: str) -> Sequence[str]:
        columns = self._context.replica.schema.tables[table].columns
        return [name for name in columns if name != "_uuid"]

    def parse_atom(self, table: str, column: str, text: str) -> Atom:
        base = self._context.replica.schema.tables[table].columns[column].key
        try:
            return parse_atom(text, base, self._context.names.resolve)
        except UsageError as error:
            raise strip_complaint(error) from None

    def parse_assignment(self, table: str, text: str) -> tuple[str, Datum]:
        schema = self._context.replica.schema.tables[table]
        key, value = parse_assignment(text, schema)
        column = key.column
        if key.key is not None or column.name == "_uuid":
            raise UsageError(f"{text}: not a column that can be set here")
        try:
            return column.name, parse_datum(value, column, self._context.names.resolve)
        except UsageError as error:
            raise make_complaint(column.name, error) from None

    def read_secret(self, option: str, path: str, noun: str, *, one_line: bool = True) -> str:
        return read_secret(self._context, f"--{option}={path}", path, noun, one_line=one_line)

    def start_table(self, headings: Sequence[str], below: Sequence[str] = ()) -> OutputTable:
        return self._context.start_table(headings, below)

    def find_routers(self, text: str) -> Sequence[Router]:
        return find_routers(self._context, text)

    def find_address_user(self, router: Router, address: str) -> str | None:
        return find_address_user(self._context, router, address)

    def find_units(self, text: str) -> Sequence[str]:
        return find_units(self._context, text)

    def read_southbound(
        self, *questions: tuple[str, str, Atom]
    ) -> Sequence[Sequence[Mapping[str, Datum]]] | str:
        selects = [select(table, [[column, "==", value]]) for table, column, value in questions]
        try:
            found = read_southbound(self._context, selects, PATIENCE_S)
        except UsageError as error:
            return str(error)
        return [[to_datums(row) for row in rows] for rows in found]

    def warn_if_stale(self) -> None:
        warn_if_stale(self._context)

    def refuse_format(self) -> None:
        self._context.refuse_format()


def load_type_command(table: CommandTable, context: Context) -> Callable[[Context], None]:
    """Returns what runs a command of a service type."""
    with_words = f"service type {context.type_name}: {context.command.name}"

    def load_and_run(context: Context) -> None:
        try:
            table.load(context.command, context.type_name)(TypeRun(context))
        except _OURS:
            raise
        except NOT_OURS as error:  # somebody else's code must not end svcctl without a word
            raise UsageError(f"{with_words}: {describe_mistake(error)}") from None

    return load_and_run


def ask_types(
    context: Context, ask: Callable[[Commands, TypeRun], _Told]
) -> Iterator[tuple[str, _Told]]:
    """Returns by name what each type has to say; one that cannot is told of in a warning."""
    for name, half in context.types.commands().items():
        try:
            yield name, ask(half, TypeRun(context))
        except UsageError:
            raise
        except NOT_OURS as error:  # the mistake of a type is no reason to be silent on the rest
            context.warnings.append(f"service type {name}: {describe_mistake(error)}")
    context.warnings += context.types.problems


def check_lines(lines: Sequence[str]) -> list[str]:
    """Returns what a type has to say; raises TypeError if that is not lines."""
    if not all(isinstance(each, str) for each in lines):
        raise TypeError
    return list(lines)


def describe_mistake(error: BaseException) -> str:
    """Returns where a type's code raised what; its message is left out, as it may hold anything."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {last.filename}:{last.lineno}, a mistake of the type"
