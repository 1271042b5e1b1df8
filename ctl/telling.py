"""What of a command line may be told to a log: to that of the database, and to syslog.

A word is told if it is known to hold no secret, and not if it may be one: an
argument of an option for secrets, a value or a condition of a secret column or
of one that is not known, whatever is called as secrets are.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..lib.errors import UsageError
from ..lib.schema import NORTHBOUND
from .context import Context
from .db.conditions import find_column
from .db.schema import TableSchema
from .db.table import HIDDEN

# How secrets are called: in columns, in keys of maps, in options.
_SECRET_NAMES = (
    "psk",
    "secret",
    "passw",
    "passphrase",
    "token",
    "seed",
    "credential",
    "privatekey",
)

# Generic commands by what they are given: where COLUMN=VALUE or conditions begin,
# and where a column is followed by values.
_FIRST_ASSIGNMENT = {"find": 1, "create": 1, "set": 2, "wait-until": 2}
_FIRST_VALUE = {"add": 3, "remove": 3}


def format_words(context: Context) -> str:
    """Returns the command as it was given, without what may be a secret."""
    options = [
        _format_option(context, name, value)
        for name, values in context.given.items()
        for value in values
    ]
    return " ".join([*options, context.command.name, *_tell_arguments(context)])


def may_be_secret(text: str) -> bool:
    """Returns whether 'text' names something as secrets are called."""
    folded = "".join(character for character in text.casefold() if character.isalnum())
    return any(name in folded for name in _SECRET_NAMES)


def is_condition_secret(context: Context, table: TableSchema, text: str) -> bool:
    """Returns whether 'text', COLUMN[:KEY] with an operator and a value, may hold a secret."""
    if may_be_secret(text):
        return True
    try:
        column = find_column(text, table)
    except UsageError:
        return context.replica.schema.name == NORTHBOUND
    return context.types.is_secret(context.replica.schema.name, table.name, column.name)


def _format_option(context: Context, name: str, value: str | None) -> str:
    if value is None:
        return f"--{name}"
    hides = name in context.command.secrets or may_be_secret(name) or may_be_secret(value)
    return f"--{name}={HIDDEN if hides else value}"


def _tell_arguments(context: Context) -> list[str]:
    words, name = context.arguments, context.command.name
    if name == "comment":
        # It is meant for the log.
        return list(words)
    if context.command.tables != "*":
        return [HIDDEN if "=" in word and may_be_secret(word) else word for word in words]
    table = context.replica.schema.get_table(words[0])
    return [
        HIDDEN if number and _is_hidden(context, table, words, number) else word
        for number, word in enumerate(words)
    ]


def _is_hidden(context: Context, table: TableSchema, words: Sequence[str], number: int) -> bool:
    name = context.command.name
    if number >= _FIRST_ASSIGNMENT.get(name, len(words)):
        return is_condition_secret(context, table, words[number])
    if number >= _FIRST_VALUE.get(name, len(words)):
        # The column and the value together are as COLUMN=VALUE.
        return is_condition_secret(context, table, f"{words[2]}={words[number]}")
    return "=" in words[number] and may_be_secret(words[number])
