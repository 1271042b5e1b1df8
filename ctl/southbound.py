"""svc-sbctl: svcctl's generic commands on the southbound, and where that listens."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import copy

from ..lib.schema import SOUTHBOUND
from ..services.api.commands import Command, Section
from . import main as program
from .core_commands import SECTIONS as NORTHBOUND_SECTIONS
from .options import DAEMON_OPTIONS
from .tool import Tool

_GENERAL: Section = (
    "General commands",
    (
        Command("help", "[COMMAND]", "help.tell", ""),
        Command("init", "", "commands.southbound.init", "SB_Global", changes=True),
        Command("show", "[CHASSIS]", "commands.southbound.show", "Chassis Container_Binding"),
    ),
)


def _turn(section: Section) -> Section:
    """Returns a section of svcctl with the root row of the southbound in place of its own."""
    title, commands = section
    found = [copy(command) for command in commands]
    for command in found:
        command.tables = command.tables.replace("SVC_Global", "SB_Global")
    return title, found


SVC_SBCTL = Tool(
    "svc-sbctl",
    "looks at the southbound of service containers, and says where it listens",
    SOUTHBOUND,
    # The same words for the same things: connections, TLS, and what is generic.
    (_GENERAL, *map(_turn, NORTHBOUND_SECTIONS[-2:])),
    refused=(
        *("sb-db", "ovn-db", "no-check", "show-secrets"),
        *("wait", "no-wait", "print-wait-time", *DAEMON_OPTIONS),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs svc-sbctl with the words in 'argv' and returns its exit status."""
    return program.main(argv, SVC_SBCTL)


if __name__ == "__main__":
    sys.exit(main())
