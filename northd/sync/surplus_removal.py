"""Removes rows of Container_Item that are too many, and tells which chassis has written them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ovs.vlog

from ...lib import sb
from ...lib.call import Call
from ...lib.idl import Session
from ...lib.log_pattern import escape
from ...lib.moment import format_time
from ..engine.ledger import Owner
from ..engine.writer import LONGEST_PAUSE_MS, format_refusal
from . import northbound
from .events import MENDED, News
from .surplus import Surplus

vlog = ovs.vlog.Vlog("surplus_removal")

# Between two removals of one chassis, and as long as it is told of after the last.
_PAUSE_MS = 500
QUIET_MS = 600_000


@dataclass(slots=True)
class _Outbreak:
    """What went of one chassis: 'count' rows since 'since_ms', wall time, the last at 'last_ms'."""

    since_ms: int
    last_ms: int = 0
    count: int = 0
    container: str = ""
    call: Call | None = None
    due_ms: int = 0
    pause_ms: int = _PAUSE_MS


class SurplusRemoval:
    """Each pass: run() where it may write; tell() what is wrong.  'add_news' takes an event."""

    def __init__(
        self, session: Session, surplus: Surplus, add_news: Callable[[Owner, News], None]
    ) -> None:
        self._session = session
        self._surplus = surplus
        self._add_news = add_news
        self._outbreaks: dict[str, _Outbreak] = {}

    def run(self, now_ms: int, wall_ms: int) -> None:
        """Takes answers, and sends what is to go; 'now_ms' is monotonic."""
        for chassis, each in self._outbreaks.items():
            if each.call is not None and each.call.done:
                self._take_answer(chassis, each, each.call, wall_ms)
        for chassis in list(self._surplus.chassis):
            each = self._outbreaks.setdefault(chassis, _Outbreak(wall_ms))
            if each.call is None and now_ms >= each.due_ms:
                each.container = self._surplus.find_container(chassis)
                each.call = self._session.call(self._surplus.make_deletions(chassis))
                each.due_ms = now_ms + each.pause_ms

    def find_next_ms(self) -> int | None:
        """Returns when run() has something to do, if nobody answers."""
        waiting = (self._outbreaks.get(chassis) for chassis in self._surplus.chassis)
        due = (each.due_ms for each in waiting if each is not None and each.call is None)
        return min(due, default=None)

    def tell(self, wall_ms: int) -> list[str]:
        """Returns a sentence on each chassis that goes on, or did until a while ago."""
        for chassis, each in list(self._outbreaks.items()):
            quiet = each.call is None and chassis not in self._surplus.chassis
            if quiet and not each.last_ms <= wall_ms <= each.last_ms + QUIET_MS:
                del self._outbreaks[chassis]
        found = self._outbreaks.items()
        return [_describe(chassis, each) for chassis, each in found if each.count]

    def _take_answer(self, chassis: str, each: _Outbreak, call: Call, wall_ms: int) -> None:
        each.call = None
        if call.results is None:
            if not call.lost:
                each.pause_ms = min(2 * each.pause_ms, LONGEST_PAUSE_MS)
                problem = format_refusal(call.problem)
                vlog.warn(escape(f"chassis {chassis}: its items cannot be removed: {problem}"))
            return
        first = not each.count
        each.pause_ms = _PAUSE_MS
        each.count += sum(int(result.get("count", 0)) for result in call.results)
        each.last_ms = wall_ms
        if first and each.count:
            sentence = _describe(chassis, each)
            vlog.warn(escape(sentence))
            news = News(sb.Chassis.TABLE, chassis, MENDED, sentence)
            self._add_news((northbound.CHASSIS, chassis), news)


def _describe(chassis: str, each: _Outbreak) -> str:
    return (
        f"chassis {chassis} writes what it is not to: since {format_time(each.since_ms)}"
        f" {each.count} rows of Container_Item were removed, the last of container"
        f" {each.container}; if its svc-controller did not do that, somebody else has its key"
        " (SECURITY.rst)"
    )
