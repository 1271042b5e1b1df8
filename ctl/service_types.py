"""What the installed service types give svcctl; nothing is looked for until somebody asks.

To look through the installed packages takes longer than most commands, so only
a command or a table that the core does not know, the help, and what is about
all types do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..lib.schema import NORTHBOUND
from ..services.api.commands import Command, Commands, TableWords
from .site_packages import find_packages
from .table_words import CORE_TABLES

if TYPE_CHECKING:
    from ..services.api.service_type import ServiceType


class InstalledTypes:
    """The commands halves of the types; 'problems' are sentences on those that have none."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._types: dict[str, ServiceType] | None = None
        self._commands: dict[str, Commands] | None = None
        self._words: dict[str, TableWords] = dict(CORE_TABLES)
        self._found: dict[str, tuple[Command, str]] = {}

    def find_type(self, name: str) -> ServiceType | None:
        """Returns the type of this name, None if it is not installed or cannot be loaded."""
        return self._load().get(name)

    def commands(self) -> Mapping[str, Commands]:
        """Returns the commands halves by the name of their type."""
        if self._commands is None:
            self._commands = {}
            for name, each in sorted(self._load().items()):
                try:
                    half = each.commands()
                    words = {table.name: table for table in half.tables}
                    section = [each for _, section in half.sections for each in section]
                    found = {command.name: (command, name) for command in section}
                except Exception as error:  # somebody else's code must not end svcctl
                    kind = type(error).__name__
                    self.problems.append(f"service type {name} has no usable commands: {kind}")
                    continue
                self._commands[name] = half
                self._words = {**words, **self._words}
                self._found = {**found, **self._found}
        return self._commands

    def find_command(self, name: str) -> tuple[Command, str] | None:
        """Returns a command and the type that it is of; the first type by name has it."""
        self.commands()
        return self._found.get(name)

    def find_words(self, table: str) -> TableWords | None:
        """Returns what is to be known of a table, None if neither core nor type says it."""
        if table not in self._words:
            self.commands()
        return self._words.get(table)

    def list_tables(self) -> list[str]:
        """Returns the tables that the types have words on."""
        return [words.name for half in self.commands().values() for words in half.tables]

    def is_secret(self, database: str, table: str, column: str) -> bool:
        """Returns whether nobody who did not ask for it should see a column.

        A table of the northbound on which nobody has words is that of a type that
        is not installed here, and any of its columns may be a secret.
        """
        if database != NORTHBOUND:
            return False
        words = self.find_words(table)
        if words is None:
            return column not in ("_uuid", "name", "external_ids")
        return column in words.secrets

    def _load(self) -> dict[str, ServiceType]:
        if self._types is None:
            from ..services.api.service_type import load_service_types

            find_packages()
            self._types, problems = load_service_types()
            self.problems += problems
        return self._types
