"""The log of a container's programs outlives the container, and is no mark of it then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ..controller.host.kinds import StateDirectory
from ..controller.linux import past_logs, process, sandbox
from ..controller.linux.directory import DirectoryDriver, find_directory, find_log
from ..lib import dirs
from ..lib.log_files import prepare_file
from .logs import Logs


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryDriver:
    """A driver whose files are in a directory of the test."""
    monkeypatch.setattr(dirs, "RUNDIR", str(tmp_path / "run"))
    monkeypatch.setattr(dirs, "LOGDIR", str(tmp_path / "log"))
    made = DirectoryDriver()
    made.apply("vpn-1", StateDirectory())
    os.makedirs(tmp_path / "log" / "containers")
    return made


def write(path: str | Path, text: str, moment_s: int = 1_700_000_000) -> None:
    """Writes a file that was last written to at a moment."""
    prepare_file(str(path))
    Path(path).write_text(text)
    os.utime(path, (moment_s, moment_s))


def find_kept(tmp_path: Path) -> dict[str, str]:
    """Returns the logs that are kept, with what is in them."""
    past = tmp_path / "log" / "containers" / "past"
    return {each.name: each.read_text() for each in sorted(past.glob("*"))}


def test_the_log_stays_when_the_container_goes(
    driver: DirectoryDriver, tmp_path: Path, logs: Logs
) -> None:
    write(find_log("vpn-1"), "IKE_SA established\n")
    write(f"{find_log('vpn-1')}.1.gz", "older", 1_600_000_000)
    write(find_log("vpn-10"), "another one's")
    assert driver.remove("vpn-1")
    assert driver.owned() == {"vpn-10"}
    assert not driver.owns("vpn-1")
    assert not os.path.exists(find_directory("vpn-1"))
    assert find_kept(tmp_path) == {
        "vpn-1-20200913T122640Z.log.1.gz": "older",
        "vpn-1-20231114T221320Z.log": "IKE_SA established\n",
    }
    kept = tmp_path / "log" / "containers" / "past" / "vpn-1-20231114T221320Z.log"
    assert logs.count(f"vpn-1: the log of its programs is kept as {kept}") == 1
    assert kept.stat().st_mode & 0o777 == 0o640
    assert kept.parent.stat().st_mode & 0o777 == 0o750
    assert driver.remove("vpn-1")
    assert len(find_kept(tmp_path)) == 2


def test_what_the_next_start_finds_after_the_host_was_down(
    driver: DirectoryDriver, tmp_path: Path
) -> None:
    write(find_log("vpn-2"), "before the host went down")
    assert driver.owned() == {"vpn-1", "vpn-2"}
    assert driver.remove("vpn-2")
    assert DirectoryDriver().owned() == {"vpn-1"}
    assert list(find_kept(tmp_path).values()) == ["before the host went down"]


def test_an_empty_log_is_not_kept(driver: DirectoryDriver, tmp_path: Path) -> None:
    write(find_log("vpn-1"), "")
    assert driver.remove("vpn-1")
    assert not find_kept(tmp_path)
    assert not os.path.exists(find_log("vpn-1"))


def test_they_are_bounded(
    driver: DirectoryDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_logs, "MOST_FILES", 3)
    monkeypatch.setattr(past_logs, "MOST_BYTES", 250)
    for number in range(5):
        write(find_log("vpn-1"), str(number) * 10, 1_700_000_000 + number)
        driver.remove("vpn-1")
    assert [each[0] for each in find_kept(tmp_path).values()] == ["2", "3", "4"]
    write(find_log("vpn-1"), "x" * 235, 1_700_000_009)
    driver.remove("vpn-1")
    assert [each[0] for each in find_kept(tmp_path).values()] == ["4", "x"]
    write(find_log("vpn-1"), "y" * 1000, 1_700_000_010)
    driver.remove("vpn-1")
    assert [each[0] for each in find_kept(tmp_path).values()] == ["y"]


def test_where_it_cannot_be_kept_the_container_goes_all_the_same(
    driver: DirectoryDriver, tmp_path: Path, logs: Logs
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "log" / "containers" / "past").symlink_to(tmp_path / "elsewhere")
    write(find_log("vpn-1"), "something")
    assert driver.remove("vpn-1")
    assert driver.owned() == set()
    assert not list((tmp_path / "elsewhere").iterdir())
    assert logs.count("cannot be kept") == 1


def test_a_log_that_is_too_large_goes_on_empty(
    driver: DirectoryDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "MAX_LOG_BYTES", 10)
    path = find_log("vpn-1")
    box = sandbox.LinuxSandbox("vpn-1", "", path, b"", process.Strays())
    write(path, "0123456789")
    with open(path, "a", encoding="utf-8") as program:
        box.bound_log()
        assert not find_kept(tmp_path)
        program.write("more")
        program.flush()
        box.bound_log()
        program.write("and on")
    assert list(find_kept(tmp_path).values()) == ["0123456789more"]
    assert Path(path).read_text() == "and on"


def test_a_container_that_is_called_as_another_one_s_log_keeps_its_own(
    driver: DirectoryDriver, tmp_path: Path
) -> None:
    for name in ("vpn-1.log", "vpn-1.log-b", "vpn-1.log.1"):
        write(find_log(name), name)
    write(find_log("vpn-1"), "its own")
    write(f"{find_log('vpn-1')}-20261127.gz", "older")
    assert driver.remove("vpn-1")
    assert sorted(find_kept(tmp_path).values()) == ["its own", "older"]
    for name in ("vpn-1.log", "vpn-1.log-b", "vpn-1.log.1"):
        assert Path(find_log(name)).read_text() == name
