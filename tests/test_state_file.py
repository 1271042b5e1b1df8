"""What a daemon keeps over a restart, whatever else stands in its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ..lib import state_file

ODD = {
    "nothing": None,
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "not JSON": b"{",
    "Infinity": b'{"pid": Infinity}',
    "deep": b"[" * 100_000,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_json_is_nothing(path: Path, what: str) -> None:
    content = ODD[what]
    if content is not None:
        path.write_bytes(content)
    assert state_file.read_json(str(path)) is None
    state_file.write_json(str(path), {"pid": 1})
    assert state_file.read_json(str(path)) == {"pid": 1}


def put_directory(path: Path) -> None:
    (path / "deep").mkdir(parents=True)


def put_link(path: Path) -> None:
    path.with_name("target").write_text("of somebody else", encoding="ascii")
    path.symlink_to(path.with_name("target"))


@pytest.mark.parametrize("put", [put_directory, put_link, os.mkfifo])
@pytest.mark.parametrize("name", ["state", "state.new"])
def test_what_stands_in_the_place_of_a_file_gives_way(
    tmp_path: Path, put: Callable[[Path], None], name: str
) -> None:
    path = tmp_path / "state"
    put(tmp_path / name)
    assert state_file.read_text(str(path)) is None
    state_file.write(str(path), b"ours")
    assert state_file.read_text(str(path)) == "ours"
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    assert not path.is_symlink()
    target = tmp_path / "target"
    assert not target.exists() or target.read_text(encoding="ascii") == "of somebody else"
