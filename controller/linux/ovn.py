"""Whether the ovn-controller beside us runs: its pid file, and a pidfd of its process.

A daemon of OVS and OVN holds a lock on its pid file for as long as it lives
(lib/daemon-unix.c), so that a file that was left behind is told from one that
is in use without trusting the number in it.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass

import ovs.poller
import ovs.vlog

from ...lib import dirs
from .process import is_readable

vlog = ovs.vlog.Vlog("ovn")

PROBLEM = "ovn-controller is not running"
NEVER_SEEN = "ovn-controller is not running: there is no {path}"

# An upgrade takes it away for a second, and its flows go on meanwhile; to move every
# container for that would cost more than it saves.
PATIENCE_MS = 2000
# A host that boots begins the two of us in any order.
START_PATIENCE_MS = 10_000

# struct flock of fcntl(2) where a long has 64 bits: type, whence, start, length, pid.
_FLOCK = struct.Struct("@hhqqi")


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a pid file: 'pid' is 0 for nobody, and None for one whom we cannot see."""

    pid: int | None


def find_path() -> str:
    """Returns the pid file of ovn-controller."""
    return os.path.join(dirs.OVN_RUNDIR, "ovn-controller.pid")


def read_lock(path: str) -> Lock | None:
    """Returns who holds the pid file; None if there is none."""
    try:
        with open(path, "rb") as file:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, *_, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    if kind == fcntl.F_UNLCK:
        return Lock(0)
    # The kernel tells no pid of another PID namespace.
    return Lock(pid if pid > 0 else None)


class OvnController:
    """Watches one process; asked at each pass, and woken when the process ends."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path or find_path()
        self._pidfd: int | None = None
        self._begun = False
        self._seen = False
        self._expected = False
        self._gone_ms: int | None = None

    def find_problem(self, now_ms: int, look: bool, known: bool, expected: bool) -> str:
        """Returns Chassis_Private:ovn_problem.

        'look' says to look for one that came; 'known', which counts at the
        first call, that this chassis has told the problem before; 'expected',
        that this host is to have one.  Where it is not, and no pid file was
        ever seen, nothing is judged.
        """
        look = look or expected != self._expected
        self._expected = expected
        if not self._begun:
            self._begun = look = True
            if known:
                self._seen = True
                self._gone_ms = now_ms - PATIENCE_MS
        if self._pidfd is not None and is_readable(self._pidfd):
            self.close()
            look = True
        if self._pidfd is None and (look or self._is_late(now_ms)):
            self._look(now_ms)
        if not self._is_late(now_ms):
            return ""
        return PROBLEM if self._seen else NEVER_SEEN.format(path=self._path)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the end of the process, and of our patience."""
        if self._pidfd is not None:
            poller.fd_wait(self._pidfd, ovs.poller.POLLIN)
        elif self._gone_ms is not None and not self._is_late(now_ms):
            poller.timer_wait(self._gone_ms + self._patience_ms - now_ms)

    def close(self) -> None:
        """Stops watching."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    @property
    def _patience_ms(self) -> int:
        return PATIENCE_MS if self._seen else START_PATIENCE_MS

    def _is_late(self, now_ms: int) -> bool:
        return self._gone_ms is not None and now_ms >= self._gone_ms + self._patience_ms

    def _look(self, now_ms: int) -> None:
        lock = read_lock(self._path)
        self._seen = self._seen or lock is not None
        runs = lock is not None and lock.pid != 0
        if not (self._seen or self._expected):
            self._gone_ms = None
            return
        if runs and self._is_late(now_ms):
            vlog.info("ovn-controller runs again")
        if lock is not None and lock.pid:
            runs = self._watch(lock)
        if runs:
            self._gone_ms = None
        elif self._gone_ms is None:
            vlog.info("ovn-controller has ended" if self._seen else "no ovn-controller runs yet")
            self._gone_ms = now_ms

    def _watch(self, lock: Lock) -> bool:
        """Opens the process that holds the lock; returns whether it is still there."""
        assert lock.pid is not None
        try:
            self._pidfd = os.pidfd_open(lock.pid)
        except OSError:
            return False
        if read_lock(self._path) != lock:  # its pid may be another's by now
            self.close()
            return False
        return True
