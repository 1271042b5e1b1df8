"""What a command is, and one command of a run with its words.

commands.py is the table of commands; main runs them in order on one replica.
A command's function is named by its file and its name in there, so that only
the files of the commands that run are imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence

from ..lib.errors import UsageError
from .options import Settings, is_global, take_long
from .records import find_named
from .replica import Replica, make_uuid
from .rpc import Client, Tls, split_remotes
from .schema import Base
from .table import Table
from .values import NewUuid

HIDDEN = "<hidden>"

_SECRETS = {("IPsec_Connection", "psk"), ("SVC_Global", "seal_seed")}
_UNLIMITED = 1 << 30


def is_secret(table: str, column: str) -> bool:
    """Returns whether nobody who did not ask for it should see a column."""
    return (table, column) in _SECRETS


class Command:
    """A row of the table of commands.

    'run' names the function as "file.function"; 'tables' those that it reads or
    changes, "*" standing for the one that its first argument names.  'options'
    end with '=' where they take an argument.
    """

    __slots__ = ("arguments", "changes", "name", "options", "run", "tables")

    def __init__(
        self,
        name: str,
        arguments: str,
        run: str,
        tables: str,
        options: str = "",
        *,
        changes: bool = False,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.run = run
        self.tables = tables
        self.options = [option.removeprefix("--") for option in options.split()]
        self.changes = changes

    @property
    def least(self) -> int:
        """The least number of arguments."""
        words = self.arguments.split()
        return sum(1 for word in words if not word.startswith("[") or word.startswith("[KEY=]"))

    @property
    def most(self) -> int:
        """The greatest number of arguments."""
        return _UNLIMITED if self.arguments.endswith("..") else len(self.arguments.split())

    def load(self) -> Callable[[Context], None]:
        """Imports the file of the command's function and returns that."""
        file, _, function = self.run.partition(".")
        module = importlib.import_module(f".{file}", __package__)
        found: Callable[[Context], None] = getattr(module, function)
        return found


class Symbols:
    """The names of rows in a run: @names that 'create' makes, and names of rows that are there."""

    def __init__(self, replica: Replica | None = None) -> None:
        self._replica = replica
        self._uuids: dict[str, str] = {}
        self._created: set[str] = set()
        self._held: set[str] = set()

    def resolve(self, text: str, base: Base) -> str:
        """Returns the UUID of the row called 'text', to which a column of type 'base' refers."""
        if not text.startswith("@"):
            return self._find(text, base)
        if base.strong and base.ref_table is not None:
            self._held.add(text)
        return self._uuids.setdefault(text, make_uuid())

    def _find(self, text: str, base: Base) -> str:
        if self._replica is None or base.ref_table is None:
            raise UsageError(f'"{text}" is not a valid UUID')
        self._replica.load_more(base.ref_table)
        named = find_named(self._replica, base.ref_table, text)
        if len(named) > 1:
            raise UsageError(f'multiple rows in {base.ref_table} match "{text}"')
        if not named:
            raise UsageError(
                f'"{text}" is not a valid UUID, and no row of {base.ref_table} has that name'
            )
        return named[0].uuid

    def create(self, text: str) -> NewUuid:
        """Returns the provisional UUID for the new row that is called 'text'."""
        self._define(text)
        uuid = self._uuids.setdefault(text, make_uuid())
        assert isinstance(uuid, NewUuid)
        return uuid

    def bind(self, text: str, uuid: str) -> None:
        """Makes 'text' stand for a row that is there, in the commands that follow."""
        if text in self._uuids:
            raise UsageError(f'row id "{text}" is used before it is defined')
        self._define(text)
        self._uuids[text] = uuid

    def find_name(self, uuid: str) -> str | None:
        """Returns the @name of a row, if it has one."""
        return next((name for name, each in self._uuids.items() if each == uuid), None)

    def is_held(self, name: str) -> bool:
        """Returns whether something refers to the row, so that the server keeps it."""
        return name in self._held

    def _define(self, text: str) -> None:
        if not text.startswith("@"):
            raise UsageError(f'row id "{text}" does not begin with "@"')
        if text in self._created:
            raise UsageError(f'row id "{text}" may only be specified on one --id option')
        self._created.add(text)

    def check(self) -> None:
        """Raises UsageError if a name stands for no row."""
        for name in self._uuids:
            if name not in self._created:
                raise UsageError(
                    f'row id "{name}" is referenced but never created '
                    f'(e.g. with "-- --id={name} create ...")'
                )


