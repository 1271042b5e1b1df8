"""Finds the row that a word on the command line means.

In this order: a UUID, "." for the only row of a table, the row's name, a prefix
of a UUID that has four digits or more and fits one row.
"""

from __future__ import annotations

from ...lib.errors import UsageError
from .replica import Replica
from .row import Row
from .values import is_uuid

ROOT = "SVC_Global"
SOUTHBOUND_ROOT = "SB_Global"

_NAME_COLUMNS = ("name", "target", "logical_port", "container", "chassis")
_SHORTEST_PREFIX = 4
_UUID_CHARACTERS = frozenset("0123456789abcdef-")


def find_row(replica: Replica, table: str, text: str) -> Row | None:
    """Returns the row of 'table' that 'text' means, if any; raises UsageError if several."""
    if is_uuid(text):
        found = replica.get(table, text.lower())
        if found is not None:
            return found
    if text == "." and len(replica.rows(table)) == 1:
        return next(iter(replica.rows(table).values()))
    named = find_named(replica, table, text)
    if len(named) > 1:
        raise UsageError(f'multiple rows in {table} match "{text}"')
    meant = named or list_prefixed(replica, table, text)
    return meant[0] if len(meant) == 1 else None


def get_row(replica: Replica, table: str, text: str) -> Row:
    """As find_row(), but raises UsageError if there is none."""
    row = find_row(replica, table, text)
    if row is None:
        raise UsageError(f'no row "{text}" in table {table}')
    return row


def get_named(replica: Replica, table: str, text: str, noun: str) -> Row:
    """As get_row(), in the words of a command for one kind of thing."""
    row = find_row(replica, table, text)
    if row is None:
        raise UsageError(f"{text}: {noun} not found")
    return row


def find_duplicate(reason: str) -> tuple[str, str] | None:
    """Returns the table and the name that is taken, if that is what ovsdb-server complains of."""
    if "identical values" not in reason:
        return None
    import re

    index = r'in "(\w+)" table to have identical values \((.*)\) for index on column "name"'
    found = re.search(index, reason)
    return None if found is None else (found[1], found[2])


def get_root(replica: Replica) -> Row:
    """Returns the root row; a new database gets it with its first change."""
    table = SOUTHBOUND_ROOT if SOUTHBOUND_ROOT in replica.schema.tables else ROOT
    root = next(iter(replica.rows(table).values()), None)
    return root if root is not None else replica.insert(table)


def find_name_column(replica: Replica, table: str) -> str | None:
    """Returns the column of 'table' that has the names of its rows, None if none has."""
    columns = replica.schema.tables[table].columns
    return next((name for name in _NAME_COLUMNS if name in columns), None)


def find_named(replica: Replica, table: str, text: str) -> list[Row]:
    """Returns the rows of 'table' whose name is 'text'."""
    column = find_name_column(replica, table)
    if column is None:
        return []
    if "=" in text:
        # It may be an assignment of a secret in a wrong place, which no server is to log.
        return [row for row in replica.rows(table).values() if row.find(column) == text]
    return replica.find_all(table, column, text)


def list_prefixed(replica: Replica, table: str, text: str) -> list[Row]:
    """Returns the rows whose UUID begins with 'text', if that has four digits or more."""
    prefix = text.lower()
    if len(prefix) < _SHORTEST_PREFIX or not _UUID_CHARACTERS.issuperset(prefix):
        return []
    found = [uuid for uuid in replica.list_uuids(table) if uuid.startswith(prefix)]
    return replica.get_all(table, found)
