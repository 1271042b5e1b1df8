"""What --help, --version, --commands and --options print."""

from __future__ import annotations

import inspect
import textwrap

from ..lib import schema
from ..lib.errors import UsageError
from ..lib.schema import SOUTHBOUND
from ..lib.version import VERSION
from ..services.api.commands import Command
from .command_table import CommandTable
from .context import Context
from .options import GLOBAL
from .tool import SVCCTL, Tool

_INDENT = " " * 6


def format_help(table: CommandTable) -> str:
    """Returns the usage: the commands by noun, then the options."""
    lines = [
        f"{table.tool.name}: {table.tool.purpose}",
        f"usage: {table.tool.name} [OPTIONS] COMMAND [ARG...] [-- COMMAND [ARG...]]...",
        f"       {table.tool.name} help COMMAND, or COMMAND --help, tells more of one command",
    ]
    for title, commands in table.sections():
        lines += ["", f"{title}:"]
        for command in commands:
            lines += _format_usage(command)
            summary, _ = _describe(table, command.name)
            lines += textwrap.wrap(summary, 80, initial_indent=_INDENT, subsequent_indent=_INDENT)
    lines += ["", "Options:"]
    for name, short, argument, text in _list_options(table):
        start = f"  -{short[0]}, " if short else "  "
        lines.append(f"{start}{_spell(name, argument)}")
        lines.append(f"      {text}")
    return "\n".join(lines) + "\n"


def format_command(table: CommandTable, name: str) -> str | None:
    """Returns the usage of one command and what it does, if there is one of this name."""
    known = table.find(name)
    if known is None:
        return None
    summary, text = _describe(table, name)
    about = ["", *textwrap.wrap(f"{summary[:1].upper()}{summary[1:]}", 80)] if summary else []
    about += ["", text] if text else []
    usage = [f"usage: {table.tool.name} [OPTIONS]", *_format_usage(known[0])]
    return "\n".join([*usage, *about]) + "\n"


def _describe(table: CommandTable, name: str) -> tuple[str, str]:
    """Returns what a command does, in a line, and what else is to be known: its docstring."""
    known = table.find(name)
    assert known is not None
    first, _, rest = inspect.cleandoc(table.load(*known).__doc__ or "").partition("\n")
    _usage, colon, summary = first.partition(": ")
    return (summary, rest.strip()) if colon else ("", rest.strip())


def _format_usage(command: Command) -> list[str]:
    lines = [f"  {command.name} {command.arguments}".rstrip()]
    if command.options:
        spelled = (f"[{_spell(o)}]{_find_dots(command, o)}" for o in command.options)
        lines.append("      " + " ".join(spelled))
    return lines


def _find_dots(command: Command, option: str) -> str:
    return ".." if option.rstrip("=") in command.repeatable else ""


def format_version(table: CommandTable) -> str:
    """Returns the versions of the program and of the schema that it was made for."""
    version = schema.load(table.tool.database)["version"]
    return f"{table.tool.name} (ovnsvc) {VERSION}\nDB Schema {version}\n"


def format_commands(table: CommandTable) -> str:
    """Returns a line for each command, in the form that completion scripts of OVS read.

    That is "[OPTION].. ,NAME,ARGUMENT..", an argument marked as '!' needed, '?' perhaps
    there, '+' there once or more, '*' any number of times (ovs/lib/db-ctl-base.c).
    """
    return "".join(
        " ".join([*(f"[--{option}]" for option in command.options), ""])
        + f",{command.name},{' '.join(map(_mark, command.arguments.split()))}\n"
        for command in table.list_all()
    )


def _mark(argument: str) -> str:
    is_many = argument.endswith("..")
    name = argument.removesuffix("..").replace("[,..]", "")
    is_optional = name.startswith("[") and name.endswith("]")
    if is_optional:
        name = name[1:-1]
    marks = {(False, False): "!", (False, True): "+", (True, False): "?", (True, True): "*"}
    return marks[is_optional, is_many] + name.replace("[", "?").replace("]", "")


def format_options(table: CommandTable) -> str:
    """Returns a line for each option, for completion."""
    lines = []
    for name, short, *_ in _list_options(table):
        lines.append("--" + name.replace("[=", "=").replace("=", "=ARG"))
        if short:
            lines.append(f"-{short[0]}" + (" ARG" if "=" in name else ""))
    for option in dict.fromkeys(o for command in table.list_all() for o in command.options):
        lines.append("--" + option.replace("=", "=ARG"))
    return "\n".join(lines) + "\n"


def _spell(name: str, argument: str = "ARG") -> str:
    """Returns an option as a person writes it."""
    if name.endswith("[="):
        return f"--{name[:-2]}[={argument}]"
    return f"--{name}{argument}" if name.endswith("=") else f"--{name}"


def _list_options(table: CommandTable) -> list[tuple[str, str, str, str]]:
    """Returns the global options that the program has, in its words."""
    tool = table.tool
    return [
        (name, short, argument, _put_in_words(text, tool))
        for name, short, argument, text in GLOBAL
        if name.rstrip("[=") not in tool.refused
    ]


def _put_in_words(text: str, tool: Tool) -> str:
    """Returns what is said of an option of svcctl, for another program and database."""
    if tool.database == SOUTHBOUND:
        text = text.replace("SVC_NB_DB", "SVC_SB_DB")
    return text.replace(SVCCTL.name, tool.name)


def tell(context: Context) -> None:
    """help [COMMAND]: tells what the program does, or one of its commands."""
    raise UsageError(f"'{context.command.name}' stands alone, with one argument or none")
