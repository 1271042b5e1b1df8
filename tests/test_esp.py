"""Where ESP is done is asked aside, for as long as it takes, and no slowness is an answer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ..lib.loop import monotonic_ms
from ..services.ipsec.host import charon
from ..services.ipsec.host.esp import AGAIN_MS, COMMAND, WAITING, EspQuestion, read_answer
from ..services.ipsec.host.half import IpsecHost
from .ovsdb import wait_until


class Kernel:
    """A kernel that answers when a test says so."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "answer"
        os.mkfifo(self.path)
        # It waits until somebody writes what it is to do.
        self.question = EspQuestion(("sh", "-c", f". {self.path}"))

    def answer(self, script: str) -> None:
        """Lets the question end by 'script'."""
        self.path.write_text(script)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


@pytest.mark.parametrize(("script", "esp"), [("exit 0", True), ("exit 2", False)])
def test_an_answer_may_take_as_long_as_it_takes(kernel: Kernel, script: str, esp: bool) -> None:
    begun = time.monotonic()
    for now_ms in range(0, 3_600_000, 60_000):
        assert kernel.question.find(now_ms) is None
    assert time.monotonic() - begun < 0.5  # the loop went on
    assert kernel.question.problem == WAITING
    kernel.answer(script)
    found: list[bool | None] = []

    def is_answered() -> bool:
        found.append(kernel.question.find(0))
        return found[-1] is not None

    wait_until(is_answered, "the answer")
    assert found[-1] is esp


def test_what_is_no_answer_is_asked_again(kernel: Kernel) -> None:
    assert kernel.question.find(0) is None
    kernel.answer("echo unshare failed: Cannot allocate memory >&2; exit 1")
    wait_until(lambda: kernel.question.find(0) or "memory" in kernel.question.problem, "its end")
    assert kernel.question.problem.endswith("Cannot allocate memory; it is asked again")
    later_ms = AGAIN_MS + 1
    for now_ms in (1, AGAIN_MS - 1, later_ms):
        assert kernel.question.find(now_ms) is None
    kernel.answer("exit 0")
    wait_until(lambda: kernel.question.find(later_ms), "the answer")


@pytest.mark.parametrize(
    ("code", "said", "esp"),
    [
        (0, "", True),
        (2, "RTNETLINK answers: Function not implemented", False),
        (2, "Error: Requested type not found.", False),
        (1, "Cannot open netlink socket: Protocol not supported", False),
        (127, "unshare: failed to execute ip: No such file or directory", False),
        (2, "RTNETLINK answers: Cannot allocate memory", None),
        (1, "unshare: unshare failed: No space left on device", None),
        (-9, "", None),
    ],
)
def test_what_an_answer_says(code: int, said: str, esp: bool | None) -> None:
    assert read_answer(code, said) is esp


def test_without_the_programs_there_is_no_esp_in_the_kernel() -> None:
    assert EspQuestion(("/nowhere/unshare",)).find(0) is False


@pytest.mark.skipif(charon.find_problem() is not None, reason="no charon here")
def test_the_type_is_pending_until_this_kernel_has_answered() -> None:
    half = IpsecHost()
    first = half.probe()
    assert (first.pending, first.problem, first.facts) == (True, WAITING, {})
    wait_until(lambda: not half.probe().pending, "this kernel")
    assert half.probe() == half.probe()
    question = EspQuestion(COMMAND)
    in_kernel = None
    begun_ms = monotonic_ms()
    while in_kernel is None:
        in_kernel = question.find(begun_ms)
        os.sched_yield()
    facts = half.probe().facts
    assert (facts.get("ipsec-esp") == charon.KERNEL) == in_kernel
