"""The logrotate file, with the real logrotate: a daemon and a program go on in the new file."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..controller.linux.directory import DirectoryDriver, find_log
from ..lib import dirs
from ..lib.log_files import prepare_file
from .ovsdb import wait_until

CONFIGURATION = Path(__file__).parent.parent / "utilities" / "logrotate.d" / "ovnsvc"


class Rotation:
    """Directories of files and sockets, and the logrotate file for them."""

    def __init__(self, path: Path) -> None:
        self.logs, self.run = path / "log", path / "run"
        for each in (self.logs, self.run):
            each.mkdir(mode=0o750)
        text = CONFIGURATION.read_text().replace("/var/log/ovnsvc", str(self.logs))
        self._state, self._file = path / "state", path / "ovnsvc.conf"
        self._file.write_text(text.replace("/run/ovnsvc", str(self.run)))
        self._file.chmod(0o644)

    def rotate(self) -> None:
        """Rotates at once; nobody may complain."""
        command = ["logrotate", "--force", f"--state={self._state}", str(self._file)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.fixture
def rotation(tmp_path_factory: pytest.TempPathFactory) -> Rotation:
    """Empty directories."""
    return Rotation(tmp_path_factory.mktemp("r"))


@pytest.fixture
def northd_log(rotation: Rotation) -> Iterator[Path]:
    """The log of a svc-northd that looks for its databases in vain."""
    log = rotation.logs / "svc-northd.log"
    command = [
        *("setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", "ovnsvc.northd.main"),
        *("-vconsole:off", "-vsyslog:off", "-vfile:dbg", f"--log-file={log}"),
        *(f"--{name}-db=unix:{rotation.run}/none" for name in ("svcnb", "svcsb", "ovnnb", "ovnsb")),
    ]
    names = {"SVC_RUNDIR": str(rotation.run), "SVC_LOGDIR": str(rotation.logs)}
    process = subprocess.Popen(command, env={**os.environ, **names})
    wait_until(lambda: list(rotation.run.glob("*.ctl")) and has_text(log), "svc-northd to log")
    yield log
    process.terminate()
    process.wait(10)


def has_text(path: Path) -> bool:
    """Returns whether anything is in a file."""
    return path.exists() and path.stat().st_size > 0


def test_a_daemon_goes_on_in_a_new_file(rotation: Rotation, northd_log: Path) -> None:
    rotation.rotate()
    old = northd_log.with_name("svc-northd.log.1")
    wait_until(lambda: has_text(northd_log), "svc-northd to log into the new file")
    size = old.stat().st_size
    assert northd_log.stat().st_mode & 0o777 == 0o640
    rotation.rotate()
    wait_until(lambda: has_text(northd_log), "svc-northd to log into the third file")
    with gzip.open(northd_log.with_name("svc-northd.log.2.gz")) as file:
        assert len(file.read()) == size


def test_a_program_goes_on_in_the_same_file(
    rotation: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dirs, "RUNDIR", str(rotation.run))
    monkeypatch.setattr(dirs, "LOGDIR", str(rotation.logs))
    log = Path(find_log("vpn-1"))
    log.parent.mkdir(mode=0o750)
    prepare_file(str(log))
    with open(log, "a", encoding="utf-8") as program:
        program.write("before\n")
        program.flush()
        rotation.rotate()
        program.write("after\n")
    assert log.read_text() == "after\n"
    old = log.with_name("vpn-1.log.1")
    assert (old.read_text(), old.stat().st_mode & 0o777) == ("before\n", 0o640)
    # Of a container that goes nothing is left there, and none of it is a mark.
    driver = DirectoryDriver()
    assert driver.owned() == {"vpn-1"}
    assert driver.remove("vpn-1")
    assert driver.owned() == set()
    assert [each.name for each in log.parent.iterdir()] == ["past"]
    assert len(list((log.parent / "past").iterdir())) == 2
