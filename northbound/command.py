"""The commands of the API, as ovsdbapp runs them: a function on a Run, and ovsdbapp's own, checked.

An error is raised unless the caller says check_error=False, which ovsdbapp takes
for what everybody wants: then it is logged, and None is returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ovsdbapp.backend.ovs_idl import command as ovsdbapp_command
from ovsdbapp.backend.ovs_idl import idlutils, rowview

from ..lib.addresses import quote
from ..lib.errors import ConfigError, UsageError
from ..lib.redaction import HIDDEN, SECRET_COLUMNS
from .errors import Refused
from .hiding import format_command
from .row import Row
from .run import NOUNS, Attempt, Request, Run
from .values import check_member, check_value, make_default, make_value

Change = Callable[[Run], Any]
"""What a command does to the rows; a Row that it returns is the command's result."""


def find_attempt(api: Any, txn: Any) -> Attempt:
    """Returns what the commands of a transaction of python-ovs work on together."""
    attempt: Attempt | None = api.attempts.get(txn)
    if attempt is None:
        attempt = api.attempts[txn] = Attempt(api, txn)
    return attempt


class Told(ovsdbapp_command.BaseCommand):
    """A command whose text has no secrets, and whose errors are raised."""

    def execute(self, check_error: bool = True, log_errors: bool = True, **options: Any) -> Any:
        """Runs the command in a transaction, the surrounding one if there is one."""
        return super().execute(check_error, log_errors, **options)

    def __str__(self) -> str:
        return format_command(type(self).__name__, self.__dict__)

    __repr__ = __str__


class Command(Told):
    """A command named as svcctl's; 'change' does it, 'find' returns the row that is its result."""

    def __init__(
        self,
        api: Any,
        name: str,
        request: Request,
        change: Change,
        find: Callable[[Run], Row | None] | None = None,
    ) -> None:
        super().__init__(api)
        self.name = name
        self._request = request
        self._change = change
        self._find = find
        self._table: Any = None

    def run_idl(self, txn: Any) -> None:
        """Does what is to be done in the transaction 'txn' of python-ovs; raises Refused."""
        run = Run(self.name, find_attempt(self.api, txn), self._request)
        try:
            found = self._change(run)
            row = self._find(run) if self._find is not None else found
            if isinstance(row, Row):
                set_columns(row, self._request.columns, self.name)
        except (UsageError, ConfigError) as error:
            raise Refused(str(error)) from None
        self.result = found if self._find is None else None
        self._table = None
        if isinstance(row, Row):
            self._keep(row)

    def post_commit(self, txn: Any) -> None:
        """Makes the result a row that is in the database."""
        if self._table is not None:
            uuid = txn.get_insert_uuid(self.result)
            row = None if uuid is None else self._table.rows.get(uuid)
            # None: another command of the transaction took it out again.
            self.result = None if row is None else rowview.RowView(row)
            self._table = None

    def __str__(self) -> str:
        request = self._request
        words = [*map(str, request.arguments)]
        for given in (request.options, request.values, request.columns):
            words += [f"{key}={_show(key, value)}" for key, value in given.items()]
        return f"{self.name.replace('-', '_')}({', '.join(words)})"

    __repr__ = __str__

    def _keep(self, row: Row) -> None:
        """Until it is committed a row has another UUID."""
        if row.is_new:
            self.result, self._table = row.idl_row.uuid, row.table
        else:
            self.result = rowview.RowView(row.idl_row)


class ReadCommand(Told):
    """A command that reads; 'read' returns its result."""

    READ_ONLY = True

    def __init__(self, api: Any, name: str, read: Callable[[], Any]) -> None:
        super().__init__(api)
        self.name = name
        self._read = read

    def run_idl(self, txn: Any) -> None:
        """Reads."""
        self.result = self._read()

    def __str__(self) -> str:
        return f"{self.name.replace('-', '_')}()"

    __repr__ = __str__


def set_columns(row: Row, columns: Mapping[str, Any], name: str) -> None:
    """Sets columns beside those that a command is for; keys of maps that are not named stay.

    Raises Refused if the row was there and "-add" was asked for another one.
    """
    adds = name.endswith("-add") and not row.is_new
    for column, given in columns.items():
        value: Any = [] if given is None else idlutils.db_replace_record(given)
        pairs = isinstance(value, Mapping)
        kept = {k: each for k, each in value.items() if each is not None} if pairs else value
        check_value(row.table, column, kept)
        if adds and not _has(row, column, value):
            noun = NOUNS[row.table.name]
            article = "an" if noun[0] in "AEIO" else "a"
            raise Refused(
                f"{quote(row.text('name'))}: {article} {noun} with this name already exists, "
                f"with another {column}"
            )
        if pairs:
            for key, each in value.items():
                row.change_key(column, key, each)
        elif not adds:
            setattr(row.idl_row, column, value)
            row.revision += 1


