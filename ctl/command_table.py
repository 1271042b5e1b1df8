"""Every command that there is: those of the core, and those of the installed types.

The types are looked for only when the core does not know a command or an
option, or when all commands are listed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from ..services.api.commands import Command, Section
from .service_types import InstalledTypes
from .tool import SVCCTL, Tool


class CommandTable:
    """The commands of 'tool' by name."""

    def __init__(self, tool: Tool = SVCCTL) -> None:
        self.tool = tool
        self.types = InstalledTypes()
        self._core = {each.name: each for _, section in tool.sections for each in section}
        self._options = dict.fromkeys(o for each in self._core.values() for o in each.options)

    def find(self, name: str) -> tuple[Command, str] | None:
        """Returns a command and the service type that it is of, "" for the core."""
        if name in self._core:
            return self._core[name], ""
        return self.types.find_command(name) if self.tool.typed else None

    def sections(self) -> Sequence[Section]:
        """Returns all commands as the help lists them, the core's last but for the general ones."""
        found: list[Section] = []
        for half in self.types.commands().values() if self.tool.typed else ():
            found += half.sections
        return [self.tool.sections[0], *found, *self.tool.sections[1:]]

    def list_all(self) -> list[Command]:
        """Returns all commands."""
        return [command for _, section in self.sections() for command in section]

    def find_options(self, word: str) -> Sequence[str]:
        """Returns the options of commands among which 'word' ("--NAME[=VALUE]") is to be found.

        An option that is shortened may stand for one of any command.
        """
        name = word[2:].partition("=")[0]
        if name in self._options or f"{name}=" in self._options:
            return list(self._options)
        every = (option for command in self.list_all() for option in command.options)
        return list(dict.fromkeys(every))

    def load(self, command: Command, type_name: str) -> Callable[[Any], None]:
        """Imports the file of a command's function and returns that."""
        return self._load(command.run, type_name)

    def load_otherwise(self, command: Command, type_name: str) -> Callable[[Any, str], None]:
        """Returns the function that is called where the northbound cannot be reached."""
        return self._load(command.otherwise, type_name)

    def _load(self, name: str, type_name: str) -> Callable[..., None]:
        package = self.types.commands()[type_name].package if type_name else __package__
        file, _, function = name.rpartition(".")
        found: Callable[..., None] = getattr(importlib.import_module(f".{file}", package), function)
        return found
