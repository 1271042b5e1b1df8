"""A daemon of svcctl does what ovn-nbctl does with the same command lines (test_ctl_generic.py)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from .ovsdb import OVN_NORTHBOUND, Database, Databases, wait_until
from .svcctl import ROOT, Result
from .svcctl_daemon import PATIENCE_S, PROGRAM
from .test_ctl_generic import (
    Pair,
    find_different,
    find_differently_done,
    read_lines,
    words_of,
)

PARTS = 4
# svcctl on OVN's database, of which it knows no more than any other.
STARTS = f"""
import sys
from {ROOT.name}.ctl.main import main
from {ROOT.name}.ctl.tool import SVCCTL, Tool
sys.exit(main(sys.argv[1:], Tool(SVCCTL.name, "", "{OVN_NORTHBOUND}", SVCCTL.sections)))
"""


class DaemonPair(Pair):
    """A Pair of which a daemon of svcctl has the one half."""

    def __init__(self, databases: Databases, other: Database) -> None:
        super().__init__(databases, other)
        self._environment = databases.environment()
        options = (f"--db={databases.ovn_nb.remote}", "--no-syslog", "--pidfile", "--detach")
        self.socket = subprocess.run(
            [sys.executable, "-c", STARTS, *options],
            cwd=ROOT.parent,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        ).stdout.strip()

    def run_ours(self, line: str) -> Result:
        """Returns what svcctl did with its own."""
        done = subprocess.run(
            [PROGRAM, "-u", self.socket, *words_of(line)],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def tell(self, command: str) -> str:
        """Asks the daemon itself."""
        asked = ["ovs-appctl", "-t", self.socket, command]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

    def find_kept(self) -> int:
        """Returns how many rows the daemon keeps."""
        told = self.tell("memory/show").split()
        return int(dict(each.split(":") for each in told)["kept-rows"])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonPair]:
    """The pair, for tests that leave it as it was."""
    databases = Databases(tmp_path_factory.mktemp("db"))
    other = Database(tmp_path_factory.mktemp("other"), OVN_NORTHBOUND)
    pair = DaemonPair(databases, other)
    yield pair
    pair.tell("exit")
    databases.stop()
    other.stop()


@pytest.fixture
def pair(both: DaemonPair) -> DaemonPair:
    both.restore()
    return both


def test_what_reads_says_the_same(pair: DaemonPair) -> None:
    reading, _ = read_lines()
    for table in ("Logical_Switch", "Logical_Switch_Port", "NB_Global"):
        pair.run_ours(f"list {table}")
        wait_until(lambda: pair.find_kept() > 0, "the rows")
    assert not find_different(pair, reading)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_writes_says_and_does_the_same(pair: DaemonPair, part: int) -> None:
    _, writing = read_lines()
    assert not find_differently_done(pair, writing[part::PARTS])