def _has(row: Row, column: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return row.pairs(column).items() >= value.items()
    atoms = value if isinstance(value, (list, tuple, set)) else [value]
    return set(row.datum(column)) == set(atoms)


def _show(key: str, value: Any) -> Any:
    return HIDDEN if key in SECRET_COLUMNS else value


# -- ovsdbapp's own ----------------------------------------------------------


class _Checked(Told):
    """A command of ovsdbapp's that raises where the schema refuses a value."""

    @classmethod
    def set_column(cls, row: Any, col: str, val: Any) -> None:
        """Sets a column of a row of python-ovs; raises Refused."""
        value = idlutils.db_replace_record(val)
        check_value(row._table, col, value)
        super().set_column(row, col, value)


class DbCreate(_Checked, ovsdbapp_command.DbCreateCommand):
    """db_create, db_create_row"""

    def run_idl(self, txn: Any) -> None:
        """Inserts the row; python-ovs would not insert one of which no column is set."""
        super().run_idl(txn)
        if not self.columns:
            column = next(iter(self.result._table.columns.values()))
            setattr(self.result, column.name, make_value(column.type, make_default(column.type)))


class DbSet(_Checked, ovsdbapp_command.DbSetCommand):
    """db_set"""

    def __init__(
        self,
        api: Any,
        table: str,
        record: Any,
        *col_values: tuple[str, Any],
        if_exists: bool,
        **columns: Any,
    ) -> None:
        super().__init__(api, table, record, *col_values)
        # Older releases have neither.
        self.col_values = col_values or tuple(columns.items())
        self.if_exists = if_exists

    def run_idl(self, txn: Any) -> None:
        """Sets the columns; raises NotFound or Refused."""
        default = {"default": None} if self.if_exists else {}
        record = self.api.lookup(self.table, self.record, **default)
        if record is None:
            return
        for column, value in self.col_values:
            check_value(record._table, column, idlutils.db_replace_record(value))
        super().run_idl(txn)


class DbAdd(_Checked, ovsdbapp_command.DbAddCommand):
    """db_add"""

    def run_idl(self, txn: Any) -> None:
        """Adds the values; raises Refused."""
        table = self.api.lookup(self.table, self.record)._table
        for value in self.values:
            if isinstance(value, Mapping):
                check_value(table, self.column, value)
            else:
                check_member(table, self.column, idlutils.db_replace_record(value))
        super().run_idl(txn)


class DbRemove(Told, ovsdbapp_command.DbRemoveCommand):
    """db_remove"""

    def run_idl(self, txn: Any) -> None:
        """Removes; raises Refused for what python-ovs would leave out without a word."""
        row = self.api.lookup(self.table, self.record, default=None)
        known = None if row is None else row._table.columns.get(self.column)
        for value in self.values if known is not None and not known.type.is_map() else ():
            check_value(row._table, self.column, value)
        super().run_idl(txn)


class DbDestroy(Told, ovsdbapp_command.DbDestroyCommand):
    """db_destroy"""


class DbClear(Told, ovsdbapp_command.DbClearCommand):
    """db_clear"""


class DbGet(Told, ovsdbapp_command.DbGetCommand):
    """db_get"""


class DbList(Told, ovsdbapp_command.DbListCommand):
    """db_list, db_list_rows"""

    def run_idl(self, txn: Any) -> None:
        """Reads the rows that are named, or all; ovsdbapp looks through all for each."""
        if not self.records:
            super().run_idl(txn)
            return
        default = {"default": None} if self.if_exists else {}
        found = [self.api.lookup(self.table, record, **default) for record in self.records]
        columns = self.columns or [*self.api.tables[self.table].columns, "_uuid"]
        self.result = [
            rowview.RowView(row)
            if self.row
            else {name: idlutils.get_column_value(row, name) for name in columns}
            for row in found
            if row is not None
        ]


class DbFind(Told, ovsdbapp_command.DbFindCommand):
    """db_find, db_find_rows"""
