"""Points in time as people read them."""

from __future__ import annotations

from ...lib import moment


def format_time(timestamp_ms: int | None) -> str:
    """Returns a time in ms since the epoch as ISO 8601 in UTC; "" for none and for 0."""
    if not timestamp_ms:
        return ""
    return moment.format_time(timestamp_ms)


def format_retry(timestamp_ms: int, now_ms: int) -> str:
    """Returns when something is tried again, and how long that is from 'now_ms', in words."""
    left_s = -(-(timestamp_ms - now_ms) // 1000)
    when = format_time(timestamp_ms)
    return f"in {left_s} s, at {when}" if left_s > 0 else f"from {when} on"
