"""One command of a run with its words, and what all commands of a run work on.

run.py runs them in order on one replica; main prints what they have to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..lib.errors import UsageError
from ..services.api.commands import Command
from .db.replica import Replica
from .db.rpc import Client, split_remotes
from .db.table import OutputTable
from .db.tls import Tls
from .options import GlobalOptions
from .row_names import RowNames
from .service_types import InstalledTypes

# In the order of the arguments of Tls.
_TLS_OPTIONS = (
    *("private-key", "certificate", "ca-cert", "bootstrap-ca-cert"),
    *("ssl-protocols", "ssl-ciphers"),
)


class Attempt:
    """What the commands of a run work on, until somebody else turns out to have been faster.

    'shared' is what they keep for each other.
    """

    __slots__ = ("_replica", "names", "settings", "shared")

    def __init__(self, replica: Replica | None, settings: GlobalOptions) -> None:
        self._replica = replica
        self.settings = settings
        self.names = RowNames(replica)
        self.shared: dict[Any, Any] = {}

    @property
    def has_replica(self) -> bool:
        """Whether there is one."""
        return self._replica is not None

    @property
    def replica(self) -> Replica:
        """The rows; not to be asked for where the northbound cannot be reached."""
        assert self._replica is not None
        return self._replica


class Context:
    """One command of a run: its words, what it works on and what it has to say.

    'exit_status' is that of svcctl, unless another command of the run has a greater one.
    With 'forces_wait' svc-northd is waited for, whatever --wait says, and though
    nothing changes.  'follow_up' is called once the change is in the database,
    with a connection to that.  'memory' is what can be read only once though the
    command may have to run again.  'type_name' is the service type that the command
    is of, "" for one of the core.  'is_alone' says that the run has no other command.
    """

    def __init__(
        self,
        command: Command,
        options: Mapping[str, Sequence[str | None]],
        arguments: Sequence[str],
        types: InstalledTypes,
        type_name: str = "",
    ) -> None:
        self.command = command
        self.given = options
        self.options = {name: values[-1] for name, values in options.items()}
        self.arguments = arguments
        self.types = types
        self.type_name = type_name
        self.memory: dict[str, str] = {}
        self.is_alone = False
        self._attempt: Attempt | None = None
        self._reset()

    def begin(self, attempt: Attempt) -> None:
        """Gets ready to run, again if somebody else was faster the time before."""
        self._attempt = attempt
        self._reset()

    def _reset(self) -> None:
        self.lines: list[str] = []
        self.table: OutputTable | None = None
        self.warnings: list[str] = []
        self.exit_status = 0
        self.forces_wait = False
        self.follow_up: Callable[[Client], None] | None = None

    @property
    def reads_columns_only(self) -> bool:
        """Whether all that the run reads of a table are the columns that this command prints."""
        lists_all = self.command.name == "list" and len(self.arguments) == 1
        return self.is_alone and lists_all and self.has("columns")

    @property
    def attempt(self) -> Attempt:
        """What the command works on."""
        assert self._attempt is not None
        return self._attempt

    @property
    def replica(self) -> Replica:
        """The rows that the command reads and changes."""
        return self.attempt.replica

    @property
    def has_replica(self) -> bool:
        """Whether the northbound can be read."""
        return self.attempt.has_replica

    @property
    def settings(self) -> GlobalOptions:
        """The options of svcctl itself."""
        return self.attempt.settings

    @property
    def names(self) -> RowNames:
        """The names of rows."""
        return self.attempt.names

    def has(self, option: str) -> bool:
        """Returns whether the command was given 'option'."""
        return option in self.options

    def values(self, option: str) -> list[str]:
        """Returns the arguments of an option that may be given more than once."""
        return [value or "" for value in self.given.get(option, ())]

    def argument(self, position: int) -> str | None:
        """Returns the argument at 'position' if it was given."""
        return self.arguments[position] if position < len(self.arguments) else None

    def start_table(self, headings: Sequence[str], below: Sequence[str] = ()) -> OutputTable:
        """Returns the table that is printed, still empty; 'below' is as OutputTable has it."""
        is_wide = self.has("wide") or self.settings.has("wide")
        self.table = OutputTable(list(headings), "table", None if is_wide else below)
        return self.table

    def refuse_format(self) -> None:
        """Raises UsageError if a table is asked of a command that prints none."""
        if self.settings.format is not None and self.settings.has("format"):
            name = self.command.name
            raise UsageError(f"'{name}' prints text, not a table; leave out --format")

    def connect(self, remotes: str, database: str, patience_s: float | None = None) -> Client:
        """Returns a connection to another database, as the options say."""
        return connect(self.settings, remotes, database, patience_s)


_prepared: dict[Any, Client] = {}


def prepare(settings: GlobalOptions, remotes: str, database: str) -> None:
    """Makes the next connect() with these arguments quick."""
    client = connect(settings, remotes, database)
    client.find_schema()
    _prepared[list_arguments(settings, remotes, database)] = client


def connect(
    settings: GlobalOptions, remotes: str, database: str, patience_s: float | None = None
) -> Client:
    """Returns a connection to 'database' at 'remotes', with the TLS files of the options."""
    arguments = list_arguments(settings, remotes, database)
    client = _prepared.pop(arguments, None) if patience_s is None else None
    if client is not None and client.is_good():
        return client
    shuffle = not settings.has("no-shuffle-remotes")
    _, _, leader_only, *files = arguments
    tls = Tls(*files)
    return Client(split_remotes(remotes, shuffle), database, tls, leader_only, patience_s)


def list_arguments(settings: GlobalOptions, remotes: str, database: str) -> tuple[Any, ...]:
    """Returns what makes a connection what it is: remotes, database, leader only, TLS files."""
    leader_only = not settings.has("no-leader-only")
    return remotes, database, leader_only, *map(settings.values.get, _TLS_OPTIONS)
