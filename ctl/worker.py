"""The process of one command of a svcctl that runs as a daemon (daemon.py)."""

from __future__ import annotations

import contextlib
import gc
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

from ..lib import loop
from ..lib.errors import UsageError
from . import main as program
from .command_table import CommandTable

# Where a process of a daemon hears of what it is to do.
CHANNEL = 3
_READY = b"1"

Order = tuple[Any, Sequence[str], Any]
"""A command: who asks, by a connection; the words; what makes a reply of status and outputs.

With None for that the reply is one of 'run'.
"""


class Worker:
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
            is_there = self._channel.recv(len(_READY), socket.MSG_DONTWAIT) == _READY
        except OSError:
            return False
        # One that has died since has said so as well.
        return is_there and not loop.is_closed(self._channel)

    def begin(self, order: Order, places: Sequence[Sequence[str]]) -> None:
        """Hands the command over, with table, column, value and UUID of rows that it is about."""
        connection, words, aux = order
        self._connection, self._format = connection, aux
        request = json.dumps([_find_caller(connection), list(words), places]).encode()
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
            is_good, text = self._format(128 - code if code < 0 else code, out, err)
            (self._connection.reply if is_good else self._connection.reply_error)(text)
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
        take_place(outputs, channel.fileno())
        if is_ahead:
            with contextlib.suppress(UsageError):  # the command will say so
                program.prepare(words, table)
            os.write(CHANNEL, _READY)
        with open(CHANNEL, "rb") as requests:
            text = requests.read()
        if text:
            caller, more, rows = json.loads(text)
            os.dup2(_open_input(caller), 0)
            _enter_directory(caller)
            places = {(name, column, value): uuid for name, column, value, uuid in rows}
            status = program.serve([*words, *more], table, places)
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


def take_place(outputs: Sequence[int], channel: int) -> None:
    """Closes what is the daemon's own, and opens the outputs, and 'channel' as CHANNEL."""
    logging.disable()
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(each, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, descriptor in enumerate((*outputs, channel), 1):
        os.dup2(descriptor, number)
    os.closerange(CHANNEL + 1, os.sysconf("SC_OPEN_MAX"))
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
