"""Whether whole packets pass the underlay, and whether there is room to write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ..controller.underlay import OVERHEAD, Underlay
from ..lib.disks import Disks
from .bench import Bench

MTU = 1442
LENGTH = MTU + OVERHEAD - 28
# In a network namespace of its own, whose loopback takes packets of 1400 bytes.
_PROBE = """
import sys, time
from ovnsvc.controller.linux.echo import Echo
echo, found = Echo(), set()
print(sorted(echo.send_echoes(["127.0.0.1", "::1"], 1300)))
print(sorted(echo.send_echoes(["127.0.0.1", "::1"], 1472)))
while len(found) < 2:
    found |= echo.take_answers()
print(sorted(found))
"""


@dataclass
class Paths:
    """Other chassis, by the longest content of an echo that reaches them; None for any."""

    longest: dict[str, int | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refuses: bool = False
    answers: set[tuple[str, int]] = field(default_factory=set)

    def send_probes(self, addresses: Collection[str], length: int) -> set[str]:
        self.asked += addresses if length else ()
        refused = set()
        for each in addresses:
            longest = self.longest.get(each, -1)
            if longest is None or length <= longest:
                self.answers.add((each, length))
            elif self.refuses:
                refused.add(each)
        return refused

    def take_probe_answers(self) -> set[tuple[str, int]]:
        answers, self.answers = self.answers, set()
        return answers


def run(underlay: Underlay, peers: Collection[str], rounds: int, mtu: int = MTU) -> str | None:
    """Runs so many rounds; returns the warning."""
    for _ in range(rounds):
        underlay.run(peers, lambda: mtu, underlay._next_ms)
    return underlay.warning


def test_a_short_path_is_told_after_three_rounds_and_its_end_at_once() -> None:
    paths = Paths({"10.0.0.2": None, "10.0.0.3": LENGTH - 1})
    underlay = Underlay(paths)
    assert run(underlay, paths.longest, 3) is None
    assert run(underlay, paths.longest, 1) == (
        "packets of 1500 bytes do not pass the underlay to 10.0.0.3 (1 of 2 chassis asked): its MTU"
        " is too small for options:container-mtu 1442 in Geneve"
    )
    paths.longest["10.0.0.3"] = LENGTH
    assert run(underlay, paths.longest, 2) is None


@pytest.mark.parametrize("longest", [-1, LENGTH])
def test_who_answers_nothing_or_everything_is_not_told(longest: int) -> None:
    paths = Paths({"10.0.0.2": longest})
    assert run(Underlay(paths), paths.longest, 9) is None


def test_what_a_link_of_this_host_does_not_take_is_told() -> None:
    paths = Paths({"10.0.0.2": -1}, refuses=True)
    assert run(Underlay(paths), paths.longest, 4) is not None


def test_nobody_is_asked_without_a_container() -> None:
    paths = Paths({"10.0.0.2": 100})
    underlay = Underlay(paths)
    assert run(underlay, paths.longest, 5) is not None
    paths.asked.clear()
    assert run(underlay, paths.longest, 5, mtu=0) is None
    assert paths.asked == []


def test_many_are_asked_in_turn_and_those_in_doubt_each_time() -> None:
    paths = Paths({f"10.0.0.{number}": None for number in range(2, 40)})
    paths.longest["10.0.0.20"] = 100
    underlay = Underlay(paths)
    assert run(underlay, paths.longest, 20) is not None
    assert set(paths.asked) == set(paths.longest)
    assert len(paths.asked) <= 20 * 5
    # One that is there no more is forgotten.
    assert run(underlay, paths.longest.keys() - {"10.0.0.20"}, 1) is None


def test_a_real_kernel_sends_it_whole_or_not_at_all() -> None:
    up = f"ip link set lo mtu 1400 up && exec {sys.executable} -c '{_PROBE}'"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", up], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.splitlines() == [
        "[]",
        "['127.0.0.1', '::1']",
        "[('127.0.0.1', 1300), ('::1', 1300)]",
    ]


def test_full_file_systems_are_named(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=1100k,nr_inodes=4 none {tmp_path}"
    code = (
        "import os, sys; from ovnsvc.lib.disks import Disks;"
        f"path = {str(tmp_path)!r} + '/a'; os.mkdir(path); find = lambda: print(*Disks((path,"
        " '/none')).find_full(0)); find(); open(path + '/b', 'wb').write(b'x' * 600000); find();"
        " os.truncate(path + '/b', 0); open(path + '/c', 'w'); find()"
    )
    shell = f'{mount} && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, code],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    first, full, inodes = done.stdout.splitlines()
    assert first == ""
    assert full.startswith(f"file system {tmp_path} is full (")
    assert inodes == f"file system {tmp_path} has no inodes left"


def test_disks_are_looked_at_now_and_then(tmp_path: Path) -> None:
    assert Disks((str(tmp_path),)).find_full(0) == ()


def test_the_chassis_tells(bench: Bench) -> None:
    sentence = "file system /run is full (less than 1 MB left)"

    def read() -> object:
        return bench.sb.rows("Chassis_Private")[0]["warnings"]

    bench.open_switch()
    bench.settle()
    bench.host.full_disks = (sentence,)
    bench.until(lambda: read() == sentence, "the warning")
    bench.host.full_disks = ()
    bench.until(lambda: read() == ["set", []], "its end")
