"""The commands half of a service type: what svcctl gets of it, and what svcctl hands in.

svcctl is one short run, and the import of modules is a good part of its time.
So this file imports next to nothing, and of a type svcctl loads Commands only
when a command, a table or 'show' asks for the type, and a command's file when
the command runs.

What a type gives is Commands: rows of the table of commands, words on its
tables, lines for 'show' and 'status'.  What it gets is a Run for each command:
the words that were given, the rows of the northbound, and questions to OVN.
A type's exception ends its own command, or is a warning of 'show' and
'status', and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ...lib.router import Router

Atom = int | float | bool | str
Datum = tuple[Atom, ...] | dict[Atom, Atom]
"""The value of a column: a sorted tuple of atoms, or a map."""


class Moment:
    """A point in time in a cell, in ms since the epoch; None or 0 for none."""

    __slots__ = ("ms",)

    def __init__(self, ms: int | None) -> None:
        self.ms = ms


Plain = str | int | bool | tuple[str, ...] | Moment
"""What a cell of a table shows that is no column."""

TYPE_TABLES = "+types"
"""Among the tables of a command: all those that the installed types have words on."""

BY_NEED = "?"
"""Behind a table of a command: it is not read whole unless rows() is called."""

BY_NAME = "?!"
"""Behind a table of a command: as BY_NEED if the command has an argument, else it is read whole."""

_UNLIMITED = 1 << 30


# -- what a type gives -------------------------------------------------------


class Command:
    """A row of the table of commands.

    'arguments' are for the help, and their number is checked: one in brackets may be left
    out, ".." at the end lets the last one repeat. 'run' names the function as
    "file.function" in the package of the Commands; behind " or " stands which one is called,
    with the reason, where the northbound cannot be reached. 'tables' are those that it reads or
    changes: they are read whole, as they are at one moment, but one with "?" behind, of
    which the command costs what it asks for. "*" stands for the one that its first argument
    names, whole if there is no other argument. 'options' end with '=' where they take an
    argument, with '=*' where that is a secret, which no log may have, and with '..' behind
    that where they may be given more than once. What else is to be known of the command is
    in the docstring of its function, below the first line.
    """

    __slots__ = (
        *("arguments", "changes", "name", "options", "otherwise", "repeatable", "run"),
        *("secrets", "tables"),
    )

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
        self.run, _, self.otherwise = run.partition(" or ")
        self.tables = tables
        words = [option.removeprefix("--") for option in options.split()]
        self.options = [word.removesuffix("..").removesuffix("*") for word in words]
        self.repeatable = frozenset(w.partition("=")[0] for w in words if w.endswith(".."))
        self.secrets = frozenset(w.partition("=")[0] for w in words if "=*" in w)
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


Section = tuple[str, Sequence[Command]]
"""Commands under a title of the help."""


class TableWords:
    """What is to be known of a table of the northbound beside its schema.

    'noun' is what a row is called.  'secrets' are columns that nobody sees who
    did not ask for it, and that no log has; 'advice' says how else they are
    given.  'statuses' are columns that svc-northd writes.
    """

    __slots__ = ("advice", "name", "noun", "secrets", "statuses")

    def __init__(
        self, name: str, noun: str, *, secrets: str = "", advice: str = "", statuses: str = ""
    ) -> None:
        self.name = name
        self.noun = noun
        self.secrets = frozenset(secrets.split())
        self.advice = advice
        self.statuses = frozenset(statuses.split())

    @property
    def one(self) -> str:
        """The noun with its article."""
        return f"{'an' if self.noun[:1].lower() in 'aeiou' else 'a'} {self.noun}"


class Problem:
    """What is wrong with one thing, as 'status' tells it.

    'state' is the word that its row has for it, as "down"; 'name' is what an operator
    calls the thing, "" where there is none; 'since' is since when it is in that
    state, in ms since the epoch, None if that is not known.  'subject' is the table and
    the name by which table Event has it: that may tell since when.
    """

    __slots__ = ("cause", "name", "since", "state", "subject")

    def __init__(
        self,
        state: str,
        name: str,
        cause: str,
        since: int | None = None,
        subject: tuple[str, str] | None = None,
    ) -> None:
        self.state = state
        self.name = name
        self.cause = cause
        self.since = since
        self.subject = subject


class StatusLines:
    """What a type tells in 'status'.

    'counts' say how much works, 'delays' who has not answered, 'problems' what is
    wrong; one that is only a sentence counts as an error.  'works' is how many of the
    things that are to work do, and how many those are; of a type that does not say
    so the containers are counted.
    """

    __slots__ = ("counts", "delays", "problems", "works")

    def __init__(
        self,
        counts: Sequence[str] = (),
        delays: Sequence[str] = (),
        problems: Sequence[str | Problem] = (),
        works: tuple[int, int] | None = None,
    ) -> None:
        self.counts = counts
        self.delays = delays
        self.problems = problems
        self.works = works


class Meaning:
    """What a word means: what that is called, its name, and whose containers are concerned.

    'units' are members of Service_Container:serves of the containers that work for it.
    """

    __slots__ = ("name", "noun", "units")

    def __init__(self, noun: str, name: str, units: Sequence[str]) -> None:
        self.noun = noun
        self.name = name
        self.units = units


class Commands:
    """The commands half; one object, without state.  As it is it has no commands."""

    package: str = ""
    """The package that has the files of the commands' functions."""

    sections: Sequence[Section] = ()
    """Its commands; a name that the core or another type has is not used."""

    tables: Sequence[TableWords] = ()
    """Words on the tables that are its own."""

    def show(self, run: Run, name: str | None) -> Sequence[str]:
        """Returns its part of 'show': of everything, or of what is called 'name', if it has it."""
        return ()

    def tell_status(self, run: Run) -> StatusLines:
        """Returns its part of 'status'."""
        return StatusLines()

    def find_meanings(self, run: Run, text: str) -> Sequence[Meaning]:
        """Returns what of its own an operator may mean by 'text': a name, a UUID, an address."""
        return ()


