"""utilities/stack: what it refuses, before it makes anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

STACK = Path(__file__).parents[1] / "utilities" / "stack"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["../trixie", "true"], '"../trixie" is no suite'),
        (["--stack", "true"], '"--stack" is no suite'),
        (["trixie"], "the command is missing"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [STACK, *arguments],
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "OVNSVC_STACKS": str(tmp_path / "stacks")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"stack: {words}")
    assert list(tmp_path.iterdir()) == []


def test_help_is_the_head_of_the_file() -> None:
    done = subprocess.run([STACK, "--help"], capture_output=True, text=True, check=True)
    assert "usage: stack SUITE COMMAND" in done.stdout
    assert "set -eu" not in done.stdout
