"""What services wait for: descriptors and timers by name."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import ovs.poller
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.programs.wakeups import Wakeups
from ..controller.timers import Timers

Wait = Callable[[Any, int], None]


@pytest.fixture
def wakeups() -> Iterator[Wakeups]:
    made = Wakeups()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for each in ends:
        each.close()


def on(*descriptors: Any, at_ms: int | None = None) -> Wait:
    """Returns what a service does that waits to read, and for a moment."""

    def wait(poller: Any, now_ms: int) -> None:
        for each in descriptors:
            poller.fd_wait(each, ovs.poller.POLLIN)
        if at_ms is not None:
            poller.timer_wait(at_ms - now_ms)

    return wait


Pair = tuple[socket.socket, socket.socket]


def test_what_fired_is_due(wakeups: Wakeups, pair: Pair) -> None:
    other = os.eventfd(0)
    wakeups.watch("a", on(pair[0], at_ms=100), 0)
    wakeups.watch("b", on(other), 0)
    assert wakeups.take_due(99) == set()
    assert wakeups.take_due(100) == {"a"}
    pair[1].send(b"x")
    assert wakeups.take_due(101) == {"a"}
    wakeups.forget("a")
    assert wakeups.take_due(102) == set()
    os.close(other)


def test_a_wake_up_of_any_wakes_the_loop(wakeups: Wakeups, pair: Pair) -> None:
    wakeups.watch("a", on(pair[0]), 0)
    pair[1].send(b"x")
    poller = ovs.poller.Poller()
    wakeups.wait(poller, 0)
    poller.timer_wait(60_000)
    poller.block()
    assert wakeups.take_due(0) == {"a"}


def test_a_number_that_is_another_descriptor_by_now(wakeups: Wakeups) -> None:
    first = os.eventfd(0)
    wakeups.watch("a", on(first), 0)
    os.close(first)
    second = os.eventfd(1)
    assert second == first
    wakeups.watch("b", on(second), 0)
    wakeups.watch("a", on(), 0)
    assert wakeups.take_due(0) == {"b"}
    os.close(second)


def test_one_descriptor_of_two(wakeups: Wakeups) -> None:
    shared = os.eventfd(1)
    for name in ("a", "b"):
        wakeups.watch(name, on(shared), 0)
    assert wakeups.take_due(0) == {"a", "b"}
    wakeups.forget("a")
    assert wakeups.take_due(0) == {"b"}
    os.close(shared)


def test_a_copy_in_a_child_wakes_nobody(wakeups: Wakeups) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    wakeups.watch("a", on(reader), 0)
    command = ["sleep", "60"]
    child = subprocess.Popen(command, pass_fds=(reader,))
    os.close(reader)
    wakeups.forget("a")
    assert wakeups.take_due(0) == set()
    poller = ovs.poller.Poller()
    wakeups.wait(poller, 0)
    assert wakeups._epoll.poll(0) == []
    child.kill()
    child.wait()
    os.close(writer)


def test_what_cannot_be_watched_is_told(wakeups: Wakeups) -> None:
    with tempfile.TemporaryFile() as file, pytest.raises(OSError, match="not permitted"):
        wakeups.watch("a", on(file), 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        wakeups.watch("a", on(10**6), 0)
    wakeups.forget("a")
    assert wakeups.take_due(0) == set()


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 50) | st.none(), st.booleans()),
        max_size=300,
    )
)
def test_timers_are_those_that_were_put_last(steps: list[tuple[str, int | None, bool]]) -> None:
    timers, model, now_ms = Timers(), dict[str, int](), 0
    for name, delay_ms, take in steps:
        if delay_ms is None:
            timers.drop(name)
            model.pop(name, None)
        else:
            timers.put(name, now_ms + delay_ms)
            model[name] = now_ms + delay_ms
        assert timers.find_next_ms() == min(model.values(), default=None)
        if take:
            now_ms += 10
            due = {each for each, at_ms in model.items() if at_ms <= now_ms}
            assert timers.take_due(now_ms) == due
            model = {each: at_ms for each, at_ms in model.items() if each not in due}
