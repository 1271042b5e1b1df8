"""Removes from the southbound the rows of chassis that an operator says are gone for good.

They are the chassis' own rows, so that none of the writers knows them.  What svc-northd itself
wrote of such a chassis, its weight and what was bound to it, follows from the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ovs.vlog

from ...lib import sb
from ...lib.call import Call, Operation
from ...lib.idl import Session
from ...lib.log_pattern import escape
from ..engine.writer import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, format_refusal

vlog = ovs.vlog.Vlog("chassis_removal")


@dataclass(slots=True)
class _Attempt:
    """How far it is with one chassis: the call that is not answered, or when it is sent again."""

    call: Call | None = None
    due_ms: int = 0
    pause_ms: int = FIRST_PAUSE_MS
    # Why the southbound refused the last one.
    problem: str | None = None


class ChassisRemoval:
    """Each pass: note() whose rows are to go, take_problems(), and run() where it may write.

    A chassis whose rows cannot be removed keeps no other from it.  The times are monotonic, in ms.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._attempts: dict[str, _Attempt] = {}
        self._problems: dict[str, str | None] = {}

    def note(self, gone: Iterable[str], others: Iterable[str]) -> None:
        """Takes the chassis whose rows are to go, and those of which that is not so any more."""
        for name in others:
            attempt = self._attempts.pop(name, None)
            if attempt is not None and attempt.problem is not None:
                self._problems[name] = None
        for name in sorted(gone):
            if name not in self._attempts:
                self._attempts[name] = _Attempt()
                vlog.info(escape(f"chassis {name}: an operator deleted it; its rows are removed"))

    def take_problems(self, now_ms: int) -> Mapping[str, str | None]:
        """Returns why rows of chassis are refused to be removed, of those where that changed."""
        for name, attempt in self._attempts.items():
            if attempt.call is not None and attempt.call.done:
                self._take_answer(name, attempt, attempt.call, now_ms)
        problems, self._problems = self._problems, {}
        return problems

    def run(self, now_ms: int) -> None:
        """Sends what is to go; again after a while, as long as it is there.

        It goes before what is written in the same pass, so that who waits for that number has both.
        """
        for name, attempt in self._attempts.items():
            if attempt.call is None and now_ms >= attempt.due_ms:
                attempt.call = self._session.call(_remove(name))
                attempt.due_ms = now_ms + attempt.pause_ms

    def find_next_ms(self) -> int | None:
        """Returns when run() has something to do, if nobody answers."""
        due = (each.due_ms for each in self._attempts.values() if each.call is None)
        return min(due, default=None)

    def _take_answer(self, name: str, attempt: _Attempt, call: Call, now_ms: int) -> None:
        attempt.call = None
        if call.lost:
            return
        attempt.due_ms = now_ms + attempt.pause_ms
        attempt.pause_ms = min(2 * attempt.pause_ms, LONGEST_PAUSE_MS)
        problem = format_refusal(call.problem) if call.problem else None
        if problem != attempt.problem:
            attempt.problem = self._problems[name] = problem
            if problem is not None:
                vlog.warn(escape(f"chassis {name}: its rows cannot be removed: {problem}"))


def _remove(name: str) -> list[Operation]:
    tables = (sb.ChassisPrivate.TABLE, sb.Chassis.TABLE)
    return [{"op": "delete", "table": table, "where": [["name", "==", name]]} for table in tables]
