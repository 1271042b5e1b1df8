"""svcctl as a daemon (--detach): runs the command lines that others hand to it.

Python and svcctl are loaded once, which is most of the time of a command.  Each
command line runs in a process of its own (worker.py), forked from this one, with
connections of its own: one that waits keeps nobody, one that fails harms nobody, and
what becomes of a server is of no concern to this process.  What only reads is
answered by one process for all (reading.py), which keeps the tables that were asked
for, unless it passes, hangs or ends.

The process of a command is where its caller is: in its directory, with its
standard input.  So nothing that is secret has to be in an argument, here either.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import ovs.dirs
import ovs.poller
import ovs.util

from ..lib import loop, process_commands, redaction, unixctl
from .client import METHOD, format_answer
from .command_table import CommandTable
from .db.rpc import split_remotes
from .options import DAEMON_OPTIONS, GlobalOptions
from .reader import Reader, is_generic
from .worker import Order, Worker

_MOST_RUNS = 64
# Between the end of a process that reads and the next one.
_READER_PAUSE_MS = 1000
_FILES = ("private-key", "certificate", "ca-cert", "bootstrap-ca-cert")
_REMOTES = ("db", "sb-db", "ovn-db")
# What is not for each command, but for the daemon.
_OWN = (*DAEMON_OPTIONS, "verbose", "log-file", "timeout", "help", "version", "commands", "options")
_NEEDED = ("run", "log", "help", "answer", "db.table", "db.changes", "ask.waiting", "ask.eligible")


def detach(settings: GlobalOptions, table: CommandTable) -> int:
    """Goes on as a daemon until it is told to exit; prints the path of its socket."""
    name = ovs.util.PROGRAM_NAME = table.tool.name
    # Whoever may ask may do all that this user may.
    os.umask(0o077)
    words = keep_words(settings)
    options = loop.parse_options(argparse.ArgumentParser(prog=name), _make_arguments(settings))

    def make() -> Daemon:
        path = options.unixctl or f"{name}.{os.getpid()}.ctl"
        sys.stdout.write(f"{ovs.util.abs_file_name(ovs.dirs.RUNDIR, path)}\n")
        sys.stdout.flush()
        return Daemon(table, words)

    return loop.serve(name, options, make)


def keep_words(settings: GlobalOptions) -> list[str]:
    """Returns the options of the daemon that hold for each command, wherever that is run."""
    words = []
    for name, value in settings.values.items():
        if name in _OWN:
            continue
        text = value
        if name in _FILES and value != "none":
            text = os.path.abspath(value or "")
        elif name in _REMOTES:
            text = ",".join(map(_find_absolute, split_remotes(value or "")))
        words.append(f"--{name}" if text is None else f"--{name}={text}")
    return words


def _find_absolute(remote: str) -> str:
    kind, _, path = remote.partition(":")
    return f"unix:{os.path.abspath(path)}" if kind == "unix" and path else remote


def _make_arguments(settings: GlobalOptions) -> list[str]:
    """Returns the options of the daemon itself in the form that lib/loop.py takes."""
    words = [f"--verbose={level}" if level else "--verbose" for level in settings.log_levels]
    for name in (*DAEMON_OPTIONS, "log-file"):
        if settings.has(name):
            value = settings.values[name]
            words.append(f"--{name}={value}" if value else f"--{name}")
    return words


class Daemon:
    """The commands that run, and the process of the next one; a Program of lib/loop.py."""

    def __init__(self, table: CommandTable, words: Sequence[str]) -> None:
        self._table = table
        self._words = words
        self._runs: list[Worker] = []
        self._reader: Reader | None = None
        self._reader_not_before_ms = 0
        self._next: Worker | None = None
        redaction.hide_all_words()
        # A command comes after wait() has armed what this pass waits for.
        self._begun, self._begin = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for command in table.list_all():
            table.load(*(table.find(command.name) or (command, "")))
        for name in _NEEDED:
            importlib.import_module(f"{__package__}.{name}")
        # What is there now is there in each process of a command, and never garbage.
        gc.freeze()
        unixctl.register_command(METHOD, self._start, format_answer, arguments="[ARG]..")
        unixctl.register_command("run", self._start, None, arguments="ARG..")
        unixctl.register_command("run/count", self._count)
        process_commands.report_memory(self._count_kept)

    def run(self) -> None:
        """Answers for the commands that have ended, and ends those whose callers are gone."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._begun, _MOST_RUNS)
        self._hear_reader()
        ended = [each for each in self._runs if each.finish()]
        self._runs = [each for each in self._runs if each not in ended]
        # Not while the command that took the last one is at work.
        if self._next is None and (ended or not self._runs):
            self._next = Worker(self._table, self._words, is_ahead=True)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the end of a command."""
        poller.fd_wait(self._begun, ovs.poller.POLLIN)
        for each in self._runs:
            poller.fd_wait(each.pidfd, ovs.poller.POLLIN)
        if self._reader is not None:
            poller.fd_wait(self._reader.channel, ovs.poller.POLLIN)
            due_ms = self._reader.find_due_ms()
            if due_ms is not None:
                poller.timer_wait(max(0, due_ms - loop.monotonic_ms()))

    def recover(self) -> None:
        """Has nothing to forget."""

    def close(self) -> None:
        """Ends the commands that run."""
        for each in [*self._runs, *([self._next] if self._next else [])]:
            each.kill()
        if self._reader is not None:
            self._reader.close()

    def _hear_reader(self) -> None:
        """Begins what the process that reads has passed on, and notes its end."""
        if self._reader is None:
            return
        passed, is_gone = self._reader.take_verdicts()
        if is_gone:
            self._reader = None
            self._reader_not_before_ms = loop.monotonic_ms() + _READER_PAUSE_MS
        for order, places in passed:
            connection = order[0]
            if connection._rpc.stream is None:
                continue
            try:
                self._begin_run(order, places)
            except OSError as error:
                connection.reply_error(f"no process for the command: {error.strerror}")

    def _count_kept(self) -> Mapping[str, int]:
        if self._reader is None:
            return {"kept-rows": 0, "reader-resident-kB": 0}
        resident_kb = process_commands.find_resident_kb(self._reader.pid)
        return {"kept-rows": self._reader.rows, "reader-resident-kB": resident_kb}

    def _count(self, connection: Any, _words: Sequence[str], _aux: Any) -> None:
        connection.reply(f"{len(self._runs)}")

    def _start(self, connection: Any, words: Sequence[str], aux: Any) -> None:
        order = connection, words, aux
        if not is_generic(words) or not self._give_reader(order):
            self._begin_run(order, ())
        os.write(self._begin, b"1")

    def _give_reader(self, order: Order) -> bool:
        if self._reader is None:
            if loop.monotonic_ms() < self._reader_not_before_ms:
                return False
            self._reader = Reader(self._table, self._words)
        return self._reader.hand_over(order)

    def _begin_run(self, order: Order, places: Sequence[Sequence[str]]) -> None:
        if len(self._runs) >= _MOST_RUNS:
            order[0].reply_error(f"{_MOST_RUNS} commands run already")
            return
        worker, self._next = self._next, None
        if worker is None or not worker.is_ready():
            # One that is not ready waits for a server, which this command may not need.
            if worker is not None:
                worker.abandon()
            worker = Worker(self._table, self._words, is_ahead=False)
        worker.begin(order, places)
        self._runs.append(worker)
