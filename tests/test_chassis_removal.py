"""When a chassis is removed again, and what is told of it.  Pure: the answers are given by hand."""

from __future__ import annotations

from typing import Any

from ..lib.call import Call
from ..northd.sync.chassis_removal import ChassisRemoval


class Asked:
    """Stands for the session: keeps the calls, which nobody answers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Call]] = []

    def call(self, operations: Any) -> Call:
        """Takes a call; returns it."""
        [name] = {each["where"][0][2] for each in operations if each["op"] == "delete"}
        call = Call()
        self.calls.append((name, call))
        return call


def answer(call: Call, problem: str = "", *, lost: bool = False) -> None:
    call.done, call.problem, call.lost = True, problem, lost
    call.results = None if problem else [{}]


def make(*names: str) -> tuple[ChassisRemoval, Asked]:
    asked = Asked()
    removal = ChassisRemoval(asked)  # type: ignore[arg-type]
    removal.note(names, ())
    removal.run(0)
    return removal, asked


def test_what_is_not_answered_is_waited_for_without_a_moment() -> None:
    removal, asked = make("hv1")
    for now_ms in (0, 500, 1500, 500_000):
        assert not removal.take_problems(now_ms)
        removal.run(now_ms)
        assert removal.find_next_ms() is None
    assert [name for name, _ in asked.calls] == ["hv1"]


def test_what_is_refused_is_told_once_and_tried_more_and_more_seldom() -> None:
    removal, asked = make("hv1", "hv2")
    answer(asked.calls[1][1])
    now_ms, pauses = 0, []
    for _ in range(8):
        answer(asked.calls[-1 if now_ms else 0][1], "constraint violation: it is held")
        told = removal.take_problems(now_ms)
        assert told == ({} if now_ms else {"hv1": "constraint violation: it is held"})
        if not now_ms:
            removal.note((), ["hv2"])  # it is gone, as the replica says
        due_ms = removal.find_next_ms()
        assert due_ms is not None
        removal.run(due_ms - 1)
        assert removal.find_next_ms() == due_ms
        removal.run(due_ms)
        pauses.append(due_ms - now_ms)
        now_ms = due_ms
    assert pauses == [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    answer(asked.calls[-1][1])
    assert removal.take_problems(now_ms) == {"hv1": None}


def test_what_was_lost_is_no_refusal() -> None:
    removal, asked = make("hv1")
    answer(asked.calls[0][1], "the connection broke", lost=True)
    assert not removal.take_problems(5)
    assert removal.find_next_ms() == 1000
    removal.run(1000)
    assert len(asked.calls) == 2


def test_who_is_not_to_go_any_more_has_no_problem() -> None:
    removal, asked = make("hv1")
    answer(asked.calls[0][1], "constraint violation: it is held")
    removal.take_problems(0)
    removal.note((), ["hv1"])
    assert removal.take_problems(1) == {"hv1": None}
    assert removal.find_next_ms() is None
