"""The frame of a daemon: options, pid file, unixctl and the run/wait/block loop.

Both daemons are a 'Program'.  'serve' gives it what python-ovs gives every OVS
daemon (ovs.daemon, ovs.vlog, ovs.unixctl) and the last place where an
unexpected exception is caught, so that no row and no host can end the process.
"""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import ovs.daemon
import ovs.dirs
import ovs.poller
import ovs.unixctl.server
import ovs.util
import ovs.vlog

from . import (
    coverage,
    descriptors,
    dirs,
    log_budget,
    log_files,
    log_pattern,
    process_commands,
    redaction,
    stopwatch,
    tls_options,
    tls_stream,
    unixctl,
)
from .errors import UsageError
from .failures import Failures
from .version import VERSION

vlog = ovs.vlog.Vlog("loop")

FAILURE_BACKOFF_MS = 1000
GC_THRESHOLDS = (100_000, 50, 50)


class Program(Protocol):
    """What a daemon does; run() never blocks."""

    def run(self) -> None:
        """Does what can be done now."""

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for what run() waits for."""

    def recover(self) -> None:
        """Forgets derived state after an unexpected exception in run()."""

    def close(self) -> None:
        """Ends in good order."""


@runtime_checkable
class Leaver(Protocol):
    """A Program that can end for good: 'exit --cleanup' tells it to.

    To one that cannot, 'exit --cleanup' is 'exit'.
    """

    def leave(self) -> None:
        """Begins to give back what it has; run() goes on until 'left'."""

    @property
    def left(self) -> bool:
        """Whether nothing is left to give back: the process ends."""


def now_ms() -> int:
    """Returns the wall clock in ms since the epoch, for columns that people read.

    It may step either way at any time, so that nothing is decided by it.
    """
    return int(time.time() * 1000) + _WARP.ahead_ms + _WARP.wall_ahead_ms


def monotonic_ms() -> int:
    """Returns a clock in ms that only goes forward, for intervals."""
    return int(time.monotonic() * 1000) + _WARP.ahead_ms


def warp(ms: int) -> None:
    """Puts both clocks ahead by 'ms', as time/warp of OVS does, for tests of long times."""
    _WARP.ahead_ms += ms


def warp_wall(ms: int) -> None:
    """Steps the wall clock alone by 'ms', back if below 0, for tests of clocks that step."""
    _WARP.wall_ahead_ms += ms


@dataclass(slots=True)
class _Warp:
    ahead_ms: int = 0
    wall_ahead_ms: int = 0


_WARP = _Warp()


def parse_options(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Returns the options in 'argv' and hands vlog's, daemon's and those of TLS to python-ovs.

    A value that cannot be ends the process with a line.
    """
    redaction.install()
    log_pattern.install()
    log_files.follow_reopening()
    try:
        _use_directories()
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.strerror}: {error.filename}\n")
    # Else Python prints warnings for a destination without a handler, as a missing log file is.
    logging.lastResort = None
    add_log_options(parser)
    ovs.daemon.add_args(parser)
    parser.add_argument("--unixctl", metavar="SOCKET", help="control socket name or path")
    tls_options.add_options(parser)
    version = f"%(prog)s (ovnsvc) {VERSION}"
    parser.add_argument("-V", "--version", action="version", version=version)
    options = parser.parse_args(argv)
    try:
        keys = tls_options.make_keys(options)
    except UsageError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    try:
        if options.log_file is not None:
            options.log_file = _prepare_log_file(options.log_file)
        ovs.vlog.handle_args(options)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error.strerror}: {error.filename}\n")
    ovs.daemon.handle_args(options)
    tls_stream.register()
    tls_stream.use(keys)
    return options


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ovs.vlog.add_args(), of which each --verbose counts, not the last."""
    group = parser.add_argument_group(title="Logging Options")
    group.add_argument(
        "--log-file", nargs="?", const="default", help="log to this file, or to the usual one"
    )
    group.add_argument(
        "-v",
        "--verbose",
        nargs="*",
        action="extend",
        metavar="SPEC",
        help="set logging levels, see ovs-vswitchd(8); all to dbg without SPEC",
    )


def serve(name: str, options: argparse.Namespace, make: Callable[[], Program]) -> int:
    """Runs the program that 'make' returns until it is told to exit."""
    ovs.util.PROGRAM_NAME = name
    # A replica is many small objects that live long: the default thresholds
    # walk all of them several times in one recompute.
    gc.set_threshold(*GC_THRESHOLDS)
    descriptors.use_poll()
    descriptors.raise_limit()
    ovs.daemon.daemonize_start()
    process_commands.register_first()
    error, server = ovs.unixctl.server.UnixctlServer.create(options.unixctl)
    if error:
        ovs.util.ovs_fatal(error, f"{name}: could not create the control socket")
    # That of python-ovs lets ten wait; ovs-appctl takes being turned away for a mistake.
    server._listener.socket.listen(socket.SOMAXCONN)
    process_commands.register()
    exiting = _Exit()
    unixctl.register_command("exit", exiting.command, arguments="[--cleanup]")
    signal.signal(signal.SIGTERM, exiting.signalled)
    program = make()
    unixctl.guard_registered()
    ovs.daemon.daemonize_complete()
    vlog.info(f"{name} started")
    failures = Failures()
    while not exiting.asked:
        _pass(program, server, exiting, failures)
    try:
        program.close()
    except Exception as error:  # whoever waits for the end is answered all the same
        failures.note(error)
    log_budget.finish()
    exiting.reply()
    server.close()
    return 0


class _Exit:
    """Whether the daemon was asked to end, by unixctl or SIGTERM.

    As ovs-vswitchd, 'exit --cleanup' answers when it is done; ovs-appctl has -T
    for who does not want to wait.  'exit' and SIGTERM meanwhile end at once.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting: list[Any] = []
        self._leaving = False
        self._told = False
        self._wakeup_read, self._wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wakeup_write)

    def command(self, connection: Any, argv: Sequence[str], _aux: Any) -> None:
        if not argv:
            self.asked = True
            connection.reply(None)
        elif list(argv) == ["--cleanup"]:
            self._leaving = True
            self._waiting.append(connection)
        else:
            connection.reply_error(f"{argv[0]} is no option of exit; --cleanup is")

    def signalled(self, _number: int, _frame: Any) -> None:
        self.asked = True

    def run(self, program: Program, poller: ovs.poller.Poller) -> None:
        """Tells 'program' to leave, once, and notes when it has."""
        if not self._leaving:
            return
        if not isinstance(program, Leaver) or program.left:
            self.asked = True
        elif not self._told:
            program.leave()
            self._told = True
            poller.immediate_wake()

    def drop_closed(self) -> None:
        """Closes the connections of those who did not wait for the answer.

        python-ovs reads nothing of a connection until it was answered, so that
        the end of one would wake the poller over and over.
        """
        for connection in self._waiting[:]:
            stream = connection._rpc.stream
            if stream is not None and not is_closed(stream.socket):
                continue
            drop(connection)
            self._waiting.remove(connection)

    def reply(self) -> None:
        """Answers those who wait for the end."""
        self.drop_closed()
        for connection in self._waiting:
            connection.reply(None)

    def wait(self, poller: ovs.poller.Poller) -> None:
        poller.fd_wait(self._wakeup_read, ovs.poller.POLLIN)


