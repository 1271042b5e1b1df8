"""Whose the pid file of a daemon is.

A daemon of OVS and OVN holds a lock on its pid file for as long as it lives
(lib/daemon-unix.c), so that a file that was left behind is told from one that
is in use without trusting the number in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from ...lib.numbers import parse_number

# struct flock of fcntl(2) where a long has 64 bits: type, whence, start, length, pid.
_FLOCK = struct.Struct("@hhqqi")
_MOST_PID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a pid file: 'pid' is 0 for nobody, and None for one whom we cannot see."""

    pid: int | None


def read_lock(path: str) -> Lock | None:
    """Returns who holds the pid file; None if there is none."""
    try:
        with _open(path) as file:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    if kind == fcntl.F_UNLCK:
        return Lock(0)
    # The kernel tells no pid of another PID namespace.
    return Lock(pid if pid > 0 else None)


def find_control(path: str) -> str | None:
    """Returns the control socket of the daemon that wrote the pid file (ovs-appctl(8)).

    The number in its name is that of the daemon's own PID namespace, as in the file.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError), _open(path) as file:
        pid = parse_number(file.read(16).decode("ascii").strip(), 1, _MOST_PID)
        if pid is not None:
            return f"{path.removesuffix('.pid')}.{pid}.ctl"
    return None


def _open(path: str) -> BinaryIO:
    """Returns a plain file, without waiting for whatever else may have its name."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no plain file")
    return os.fdopen(descriptor, "rb")
