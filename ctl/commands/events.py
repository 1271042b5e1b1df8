"""events: what happened to services, connections, containers and chassis."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Sequence

from ...lib.errors import UsageError
from ...services.api.commands import Moment
from ..ask.moment import format_time
from ..context import Context
from ..db.row import Row

TABLE = "Event"

# Without a name, a time or a number so many are printed.
_LAST = 100
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_HEADINGS = ["time", "name", "state", "chassis", "from", "count", "since", "message"]


def list_all(context: Context) -> None:
    """events [NAME]..

    Prints what happened, the newest last: changes of status, placements and why, failures,
    rows of ours that somebody changed.  NAME is a service (with its connections and its
    container), a connection, a container or a chassis, also one that is gone.  --since takes
    how long ago, as 10m, 2h or 3d, or a time in UTC, as 2026-11-27T03:00; --last how many.
    Without any of them the last 100 are printed.
    """
    rows = list(context.replica.rows(TABLE).values())
    start_ms = _find_start(context)
    chosen = [row for row in rows if _number(row, "time") >= start_ms]
    for name in context.arguments:
        if not _choose(context, rows, [name]):
            context.warnings.append(f"no event of {name} is kept")
    if context.arguments:
        wanted = {row.uuid for row in _choose(context, rows, context.arguments)}
        chosen = [row for row in chosen if row.uuid in wanted]
    chosen.sort(key=lambda row: _number(row, "number"))
    _print(context, _cut(context, chosen))


def _find_start(context: Context) -> int:
    """Returns the time in ms from which on events are asked for."""
    text = context.options.get("since")
    if text is None:
        return 0
    span = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if span:
        return int(time.time() - int(span[1]) * _UNITS_S[span[2]]) * 1000
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return calendar.timegm(time.strptime(text, form)) * 1000
        except ValueError:
            continue
    raise UsageError(
        f"--since={text}: give how long ago (90s, 10m, 2h, 3d, 1w), or a time in UTC as"
        " 2026-11-27T03:00"
    )


def _choose(context: Context, rows: Sequence[Row], names: Iterable[str]) -> list[Row]:
    """Returns the events of what has any of 'names', and of what belongs to it.

    A service has its connections and its container, a chassis what was placed
    there or came from there.  What was renamed keeps its events.
    """
    wanted = set(names)
    subjects = {row.text("row") for row in rows if row.text("name") in wanted} - {""}
    containers = {
        each.text("name")
        for each in context.replica.find_all("Service_Container", "serves", *sorted(subjects))
    }
    return [
        row
        for row in rows
        if _is_of(row, wanted) or row.text("row") in subjects or row.text("name") in containers
    ]


def _is_of(row: Row, names: set[str]) -> bool:
    service, _, connection = row.text("name").partition("/")
    places = {row.text("chassis"), row.text("from_chassis")}
    return not names.isdisjoint({row.text("name"), service, connection or service} | places)


def _cut(context: Context, rows: list[Row]) -> list[Row]:
    """Returns the last of them, as many as are asked for."""
    text = context.options.get("last")
    if text is not None:
        if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
            raise UsageError(f"--last={text}: give how many events, at least 1")
        return rows[-int(text) :]
    whole = context.arguments or context.has("since")
    return rows if whole else rows[-_LAST:]


def _print(context: Context, rows: Iterable[Row]) -> None:
    if context.settings.format is None or not context.settings.has("format"):
        context.lines += [_format(row) for row in rows]
        return
    table = context.start_table(_HEADINGS, ["message"])
    for row in rows:
        table.add(
            Moment(_number(row, "time")),
            row.text("name"),
            row.text("state"),
            row.text("chassis"),
            row.text("from_chassis"),
            _number(row, "count"),
            Moment(_number(row, "since")),
            row.text("message"),
        )


def _format(row: Row) -> str:
    """Returns an event as a line."""
    when = format_time(_number(row, "time"))
    words = f"{when} {row.text('name')}: {row.text('state')}"
    if row.text("chassis"):
        words += f" on {row.text('chassis')}"
    if row.text("from_chassis"):
        words += f", from {row.text('from_chassis')}"
    if row.text("message"):
        words += f": {row.text('message')}"
    count = _number(row, "count")
    if count > 1:
        words += f" ({count} times since {format_time(_number(row, 'since'))})"
    return words


def _number(row: Row, column: str) -> int:
    return int(row.find(column) or 0)
