"""How svc-controller watches the daemons beside it: which run, which hang, which are only slow."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import ovs.poller
import pytest

from ..controller.linux.daemon import (
    GONE,
    NEVER_SEEN,
    PATIENCE_MS,
    START_PATIENCE_MS,
    Daemon,
    read_activity,
)
from ..controller.linux.data_path import DataPath
from ..controller.linux.pid_file import find_control, read_lock
from ..controller.linux.silence import ASLEEP_MS, BUSY_MS, SILENT, STOPPED, Activity, Silence
from ..lib.loop import monotonic_ms
from .ovsdb import wait_until

PROBLEM = f"ovn-controller {GONE}"

# -- those that end -----------------------------------------------------------------


class Beside:
    """A real ovn-controller, which waits for an Open vSwitch that never comes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "ovn-controller.pid"
        self.watch = Daemon(str(self.path))
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

    def find(self, now_ms: int, look: bool = False, known: str = "", expected: bool = False) -> str:
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
    never_seen = f"ovn-controller {NEVER_SEEN.format(path=beside.path)}"
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


def test_a_pid_file_that_was_left_behind(beside: Beside) -> None:
    beside.path.write_text(f"{os.getpid()}\n")
    assert beside.find(0) == ""
    assert beside.find(PATIENCE_MS) == PROBLEM


def test_a_known_problem_stays_over_a_restart(beside: Beside) -> None:
    """The pid file goes with an ovn-controller that ends in good order."""
    assert beside.find(0, known=GONE) == PROBLEM
    beside.start()
    assert beside.find(1, look=True, known=GONE) == ""


# -- those that hang ----------------------------------------------------------------


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        return asked.connect_ex(str(path)) == 0


class Switch:
    """A real ovs-vswitchd, which waits for a database that never comes."""

    name = "ovs-vswitchd"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / f"{self.name}.pid"
        self.watch = DataPath([Daemon(str(self.path))])
        self.now_ms = 0
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Returns another process of the daemon, once it answers."""
        started = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--", self.name, "--disable-system"),
                *(f"unix:{self.directory}/none", f"--pidfile={self.path}"),
                *("-vconsole:off", "-vsyslog:off"),
            ],
            env={**os.environ, "OVS_RUNDIR": str(self.directory)},
        )
        control = self.directory / f"{self.name}.{started.pid}.ctl"
        lock = f"the lock of {self.name}"
        wait_until(lambda: (found := read_lock(str(self.path))) and found.pid == started.pid, lock)
        # It is bound, and so there, a moment before it listens.
        wait_until(lambda: _listens(control), "its control socket")
        assert find_control(str(self.path)) == str(control)
        return started

    def send(self, number: signal.Signals, state: str) -> None:
        """Sends it a signal and waits until its state is 'state'."""
        self.process.send_signal(number)
        pid = self.process.pid
        wait_until(lambda: (seen := read_activity(pid)) and seen.state == state, f"state {state}")

    def look(self, known: str = "") -> str:
        """Returns the problem a second later."""
        self.now_ms += 1000
        return self.watch.find_problem(self.now_ms, True, known, False)

    def look_for(self, ms: int, known: str = "") -> list[str]:
        """Returns the problems of the seconds to come."""
        return [self.look(known) for _ in range(0, ms, 1000)]

    def end(self) -> None:
        """Ends it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    made = Switch(tmp_path)
    yield made
    made.watch.close()
    made.end()


def test_one_that_is_stopped_is_told_and_is_well_again(switch: Switch) -> None:
    assert switch.look_for(10_000) == [""] * 10
    switch.send(signal.SIGSTOP, "T")
    # It may have answered the last question; then the next one is the first.
    told = switch.look_for(PATIENCE_MS + 2000)
    assert told[:2] == ["", ""]
    assert told[-1] == f"ovs-vswitchd {STOPPED}"
    switch.send(signal.SIGCONT, "S")
    wait_until(lambda: not switch.look(), "an answer")