class Context:
    """One command of a run: its words, what it works on and what it has to say.

    With 'forces_wait' svc-northd is waited for, whatever --wait says, and though
    nothing changes.  'follow_up' is called once the change is in the database,
    with a connection to that.  'hidden' are the positions of arguments that no log
    may show, 'memory' is what can be read only once though the command may have to
    run again.
    """

    def __init__(
        self, command: Command, options: Mapping[str, str | None], arguments: Sequence[str]
    ) -> None:
        self.command = command
        self.options = options
        self.arguments = arguments
        self.hidden: set[int] = set()
        self.memory: dict[str, str] = {}
        self.begin(None, Settings(), Symbols())

    def begin(self, replica: Replica | None, settings: Settings, symbols: Symbols) -> None:
        """Gets ready to run, again if somebody else was faster the time before."""
        self._replica = replica
        self.settings = settings
        self.symbols = symbols
        self.lines: list[str] = []
        self.table: Table | None = None
        self.warnings: list[str] = []
        self.forces_wait = False
        self.follow_up: Callable[[Client], None] | None = None

    @property
    def replica(self) -> Replica:
        """The rows that the command reads and changes."""
        assert self._replica is not None
        return self._replica

    def has(self, option: str) -> bool:
        """Returns whether the command was given 'option'."""
        return option in self.options

    def argument(self, position: int) -> str | None:
        """Returns the argument at 'position' if it was given."""
        return self.arguments[position] if position < len(self.arguments) else None

    def refuse_format(self) -> None:
        """Raises UsageError if a table is asked of a command that prints none."""
        if self.settings.format is not None and self.settings.has("format"):
            name = self.command.name
            raise UsageError(f"'{name}' prints text, not a table; leave out --format")

    def connect(self, remotes: str, database: str) -> Client:
        """Returns a connection to another database, as the options say."""
        return connect(self.settings, remotes, database)

    def format_words(self) -> str:
        """Returns the command as it was given, without its secrets, for logs."""
        words = [HIDDEN if n in self.hidden else word for n, word in enumerate(self.arguments)]
        options = [
            f"--{name}" + ("" if value is None else f"={_conceal(name, value)}")
            for name, value in self.options.items()
        ]
        return " ".join([*options, self.command.name, *words])


def connect(settings: Settings, remotes: str, database: str) -> Client:
    """Returns a connection to 'database' at 'remotes', with the TLS files of the options."""
    shuffle = not settings.has("no-shuffle-remotes")
    leader_only = not settings.has("no-leader-only")
    find = settings.values.get
    tls = Tls(find("private-key"), find("certificate"), find("ca-cert"), find("ssl-ciphers"))
    return Client(split_remotes(remotes, shuffle), database, tls, leader_only)


def parse_commands(
    table: Mapping[str, Command], early: Sequence[str], words: Sequence[str]
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


def _parse_command(table: Mapping[str, Command], words: Sequence[str]) -> Context:
    place = 0
    while place < len(words) and words[place].startswith("--"):
        place = _skip_option(table, words, place)
    if place >= len(words):
        raise UsageError("missing command name (use --help for help)")
    name = words[place]
    command = table.get(name)
    if command is None:
        raise UsageError(f"unknown command '{name}'; use --help for help")
    options, arguments = _split(command, [*words[:place], *words[place + 1 :]])
    if len(arguments) < command.least:
        raise UsageError(f"'{name}' command requires at least {command.least} arguments")
    if len(arguments) > command.most:
        raise UsageError(f"'{name}' command takes at most {command.most} arguments")
    return Context(command, options, arguments)


def _skip_option(table: Mapping[str, Command], words: Sequence[str], place: int) -> int:
    """Returns the place after an option that stands before the command's name."""
    every = dict.fromkeys(option for command in table.values() for option in command.options)
    return take_long(words, place, every)[2]


def _split(command: Command, words: Sequence[str]) -> tuple[dict[str, str | None], list[str]]:
    options: dict[str, str | None] = {}
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
        if name in options:
            raise UsageError(f"'--{name}' option specified multiple times")
        options[name] = value
    return options, arguments


def _check_place(command: Command, word: str) -> None:
    """Raises UsageError for a global option where an argument should be; text may be anything."""
    if len(word) == 2 and is_global(word) and command.name != "comment":
        raise UsageError(f'put "{word}" before the command')


def _conceal(option: str, value: str) -> str:
    return HIDDEN if option == "psk" else value
