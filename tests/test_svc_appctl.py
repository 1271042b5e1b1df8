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


@pytest.fixture(scope="module")
def rundir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which a svc-northd has its socket, as svc-ctl starts it."""
    tmp_path = tmp_path_factory.mktemp("run")
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


def test_a_daemon_has_the_commands_of_those_of_ovn(rundir: Path) -> None:
    """Those that ovn-northd has and ours has not are about what ours has not."""
    log = rundir / "svc-northd.log"
    assert not log.exists()
    of_ovn = _list_commands(_ask_ovn_northd(rundir))
    ours = _list_commands(ask(rundir, "-t", "svc-northd", "list-commands").stdout)
    assert of_ovn - ours == {
        "debug/chassis-features-list",
        "inc-engine/compute-log-timeout",
        "parallel-build/get-n-threads",
        "parallel-build/set-n-threads",
        "vlog/disable-rate-limit",
        "vlog/enable-rate-limit",
    }
    for name in ("nb", "sb", "ovn", "ovnsb"):
        assert {f"{name}-connection-status", f"{name}-cluster-state-reset"} <= ours
        assert ask(rundir, "-t", "svc-northd", f"{name}-cluster-state-reset").returncode == 0


def _list_commands(answer: str) -> set[str]:
    return {line.split()[0] for line in answer.splitlines()[1:]}


def _ask_ovn_northd(directory: Path) -> str:
    """Returns what a real ovn-northd says that it can be asked."""
    control = directory / "ovn-northd.ctl"
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--", "ovn-northd", "-vconsole:off", "-vsyslog:off"),
        *(
            f"--unixctl={control}",
            f"--ovnnb-db=unix:{directory}/x",
            f"--ovnsb-db=unix:{directory}/x",
        ),
    ]
    with subprocess.Popen(command, env={**os.environ, "OVN_RUNDIR": str(directory)}) as process:
        try:
            wait_until(lambda: ask(directory, "-t", str(control), "version").returncode == 0, "ovn")
            return ask(directory, "-t", str(control), "list-commands").stdout
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("vlog/set", "nosuch:dbg"), 2, 'no destination, level, or module "nosuch"'),
        (("vlog/set", "northd:file:dbg"), 0, ""),
        (("vlog/set", "PATTERN:nowhere:%m"), 2, "destination nowhere does not exist"),
        (("vlog/set", "PATTERN:file:"), 2, "missing pattern"),
        (("vlog/set", "FACILITY"), 2, "says no destination"),
        (("vlog/set", ""), 2, "says no destination"),
        (("vlog/reopen",), 2, "Logging to file not configured"),
        (("stopwatch/show", "nosuch"), 2, "No such stopwatch"),
        (("stopwatch/reset", "nosuch"), 2, "No such stopwatch"),
        (("stopwatch/show", "svc-northd-loop"), 0, "Statistics for 'svc-northd-loop'"),
        (("coverage/read-counter", "nosuch"), 2, "No such counter"),
        (("coverage/show",), 0, "\nloop_pass  "),
        (("memory/show",), 0, "engine-values:"),
        (("nosuch",), 2, '"nosuch" is not a valid command'),
    ],
)
def test_answers_and_exit_status_are_as_those_of_ovn(
    rundir: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    done = ask(rundir, "-t", "svc-northd", *words)
    assert done.returncode == status
    assert said in done.stdout + done.stderr


def test_patterns_keep_their_colons(rundir: Path) -> None:
    pattern = "%D{%H:%M:%S}|%p|%m"
    assert ask(rundir, "-t", "svc-northd", "vlog/set", f"PATTERN:file:{pattern}").returncode == 0
    shown = ask(rundir, "-t", "svc-northd", "vlog/list-pattern").stdout
    assert f"FILE     {pattern}\n" in shown


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    done = ask(tmp_path, "-t", "svc-controller", "status")
    assert done.returncode == 1
    said = f'ovs-appctl: cannot read pidfile "{tmp_path}/svc-controller.pid" (No such file'
    assert done.stderr == f"{said} or directory)\n"
    assert "|WARN|" in ask(tmp_path, "-v", "-t", "svc-controller", "status").stderr


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
