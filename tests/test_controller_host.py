"""How svc-controller sees its host: load, ovn-controller, labels, heartbeats."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ovs.poller
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.heartbeat import Heartbeat
from ..controller.identity import parse_labels
from ..controller.linux.load import LoadMeter, Times, find_percent, parse_times
from ..controller.linux.ovn import (
    NEVER_SEEN,
    PATIENCE_MS,
    PROBLEM,
    START_PATIENCE_MS,
    OvnController,
    read_lock,
)
from ..lib.loop import monotonic_ms
from .bench import Bench
from .ovsdb import wait_until
from .rig import to_map

# -- load ------------------------------------------------------------------------


def test_times_of_proc_stat() -> None:
    text = "cpu  10 2 3 100 5 1 1 4 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert parse_times(text) == Times(21, 126)


@pytest.mark.parametrize(
    "text", ["", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"]
)
def test_what_is_no_proc_stat(text: str) -> None:
    assert parse_times(text) is None


@given(*[st.integers(0, 10**9)] * 4)
def test_percent_is_a_share(used: int, total: int, more_used: int, more: int) -> None:
    percent = find_percent(Times(used, total), Times(more_used, more))
    assert percent is None or 0 <= percent <= 100
    assert find_percent(Times(used, total), Times(used + more, total + more)) == (
        100 if more else None
    )
    assert find_percent(Times(used, total), Times(used, total + more)) == (0 if more else None)


def test_load_is_that_of_the_last_seconds(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    meter = LoadMeter(str(path))

    def read(now_ms: int, used: int, idle: int) -> dict[str, str]:
        path.write_text(f"cpu {used} 0 0 {idle} 0 0 0 0 0 0\n")
        return meter.read(now_ms)

    assert read(0, 0, 0) == {}
    assert read(1000, 100, 0) == {"cpu": "100"}
    assert read(2000, 100, 100) == {"cpu": "50"}
    assert read(7000, 100, 200) == {"cpu": "0"}
    path.unlink()
    assert meter.read(8000) == {}


def test_load_of_this_host() -> None:
    meter = LoadMeter()
    meter.read(0)
    assert wait_until(lambda: meter.read(1), "a tick").keys() == {"cpu"}


# -- ovn-controller -----------------------------------------------------------------


class Beside:
    """A real ovn-controller, which waits for an Open vSwitch that never comes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "ovn-controller.pid"
        self.watch = OvnController(str(self.path))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", "ovn-controller"),
                *(f"unix:{self.directory}/none", f"--pidfile={self.path}"),
                *("-vconsole:off", "-vsyslog:off"),
            ],
            env={**os.environ, "OVN_RUNDIR": str(self.directory)},
        )
        wait_until(self._is_locked, "the lock of ovn-controller")

    def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait()

    def find(
        self, now_ms: int, look: bool = False, known: bool = False, expected: bool = False
    ) -> str:
        return self.watch.find_problem(now_ms, look, known, expected)

    def _is_locked(self) -> bool:
        lock = read_lock(str(self.path))
        return lock is not None and lock.pid != 0


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    made = Beside(tmp_path)
    yield made
    made.watch.close()
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_end_of_ovn_controller_is_told(beside: Beside, number: signal.Signals) -> None:
    beside.start()
    assert beside.process is not None
    lock = read_lock(str(beside.path))
    assert lock is not None
    assert lock.pid == beside.process.pid
    assert beside.find(0) == ""
    beside.end(number)
    assert beside.find(1000) == ""
    assert beside.find(1000 + PATIENCE_MS - 1) == ""
    assert beside.find(1000 + PATIENCE_MS) == PROBLEM
    beside.start()
    assert beside.find(5000) == ""


def test_the_end_of_ovn_controller_wakes(beside: Beside) -> None:
    beside.start()
    now_ms = monotonic_ms()
    beside.find(now_ms)
    beside.end(signal.SIGKILL)
    poller = ovs.poller.Poller()
    beside.watch.wait(poller, now_ms)
    poller.timer_wait(60_000)
    poller.block()
    assert monotonic_ms() < now_ms + 60_000
    assert beside.find(now_ms) == ""
    assert beside.find(now_ms + PATIENCE_MS) == PROBLEM


def test_a_restart_of_ovn_controller_is_no_problem(beside: Beside) -> None:
    beside.start()
    beside.find(0)
    beside.end(signal.SIGTERM)
    assert beside.find(1000) == ""
    beside.start()
    assert beside.find(1000 + PATIENCE_MS) == ""
    beside.end(signal.SIGKILL)
    assert beside.find(9000) == ""
    assert beside.find(9000 + PATIENCE_MS) == PROBLEM


def test_without_a_pid_file_nothing_is_judged(beside: Beside) -> None:
    assert [beside.find(now_ms, look=True) for now_ms in (0, 10_000, 20_000)] == [""] * 3


