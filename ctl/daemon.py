"""svcctl as a daemon (--detach): runs the command lines that others hand to it.

Python and svcctl are loaded once, which is most of the time of a command.  Each
command line runs in a process of its own, forked from this one, with connections
of its own: one that waits keeps nobody, one that fails harms nobody, and what
becomes of a server is of no concern to this process.

The process of a command is where its caller is: in its directory, with its
standard input.  So nothing that is secret has to be in an argument, here either.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, NoReturn

import ovs.dirs
import ovs.poller
import ovs.util

from ..lib import loop, redaction, unixctl
from ..lib.errors import UsageError
from . import main as program
from .client import METHOD, format_answer
from .command_table import CommandTable
from .db.rpc import split_remotes
from .options import DAEMON_OPTIONS, GlobalOptions

_MOST_RUNS = 64
_FILES = ("private-key", "certificate", "ca-cert", "bootstrap-ca-cert")
_REMOTES = ("db", "sb-db", "ovn-db")
# What is not for each command, but for the daemon.
_OWN = (*DAEMON_OPTIONS, "verbose", "log-file", "timeout", "help", "version", "commands", "options")
_NEEDED = ("run", "log", "help", "answer", "db.table", "db.changes", "ask.waiting", "ask.eligible")

# Where a process of a command hears of that.
_CHANNEL = 3
_READY = b"1"


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
        self._runs: list[_Worker] = []
        self._next: _Worker | None = None
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

    def run(self) -> None:
        """Answers for the commands that have ended, and ends those whose callers are gone."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._begun, _MOST_RUNS)
        ended = [each for each in self._runs if each.finish()]
        self._runs = [each for each in self._runs if each not in ended]
        # Not while the command that took the last one is at work.
        if self._next is None and (ended or not self._runs):
            self._next = _Worker(self._table, self._words, is_ahead=True)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the end of a command."""
        poller.fd_wait(self._begun, ovs.poller.POLLIN)
        for each in self._runs:
            poller.fd_wait(each.pidfd, ovs.poller.POLLIN)

    def recover(self) -> None:
        """Has nothing to forget."""

    def close(self) -> None:
        """Ends the commands that run."""
        for each in [*self._runs, *([self._next] if self._next else [])]:
            each.kill()

    def _count(self, connection: Any, _words: Sequence[str], _aux: Any) -> None:
        connection.reply(f"{len(self._runs)}")

    def _start(self, connection: Any, words: Sequence[str], aux: Any) -> None:
        if len(self._runs) >= _MOST_RUNS:
            connection.reply_error(f"{_MOST_RUNS} commands run already")
            return
        worker, self._next = self._next, None
        if worker is None or not worker.is_ready():
            # One that is not ready waits for a server, which this command may not need.
            if worker is not None:
                worker.abandon()
            worker = _Worker(self._table, self._words, is_ahead=False)
        worker.begin(connection, words, aux)
        self._runs.append(worker)
        os.write(self._begin, b"1")


class _Worker:
    """The process of one command, which may be there before the command is.

    One that was forked ahead has connected to the database already.
    """

    def __init__(self, table: CommandTable, words: Sequence[str], *, is_ahead: bool) -> None:
        self._outputs = [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("out", "err")]
        self._channel, theirs = socket.socketpair()
        try:
            self._pid = os.fork()
        except OSError:
            for each in self._outputs:
                os.close(each)
            raise
        if self._pid == 0:
            _work(table, words, theirs, self._outputs, is_ahead)
        theirs.close()
        self.pidfd = os.pidfd_open(self._pid)
        self._connection: Any = None
        self._format: Any = None

    def is_ready(self) -> bool:
        """Returns whether the process waits for its command."""
        try:
            return self._channel.recv(len(_READY), socket.MSG_DONTWAIT) == _READY
        except OSError:
            return False

    def begin(self, connection: Any, words: Sequence[str], aux: Any) -> None:
        """Hands the command over; 'aux' makes the reply of status and outputs, None: as 'run'."""
        self._connection, self._format = connection, aux
        request = json.dumps([_find_caller(connection), list(words)]).encode()
        with self._channel, contextlib.suppress(OSError):  # one that died is told of by its status
            self._channel.sendall(request)
            self._channel.shutdown(socket.SHUT_WR)

    def finish(self) -> bool:
        """Returns whether the command has ended, and the caller its answer."""
        is_gone = self._is_caller_gone()
        if is_gone:
            self.kill()
        pid, status = os.waitpid(self._pid, 0 if is_gone else os.WNOHANG)
        if pid == 0:
            return False
        os.close(self.pidfd)
        out, err = map(_read, self._outputs)
        code = os.waitstatus_to_exitcode(status)
        if is_gone:
            loop.drop(self._connection)
        elif self._format is not None:
            self._connection.reply(self._format(128 - code if code < 0 else code, out, err))
        elif code == 0:
            self._connection.reply(out)
        else:
            self._connection.reply_error(err or out or f"exit status {code}")
        return True

    def abandon(self) -> None:
        """Ends a process that got no command."""
        self.kill()
        os.waitpid(self._pid, 0)
        os.close(self.pidfd)
        self._channel.close()
        for each in self._outputs:
            os.close(each)

    def kill(self) -> None:
        """Ends the process."""
        os.kill(self._pid, signal.SIGKILL)

    def _is_caller_gone(self) -> bool:
        stream = self._connection._rpc.stream
        return stream is None or loop.is_closed(stream.socket)


def _work(
    table: CommandTable,
    words: Sequence[str],
    channel: socket.socket,
    outputs: Sequence[int],
    is_ahead: bool,
) -> NoReturn:
    """Is the process of a command, until its end."""
    status = 1
    try:
        _take_place(outputs, channel.fileno())
        if is_ahead:
            with contextlib.suppress(UsageError):  # the command will say so
                program.prepare(words, table)
            os.write(_CHANNEL, _READY)
        with open(_CHANNEL, "rb") as requests:
            text = requests.read()
        if text:
            caller, more = json.loads(text)
            os.dup2(_open_input(caller), 0)
            _enter_directory(caller)
            status = program.serve([*words, *more], table)
            sys.stdout.flush()
    except BaseException as error:  # whatever it is must not go on as a second daemon
        os.write(2, f"{table.tool.name}: {error!r}\n".encode())
    finally:
        os._exit(status)


def _read(descriptor: int) -> str:
    """Returns what is in a file that is no longer needed."""
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read().decode(errors="replace")


def _find_caller(connection: Any) -> int:
    """Returns the process that asks, 0 if it is in a PID namespace that is not seen from here."""
    form = "3i"
    peer = connection._rpc.stream.socket
    found = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    pid: int = struct.unpack(form, found)[0]
    return pid


def _take_place(outputs: Sequence[int], channel: int) -> None:
    """Closes what is the daemon's own, and opens what a command has."""
    logging.disable()
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(each, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, descriptor in enumerate((*outputs, channel), 1):
        os.dup2(descriptor, number)
    os.closerange(_CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    gc.disable()


def _open_input(caller: int) -> int:
    """Returns the standard input of the caller, or an empty one if it cannot be had."""
    flags = os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(f"/proc/{caller}/fd/0", flags)
    except OSError:
        return os.open(os.devnull, os.O_RDONLY)
    # To open a pipe that nobody writes to any more would block otherwise; to read is to wait.
    os.set_blocking(descriptor, True)
    return descriptor


def _enter_directory(caller: int) -> None:
    """Enters the caller's directory, or one that has nothing, so that no other file is read."""
    try:
        os.chdir(f"/proc/{caller}/cwd")
    except OSError:
        nowhere = tempfile.mkdtemp()
        os.chdir(nowhere)
        os.rmdir(nowhere)
