"""Lines of the log are those of Open vSwitch's own daemons."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ovs.vlog
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.log_pattern import format_line, format_time

ROOT = Path(__file__).resolve().parents[1]
# 2026-11-27T01:02:03.020Z
NOW_NS = 1_795_741_323_020_000_000
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\|\d{5}\|[a-z_]+(\([^)]*\))?\|[A-Z]+\|.")


def make(pattern: str, message: str = "text") -> str:
    """Returns a line of module 'northd'."""
    return format_line(pattern, message, "northd", "INFO", 7, NOW_NS)


@pytest.mark.parametrize(
    ("destination", "line"),
    [
        ("file", "2026-11-27T01:02:03.020Z|00007|northd|INFO|text"),
        ("console", "2026-11-27T01:02:03Z|00007|northd|INFO|text"),
        ("syslog", "ovs|00007|northd|INFO|text"),
    ],
)
def test_the_patterns_that_python_ovs_has(destination: str, line: str) -> None:
    assert make(ovs.vlog.PATTERNS[destination]) == line


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("%8p|%-8p|%m", "    INFO|INFO    |text"),
        ("%%m %3N %B %t%T", "%m   7 30 main"),
        ("%D{%H:%M:%S.#}%n%D{%S}", "01:02:03.0\n03"),
        ("%D", "2026-11-27 01:02:03.020"),
        ("%D{}%x", "2026-11-27 01:02:03.020x"),
    ],
)
def test_what_a_pattern_may_have(pattern: str, line: str) -> None:
    assert make(pattern) == line


@pytest.mark.parametrize("message", ["%m", "a\\1b", "100 %D{%Y}", "\\g<0>", "ü"])
def test_a_message_stands_as_it_is(message: str) -> None:
    assert make("%c: %m", message) == f"northd: {message}"


@given(st.text() | st.text("\n\r\x1b2026-|"))
def test_no_part_of_a_message_passes_for_another_one(message: str) -> None:
    """What others have written may be a part of it, and traces have several lines."""
    first, *others = make("%c: %m", message).split("\n")
    assert first.startswith("northd: ")
    assert all(each.startswith("    ") for each in others)
    assert first.isprintable()
    assert all(each.isprintable() for each in others)


@pytest.mark.parametrize("ms", [0, 5, 20, 120, 999])
def test_three_digits_of_a_second(ms: int) -> None:
    assert format_time("%S.###", ms * 10**6, utc=True) == f"00.{ms:03d}"


def test_a_daemon_writes_as_a_program_of_open_vswitch(tmp_path: Path) -> None:
    program = (
        "import argparse, sys; from ovnsvc.lib import loop; import ovs.vlog;"
        " log = ovs.vlog.Vlog('reconnect');"
        f" sys.argv = ['x', '--log-file={tmp_path}/x.log'];"
        " loop.parse_options(argparse.ArgumentParser(), sys.argv[1:]); log.warn('hello')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT.parent, timeout=60)
    ours = (tmp_path / "x.log").read_text().splitlines()
    theirs = tmp_path / "ovsdb.log"
    subprocess.run(
        ["ovs-appctl", f"--log-file={theirs}", "-t", "/nowhere.ctl", "version"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    for line in [*ours, *theirs.read_text().splitlines()]:
        assert LINE.match(line), line
    assert ours[-1].endswith("|reconnect|WARN|hello")
