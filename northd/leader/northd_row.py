"""The row of table Northd: what the active svc-northd says of itself with each beat."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any

from ...lib import sb
from ...lib.moment import format_time

# As the schema has them.
_MOST_TIME_MS = 253_402_300_799_999
_MOST_HEARTBEAT = 2**53 - 1
_MOST_PROBLEM = 1000


@dataclass(frozen=True, slots=True)
class Work:
    """What became of the passes: when the last whole one ended (wall ms), and what is wrong."""

    worked_ms: int
    problem: str


def find_next_heartbeat(heartbeat: int) -> int:
    """Returns the number after 'heartbeat', which anybody may have written."""
    return heartbeat + 1 if 0 <= heartbeat < _MOST_HEARTBEAT else 1


def make_columns(heartbeat: int, patience_ms: int, since_ms: int, work: Work) -> dict[str, Any]:
    """Returns the columns of a beat of this process but for its incarnation.

    'since_ms' is wall time, 0 before it is active.
    """
    return {
        "hostname": socket.gethostname(),
        "pid": os.getpid(),
        "heartbeat": heartbeat,
        "patience": patience_ms,
        "since": _bound_time(since_ms),
        "worked_at": _bound_time(work.worked_ms),
        "problem": _clean(work.problem),
    }


def find_leader(rows: list[sb.Northd]) -> sb.Northd | None:
    """Returns the row of the svc-northd that leads, or led last."""
    return min(rows, key=lambda row: row.uuid, default=None)


def format_row(row: sb.Northd, own: bool, active: bool) -> list[str]:
    """Returns lines on the svc-northd that was last seen active, whatever the row holds.

    'own' is whether that is this process, and 'active' whether this process is active.
    """
    lines = []
    if row.since:
        who = f"{row.hostname}, pid {row.pid}, incarnation {row.incarnation}"
        if not row.incarnation:
            lines.append(f"Last active: {row.hostname}, pid {row.pid}; it gave way")
        elif own and not active:
            lines.append(f"Last active: this one, {who}; no other one was seen active since")
        else:
            lines.append(f"Active: {who}, since {format_time(row.since)}")
    worked = format_time(row.worked_at) if row.worked_at else "never"
    lines.append(f"Last whole pass: {worked}")
    if row.problem:
        lines.append(f"Problem of the active one: {row.problem}")
    return lines


def _bound_time(wall_ms: int) -> int:
    """Returns 'wall_ms' as the schema takes it, whatever the clock says."""
    return min(max(0, wall_ms), _MOST_TIME_MS)


def _clean(text: str) -> str:
    """Returns 'text' as the database takes it: short, and of characters that can be shown."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return shown if len(shown) <= _MOST_PROBLEM else f"{shown[:_MOST_PROBLEM]}..."