# -- what svcctl hands in ----------------------------------------------------


class TableRow(Protocol):
    """A row, with the changes of the current transaction applied."""

    uuid: str

    revision: int
    """Goes up with each change of the row in this transaction."""

    def has(self, column: str) -> bool:
        """Returns whether the server's schema has 'column'; an older one may not.

        Whatever reads or sets a column that it has not ends the command with a line on that.
        """

    def datum(self, column: str) -> Datum:
        """Returns the value of 'column'."""

    def find(self, column: str) -> Any:
        """Returns the one atom of 'column', or None if there is none."""

    def text(self, column: str) -> str:
        """Returns the string in 'column', or "" if there is none."""

    def strings(self, column: str) -> tuple[str, ...]:
        """Returns the members of a set of strings or references."""

    def columns(self) -> Mapping[str, Datum]:
        """Returns every column by name, '_uuid' aside."""

    def set(self, column: str, datum: Datum) -> None:
        """Sets 'column' to 'datum'."""

    def set_atom(self, column: str, atom: Atom | None) -> None:
        """Sets 'column' to 'atom', or to nothing."""

    def insert(self, column: str, elements: Datum) -> None:
        """Adds 'elements' to a set or a map, whoever else does so at the same time."""

    def remove(self, column: str, elements: Sequence[Atom]) -> None:
        """Takes members out of a set, or keys out of a map."""

    def verify(self, *columns: str) -> None:
        """Makes everything run again if one of 'columns' has changed since it was read."""


class OutputTable(Protocol):
    """What a command prints as a table."""

    def add(self, *values: Plain) -> None:
        """Adds a row of plain values."""

    def add_columns(self, row: Any, columns: Sequence[str], defaults: Mapping[str, str]) -> None:
        """Adds columns of 'row'; one that is not set shows what stands for it in 'defaults'."""


