"""One host of the lab: a network, a mount, a UTS and a PID namespace under one init process.

Killing the init is the death of the host: its processes, its links and the namespaces of its
guests go with it.  Its directories outlive it under 'HOSTDIR', as disks do; /run does not.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import process
from .errors import LabError
from .process import ProcessId

BOOT = Path(__file__).with_name("boot")
CHECKOUT = Path(__file__).resolve().parents[2]
VENV_BIN = CHECKOUT / ".venv" / "bin"
COMM_LENGTH = 15


def make_environment() -> dict[str, str]:
    """Returns the environment of everything that runs in a host.

    Nothing of the caller's remotes or directories may leak in: they are paths of outside.
    """
    kept = {name: os.environ[name] for name in ("TERM", "LANG", "HOME") if name in os.environ}
    system_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return kept | {"PATH": f"{VENV_BIN}:{system_path}"}


@dataclass(frozen=True, slots=True)
class Host:
    """A host by name, alive or dead, with its directory on the real machine."""

    name: str
    directory: Path

    @property
    def settings(self) -> dict[str, str]:
        """What the host was made with (`kind`, addresses), kept over its deaths.

        `packages` are folders with Python packages, beside those that are installed, for what is
        started from then on.
        """
        path = self.directory / "host.json"
        if not path.exists():
            raise LabError(f"{self.name}: no such host")
        settings: dict[str, str] = json.loads(path.read_text())
        return settings

    def find_supervisor(self) -> ProcessId | None:
        """Returns the process outside the host whose only child is the host's init."""
        try:
            pid, start_ticks = (self.directory / "init").read_text().split()
        except (FileNotFoundError, NotADirectoryError):
            return None
        found = ProcessId(int(pid), int(start_ticks))
        return found if found.is_alive() else None

    def find_init(self) -> int | None:
        """Returns the pid, as seen from outside, of the host's init; None if the host is dead."""
        supervisor = self.find_supervisor()
        for pid in process.find_children(supervisor.pid) if supervisor else []:
            if process.read_cmdline(pid)[:1] == ["catatonit"]:
                return pid
        return None

    def get_init(self) -> int:
        """As find_init, but raises LabError if the host is dead."""
        pid = self.find_init()
        if pid is None:
            raise LabError(f"{self.name}: the host is not running")
        return pid

    def create(self, settings: dict[str, str]) -> None:
        """Makes the host's directory, with 'settings'; the host is not running yet."""
        (self.directory / "overlay").mkdir(parents=True, exist_ok=True)
        (self.directory / "host.json").write_text(json.dumps(settings))

    def boot(self) -> None:
        """Starts the host, with an empty /run and nothing running but its init."""
        if self.find_supervisor():
            raise LabError(f"{self.name}: the host is running already")
        shutil.rmtree(self.directory / "run", ignore_errors=True)
        with (self.directory / "boot.log").open("w") as log:
            supervisor = subprocess.Popen(
                [str(BOOT), str(self.directory), self.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=make_environment(),
                start_new_session=True,
            )
        process.wait_until(
            lambda: self.find_init() is not None or supervisor.poll() is not None,
            f"{self.name}: boot",
        )
        if self.find_init() is None:
            words = (self.directory / "boot.log").read_text().strip().splitlines()[-2:]
            raise LabError(f"{self.name}: boot failed: {'; '.join(words)}")

    def kill(self) -> None:
        """Kills the init, and so the host.  Returns when all of it is gone."""
        supervisor = self.find_supervisor()
        if supervisor:
            kill_supervised(supervisor)

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Returns the command that runs 'argv' inside the host."""
        return ["nsenter", "-t", str(self.get_init()), "-n", "-m", "-u", "-p", "--", *argv]

    def run(self, *argv: str, stdin: str = "", timeout_s: float = 60) -> str:
        """Runs a command in the host and returns its standard output."""
        environment = make_environment()
        packages = self.settings.get("packages")
        if packages:
            environment["PYTHONPATH"] = packages
        return process.run(self.enter(argv), stdin, environment, timeout_s)

    def start_in_background(self, *argv: str, log: str) -> None:
        """Starts a command that does not detach by itself, with its output in the file 'log'."""
        script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &'
        self.run("sh", "-c", script, "sh", log, *argv)

    def find_processes(self, name: str) -> list[ProcessId]:
        """Returns the host's processes called 'name'.

        A name is that of a pid file on the command line ("svcnb_db", as there are several
        ovsdb-servers), else a program's ("ovs-vswitchd") or its first word ("charon" is
        charon-systemd).  "NAME@CONTAINER" are those in the network namespace of that name.
        """
        name, _, container = name.partition("@")
        namespace = os.readlink(f"/proc/{self.get_init()}/ns/pid")
        return [
            ProcessId(pid, start_ticks)
            for pid in process.list_pids()
            if read_namespace(pid, "pid") == namespace
            and is_called(pid, name)
            and (not container or read_namespace(pid, "net") == self.find_netns(container))
            and (start_ticks := process.find_start_ticks(pid)) is not None
        ]

    def find_netns(self, name: str) -> str:
        """Returns the identity of the named network namespace; "none" if there is none."""
        try:
            path = Path(f"/proc/{self.get_init()}/root/run/netns/{name}")
            return f"net:[{path.stat().st_ino}]"
        except OSError:
            return "none"


def read_namespace(pid: int, kind: str) -> str:
    """Returns the identity of a namespace of 'pid' ("pid", "net"); "" if the process is gone."""
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return ""


def is_called(pid: int, name: str) -> bool:
    """Says whether process 'pid' goes by 'name'."""
    try:
        comm = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return False
    for argument in process.read_cmdline(pid):
        if argument.startswith("--pidfile="):
            return Path(argument.partition("=")[2]).stem == name
    return comm == name[:COMM_LENGTH] or comm.startswith(f"{name}-")


def kill_supervised(supervisor: ProcessId) -> None:
    """Kills the init under 'supervisor', or that itself if there is no init yet.

    Returns when all is gone: the supervisor ends after its child, and an init ends last in its PID
    namespace.
    """
    for pid in process.find_children(supervisor.pid) or [supervisor.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait_until(lambda: not supervisor.is_alive(), "death of a host")
    reap(supervisor.pid)


def reap(pid: int) -> None:
    """Takes the exit status of 'pid' if it was a child of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
