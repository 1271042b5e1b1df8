"""A svcctl that runs as a daemon in a test, and who asks it: svcctl itself, and ovs-appctl."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from .ovsdb import Databases, wait_until
from .svcctl import ROOT, Result

PROGRAM = ROOT / "utilities" / "svcctl"
PATIENCE_S = 20


class Daemon:
    """A svcctl that was told to --detach, and who asks it."""

    def __init__(self, databases: Databases, directory: Path, *options: str) -> None:
        self.directory = directory
        self.environment = {**databases.environment(), "SVC_RUNDIR": str(directory)}
        started = self.run("--no-syslog", "--pidfile", *options, "--detach")
        assert (started.status, started.stderr) == (0, "")
        self.socket = started.stdout.rstrip("\n")
        self.pid = int((directory / "svcctl.pid").read_text())
        self.environment["SVC_NB_DAEMON"] = self.socket

    def run(self, *words: str, given: str = "", **environment: str) -> Result:
        """Runs svcctl with 'given' as its input."""
        done = subprocess.run(
            [PROGRAM, *words],
            cwd=self.directory,
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def good(self, *words: str, **options: str) -> str:
        """As run(), which must succeed without a complaint; returns the output."""
        result = self.run(*words, **options)
        assert (result.stderr, result.status) == ("", 0), (words, result)
        return result.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Starts svcctl in the background."""
        return subprocess.Popen(
            [PROGRAM, *words], env=self.environment, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: str) -> Result:
        """Asks the daemon by ovs-appctl."""
        done = subprocess.run(
            ["ovs-appctl", "-t", self.socket, *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def count_runs(self) -> int:
        """Returns how many commands run."""
        return int(self.ask("run/count").stdout)

    def list_children(self) -> list[int]:
        """Returns the processes of commands."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return list(map(int, text.split()))

    def is_running(self) -> bool:
        return Path(f"/proc/{self.pid}").exists()

    def stop(self) -> None:
        if self.is_running():
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not self.is_running(), "the end of the daemon")
