"""Whether svc-northd is at work: if it is not, each status is as it was when it last was.

Who leads stands in table Northd of the southbound, with the time of its last whole pass, by
another clock than ours: where the two agree nothing is waited for, and where they do not, the row
is seen to change, twice a second, or is not.  That nobody leads any more is known at once by the
lock of the northbound, which only svc-northd reaches.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...lib.errors import UsageError
from ...lib.moment import format_past
from ...lib.northd_lock import SOUTHBOUND_KEY, make_northbound_lock
from ...lib.schema import NORTHBOUND
from ..context import Context
from ..db.records import ROOT
from ..db.rpc import Client, NoAnswer, Unserved
from .lookup import Json, open_southbound, read, select

# A database that hangs is one of the things that are to be told.
PATIENCE_S = 3.0

# It beats every 500 ms, and says in each beat when its last pass ended.
_RECENT_MS = 2500
_LONGEST_WAIT_MS = 2500
_ASKED = ("northd", "asked")


@dataclass(frozen=True, slots=True)
class Work:
    """What is known of svc-northd.

    'row' is what the active one says of itself, or else what the last one said, None if none
    ever did; 'led' is which of the two.  'halt' is why no work is done, "" if it is.
    """

    row: Json | None
    led: bool
    halt: str


def look(client: Client, active: bool | None) -> Work:
    """Returns what the southbound knows of svc-northd, after 2.5 s at most.

    'active' is what is_active() says.
    """
    row = _read(client)
    if row is None or not row["incarnation"]:
        return Work(row, False, "none is active")
    if not row["since"]:
        return Work(row, True, "none is active yet")
    if active is False:
        return Work(row, False, "none is active")
    if abs(time.time() * 1000 - row["worked_at"]) < _RECENT_MS:
        return Work(row, True, "")
    later = _await_work(client, row) or row
    return Work(later, True, _find_halt(row, later, active))


def is_active(context: Context) -> bool | None:
    """Returns whether a svc-northd holds the lock of the northbound; None if that is not known.

    It holds that only while it reaches the southbound.  On a remote that is read-only locks are
    told to nobody.
    """
    if context.settings.has("no-leader-only"):
        return None  # each server of a cluster has locks of its own
    return context.replica.client.is_locked(make_northbound_lock(NORTHBOUND))


def warn_if_stale(context: Context) -> None:
    """Warns that the statuses that are listed are old, if svc-northd is not at work.

    Where none ever was there are none.
    """
    shared = context.attempt.shared
    if _ASKED in shared or not _was_ever_active(context):
        return
    shared[_ASKED] = True
    problem = _find_staleness(context)
    if problem is not None:
        context.warnings.append(f"what is listed is not of this moment: {problem}")


def tell_last_work(work: Work) -> str:
    """Returns when svc-northd last did its work, in words."""
    if work.row is None or not work.row["worked_at"]:
        return "never at work"
    return f"last at work {format_past(work.row['worked_at'])}"


def _find_staleness(context: Context) -> str | None:
    """Returns why svc-northd does not work, and since when; None if it does."""
    active = is_active(context)
    try:
        client = open_southbound(context, PATIENCE_S)
    except NoAnswer as error:
        return f"SVC_Southbound does not answer: {error}"
    except Unserved as error:
        # Whoever holds the lock of the northbound reaches the southbound; we need not.
        return f"no svc-northd is active, and {error}" if active is False else None
    try:
        client.wait_longer()
        work = look(client, active)
    except UsageError as error:
        return f"SVC_Southbound: {error}"
    finally:
        client.close()
    return f"svc-northd: {work.halt}; {tell_last_work(work)}" if work.halt else None


def _find_halt(before: Json, later: Json, active: bool | None) -> str:
    """Returns why no pass has ended between two looks, "" if one has."""
    if later["worked_at"] != before["worked_at"]:
        return ""
    if later["heartbeat"] != before["heartbeat"]:
        return "no pass of it succeeds"
    waited_s, patience_ms = _LONGEST_WAIT_MS / 1000, before["patience"]
    if patience_ms > _LONGEST_WAIT_MS:
        return f"busy: no beat in {waited_s:g} s; it may take {patience_ms / 1000:g} s"
    what = "hangs" if active else "ended, or hangs"
    return f"it {what}: no beat in {waited_s:g} s"


def _was_ever_active(context: Context) -> bool:
    root = next(iter(context.replica.rows(ROOT).values()), None)
    return root is not None and SOUTHBOUND_KEY in root.datum("external_ids")


def _read(client: Client) -> Json | None:
    [rows] = read(client, [select("Northd")])
    return min(rows, key=lambda row: str(row["_uuid"]), default=None)


def _await_work(client: Client, row: Json) -> Json | None:
    """Returns the row once a further pass has ended, or as it is when the time is up."""
    column = "worked_at"
    operation = {
        "op": "wait",
        "timeout": _LONGEST_WAIT_MS,
        "table": "Northd",
        "where": [["_uuid", "==", row["_uuid"]]],
        "columns": [column],
        "until": "!=",
        "rows": [{column: row[column]}],
    }
    client.transact([operation])
    return _read(client)
