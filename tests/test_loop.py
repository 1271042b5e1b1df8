"""The frame of the daemons: what a start without rights and a lasting failure say."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..lib import loop
from ..lib.failures import Failures
from .logs import Logs
from .ovsdb import request, wait_until

NOBODY = 65534


def test_a_lasting_failure_does_not_flood_the_log(logs: Logs) -> None:
    failures = Failures()
    for _ in range(1000):
        try:
            int("a secret")
        except ValueError as error:
            failures.note(error)
    try:
        raise RuntimeError("another")
    except RuntimeError as error:
        failures.note(error)
    texts = [text for _level, _module, text in logs.messages]
    for text in (texts[0], texts[-1]):
        assert text.startswith("unexpected failure; computing everything again")
    assert "the same failure 512 times: ValueError in " in texts[-2]
    assert "'a secret'" not in "".join(texts)
    assert len(texts) == 11


@pytest.mark.parametrize("daemon", ["controller", "northd"])
@pytest.mark.parametrize("variable", ["SVC_RUNDIR", "SVC_LOGDIR"])
def test_a_start_without_rights_is_one_line(tmp_path: Path, daemon: str, variable: str) -> None:
    forbidden, mine = tmp_path / "forbidden", Path("/tmp") / f"loop.{os.getpid()}"
    forbidden.mkdir(mode=0o700)
    # Root without its capabilities still reads the checkout, wherever that is.
    os.chown(forbidden, NOBODY, NOBODY)
    directories = {"SVC_RUNDIR": str(mine), "SVC_LOGDIR": str(mine)}
    code = f"import sys; from ovnsvc.{daemon}.main import main; sys.exit(main())"
    try:
        done = subprocess.run(
            [
                "setpriv",
                "--bounding-set=-all",
                "--inh-caps=-all",
                sys.executable,
                "-c",
                code,
                "--log-file",
            ],
            env={**os.environ, **directories, variable: str(forbidden / "x")},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    finally:
        for each in sorted(mine.glob("*")):
            each.unlink()
        if mine.exists():
            mine.rmdir()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"svc-{daemon}: Permission denied: /")


def test_a_quiet_console_is_quiet(tmp_path: Path) -> None:
    """Neither the key that is made nor the server that is missing is told on the terminal."""
    names = ("SVC_RUNDIR", "SVC_LOGDIR", "SVC_SYSCONFDIR")
    code = "import sys; from ovnsvc.controller.main import main; sys.exit(main())"
    remote = f"unix:{tmp_path}/none"
    options = [remote, "-vconsole:emer", "-vsyslog:off", f"--unixctl={tmp_path}/ctl"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options],
        env={**os.environ, **dict.fromkeys(names, str(tmp_path))},
        stderr=subprocess.PIPE,
    )
    try:
        wait_until((tmp_path / "chassis.key").exists, "the key")
        wait_until((tmp_path / "ctl").exists, "the control socket")
        request(tmp_path / "ctl", "connection-status", [])
    finally:
        process.terminate()
        _, told = process.communicate(timeout=10)
    assert told == b""


def test_every_verbosity_counts() -> None:
    """python-ovs' own declaration of the option keeps the last one only."""
    parser = argparse.ArgumentParser()
    loop.add_log_options(parser)
    options = parser.parse_args(["-vconsole:emer", "-vsyslog:off", "--verbose=file:dbg"])
    assert options.verbose == ["console:emer", "syslog:off", "file:dbg"]
    assert parser.parse_args(["-v"]).verbose == []
    assert parser.parse_args([]).verbose is None


def test_cleanup_is_exit_for_who_has_nothing_to_give_back(tmp_path: Path) -> None:
    names = ("SVC_RUNDIR", "SVC_LOGDIR", "SVC_SYSCONFDIR")
    code = "import sys; from ovnsvc.northd.main import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-vconsole:emer", f"--unixctl={tmp_path}/ctl"],
        env={**os.environ, **dict.fromkeys(names, str(tmp_path))},
    )
    try:
        wait_until((tmp_path / "ctl").exists, "the control socket")
        subprocess.run(["ovs-appctl", "-t", tmp_path / "ctl", "exit", "--cleanup"], check=True)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()


def test_the_wall_clock_steps_alone_and_either_way() -> None:
    wall_ms, monotonic_ms = loop.now_ms(), loop.monotonic_ms()
    try:
        loop.warp_wall(-3_600_000)
        assert loop.now_ms() < wall_ms - 3_500_000
        assert monotonic_ms <= loop.monotonic_ms() < monotonic_ms + 60_000
    finally:
        loop.warp_wall(3_600_000)
    assert wall_ms <= loop.now_ms() < wall_ms + 60_000
