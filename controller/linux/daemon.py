"""Whether a daemon beside us runs and answers: its pid file, a pidfd, its control socket.

That it ended is told by the pidfd.  One that hangs has not ended, so that it is asked as well.
"""

from __future__ import annotations

import os

import ovs.poller
import ovs.vlog

from .control import Control
from .pid_file import Lock, find_control, read_lock
from .process import is_readable
from .silence import SILENT, STOPPED, Activity, Silence

vlog = ovs.vlog.Vlog("daemon")

GONE = "is not running"
NEVER_SEEN = "is not running: there is no {path}"

# An upgrade takes it away for a second, and flows go on meanwhile; to move every
# container for that would cost more than it saves.
PATIENCE_MS = 2000
# A host that boots begins all of us in any order.
START_PATIENCE_MS = 10_000
ASK_INTERVAL_MS = 1000


class Daemon:
    """Watches one process; asked at each pass, and woken when the process ends."""

    def __init__(self, path: str) -> None:
        self.name = os.path.basename(path).removesuffix(".pid")
        self._path = path
        self._pidfd: int | None = None
        self._pid: int | None = None
        self._control: Control | None = None
        self._silence = Silence(PATIENCE_MS)
        self._begun = False
        self._seen = False
        self._expected = False
        self._gone_ms: int | None = None
        self._look_at_ms = 0
        self._ask_at_ms = 0
        self._told = ""

    def find_problem(self, now_ms: int, look: bool, known: str, expected: bool) -> str:
        """Returns what is wrong with the daemon, as "NAME is not running"; "" if nothing is.

        'look' says to look for one that came; 'known', which counts at the
        first call, is what this chassis has told before; 'expected', that this
        host is to have one.  Where it is not, and no pid file was ever seen,
        nothing is judged.
        """
        self._watch_end(now_ms, look, known, expected)
        self._ask(now_ms)
        problem = self._find_gone(now_ms) or self._silence.find_problem()
        if problem != self._told:
            self._told = problem
            vlog.info(f"{self.name} {problem or 'runs and answers again'}")
        return f"{self.name} {problem}" if problem else ""

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the end of the process, the next question, the end of our patience."""
        if self._pidfd is not None:
            poller.fd_wait(self._pidfd, ovs.poller.POLLIN)
        elif self._gone_ms is not None:
            late = self._is_late(now_ms)
            next_ms = self._look_at_ms if late else self._gone_ms + self._patience_ms
            poller.timer_wait(max(0, next_ms - now_ms))
        if self._control is not None:
            # What it answers can wait for the next question.
            poller.timer_wait(max(0, self._ask_at_ms - now_ms))

    def close(self) -> None:
        """Stops watching."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self._let_go()

    # -- its end -------------------------------------------------------------

    def _watch_end(self, now_ms: int, look: bool, known: str, expected: bool) -> None:
        look = look or expected != self._expected
        self._expected = expected
        if not self._begun:
            self._begun = look = True
            self._take_over(now_ms, known)
        hung = ""
        if self._pidfd is not None and is_readable(self._pidfd):
            hung, look = self._silence.find_problem(), True
            self.close()
        late = self._is_late(now_ms) and now_ms >= self._look_at_ms
        if self._pidfd is None and (look or late):
            self._look(now_ms)
        if hung and self._gone_ms is not None:  # it has had its time
            self._gone_ms = now_ms - PATIENCE_MS

    def _take_over(self, now_ms: int, known: str) -> None:
        """Goes on with what an earlier svc-controller found."""
        if known in (STOPPED, SILENT):
            self._silence.known = self._told = known
        elif known:
            self._seen = True
            self._gone_ms = now_ms - PATIENCE_MS

    @property
    def _patience_ms(self) -> int:
        return PATIENCE_MS if self._seen else START_PATIENCE_MS

    def _is_late(self, now_ms: int) -> bool:
        return self._gone_ms is not None and now_ms >= self._gone_ms + self._patience_ms

    def _find_gone(self, now_ms: int) -> str:
        if not self._is_late(now_ms):
            return ""
        return GONE if self._seen else NEVER_SEEN.format(path=self._path)

    def _look(self, now_ms: int) -> None:
        self._look_at_ms = now_ms + ASK_INTERVAL_MS
        lock = read_lock(self._path)
        self._seen = self._seen or lock is not None
        runs = lock is not None and lock.pid != 0
        if not (self._seen or self._expected):
            self._gone_ms = None
            return
        if lock is not None and lock.pid:
            runs = self._watch(lock)
        if runs:
            self._gone_ms = None
            self._find_control()
            return
        self._let_go()
        if self._gone_ms is None:
            vlog.info(f"{self.name} has ended" if self._seen else f"no {self.name} runs yet")
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
        self._pid = lock.pid
        return True

    # -- its answers -----------------------------------------------------------

    def _find_control(self) -> None:
        """Takes the control socket of the process that runs now."""
        path = find_control(self._path)
        if self._control is not None and self._control.path == path:
            return
        self._let_go()
        self._control = Control(path) if path is not None else None

    def _let_go(self) -> None:
        """Forgets whom it asked: one that ended owes no answer, nor does another for it."""
        if self._control is not None:
            self._control.close()
            self._control = None
            self._silence.end()

    def _ask(self, now_ms: int) -> None:
        """Takes the answer that is due, then looks how the process is, then asks again."""
        control = self._control
        if control is None or now_ms < self._ask_at_ms:
            return
        self._ask_at_ms = now_ms + ASK_INTERVAL_MS
        if control.asking and control.is_answered():
            self._silence.end()
        if self._silence.begun:
            self._silence.look(now_ms, read_activity(self._pid))
        if control.asking:
            return
        if control.ask():
            self._silence.begin(now_ms, read_activity(self._pid))
        else:  # it listens elsewhere, or not yet: nothing is known of its answers
            self._silence.end()


def read_activity(pid: int | None) -> Activity | None:
    """Returns how the main thread of a process is, None if that cannot be seen."""
    try:
        with open(f"/proc/{pid}/task/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name in parentheses may hold anything.
            fields = file.read().rpartition(")")[2].split()
        return Activity(fields[0], int(fields[11]) + int(fields[12]))
    except (OSError, ValueError, IndexError):
        return None
