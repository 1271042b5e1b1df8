"""The commands under utilities/, each with a lab of its own: demo, bench, svc-lab, svc-ctl."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...utilities.lab import process
from ..ovsdb import wait_until

CHECKOUT = Path(__file__).parents[2]
DIRECTORY = f"/run/ovnsvc-own-{os.getpid()}"


def run(*argv: str, timeout_s: float = 90) -> subprocess.CompletedProcess[str]:
    """Returns the ended command, run from the checkout on the lab of these tests."""
    return subprocess.run(
        argv,
        cwd=CHECKOUT,
        env={**os.environ, "SVC_LAB_DIR": DIRECTORY},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def find_ours() -> list[int]:
    """Returns the processes that name the lab's directory."""
    return [
        pid
        for pid in process.list_pids()
        if any(DIRECTORY in word for word in process.read_cmdline(pid))
    ]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """No lab before and after."""
    yield
    run("utilities/svc-lab", "down")


def test_every_suggestion_of_the_demo_works() -> None:
    done = run("utilities/demo", "--keep")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.partition("to try next:\n")[2]
    assert lines.count("svcctl") >= 5
    tried = run("sh", "-exc", lines)
    assert tried.returncode == 0, tried.stderr
    assert "bytes from 192.168.2.10" in tried.stdout
    assert not Path(DIRECTORY).exists()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_demo_ends_at_any_moment(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        # Whoever runs the tests may have it ignored, and so would the demo.
        ["env", "--default-signal=INT", "utilities/demo"],
        cwd=CHECKOUT,
        env={**os.environ, "SVC_LAB_DIR": DIRECTORY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "traffic between guests" in line:
                break
        assert _find_captures()
        os.killpg(demo.pid, number)  # as a terminal does
        _, errors = demo.communicate(timeout=30)
        assert "Traceback" not in errors
        assert demo.returncode == status
    wait_until(lambda: not _find_captures(), "the end of tcpdump")
    if number != signal.SIGKILL:
        assert not Path(DIRECTORY).exists()
        assert not find_ours()


def _find_captures() -> list[int]:
    """Returns the processes that write a capture of the lab."""
    found = []
    for pid in process.list_pids():
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/fd/1").startswith(f"{DIRECTORY}/files/"):
                found.append(pid)
    return found


def test_labs_of_others_are_left_alone() -> None:
    assert run("utilities/svc-lab", "up", "--chassis=1").returncode == 0
    for name in ("demo", "bench"):
        refused = run(f"utilities/{name}")
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"{name}: a lab is up in {DIRECTORY}")
    assert "up" in run("utilities/svc-lab", "status").stdout
    head = run("sh", "-c", "utilities/svc-lab status | head -n0")
    assert head.stderr == ""
    # Twice, and once more after somebody removed a part.
    central = ("utilities/svc-lab", "exec", "central", "--", "ovn-nbctl")
    assert run("utilities/svc-lab", "tenant").returncode == 0
    assert run(*central, "lr-del", "tenant-router").returncode == 0
    again = run("utilities/svc-lab", "tenant")
    assert again.returncode == 0, again.stderr
    assert run(*central, "get", "Logical_Switch_Port", "vm1", "up").stdout == "true\n"


def test_down_leaves_files_that_are_not_the_labs() -> None:
    Path(DIRECTORY).mkdir()
    other = Path(DIRECTORY, "notes")
    other.touch()
    done = run("utilities/svc-lab", "down")
    assert done.returncode == 0, done.stderr
    assert "notes" in done.stdout
    other.unlink()


def test_svc_ctl_refuses_in_one_line(tmp_path: Path) -> None:
    own = [f"SVC_{name}DIR={tmp_path}" for name in ("RUN", "LOG", "DB")]
    option = "--db-sb-create-insecure-remote=yes"
    for address, words in (("no.such.name.invalid", "resolves"), ("192.0.2.1", "cannot listen")):
        command = ("utilities/svc-ctl", option, f"--db-sb-addr={address}", "start_sb_ovsdb")
        refused = run("env", *own, *command)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert "needs root" in run(*nobody, "utilities/svc-ctl", "start_northd").stderr
    both = run("env", *own, "utilities/svc-ctl", "status_ovsdb")
    assert both.returncode == 1
    assert both.stdout.count("is not running") == 2
