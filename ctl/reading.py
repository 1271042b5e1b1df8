"""The process of a daemon of svcctl that answers what only reads, out of tables that it keeps.

It is given a command line with the caller's connection, and answers there itself, or passes:
what needs anything else, or fails, is for a process of its own (worker.py) to do and to tell.
So there is one way for each mistake, and whatever ends this process costs time alone.

A table is kept from when it was first asked for.  Before each answer the server is asked
whether it may be used still, upon which it has told of all changes before (follower.py).
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from ..lib.errors import UsageError
from . import main as program
from .command_line import parse_commands
from .command_table import CommandTable
from .context import Attempt, Context, list_arguments
from .db.follower import Follower, TooMuch
from .db.kept import KeptTable
from .db.kept_replica import KeptReplica, Unkept
from .db.records import find_name_column
from .db.replica import Replica
from .db.rpc import split_remotes
from .db.tls import Tls
from .db.values import is_uuid
from .options import parse
from .run import run_once
from .telling import is_condition_secret
from .worker import CHANNEL, take_place

# What becomes of a command line.
TAKEN, PASSED, LOADING, READY = "taken", "passed", "loading", "ready"

LONGEST_ORDER = 1 << 15
LONGEST_VERDICT = 1 << 17  # more than an order and what is known of its rows
_FIND = "db.database.find_rows"
_READING = frozenset(("db.database.list_rows", "db.database.get_values", _FIND))
_CHANGING = frozenset(
    (
        *("db.changes.set_values", "db.changes.add_values", "db.changes.remove_values"),
        *("db.changes.clear_columns", "db.changes.destroy_rows"),
    )
)
# With any of these a command does more than to print what the northbound has.
_BEYOND = frozenset(
    (
        *("timeout", "verbose", "log-file", "wait", "print-wait-time", "show-secrets", "detach"),
        *("help", "version", "commands", "options"),
    )
)
# Behind which argument the names of rows end, if not behind the second.
_LAST_NAME = {"db.database.list_rows": None, "db.changes.destroy_rows": None, _FIND: 1}
_MOST_PLACES = 64
_SEND_BYTES = 1 << 22
_IDLE_S = 600.0
_MOST_REPLIES = 64
# A line of many commands, and a server that goes again.
_MOST_LACKS = 64
_PATIENCE_S = 60.0
_GC_THRESHOLDS = (100_000, 50, 50)


class Pass(Exception):
    """A command line is for a process of its own.

    'places' are table, column, value and UUID of rows that it is about.
    """

    def __init__(self, places: Sequence[Sequence[str]] = ()) -> None:
        super().__init__()
        self.places = places


def work(table: CommandTable, words: Sequence[str], channel: socket.socket) -> NoReturn:
    """Is the process that reads, until the daemon ends or nothing is asked for long."""
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        take_place((nowhere, nowhere), channel.fileno())
        # Nothing of the daemon's is to close a descriptor here.
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        gc.enable()
        with socket.socket(fileno=CHANNEL) as orders:
            Reading(table, words, orders).serve()
        status = 0
    finally:
        os._exit(status)


class Reading:
    """What is kept, and the replies that are on their way."""

    def __init__(self, table: CommandTable, words: Sequence[str], orders: socket.socket) -> None:
        self._table = table
        self._words = words
        self._orders = orders
        self._arguments: tuple[Any, ...] = ()
        self._follower: Follower | None = None
        self._refused: set[str] = set()
        self._replies: list[_Reply] = []

    def serve(self) -> None:
        """Answers until nobody asks any more."""
        due = time.monotonic() + _IDLE_S
        while self._replies or time.monotonic() < due:
            poll = select.poll()
            poll.register(self._orders, select.POLLIN)
            if self._follower is not None:
                poll.register(self._follower, select.POLLIN)
            for reply in self._replies:
                poll.register(reply.socket, select.POLLOUT)
            left_s = max(0.0, due - time.monotonic()) if not self._replies else _IDLE_S
            ready = {number for number, _ in poll.poll(left_s * 1000)}
            self._replies = [each for each in self._replies if not each.proceed()]
            if self._follower is not None and self._follower.fileno() in ready:
                self._take_notices()
            if self._orders.fileno() in ready:
                if not self._take_order():
                    return
                due = time.monotonic() + _IDLE_S

    @property
    def tables(self) -> Mapping[str, KeptTable]:
        """What is kept, by name."""
        return {} if self._follower is None else self._follower.tables

    def close(self) -> None:
        """Ends the connection to the server."""
        self._drop()

    def _take_notices(self) -> None:
        assert self._follower is not None
        try:
            self._follower.take_notices()
        except UsageError:
            self._drop()

    def _take_order(self) -> bool:
        """Takes a command line; returns whether there will be more."""
        text, descriptors, _, _ = socket.recv_fds(self._orders, LONGEST_ORDER, 1)
        if not text:
            return False
        with socket.socket(fileno=descriptors[0]) as caller:
            number, words = json.loads(text)
            places: Sequence[Sequence[str]] = ()
            try:
                result = self.answer(words)
            except Unkept as unkept:
                verdict = PASSED if unkept.table in self._refused else LOADING
            except Pass as passed:
                verdict, places = PASSED, passed.places
            except UsageError:
                verdict = PASSED
            else:
                verdict = TAKEN
            # Who is answered is answered by nobody else, whatever becomes of this process.
            self._tell(verdict, places)
            if verdict == TAKEN:
                self._send(_Reply(caller.dup(), number, result))
        if verdict == LOADING:
            self.load(words)
            self._tell(READY)
        return True

    def _send(self, reply: _Reply) -> None:
        if not reply.proceed():
            self._replies.append(reply)

    def _tell(self, verdict: str, places: Sequence[Sequence[str]] = ()) -> None:
        rows = 0 if self._follower is None else self._follower.count_rows()
        self._orders.sendall(json.dumps([verdict, rows, places]).encode())

    def answer(self, words: Sequence[str]) -> str:
        """Returns what a command line prints; raises Pass, Unkept or UsageError if that is else."""
        program.check_words(words)
        settings, early, rest = parse([*self._words, *words], self._table.find_options)
        settings.serve(self._table.tool)
        contexts = parse_commands(self._table, early, rest)
        runs = {context.command.run for context in contexts}
        if not runs <= _READING | _CHANGING or len(self._replies) >= _MOST_REPLIES:
            raise Pass
        follower = self._follower
        if follower is None:
            raise Unkept("")
        if list_arguments(settings, settings.db, follower.database) != self._arguments:
            raise Pass
        if not follower.is_good():
            self._drop()
            raise Unkept("")
        attempt = Attempt(KeptReplica(follower, follower.tables), settings)
        if not runs <= _READING or not _BEYOND.isdisjoint(settings.values):
            raise Pass(_find_places(attempt.replica, contexts))
        contexts[0].is_alone = len(contexts) == 1
        functions = [self._load_function(attempt, each) for each in contexts]
        run_once(attempt, contexts, functions)
        text = program.format_output(settings, contexts)
        if any(context.warnings or context.exit_status for context in contexts):
            raise Pass
        if text and not text.endswith("\n"):
            raise Pass
        return text

    def _load_function(self, attempt: Attempt, context: Context) -> Callable[[Context], None]:
        """Returns the function of a command; raises Pass if that is to see a secret."""
        context.begin(attempt)
        if context.command.run == _FIND:
            table = attempt.replica.schema.get_table(context.arguments[0])
            if any(is_condition_secret(context, table, text) for text in context.arguments[1:]):
                raise Pass
        return self._table.load(context.command, "")

    def _drop(self) -> None:
        """Forgets what is kept, to read it again when it is asked for."""
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def load(self, words: Sequence[str]) -> None:
        """Reads what a command line lacks; what fails fails again for who runs that."""
        for _ in range(_MOST_LACKS):
            lack = self._find_lack(words)
            if lack is None:
                break
            try:
                if self._follower is None:
                    self._follower = self._connect()
                else:
                    self._follower.keep(lack)
            except TooMuch:
                self._refused.add(lack)
                self._drop()
            except UsageError:
                self._drop()
                break
        # What is kept is no garbage.
        gc.collect()
        gc.freeze()

    def _find_lack(self, words: Sequence[str]) -> str | None:
        """Returns the table that a command line lacks, None if none, "" if there is no server."""
        try:
            self.answer(words)
        except Unkept as unkept:
            return None if unkept.table in self._refused else unkept.table
        except (Pass, UsageError):
            pass
        return None

    def _connect(self) -> Follower:
        settings, _, _ = parse(self._words, self._table.find_options)
        settings.serve(self._table.tool)
        database = self._table.tool.database
        self._arguments = list_arguments(settings, settings.db, database)
        remotes, _, leader_only, *files = self._arguments
        shuffle = not settings.has("no-shuffle-remotes")

        def find_secrets(table: str, columns: Sequence[str]) -> set[str]:
            types = self._table.types
            return {name for name in columns if types.is_secret(database, table, name)}

        return Follower(
            split_remotes(remotes, shuffle),
            database,
            Tls(*files),
            leader_only,
            _PATIENCE_S,
            find_secrets=find_secrets,
        )


def _find_places(replica: Replica, contexts: Sequence[Context]) -> list[Sequence[str]]:
    """Returns table, column, name and UUID of the rows that commands name, of which each is one."""
    places: list[Sequence[str]] = []
    for context in contexts:
        table = replica.schema.get_table(context.arguments[0]).name
        last = _LAST_NAME.get(context.command.run, 2)
        for name in context.arguments[1:last]:
            column = find_name_column(replica, table)
            if column is None or is_uuid(name) or "=" in name:
                continue
            named = replica.find_all(table, column, name)
            if len(named) == 1:
                places.append((table, column, name, named[0].uuid))
    return places[:_MOST_PLACES]


class _Reply:
    """A reply of which a part may still have to be sent."""

    def __init__(self, connection: socket.socket, number: Any, result: str) -> None:
        self.socket = connection
        self.socket.setblocking(False)
        # What waits in the kernel wakes nobody here until all of it is taken.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        reply = {"id": number, "result": result, "error": None}
        self._rest = memoryview(json.dumps(reply).encode())

    def proceed(self) -> bool:
        """Sends what can be sent; returns whether that is all, or its reader is gone."""
        try:
            while self._rest:
                self._rest = self._rest[self.socket.send(self._rest) :]
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.socket.close()
        return True
