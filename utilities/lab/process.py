"""Runs commands and looks at processes, from outside of all hosts.

Callers: every other module of the lab.  A process is known by its pid and its start time, since a
pid alone may be somebody else's by the time that it is used.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

POLL_S = 0.01
DEATH_BY_SIGINT = 130
DEATH_BY_SIGTERM = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM has come; what cleans up after Ctrl-C does so after this."""


def raise_on_sigterm() -> None:
    """Has SIGTERM end this process as Ctrl-C does, by way of every `finally`."""

    def raise_terminated(_number: int, _frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, raise_terminated)


def ignore_interrupts() -> None:
    """Lets a clean-up come to its end, whatever keys are pressed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def get_exit_status(interrupt: KeyboardInterrupt) -> int:
    """Returns what a shell would say of the signal."""
    return DEATH_BY_SIGTERM if isinstance(interrupt, Terminated) else DEATH_BY_SIGINT


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    start_ticks: int

    def is_alive(self) -> bool:
        return find_start_ticks(self.pid) == self.start_ticks

    def is_stopped(self) -> bool:
        """Says whether SIGSTOP has stopped it."""
        return self.is_alive() and read_stat(self.pid)[:1] == ["T"]

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal, if the process is still this one."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def read_stat(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from its state on; none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def find_start_ticks(pid: int) -> int | None:
    """Returns when 'pid' started, in clock ticks since boot; None if it is gone or a zombie."""
    fields = read_stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def find_children(pid: int) -> list[int]:
    """Returns the pids of the children of the single-threaded process 'pid'."""
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def read_cmdline(pid: int) -> list[str]:
    """Returns the arguments of process 'pid'; none if it is gone or a kernel thread."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return raw.decode(errors="replace").rstrip("\0").split("\0") if raw else []


def list_pids() -> list[int]:
    """Returns every pid of the machine."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def run(
    argv: Sequence[str],
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> str:
    """Runs 'argv' and returns its standard output.

    Raises LabError with the command and the end of its standard error when it fails.
    """
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            env=env,
            timeout=timeout_s,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{argv[0]}: not found ('utilities/install --lab' adds it)") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"'{' '.join(argv)}' did not end within {timeout_s:g} s") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise LabError(f"'{' '.join(argv)}' failed ({done.returncode}): {'; '.join(words)}")
    return done.stdout


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 10) -> None:
    """Returns when 'condition' holds; raises LabError if it does not within 'timeout_s'."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {timeout_s:g} s")
        time.sleep(POLL_S)
