"""The commands of a command line, each with its options and arguments."""

from __future__ import annotations

from collections.abc import Sequence

from ..lib.errors import UsageError
from ..services.api.commands import Command
from .command_table import CommandTable
from .context import Context
from .options import is_global, take_long

# With these ovn-nbctl says no more (ovs/lib/db-ctl-base.c).
_OVN_COMMANDS = frozenset(
    (
        *("comment", "init", "sync", "show", "get", "list", "find", "set", "add", "remove"),
        *("clear", "create", "destroy", "wait-until", "get-ssl", "del-ssl", "set-ssl"),
        *("get-connection", "del-connection", "set-connection"),
    )
)


def parse_commands(
    table: CommandTable, early: Sequence[str], words: Sequence[str]
) -> list[Context]:
    """Returns the commands in 'words', which "--" separates; raises UsageError."""
    found: list[Context] = []
    current = list(early)
    for word in [*words, "--"]:
        if word != "--":
            current.append(word)
        elif current:
            found.append(_parse_command(table, current))
            current = []
    if not found:
        raise UsageError("missing command name (use --help for help)")
    return found


def _parse_command(table: CommandTable, words: Sequence[str]) -> Context:
    place = 0
    while place < len(words) and words[place].startswith("--"):
        place = _skip_option(table, words, place)
    if place >= len(words):
        raise UsageError("missing command name (use --help for help)")
    name = words[place]
    known = table.find(name)
    if known is None:
        why = "".join(f" ({problem})" for problem in table.types.problems)
        raise UsageError(f"unknown command '{name}'; use --help for help{why}")
    command, type_name = known
    options, arguments = _split(command, [*words[:place], *words[place + 1 :]])
    if len(arguments) < command.least:
        raise _refuse_number(command, f"requires at least {command.least}")
    if len(arguments) > command.most:
        raise _refuse_number(command, f"takes at most {command.most}")
    return Context(command, options, arguments, table.types, type_name)


def _refuse_number(command: Command, problem: str) -> UsageError:
    """Returns what is wrong with the number of arguments, in the words of ovn-nbctl.

    Of a command that ovn-nbctl does not have they are told.
    """
    said = f"'{command.name}' command {problem} arguments"
    if command.name in _OVN_COMMANDS:
        return UsageError(said)
    return UsageError(f"{said}: {command.name} {command.arguments}".rstrip())


def _skip_option(table: CommandTable, words: Sequence[str], place: int) -> int:
    """Returns the place after an option that stands before the command's name."""
    return take_long(words, place, table.find_options(words[place]))[2]


def _split(command: Command, words: Sequence[str]) -> tuple[dict[str, list[str | None]], list[str]]:
    options: dict[str, list[str | None]] = {}
    arguments: list[str] = []
    place = 0
    while place < len(words):
        if not words[place].startswith("--"):
            _check_place(command, words[place])
            arguments.append(words[place])
            place += 1
            continue
        try:
            option, value, place = take_long(words, place, command.options)
        except UsageError as error:
            given = words[place].partition("=")[0]
            if "unrecognized" not in str(error):
                raise
            if is_global(given):
                raise UsageError(f'put "{given}" before the command') from None
            raise UsageError(f"'{command.name}' command has no '{given}' option") from None
        name = option.rstrip("=")
        if name in options and name not in command.repeatable:
            raise UsageError(f"'--{name}' option specified multiple times")
        options.setdefault(name, []).append(value)
    return options, arguments


def _check_place(command: Command, word: str) -> None:
    """Raises UsageError for a global option where an argument should be; text may be anything."""
    if len(word) == 2 and is_global(word) and command.name != "comment":
        raise UsageError(f'put "{word}" before the command')
