"""Points in time as people read them, and when something is tried again."""

from __future__ import annotations

import re
import time

# A shorter pause is over before anybody has read of it.
TOLD_FROM_MS = 2000
_LAST_YEAR = 9999
# Older ones of a chassis tell a time.
_RETRY = re.compile(r"; tried again (?:after [0-9]+ s|at [0-9T:-]+Z)")
# In seconds.  A unit is used from two of it on: 90 s tell more than 1 min.
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def format_time(wall_ms: int) -> str:
    """Returns 'wall_ms' (since the epoch) as ISO 8601 in UTC; any number that a row may hold."""
    try:
        moment = time.gmtime(wall_ms // 1000)
        # Another year is no ISO 8601, and no clock says it.
        if not 0 < moment.tm_year <= _LAST_YEAR:
            return f"{wall_ms} ms"
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    except (OverflowError, OSError, ValueError):
        return f"{wall_ms} ms"


def format_age(span_ms: int) -> str:
    """Returns how long 'span_ms' is, in the one unit that a person would name, rounded down."""
    span_s = max(0, span_ms) // 1000
    for unit_s, unit in _UNITS:
        if span_s >= 2 * unit_s:
            return f"{span_s // unit_s} {unit}"
    return f"{span_s} s"


def format_past(wall_ms: int | None, now_ms: int | None = None) -> str:
    """Returns a moment with how long ago that was; "" for none and for 0.

    The clock that wrote 'wall_ms' need not be the one that tells 'now_ms', which is ours if
    that is not given: a moment that is yet to come, by that clock, stands alone.
    """
    if not wall_ms:
        return ""
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    if wall_ms > now_ms:
        return format_time(wall_ms)
    return f"{format_time(wall_ms)} ({format_age(now_ms - wall_ms)})"


def add_retry(sentence: str, pause_ms: int) -> str:
    """Returns 'sentence' with the pause before the next try.

    A short one is not told, so that a try that fails at once writes nothing; nor is the
    time of the next try, so that the sentence stands still once the pause does.
    """
    if pause_ms < TOLD_FROM_MS:
        return sentence
    return f"{sentence}; tried again after {pause_ms // 1000} s"


def drop_retry(sentence: str) -> str:
    """Returns 'sentence' without what is said of next tries, for what is kept for longer."""
    return _RETRY.sub("", sentence)