def test_an_ovn_controller_that_is_expected_and_never_came(beside: Beside) -> None:
    never_seen = NEVER_SEEN.format(path=beside.path)
    assert beside.find(0, expected=True) == ""
    assert beside.find(START_PATIENCE_MS - 1, expected=True) == ""
    assert beside.find(START_PATIENCE_MS, expected=True) == never_seen
    # Not expected any more, and again.
    assert beside.find(50_000) == ""
    assert beside.find(60_000, expected=True) == ""
    assert beside.find(60_000 + START_PATIENCE_MS, expected=True) == never_seen
    beside.start()
    assert beside.find(99_000, look=True, expected=True) == ""
    beside.end(signal.SIGTERM)
    assert beside.find(100_000, expected=True) == ""
    assert beside.find(100_000 + PATIENCE_MS, expected=True) == PROBLEM


def test_the_end_of_the_patience_wakes(beside: Beside) -> None:
    now_ms = monotonic_ms()
    beside.find(now_ms, expected=True)
    poller = ovs.poller.Poller()
    beside.watch.wait(poller, now_ms + START_PATIENCE_MS - 1)
    poller.timer_wait(60_000)
    poller.block()
    assert monotonic_ms() < now_ms + 60_000


def test_ovn_controller_is_expected_where_it_has_a_southbound(bench: Bench) -> None:
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis_Private"), "the chassis to register")
    assert not bench.host.ovn_expected
    ids = bench.ids | {"ovn-remote": "tcp:127.0.0.1:6642"}
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(ids))
    bench.until(lambda: bench.host.ovn_expected, "the word of it")
    bench.check_laws()


def test_a_pid_file_that_was_left_behind(beside: Beside) -> None:
    beside.path.write_text(f"{os.getpid()}\n")
    assert beside.find(0) == ""
    assert beside.find(PATIENCE_MS) == PROBLEM


def test_a_known_problem_stays_over_a_restart(beside: Beside) -> None:
    """The pid file goes with an ovn-controller that ends in good order."""
    assert beside.find(0, known=True) == PROBLEM
    beside.start()
    assert beside.find(1, look=True, known=True) == ""


# -- labels ---------------------------------------------------------------------------


def test_labels() -> None:
    labels, problems = parse_labels(" rack=r1, zone=z2,,rack=r2,nonsense,=x,a b=c,k=")
    assert labels == {"rack": "r1", "zone": "z2"}
    assert problems == [
        "'rack=r2' is the second value of rack",
        "'nonsense' is not KEY=VALUE",
        "'=x' is not KEY=VALUE",
        "'a b=c' is not KEY=VALUE",
        "'k=' is not KEY=VALUE",
    ]
    assert parse_labels("") == ({}, [])


def test_labels_are_told(bench: Bench) -> None:
    bench.logs.allow("external_ids:svc-labels of the local Open_vSwitch: 'oops' is not")
    bench.open_switch(**{"svc-labels": "rack=r1,oops"})
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    assert bench.sb.rows("Chassis")[0]["other_config"] == to_map({"rack": "r1"})
    bench.ovs.update(
        "Open_vSwitch", [], external_ids=to_map(bench.ids | {"svc-labels": "rack=r2,oops"})
    )

    def told() -> Any:
        return bench.sb.rows("Chassis")[0]["other_config"] == to_map({"rack": "r2"})

    bench.until(told, "the other label")
    assert sum("svc-labels" in text for _level, _module, text in bench.logs.messages) == 1
    bench.check_laws()


# -- heartbeats --------------------------------------------------------------------------


def test_heartbeats_spread() -> None:
    heartbeat = Heartbeat()
    beats = [now_ms for now_ms in range(100_000) if heartbeat.run(now_ms, 0, 1000)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    assert 900 <= min(gaps) < 950
    assert 1050 < max(gaps) <= 1100


def test_load_goes_with_the_heartbeat(chassis: Bench) -> None:
    seen: set[tuple[int, str]] = set()

    def beats() -> bool:
        (row,) = chassis.sb.rows("Chassis_Private")
        seen.update({(row["heartbeat"], str(row["load"]))})
        return len(seen) > 3

    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    chassis.until(beats, "heartbeats")
    assert len({beat for beat, _load in seen}) == len(seen)
    chassis.check_laws()


def test_a_problem_of_ovn_is_told_at_once(chassis: Bench) -> None:
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100000000"}))
    chassis.settle()
    chassis.until_beats(0)
    chassis.host.ovn_problem = PROBLEM

    def told() -> Any:
        return chassis.sb.rows("Chassis_Private")[0]["ovn_problem"] == PROBLEM

    chassis.until(told, "the problem")
    chassis.host.ovn_problem = ""
    chassis.until(lambda: not told(), "the end of it")
    chassis.check_laws()
