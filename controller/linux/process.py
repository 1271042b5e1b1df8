"""A daemon that outlives svc-controller: start, watch, take over, end.

The daemon is started in its namespace, in a session of its own, with its
output in a file.  A record of pid and start time stands in the state
directory; with it, and the start time and namespace that the kernel knows, a
restarted svc-controller tells its daemon from a stranger that got the same
pid.  A pidfd tells the end of either.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ovs.poller

from ...lib.errors import HostError
from . import netns

KILL_AFTER_MS = 1000


@dataclass(frozen=True, slots=True)
class Launch:
    """How a daemon is started."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    namespace: str
    log_path: str
    record_path: str


class Daemon:
    """One running daemon, ours by birth or taken over."""

    def __init__(self, pid: int, pidfd: int, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._child = child
        self._kill_at_ms: int | None = None

    def ended(self) -> str | None:
        """Returns how the daemon ended, in words; None while it runs."""
        if not select.select([self._pidfd], [], [], 0)[0]:
            return None
        if self._child is None:
            return "ended"
        code = self._child.wait()
        return f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the end of the daemon, and for the harder signal."""
        poller.fd_wait(self._pidfd, ovs.poller.POLLIN)
        if self._kill_at_ms is not None:
            poller.timer_wait(max(0, self._kill_at_ms - now_ms))

    def terminate(self, now_ms: int) -> None:
        """Asks the daemon to end: SIGTERM, and SIGKILL to one that does not heed it."""
        if self._kill_at_ms is None:
            self._kill_at_ms = now_ms + KILL_AFTER_MS
            self._send(signal.SIGTERM)
        elif now_ms >= self._kill_at_ms:
            self._kill_at_ms = now_ms + KILL_AFTER_MS
            self._send(signal.SIGKILL)

    def kill(self) -> None:
        """Ends the daemon at once."""
        self._send(signal.SIGKILL)

    def in_namespace(self, inode: int | None) -> bool:
        """Returns whether the daemon runs in the namespace with that inode number."""
        return inode is not None and _find_namespace(self.pid) == inode

    def close(self) -> None:
        """Lets go of the daemon."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)


def start(launch: Launch) -> Daemon:
    """Starts the daemon and records it; raises HostError."""
    os.makedirs(os.path.dirname(launch.log_path), exist_ok=True)
    try:
        with open(launch.log_path, "ab") as log, netns.entered(launch.namespace):
            child = subprocess.Popen(
                list(launch.argv),
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
    except OSError as error:
        raise HostError(f"{launch.argv[0]} cannot be started: {error}") from error
    daemon = Daemon(child.pid, os.pidfd_open(child.pid), child)
    _write_record(launch.record_path, child.pid)
    return daemon


def adopt(record_path: str, program: str) -> Daemon | None:
    """Returns the daemon of the record if that very process still runs."""
    try:
        with open(record_path, encoding="ascii") as file:
            record = json.load(file)
        pid, start_time = int(record["pid"]), int(record["start_time"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _open(pid, start_time) if find_program(pid) == program else None


def find_strays(program: str, environment: str) -> list[Daemon]:
    """Returns the running daemons that have 'environment' (a "NAME=VALUE") and no record.

    svc-controller can die between the start of a daemon and its record.
    """
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or find_program(int(entry)) != program:
            continue
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/environ", "rb") as file:
                variables = file.read().split(b"\0")
            start_time = find_start_time(int(entry))
            if environment.encode() in variables and start_time is not None:
                daemon = _open(int(entry), start_time)
                if daemon is not None:
                    found.append(daemon)
    return found


def find_start_time(pid: int) -> int | None:
    """Returns the start time of a process in clock ticks since boot (proc(5), field 22)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def find_program(pid: int) -> str | None:
    """Returns the name of the program that a process runs."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return None


def _open(pid: int, start_time: int) -> Daemon | None:
    """Returns the daemon, unless another process has its pid by now."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if find_start_time(pid) != start_time:
        os.close(pidfd)
        return None
    return Daemon(pid, pidfd, None)


def _write_record(path: str, pid: int) -> None:
    record = json.dumps({"pid": pid, "start_time": find_start_time(pid)})
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(record)
    os.replace(f"{path}.new", path)


def _find_namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None
