"""Points in time as people read them."""

from __future__ import annotations

import time


def format_time(timestamp_ms: int | None) -> str:
    """Returns a time in ms since the epoch as ISO 8601 in UTC; "" for none and for 0."""
    if not timestamp_ms:
        return ""
    try:
        moment = time.gmtime(timestamp_ms / 1000)
    except (OverflowError, OSError, ValueError):
        return f"{timestamp_ms} ms"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)


def format_retry(timestamp_ms: int, now_ms: int) -> str:
    """Returns when something is tried again, and how long that is from 'now_ms', in words."""
    left_s = -(-(timestamp_ms - now_ms) // 1000)
    moment = format_time(timestamp_ms)
    return f"in {left_s} s, at {moment}" if left_s > 0 else f"from {moment} on"
