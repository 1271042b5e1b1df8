"""A program that outlives svc-controller: start, watch, take over, end.

It is started in its namespace, in a session of its own, with its output in a
file.  A record of pid, start time and executable stands in the state directory.
With it a restarted svc-controller tells its program from a stranger that got
the same pid; a program without a record, since svc-controller died between
start and record, is found by what only it has in its environment.  A pidfd
tells the end of either.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import resource
import select
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import ovs.poller

from ...lib import state_file
from ...lib.errors import HostError
from ...services.api.program import ROOT, Launch
from . import netns


@dataclass(frozen=True, slots=True)
class Record:
    """Which process a program is."""

    pid: int
    start_time: int
    executable: str | None


class LinuxProcess:
    """One running program, ours by birth ('child') or taken over."""

    def __init__(
        self, pid: int, pidfd: int, launch: Launch, record_path: str, child: Child | None = None
    ) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._launch = launch
        self._record_path = record_path
        self._child = child
        self._ended: str | None = None
        self._kill_at_ms: int | None = None

    def ended(self) -> str | None:
        """Returns how it ended, in words; None while it runs.  What it left running ends too."""
        if self._ended is None and is_readable(self._pidfd):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # its session is a group of processes
            self._ended = self._find_end()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._record_path)
        return self._ended

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the end of it, and for the harder signal."""
        poller.fd_wait(self._pidfd, ovs.poller.POLLIN)
        if self._kill_at_ms is not None:
            poller.timer_wait(max(0, self._kill_at_ms - now_ms))

    def terminate(self, now_ms: int) -> None:
        """Asks it to end, by its stop signal, and by SIGKILL if it does not heed that."""
        if self._kill_at_ms is None:
            self._kill_at_ms = now_ms + self._launch.stop_ms
            self.send(self._launch.stop_signal)
        elif now_ms >= self._kill_at_ms:
            self._kill_at_ms = now_ms + self._launch.stop_ms
            self.kill()

    def kill(self) -> None:
        """Ends it at once."""
        self.send(signal.SIGKILL)

    def send(self, number: int) -> None:
        """Sends it a signal."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def in_namespace(self, inode: int | None) -> bool:
        """Returns whether it runs in the namespace with that inode number."""
        return inode is not None and _find_namespace(self.pid) == inode

    def close(self) -> None:
        """Lets go of it; it runs on."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _find_end(self) -> str:
        if self._child is None:
            return "ended"
        code = self._child.wait()
        return f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"


Child = subprocess.Popen[bytes]


def start(launch: Launch, namespace: str, record_path: str) -> LinuxProcess:
    """Starts a program in 'namespace' and records it; raises HostError."""
    try:
        with open_log(launch.log_path) as log, netns.entered(namespace):
            child = subprocess.Popen(
                list(launch.argv),
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=launch.directory,
                preexec_fn=_make_limiter(launch),  # noqa: PLW1509  # there is one thread
                **find_identity(launch.user),
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"{launch.argv[0]} cannot be started: {error}") from error
    pid = child.pid
    if launch.limits.nice:
        with contextlib.suppress(OSError):  # it may have ended already
            os.setpriority(os.PRIO_PROCESS, pid, launch.limits.nice)
    process = LinuxProcess(pid, os.pidfd_open(pid), launch, record_path, child)
    try:
        _write_record(record_path, pid)
    except HostError:
        process.kill()
        child.wait()
        process.close()
        raise
    return process


