"""More descriptors than select() takes; a process of its own, since a limit stays raised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BEGIN = f"""
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
import ovs.poller
from {ROOT.name}.lib import descriptors
descriptors.use_poll()
descriptors.raise_limit()
pairs = [socket.socketpair() for _ in range(600)]
here, there = pairs[-1]
assert here.fileno() > 1100, here.fileno()
poller = ovs.poller.Poller()
"""


def _run(code: str) -> None:
    command = [sys.executable, "-c", _BEGIN + code]
    done = subprocess.run(
        command, cwd=ROOT.parent, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_ready_on_a_high_descriptor_wakes() -> None:
    _run(
        """
there.send(b"x")
for each, _ in pairs[:-1]:
    poller.fd_wait(each, ovs.poller.POLLIN)
poller.fd_wait(here.fileno(), ovs.poller.POLLIN)
poller.timer_wait(10**15)
poller.block()
assert here.recv(1) == b"x"
"""
    )


def test_it_waits_for_as_long_as_nothing_is_ready() -> None:
    _run(
        """
poller.fd_wait(here, ovs.poller.POLLIN)
poller.timer_wait(150)
started = time.monotonic()
poller.block()
assert 0.14 < time.monotonic() - started < 5
"""
    )


def test_a_descriptor_may_be_waited_for_twice() -> None:
    _run(
        """
poller.fd_wait(here, ovs.poller.POLLOUT)
poller.fd_wait(here, ovs.poller.POLLIN)
started = time.monotonic()
poller.timer_wait(60_000)
poller.block()
assert time.monotonic() - started < 5, "it can be written"
"""
    )
