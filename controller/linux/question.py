"""Asks a program whether it is well, from inside its namespace and without waiting.

A Question is asked when it is made; answer() says how it went, once it is known.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import subprocess
from typing import Protocol

import ovs.poller

from ...lib.errors import HostError
from ...services.api.host import Sandbox
from ...services.api.program import Health, Launch, TcpCheck
from .process import find_identity, open_log

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Question(Protocol):
    """One question that is under way."""

    def is_answered(self) -> bool:
        """Returns whether there is an answer."""

    def find_problem(self) -> str | None:
        """Returns what is wrong according to the answer, None if nothing is."""

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the answer."""

    def close(self) -> None:
        """Forgets the question."""


def ask(sandbox: Sandbox, health: Health, launch: Launch) -> Question:
    """Asks the program that runs as 'launch' says; raises HostError."""
    check = health.check
    if isinstance(check, TcpCheck):
        return TcpQuestion(sandbox, check)
    return CommandQuestion(sandbox, check.argv, launch)


class TcpQuestion:
    """Opens a connection, and closes it once it is there."""

    def __init__(self, sandbox: Sandbox, check: TcpCheck) -> None:
        self._port = check.port
        family = socket.AF_INET6 if ":" in check.address else socket.AF_INET
        try:
            with sandbox.entered():
                self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            self._error = self._socket.connect_ex((check.address, check.port))
        except OSError as error:
            raise HostError(f"port {check.port} cannot be asked: {error}") from error

    def is_answered(self) -> bool:
        if self._error not in (0, errno.EINPROGRESS):
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(0))

    def find_problem(self) -> str | None:
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        number = number or self._error
        if number in (0, errno.EINPROGRESS):
            return None
        return f"port {self._port}: {os.strerror(number).lower()}"

    def wait(self, poller: ovs.poller.Poller) -> None:
        poller.fd_wait(self._socket.fileno(), ovs.poller.POLLOUT)

    def close(self) -> None:
        self._socket.close()


class CommandQuestion:
    """Runs a command as the program runs; what it prints goes to the container's log.

    It ends with svc-controller.
    """

    def __init__(self, sandbox: Sandbox, argv: tuple[str, ...], launch: Launch) -> None:
        self._name = argv[0]
        try:
            with open_log(launch.log_path) as log, sandbox.entered():
                self._child = subprocess.Popen(
                    list(argv),
                    env=dict(launch.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    cwd=launch.directory,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509  # there is one thread
                    **find_identity(launch.user),
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise HostError(f"{argv[0]} cannot be run: {error}") from error
        self._pidfd = os.pidfd_open(self._child.pid)

    def is_answered(self) -> bool:
        return self._child.poll() is not None

    def find_problem(self) -> str | None:
        code = self._child.returncode
        if code == 0:
            return None
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        return f"{self._name} {how}"

    def wait(self, poller: ovs.poller.Poller) -> None:
        poller.fd_wait(self._pidfd, ovs.poller.POLLIN)

    def close(self) -> None:
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.poll()  # else the next Popen reaps it; nobody waits here
        os.close(self._pidfd)


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