def test_one_that_is_stopped_for_a_moment_is_well(switch: Switch) -> None:
    switch.look()
    for _ in range(5):
        switch.send(signal.SIGSTOP, "T")
        assert switch.look() == ""
        switch.send(signal.SIGCONT, "S")
        wait_until(lambda: not switch.look(), "an answer")


def test_one_that_hung_and_ended_has_had_its_time(switch: Switch) -> None:
    switch.look()
    switch.send(signal.SIGSTOP, "T")
    switch.look_for(PATIENCE_MS + 2000)
    switch.end()
    assert switch.look() == f"ovs-vswitchd {GONE}"
    switch.process = switch.start()
    assert switch.look() == ""


def test_what_hung_stays_so_for_another_svc_controller(switch: Switch) -> None:
    problem = f"ovs-vswitchd {STOPPED}"
    switch.send(signal.SIGSTOP, "T")
    assert switch.look_for(3000, known=f"{problem}; ovn-controller {GONE}") == [problem] * 3
    switch.send(signal.SIGCONT, "S")
    wait_until(lambda: not switch.look(), "an answer")


def test_everything_that_is_wrong_is_told(switch: Switch, tmp_path: Path) -> None:
    """Nothing is, of one that has no pid file."""
    names = ("ovn-controller", "ovsdb-server")
    watches = [Daemon(str(tmp_path / f"{name}.pid")) for name in (switch.name, *names)]
    data_path = DataPath(watches)
    assert data_path.find_problem(0, True, "", False) == ""
    switch.end()
    (tmp_path / "ovn-controller.pid").write_text("1\n")
    assert data_path.find_problem(20_000, True, "", False) == ""
    gone = f"ovs-vswitchd {GONE}; ovn-controller {GONE}"
    assert data_path.find_problem(20_000 + PATIENCE_MS, True, "", False) == gone
    data_path.close()


def test_one_that_cannot_be_asked_is_not_judged_by_its_answers(switch: Switch) -> None:
    (switch.directory / f"{switch.name}.{switch.process.pid}.ctl").unlink()
    switch.send(signal.SIGSTOP, "T")
    assert switch.look_for(30_000) == [""] * 30


# -- those that are slow --------------------------------------------------------------

ASLEEP = Activity("S", 7)


def follow(see: Callable[[int], Activity | None], ms: int, step_ms: int = 1000) -> str:
    """Returns what is wrong with one that was asked 'ms' ago and is seen as 'see' says."""
    silence = Silence(PATIENCE_MS)
    silence.begin(0, see(0))
    for now_ms in range(step_ms, ms + 1, step_ms):
        silence.look(now_ms, see(now_ms))
    problem = silence.find_problem()
    silence.end()
    assert silence.find_problem() == ""
    return problem


@pytest.mark.parametrize(
    ("see", "limit_ms", "problem"),
    [
        (lambda _ms: Activity("T", 7), PATIENCE_MS, STOPPED),
        (lambda _ms: ASLEEP, ASLEEP_MS, SILENT),
        # It computes; it waits for a processor, or for a disk; it cannot be seen.
        (lambda ms: Activity("S", ms), BUSY_MS, SILENT),
        (lambda _ms: Activity("R", 7), BUSY_MS, SILENT),
        (lambda _ms: Activity("D", 7), BUSY_MS, SILENT),
        (lambda _ms: None, BUSY_MS, SILENT),
        # It gets on from time to time.
        (lambda ms: Activity("S", ms // 4000), BUSY_MS, SILENT),
    ],
)
def test_how_long_a_silence_may_be(
    see: Callable[[int], Activity | None], limit_ms: int, problem: str
) -> None:
    assert follow(see, limit_ms - 1000) == ""
    assert follow(see, limit_ms) == problem


def test_time_in_which_nobody_looked_does_not_count() -> None:
    assert follow(lambda _ms: ASLEEP, 40_000, step_ms=20_000) == ""
