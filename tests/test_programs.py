"""Programs that the core supervises: when one has failed, and what it may tell of itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ..controller.programs import status_file
from ..controller.programs.health import Condition
from ..lib.errors import ConfigError
from ..services.api.program import File, Health, Program, TcpCheck

HEALTH = Health(TcpCheck(7), interval_ms=1000, failures=3, start_ms=5000)


def test_one_that_starts_is_asked_often_and_has_its_time() -> None:
    condition = Condition(HEALTH, started_ms=0)
    condition.note_answer("refused", 0)
    assert condition.ask_at_ms == 50
    assert condition.find_failure(4999) is None
    assert condition.find_failure(5000) == "was not well in time: refused"


def test_failures_in_a_row_count() -> None:
    condition = Condition(HEALTH, started_ms=0)
    for problem in (None, "refused", "refused", None, "refused", "refused"):
        condition.note_answer(problem, 0)
        assert condition.find_failure(0) is None
    condition.note_answer("refused", 0)
    assert condition.find_failure(0) == "was not well 3 times: refused"
    assert 900 <= condition.ask_at_ms <= 1100


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a\0b", "x" * 65])
def test_names_lead_nowhere(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a file"):
        File(name)
    with pytest.raises(ConfigError, match="cannot be the name of a program"):
        Program(name, ("true",))


def test_a_status_file_is_read_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "status"
    assert status_file.read(str(path), status_file.NOTHING) == status_file.NOTHING
    item = {"kind": "k", "name": "n", "state": "up", "counters": {"c": 1}, "unknown": 1}
    path.write_text(json.dumps({"items": [item, 7], "metrics": {"m": 2, "bad": "x"}}))
    first = status_file.read(str(path), status_file.NOTHING)
    assert [(each.name, each.counters) for each in first.items] == [("n", {"c": 1})]
    assert first.metrics == {"m": 2.0}
    assert first.problem is not None
    assert status_file.read(str(path), first) is first


def test_a_status_file_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "status"
    path.symlink_to("/etc/shadow")
    told = status_file.read(str(path), status_file.NOTHING)
    assert told.problem is not None
    assert told.items == ()
    path.unlink()
    os.mkfifo(path)
    assert "plain file" in str(status_file.read(str(path), status_file.NOTHING).problem)
    path.unlink()
    for content in (b"[" * 100_000, b"\xff", b"7", b'{"items": 7}', b" " * ((1 << 20) + 1)):
        path.write_bytes(content)
        assert status_file.read(str(path), status_file.NOTHING).problem is not None
