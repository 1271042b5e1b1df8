"""What --help, --version, --commands and --options print."""

from __future__ import annotations

from ..lib import schema
from ..lib.version import VERSION
from .command import Command
from .commands import COMMANDS, SECTIONS
from .options import GLOBAL


def format_help() -> str:
    """Returns the usage: the commands by noun, then the options."""
    lines = [
        "svcctl: says what service containers and VPNs there are to be",
        "usage: svcctl [OPTIONS] COMMAND [ARG...] [-- COMMAND [ARG...]]...",
    ]
    for title, commands in SECTIONS:
        lines += ["", f"{title}:"]
        for command in commands:
            lines += _format_usage(command)
    lines += ["", "Options:"]
    for name, short, argument, text in GLOBAL:
        start = f"  -{short[0]}, " if short else "  "
        lines.append(f"{start}{_spell(name, argument)}")
        lines.append(f"      {text}")
    return "\n".join(lines) + "\n"


def format_command(name: str) -> str:
    """Returns the usage of one command."""
    return "\n".join(["usage: svcctl [OPTIONS]", *_format_usage(COMMANDS[name])]) + "\n"


def _format_usage(command: Command) -> list[str]:
    lines = [f"  {command.name} {command.arguments}".rstrip()]
    if command.options:
        lines.append("      " + " ".join(f"[{_spell(o)}]" for o in command.options))
    return lines


def format_version() -> str:
    """Returns the versions of the program and of the schema that it was made for."""
    version = schema.load(schema.NORTHBOUND)["version"]
    return f"svcctl (ovnsvc) {VERSION}\nDB Schema {version}\n"


def format_commands() -> str:
    """Returns a line for each command, for completion."""
    return "".join(
        " ".join([*(f"[--{option}]" for option in command.options), ""])
        + f",{command.name},{command.arguments}\n"
        for command in COMMANDS.values()
    )


def format_options() -> str:
    """Returns a line for each option, for completion."""
    lines = []
    for name, short, *_ in GLOBAL:
        lines.append("--" + name.replace("[=", "=").replace("=", "=ARG"))
        if short:
            lines.append(f"-{short[0]}" + (" ARG" if "=" in name else ""))
    for option in dict.fromkeys(o for command in COMMANDS.values() for o in command.options):
        lines.append("--" + option.replace("=", "=ARG"))
    return "\n".join(lines) + "\n"


def _spell(name: str, argument: str = "ARG") -> str:
    """Returns an option as a person writes it."""
    if name.endswith("[="):
        return f"--{name[:-2]}[={argument}]"
    return f"--{name}{argument}" if name.endswith("=") else f"--{name}"