def drop(connection: Any) -> None:
    """Closes the connection of somebody who did not wait for the answer."""
    if connection._rpc.stream is not None:
        connection._rpc.error(errno.EPIPE)


def is_closed(peer: socket.socket) -> bool:
    """Returns whether whoever is at the other end is gone."""
    try:
        return peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _pass(program: Program, server: Any, exiting: _Exit, failures: Failures) -> None:
    """One pass; whatever is raised in it, the next one comes."""
    coverage.count("loop_pass")
    poller = ovs.poller.Poller()
    try:
        with stopwatch.measure(f"{ovs.util.PROGRAM_NAME}-loop"):
            program.run()
        program.wait(poller)
    except Exception as error:  # the last resort: the next pass computes all again
        coverage.count("loop_failure")
        failures.note(error)
        # What was armed before the failure may be due at once, over and over.
        poller = ovs.poller.Poller()
        poller.timer_wait(FAILURE_BACKOFF_MS)
        _recover(program, failures)
    exiting.drop_closed()
    _serve_commands(server, poller, failures)
    try:
        exiting.run(program, poller)
    except Exception as error:  # to give back what it has is tried again
        failures.note(error)
        poller.timer_wait(FAILURE_BACKOFF_MS)
    exiting.wait(poller)
    _sum_up(poller)
    if not exiting.asked:
        poller.block()


def _sum_up(poller: ovs.poller.Poller) -> None:
    """Logs what was left out of the log, and arms 'poller' for when there is more to say."""
    log_budget.run(monotonic_ms())
    next_ms = log_budget.find_next_ms()
    if next_ms is not None:
        poller.timer_wait(max(0, next_ms - monotonic_ms()))


def _recover(program: Program, failures: Failures) -> None:
    try:
        program.recover()
    except Exception as error:  # it failed before, and is tried again after the next failure
        failures.note(error)


def _serve_commands(server: Any, poller: ovs.poller.Poller, failures: Failures) -> None:
    """Answers runtime commands; a connection that cannot be served takes all of them with it."""
    try:
        server.run()
        server.wait(poller)
    except Exception as error:  # else the same connection fails in each pass
        failures.note(error)
        for connection in server._conns:
            connection._close()
        server._conns.clear()
        poller.timer_wait(FAILURE_BACKOFF_MS)


def _prepare_log_file(option: str) -> str:
    """Makes the log file that --log-file asks for and returns its path."""
    usual = f"{dirs.LOGDIR}/{ovs.util.PROGRAM_NAME}.log"
    # A daemon that detaches changes its directory before it opens the file again.
    path = os.path.abspath(usual if option == "default" else option)
    log_files.prepare_file(path)
    return path


def _use_directories() -> None:
    """Makes python-ovs put pid files, sockets and logs where ovnsvc has them."""
    os.makedirs(dirs.RUNDIR, mode=0o755, exist_ok=True)
    ovs.dirs.RUNDIR = dirs.RUNDIR
    ovs.dirs.LOGDIR = dirs.LOGDIR
    if any(arg.startswith("--log-file") for arg in sys.argv):
        log_files.prepare_directory(dirs.LOGDIR)
