"""Points in time as people read them, and when something is tried again."""

from __future__ import annotations

import time

# A shorter pause is over before anybody has read of it.
TOLD_FROM_MS = 2000
_LAST_YEAR = 9999
_RETRY = "; tried again at "


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


def add_retry(sentence: str, pause_ms: int, wall_ms: int) -> str:
    """Returns 'sentence' with the time of the next try, 'pause_ms' from 'wall_ms' on.

    A short pause is not told, so that a try that fails at once writes nothing.
    """
    if pause_ms < TOLD_FROM_MS:
        return sentence
    return f"{sentence}{_RETRY}{format_time(wall_ms + pause_ms)}"


def drop_retry(sentence: str) -> str:
    """Returns 'sentence' without the times of next tries, for what is kept longer than they are."""
    first, *rest = sentence.split(_RETRY)
    return first + "".join(each.partition("Z")[2] for each in rest)