def open_log(path: str) -> BinaryIO:
    """Opens the log file of a program; raises OSError, also for what is no plain file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # A fifo would hold this process up until somebody reads.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags, 0o640), "wb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a plain file", path)
    return file


class Strays:
    """Programs of before this process, by what they have in their environment.

    This process records what it starts, so that one look at all processes says
    which there are.
    """

    def __init__(self) -> None:
        self._found: dict[bytes, list[tuple[int, int]]] | None = None

    def find(self, environment: str) -> list[int]:
        """Returns the processes that have 'environment', a "NAME=VALUE", and still run."""
        if self._found is None:
            self._found = {}
            for pid, start_time in _find_leaders():
                for variable in _read_environment(pid):
                    self._found.setdefault(variable, []).append((pid, start_time))
        found = self._found.get(environment.encode(), ())
        return [pid for pid, start_time in found if find_start_time(pid) == start_time]


def adopt(
    launch: Launch, record_path: str, environment: str, strays: Strays
) -> LinuxProcess | None:
    """Returns the program that was started as 'launch' if that very process still runs.

    'environment' is a "NAME=VALUE" that it alone was given; by that it is found
    where the record does not say which process it is.
    """
    record = _read_record(record_path)
    if record is not None and _is_of(record, environment):
        return _open(record.pid, launch, record_path)
    found = strays.find(environment)
    for other in found[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(other, signal.SIGKILL)
    process = _open(found[0], launch, record_path) if found else None
    if process is not None:
        _write_record(record_path, process.pid)
    return process


def find_start_time(pid: int) -> int | None:
    """Returns the start time of a process in clock ticks since boot (proc(5), field 22)."""
    fields = _read_stat(pid)
    return int(fields[19]) if fields else None


def find_executable(pid: int) -> str | None:
    """Returns the path of what a process executes; of a script that is its interpreter."""
    try:
        return os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
    except OSError:
        return None


# -- helpers, in the order they are called ------------------------------------


def is_readable(descriptor: int) -> bool:
    """Returns whether a read would not block; select() would fail from descriptor 1024 on."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _make_limiter(launch: Launch) -> Callable[[], None] | None:
    """Returns what sets the soft limits in the new process; they never exceed the hard ones."""
    wanted = []
    for name, value in launch.limits.resources:
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            raise HostError(f"there is no limit {name}")
        _soft, hard = resource.getrlimit(number)
        wanted.append((number, (value if hard < 0 else min(value, hard), hard)))

    def limit() -> None:
        for number, limits in wanted:
            resource.setrlimit(number, limits)

    return limit if wanted else None


def find_identity(user: str) -> dict[str, Any]:
    """Returns the arguments of Popen that make a program run as 'user', with its groups."""
    if user == ROOT:
        return {}
    uid, gid = find_user(user)
    return {"user": uid, "group": gid, "extra_groups": os.getgrouplist(user, gid)}


def find_user(name: str) -> tuple[int, int]:
    """Returns uid and gid of a user of this host; raises HostError."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise HostError(f"there is no user {name} on this chassis") from error
    return entry.pw_uid, entry.pw_gid


def _find_leaders() -> list[tuple[int, int]]:
    """Returns pid and start time of each process that began a session of its own."""
    found = []
    for entry in os.listdir("/proc"):
        fields = _read_stat(int(entry)) if entry.isdecimal() else None
        if fields and fields[3] == entry:
            found.append((int(entry), int(fields[19])))
    return found


def _read_environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _is_of(record: Record, environment: str) -> bool:
    """Returns whether the process of 'record' is the one that was recorded, and runs."""
    if find_start_time(record.pid) != record.start_time:
        return False
    same = find_executable(record.pid) == record.executable
    return same or environment.encode() in _read_environment(record.pid)


def _read_stat(pid: int) -> list[str] | None:
    """Returns the fields of /proc/PID/stat from the state on; None of one that has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def _open(pid: int, launch: Launch, record_path: str) -> LinuxProcess | None:
    """Returns the program, unless another process has its pid by now."""
    start_time = find_start_time(pid)
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    if start_time is None or find_start_time(pid) != start_time:
        os.close(pidfd)
        return None
    return LinuxProcess(pid, pidfd, launch, record_path)


def _read_record(path: str) -> Record | None:
    content = state_file.read_json(path)
    if not isinstance(content, dict):
        return None
    pid, start_time = content.get("pid"), content.get("start_time")
    if not isinstance(pid, int) or not isinstance(start_time, int):
        return None
    return Record(pid, start_time, content.get("executable"))


def _write_record(path: str, pid: int) -> None:
    content = {
        "pid": pid,
        "start_time": find_start_time(pid),
        "executable": find_executable(pid),
    }
    try:
        state_file.write_json(path, content)
    except OSError as error:
        raise HostError(f"{path} cannot be written: {error}") from error


def _find_namespace(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None
