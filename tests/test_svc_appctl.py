"""svc-appctl finds our daemons, and they say whose they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..lib.version import VERSION
from .ovsdb import wait_until

UTILITIES = Path(__file__).parent.parent / "utilities"


@pytest.fixture
def rundir(tmp_path: Path) -> Iterator[Path]:
    """A directory in which a svc-northd has its socket, as svc-ctl starts it."""
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "ovnsvc.northd.main"),
        *("-vconsole:off", "-vsyslog:off", f"--pidfile={tmp_path}/svc-northd.pid"),
        *(f"--{name}-db=unix:{tmp_path}/none" for name in ("svcnb", "svcsb", "ovnnb", "ovnsb")),
    ]
    environment = {**os.environ, "SVC_RUNDIR": str(tmp_path), "SVC_LOGDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment)
    try:
        wait_until(lambda: ask(tmp_path, "-t", "svc-northd", "version").returncode == 0, "northd")
        yield tmp_path
    finally:
        process.terminate()
        process.wait(10)


def ask(rundir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # What somebody exported for Open vSwitch is of no account.
    environment = {**os.environ, "SVC_RUNDIR": str(rundir), "OVS_RUNDIR": "/nonexistent"}
    return subprocess.run(
        [UTILITIES / "svc-appctl", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


def test_a_daemon_tells_its_own_version(rundir: Path) -> None:
    assert ask(rundir, "-t", "svc-northd", "version").stdout == f"svc-northd (ovnsvc) {VERSION}\n"
    assert "inc-engine/recompute" in ask(rundir, "-t", "svc-northd", "list-commands").stdout
    assert ask(rundir, "-t", "svc-northd", "status").stdout.startswith("Status: standby\n")


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    done = ask(tmp_path, "-t", "svc-controller", "status")
    assert done.returncode == 1
    assert f"{tmp_path}/svc-controller.pid" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [((), 1, "the command is missing"), (("--help",), 0, "usage: svc-appctl -t DAEMON")],
)
def test_usage(tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    done = ask(tmp_path, *words)
    assert done.returncode == status
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("program", ["northd", "controller"])
def test_version_option(program: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / f"svc-{program}", "--version"],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    assert done.stdout == f"svc-{program} (ovnsvc) {VERSION}\n"


def test_svc_ctl_does_not_take_our_sockets_for_open_vswitch(tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "SVC_RUNDIR": str(tmp_path),
        "OVS_RUNDIR": str(tmp_path),
    }
    done = subprocess.run(
        ["sh", "-xc", f". {UTILITIES}/svc-ctl", f"{UTILITIES}/svc-ctl", "status_ovsdb"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert "ovs_rundir=/var/run/openvswitch" in done.stderr
