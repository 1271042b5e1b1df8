"""Events as lines of the log: each, unless there are very many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import ovs.vlog

from ...lib import nb
from ...lib.log_budget import LogBudget
from ...lib.log_pattern import escape
from ...lib.loop import monotonic_ms
from .events import format_event

vlog = ovs.vlog.Vlog("events")

# Between two lines that sum up.
_PAUSE_MS = 5000


class EventLog:
    """'find_served' returns the names of what a container serves."""

    def __init__(self, find_served: Callable[[str], str]) -> None:
        self._find_served = find_served
        self._budget = LogBudget()
        self._next_ms = 0
        self._dropped: Counter[tuple[str, str]] = Counter()

    def tell(self, columns: Mapping[str, Any]) -> None:
        """Logs an event, or counts it where there were too many."""
        if not self._budget.take(monotonic_ms()):
            self._dropped[columns["table"], columns["state"]] += 1
            return
        served = ""
        if columns["table"] == nb.ServiceContainer.TABLE:
            served = self._find_served(columns["name"])
        name = f"{columns['name']} ({served})" if served else columns["name"]
        count = f" ({columns['count']} times)" if columns["count"] > 1 else ""
        vlog.info(escape(format_event({**columns, "name": name}) + count))

    def run(self, now_ms: int) -> None:
        """Sums up what was not told one by one, at 'now_ms' (monotonic)."""
        if self._dropped and now_ms >= self._next_ms:
            self._next_ms = now_ms + _PAUSE_MS
            each = ", ".join(
                f"{count} {table} {state}"
                for (table, state), count in sorted(self._dropped.items())
            )
            vlog.info(f"{self._dropped.total()} more events, see 'svcctl events': {each}")
            self._dropped.clear()
