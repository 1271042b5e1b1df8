"""Log files, and who may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..lib import log_files


@pytest.fixture(params=[0o022, 0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    before = os.umask(mask)
    yield mask
    os.umask(before)


def _find_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_its_directory(tmp_path: Path, umask: int) -> None:
    directory, file = tmp_path / "logs", tmp_path / "logs" / "own.log"
    log_files.prepare_directory(str(directory))
    log_files.prepare_file(str(file))
    assert _find_mode(directory) == 0o750 & ~umask
    assert _find_mode(file) == 0o640 & ~umask


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o640), (0o666, 0o640), (0o600, 0o600), (0o4777, 0o640)]
)
def test_a_file_that_is_there_is_tightened(tmp_path: Path, before: int, after: int) -> None:
    file = tmp_path / "own.log"
    file.write_text("what was logged\n")
    file.chmod(before)
    log_files.prepare_file(str(file))
    assert _find_mode(file) == after
    assert file.read_text() == "what was logged\n"


def test_what_is_no_log_file_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    before = _find_mode(Path("/dev/null"))
    log_files.prepare_directory(str(tmp_path))
    log_files.prepare_file("/dev/null")
    assert (_find_mode(tmp_path), _find_mode(Path("/dev/null"))) == (0o777, before)
    tmp_path.chmod(0o700)
    with pytest.raises(OSError, match="No such file"):
        log_files.prepare_file(str(tmp_path / "none" / "own.log"))