class Run(Protocol):
    """One command at work.  All commands of a command line are one transaction.

    The function of a command may be called again, with a new Run, when somebody
    else changed what was read.  It raises UsageError, with one sentence, and
    nothing is written.
    """

    arguments: Sequence[str]
    options: Mapping[str, str | None]
    lines: list[str]
    """What is printed."""

    warnings: list[str]
    """What is told on stderr after the change was made."""

    @property
    def name(self) -> str:
        """The name of the command."""

    @property
    def shared(self) -> MutableMapping[Any, Any]:
        """What the commands of one attempt keep for each other; a key begins with the type."""

    @property
    def no_check(self) -> bool:
        """Whether what is elsewhere is to be taken at its word."""

    @property
    def shows_secrets(self) -> bool:
        """Whether secrets are asked for, by --show-secrets of svcctl or of the command."""

    @property
    def table_format(self) -> str | None:
        """What --format of svcctl says, before the command; None if it was not given."""

    def has(self, option: str) -> bool:
        """Returns whether the command was given 'option'."""

    def argument(self, position: int) -> str | None:
        """Returns the argument at 'position' if it was given."""

    def rows(self, table: str) -> Mapping[str, TableRow]:
        """Returns the rows of a table by UUID."""

    def find(self, table: str, column: str, value: Atom) -> TableRow | None:
        """Returns the first row that has 'value' in 'column'."""

    def find_all(self, table: str, column: str, *values: Atom) -> Sequence[TableRow]:
        """Returns the rows that have any of 'values' in 'column'."""

    def get(self, table: str, uuid: str) -> TableRow | None:
        """Returns the row of this UUID, if it is there."""

    def get_all(self, table: str, uuids: Sequence[str]) -> Sequence[TableRow]:
        """Returns those of the rows of these UUIDs that are there."""

    def find_row(self, table: str, text: str) -> TableRow | None:
        """Returns the row that a word means: a UUID, a name, the beginning of a UUID."""

    def get_row(self, table: str, text: str) -> TableRow:
        """As find_row(); raises UsageError if there is none."""

    def insert(self, table: str) -> TableRow:
        """Adds a row."""

    def delete(self, row: Any) -> None:
        """Removes a row."""

    def delete_member(self, row: Any) -> None:
        """Removes a row of a table that is no root, to which the caller ends the reference."""

    def list_columns(self, table: str) -> Sequence[str]:
        """Returns the names of the columns, '_uuid' aside, in their order."""

    def parse_atom(self, table: str, column: str, text: str) -> Atom:
        """Returns the atom of 'column' in 'text'; UsageError says what is wrong with it."""

    def parse_assignment(self, table: str, text: str) -> tuple[str, Datum]:
        """Returns column and value of COLUMN=VALUE; raises UsageError."""

    def read_secret(self, option: str, path: str, noun: str, *, one_line: bool = True) -> str:
        """Returns what a file has, or standard input for "-", without its last newline."""

    def start_table(self, headings: Sequence[str], below: Sequence[str] = ()) -> OutputTable:
        """Returns the table that the command prints, still empty.

        'below' are the headings of columns, as of a reason, that stand below their rows
        where the table would be too wide for a terminal.
        """

    def find_routers(self, text: str) -> Sequence[Router]:
        """Returns OVN's routers whose UUID is 'text', or else those of that name."""

    def find_address_user(self, router: Router, address: str) -> str | None:
        """Returns a sentence if somebody else in OVN has an address that 'router' is to answer for.

        A type asks before it writes a row with an address outside.
        """

    def find_units(self, text: str) -> Sequence[str]:
        """Returns what the containers serve that 'text' means: one by its name, or a chassis'."""

    def read_southbound(
        self, *questions: tuple[str, str, Atom]
    ) -> Sequence[Sequence[Mapping[str, Datum]]] | str:
        """Returns for each (table, column, value) the rows of the southbound that have the value.

        They are of one moment.  Returns a sentence if the southbound cannot be read.
        """

    def warn_if_stale(self) -> None:
        """Warns that statuses are old if svc-northd is not at work; a list of them calls it."""

    def refuse_format(self) -> None:
        """Raises UsageError if a table is asked of a command that prints none."""
