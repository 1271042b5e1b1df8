"""What happened to a service, a connection, a container or a chassis, as rows that outlive it.

An event follows from a change that is written, and goes with it into one transaction,
so that it is there exactly when the change is: a recompute, a restart and a svc-northd
that takes over have nothing to change and so nothing to tell.  What is bounded is
bounded here: the events of one subject, their texts, and how many rows a flapping one
makes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ...lib import nb
from ...lib.delta import Change, Delete, Insert, Update
from ...lib.moment import drop_retry

# Of one subject, and of all together.
KEPT = 20
MOST = 100_000
# What goes of what is too much in one transaction, beside as much as comes.
MOST_DROPPED = 1000
# What the column 'count' holds; numbers end before, so that there is always a higher one.
_MOST_COUNT = 2**53 - 1
MOST_NUMBER = 2**52

PLACED = "placed"
REMOVED = "removed"
FAILED = "failed"
MENDED = "mended"
RESTARTED = "restarted"
REKEYED = "rekeyed"
# They happen, and do not last.
INCIDENTS = (FAILED, MENDED, RESTARTED, REKEYED)

# So long after a state began its first cause is the cause of its event.
SETTLING_MS = 60_000
# In that time there are so many causes of one state that have rows of their own.
_CAUSES = 3
# Of one kind, in this time, there are so many rows; further ones are counted in the last.
_ALIKE = 3
_ALIKE_MS = 3_600_000
_LONGEST = 500

# What counts on by itself while the cause is the same: times, how often, and for how long.
_UNIT = r"(?:ms|s|seconds?|min|minutes?|h|hours?|d|days?)\b"
_COUNTING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|\b\d\d:\d\d:\d\d\b"
    r"|\b\d+(?= times\b)"
    rf"|(?<=\bfor )\d+(?:\.\d+)? {_UNIT}"
    rf"|(?<=\bafter )\d+(?:\.\d+)? {_UNIT}"
    rf"|\b\d+(?:\.\d+)? {_UNIT}(?= ago\b)"
)
# A number that stands alone, which those of addresses, names and algorithms do not.
_NUMBER = re.compile(r"(?<![\w./:-])\d+(?![\w/:-]|\.\d)")


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told of a subject: the columns of an event beside number and times.

    'row' is the UUID of a subject that is known by it.  A 'passing' message says what
    comes next, and no cause.
    """

    table: str
    name: str
    state: str
    message: str = ""
    row: str | None = None
    chassis: str | None = None
    from_chassis: str | None = None
    passing: bool = False


def record(
    news: News,
    events: Sequence[nb.Event],
    number: int,
    now_ms: int,
    passing: tuple[int, str] | None = None,
) -> list[Change]:
    """Returns what to write of 'news' beside the 'events' of its subject, oldest first.

    'number' is for a row that is written, 'now_ms' is the wall clock.  'passing' are
    number and message of the last event whose message was a passing one.
    """
    news = replace(news, name=news.name[:_LONGEST], message=news.message[:_LONGEST])
    message = news.message
    last = find_last(events)
    if last is not None and news.state not in INCIDENTS and last.chassis == news.chassis:
        if _is_same(last, news):
            return []
        if last.state == news.state:
            if (last.number, last.message) == passing and 0 <= now_ms - last.time < SETTLING_MS:
                # It is only said more exactly why the state is what it became just now.
                return [Update(nb.Event.TABLE, last.uuid, {"message": message})]
            if news.passing:
                return []
    alike = [each for each in events if _is_alike(each, news, now_ms)]
    if len(alike) >= _ALIKE:
        count = min(alike[-1].count + 1, _MOST_COUNT)
        columns = {"number": number, "message": message, "time": now_ms, "count": count}
        return [Update(nb.Event.TABLE, alike[-1].uuid, columns)]
    if last is not None and _is_changing(events, news, now_ms):
        columns = {"number": number, "message": message, "since": now_ms, "time": now_ms}
        return [Update(nb.Event.TABLE, last.uuid, {**columns, "count": 1})]
    old = [Delete(each.TABLE, each.uuid, None) for each in events[: 1 - KEPT][:MOST_DROPPED]]
    return [*old, _insert(news, number, now_ms)]


def find_last(events: Sequence[nb.Event]) -> nb.Event | None:
    """Returns the last of 'events' that says how things are from then on."""
    return next((each for each in reversed(events) if each.state not in INCIDENTS), None)


def mask(message: str) -> str:
    """Returns a message without what counts on in it by itself."""
    return _COUNTING.sub("#", drop_retry(message))


def mask_numbers(message: str) -> str:
    """Returns what messages of one kind have in common: how many there are of what is left out."""
    return _NUMBER.sub("#", mask(message))


def _is_same(event: nb.Event, news: News) -> bool:
    """Returns whether nothing happened: the state is as it was, for the same cause."""
    return event.state == news.state and mask(event.message) == mask(news.message)


def _is_alike(event: nb.Event, news: News, now_ms: int) -> bool:
    if (event.chassis, event.from_chassis) != (news.chassis, news.from_chassis):
        return False
    if event.state != news.state or abs(now_ms - event.time) >= _ALIKE_MS:
        return False
    return mask_numbers(event.message) == mask_numbers(news.message)


def _is_changing(events: Sequence[nb.Event], news: News, now_ms: int) -> bool:
    """Returns whether the cause of a state was another one many times just now."""
    lasting = [each for each in events if each.state not in INCIDENTS]
    alike = [
        each
        for each in lasting[-_CAUSES:]
        if (each.state, each.chassis) == (news.state, news.chassis)
        and abs(now_ms - each.since) < SETTLING_MS
    ]
    return len(alike) == _CAUSES


def _insert(news: News, number: int, now_ms: int) -> Insert:
    columns: dict[str, Any] = {
        "number": number,
        "table": news.table,
        "row": news.row,
        "name": news.name,
        "state": news.state,
        "message": news.message,
        "chassis": news.chassis,
        "from_chassis": news.from_chassis,
        "since": now_ms,
        "time": now_ms,
        "count": 1,
    }
    return Insert(nb.Event.TABLE, (news.table, news.row or news.name, number), columns, None)


def format_event(columns: Any) -> str:
    """Returns an event in a line, as the log has it; 'columns' are those of the table."""
    words = f"{columns['table']} {columns['name']}: {columns['state']}"
    if columns["chassis"]:
        words += f" on {columns['chassis']}"
    if columns["from_chassis"]:
        words += f", from {columns['from_chassis']}"
    return f"{words}: {columns['message']}" if columns["message"] else words


def find_uuid(text: str | None) -> UUID | None:
    """Returns the UUID that 'text' is, None if it is none."""
    try:
        return UUID(text or "")
    except ValueError:
        return None
