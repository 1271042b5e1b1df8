"""A program of a container, as a service type describes it and as it is started."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field

from ...lib.errors import ConfigError

ROOT = "root"

# Of programs and files; neither leads out of a directory.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class File:
    """A file in the program's directory: 'content', or the secret of that name."""

    name: str
    content: str = field(default="", repr=False)
    secret: str | None = None
    mode: int = 0o400

    def __post_init__(self) -> None:
        _check_name("file", self.name)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may take: niceness, and soft limits by the name of setrlimit(2).

    ("NOFILE", 4096) is RLIMIT_NOFILE.
    """

    nice: int = 0
    resources: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """The program is well if it takes a TCP connection on 'port' of 'address'."""

    port: int
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """The program is well if a command exits with 0; it runs as the program does."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How it is found out whether a program is well.

    Asked every 'interval_ms'; no answer within 'timeout_ms' is a failure, and
    'failures' in a row end the program, which is started again.  Before the
    first good answer it has 'start_ms'.
    """

    check: TcpCheck | CommandCheck
    interval_ms: int = 10_000
    timeout_ms: int = 2_000
    failures: int = 3
    start_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Program:
    """A program that svc-controller starts in the namespace and keeps running.

    It runs as 'user' in a directory of its own, which holds 'files' and is its
    working directory and HOME.  Its output goes to the container's log.  A
    change of any field but 'active_only' starts it anew.

    'status' names a file in its directory in which the program tells of itself,
    as JSON: {"items": [{"kind":, "name":, "state":, ..}], "metrics": {NAME: NUMBER}}.
    It is to be replaced whole, by rename(2).
    """

    name: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    files: tuple[File, ...] = ()
    user: str = ROOT
    health: Health | None = None
    limits: Limits = Limits()
    stop_signal: int = signal.SIGTERM
    stop_ms: int = 1000
    active_only: bool = False
    status: str | None = None

    def __post_init__(self) -> None:
        _check_name("program", self.name)
        if self.status is not None:
            _check_name("file", self.status)
        if not self.argv:
            raise ConfigError(f"program {self.name} has no command")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started: with exactly this environment, its output in 'log_path'.

    'record' is the name of the file in the state directory by which it is
    taken over.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    record: str
    log_path: str
    user: str = ROOT
    directory: str = "/"
    limits: Limits = Limits()
    stop_signal: int = signal.SIGTERM
    stop_ms: int = 1000


def _check_name(what: str, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{name!r} cannot be the name of a {what}")
