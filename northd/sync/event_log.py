"""Events as lines of the log: each, unless there are very many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ovs.vlog

from ...lib import nb
from ...lib.log_budget import LogBudget, SummedLog
from ...lib.log_pattern import escape
from ...lib.loop import monotonic_ms
from .events import format_event

vlog = ovs.vlog.Vlog("events")


class EventLog:
    """'find_served' returns the names of what a container serves."""

    def __init__(self, find_served: Callable[[str], str]) -> None:
        self._find_served = find_served
        self._log = SummedLog(vlog.info, "events, see 'svcctl events'", LogBudget())

    def tell(self, columns: Mapping[str, Any]) -> None:
        """Logs an event, or counts it where there were too many."""
        kind = escape(f"{columns['table']} {columns['state']}")
        self._log.tell(kind, lambda: self._make_line(columns), monotonic_ms())

    def _make_line(self, columns: Mapping[str, Any]) -> str:
        served = ""
        if columns["table"] == nb.ServiceContainer.TABLE:
            served = self._find_served(columns["name"])
        name = f"{columns['name']} ({served})" if served else columns["name"]
        count = f" ({columns['count']} times)" if columns["count"] > 1 else ""
        return escape(format_event({**columns, "name": name}) + count)
