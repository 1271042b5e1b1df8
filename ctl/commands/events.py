"""events: what happened to services, connections, containers and chassis."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...lib.errors import UsageError
from ...services.api.commands import Moment
from ..ask.lookup import find_atom, is_chassis, members
from ..ask.moment import format_time
from ..context import Context
from ..db.row import Row

TABLE = "Event"

# Without a name, a time or a number so many are printed.
_LAST = 100
# More of them are read with the whole table.
_MOST_ONE_BY_ONE = 2000
# What has a name and may have no event.
_NAMED = ("Container_Wish", "Container_Group", "Chassis_Group", "Port_Group")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_HEADINGS = ["time", "name", "state", "chassis", "from", "count", "since", "message"]


def list_all(context: Context) -> None:
    """events [NAME]..

    Prints what happened, the newest last: changes of status, placements and why, failures,
    rows of ours that somebody changed.  NAME is a service (with its connections and its
    container), a connection, a container or a chassis, also one that is gone, or what else means
    one in other commands, as an address.  --since takes
    how long ago, as 10m, 2h or 3d, or a time in UTC, as 2026-11-27T03:00; --last how many.
    Without any of them the last 100 are printed.
    """
    briefs = _read_briefs(context)
    start_ms = _find_start(context)
    chosen = [each for each in briefs if each.time_ms >= start_ms]
    if context.arguments:
        found = [_find_of_word(context, briefs, word) for word in context.arguments]
        wanted = {each.uuid for events in found for each in events}
        chosen = [each for each in chosen if each.uuid in wanted]
    chosen.sort(key=lambda each: each.number)
    _print(context, _read(context, [each.uuid for each in _cut(context, chosen)]))


@dataclass(frozen=True, slots=True)
class _Brief:
    """What it is chosen by: one of many thousands, of which few are printed."""

    uuid: str
    number: int
    time_ms: int
    name: str
    row: str
    places: frozenset[str]


def _read_briefs(context: Context) -> list[_Brief]:
    columns = ("_uuid", "number", "time", "name", "row", "chassis", "from_chassis")
    return [
        _Brief(
            row["_uuid"][1],
            row["number"],
            row["time"],
            row["name"],
            find_atom(row["row"]) or "",
            frozenset((*members(row["chassis"]), *members(row["from_chassis"]))),
        )
        for row in context.replica.read_columns(TABLE, columns)
    ]


def _read(context: Context, uuids: Sequence[str]) -> list[Row]:
    """Returns the rows, in this order, but for those that have gone meanwhile."""
    if len(uuids) > _MOST_ONE_BY_ONE:
        rows = context.replica.rows(TABLE)
        return [rows[uuid] for uuid in uuids if uuid in rows]
    return context.replica.get_all(TABLE, uuids)


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


def _find_of_word(context: Context, briefs: Sequence[_Brief], word: str) -> list[_Brief]:
    """Returns the events of what has the name 'word', or else of what the word means.

    Raises UsageError if it means nothing; that there are none is told in a warning.
    """
    events = _choose(context, briefs, [word])
    if events:
        return events
    from ..ask.meaning import find_names  # which may load the service types

    meant = find_names(context, word)
    events = _choose(context, briefs, meant)
    if not events:
        if not meant and not _is_known(context, word):
            raise UsageError(f"{word}: no event of it is kept, and nothing has this name")
        context.warnings.append(f"no event of {word} is kept")
    return events


def _is_known(context: Context, word: str) -> bool:
    """Returns whether something has this name that events may be of."""
    return is_chassis(context, word) or any(
        context.replica.find(table, "name", word) is not None for table in _NAMED
    )


def _choose(context: Context, briefs: Sequence[_Brief], names: Iterable[str]) -> list[_Brief]:
    """Returns the events of what has any of 'names', and of what belongs to it.

    A service has its connections and its container, a chassis what was placed
    there or came from there.  What was renamed keeps its events.
    """
    wanted = set(names)
    subjects = {each.row for each in briefs if not wanted.isdisjoint((each.name, each.row))} - {""}
    containers = {
        each.text("name")
        for each in context.replica.find_all("Service_Container", "serves", *sorted(subjects))
    }
    return [
        each
        for each in briefs
        if _is_of(each, wanted) or each.row in subjects or each.name in containers
    ]


def _is_of(event: _Brief, names: set[str]) -> bool:
    service, _, connection = event.name.partition("/")
    found = {event.name, service, connection or service}
    return not (names.isdisjoint(found) and names.isdisjoint(event.places))


def _cut(context: Context, chosen: list[_Brief]) -> list[_Brief]:
    """Returns the last of them, as many as are asked for."""
    text = context.options.get("last")
    if text is not None:
        if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
            raise UsageError(f"--last={text}: give how many events, at least 1")
        return chosen[-int(text) :]
    whole = context.arguments or context.has("since")
    return chosen if whole else chosen[-_LAST:]


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
