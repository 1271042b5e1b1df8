"""svc-ctl refuses what it cannot do, in one line, before anything is started."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ..northd.main import main

PROGRAM = Path(__file__).parent.parent / "utilities" / "svc-ctl"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--db-sb-create-insecure-remote=maybe", "--db-sb-create-insecure-remote=maybe: neither"),
        ("--svc-manage-ovsdb=foo", "--svc-manage-ovsdb=foo: neither yes nor no"),
        ("--monitor=1", "--monitor=1: neither yes nor no"),
        ("--cleanup-timeout=x", "--cleanup-timeout=x: not a number of seconds"),
        ("--start-timeout=0", "--start-timeout=0: not a number of seconds"),
        ("--wait=maybe", "--wait=maybe: neither yes nor no"),
        ("--cleanup-timeout=", "--cleanup-timeout=: not a number of seconds"),
        ("--db-nb-port=0", "--db-nb-port=0: not a port"),
        ("--db-nb-port=65536", "--db-nb-port=65536: not a port"),
        ("--db-nb-port=1111111", "--db-nb-port=1111111: not a port"),
        ("--no-monitor=yes", 'unknown option "--no-monitor=yes"'),
        ("--ovnnb-db=foo", "'foo' is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT"),
        ("--db-nb-prt=1", 'unknown option "--db-nb-prt"'),
        ("--db-nb-port", 'option "--db-nb-port" needs a value'),
        ("-x", 'unknown option "-x"'),
        ("start_controller", "exactly one command is required"),
    ],
)
def test_bad_options(tmp_path: Path, options: str, sentence: str) -> None:
    done = subprocess.run(
        [PROGRAM, options, "start_northd"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SVC_RUNDIR": str(tmp_path / "run")},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("run/*.pid")) + list(tmp_path.glob("*.db"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("--db-nb-prt=1", 'unknown option "--db-nb-prt" (use --help for help) (in {file})'),
        ("--monitor=yes --db-nb-port=x", "--db-nb-port=x: not a port (in {file})"),
        ("-x", 'unknown option "-x" (use --help for help) (in {file})'),
    ],
)
def test_a_mistake_in_the_options_of_every_start_names_the_file(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "default"
    file.write_text(f"SVC_CTL_OPTS='{text}'\n")
    done = subprocess.run(
        [PROGRAM, "status_ovsdb"],
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SVC_RUNDIR": str(tmp_path),
            "SVC_DEFAULTS": str(file),
        },
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f": {sentence.format(file=file)}\n")


def test_directories_are_absolute(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "status_ovsdb"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SVC_RUNDIR": "run"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": run: not an absolute path\n")


@pytest.mark.usefixtures("tls_streams")
@pytest.mark.parametrize("option", ["--svcnb-db", "--svcsb-db", "--ovnnb-db", "--ovnsb-db"])
def test_svc_northd_names_a_remote_that_cannot_be(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"{option}=rubbish"]) == 1
    assert "'rubbish' is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["controller", "northd", "ovsdb"])
def test_a_stale_pid_file_ends_nobody_else(tmp_path: Path, what: str) -> None:
    """Its number may be another program's by now."""
    for name in ("run", "log", "db"):
        (tmp_path / name).mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            for name in ("svc-controller", "svc-northd", "svcnb_db", "svcsb_db"):
                (tmp_path / "run" / f"{name}.pid").write_text(f"{other.pid}\n")
            places = {"SVC_RUNDIR": "run", "SVC_LOGDIR": "log", "SVC_DBDIR": "db"}
            environment = {name: str(tmp_path / each) for name, each in places.items()}
            done = subprocess.run(
                [PROGRAM, f"stop_{what}"],
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert "is not running" in done.stdout + done.stderr
            assert other.poll() is None
        finally:
            other.kill()
