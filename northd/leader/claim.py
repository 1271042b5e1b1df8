"""The claim of this svc-northd on the row Northd: whose name stands there leads.

The row is taken by compare-and-swap: in one transaction the server looks whether it
is still as it was found, and writes a new incarnation.  From then on each transaction
to the southbound waits for that incarnation (lib/guard.py), so that two never write,
whatever one had in mind when it was stopped.  An incarnation is that of one term, so that
nothing that was sent in an earlier one counts again.

A row that nobody has is taken at once: there is none, its last owner gave it up, or it is
our own, from before the connection broke.  Another one's is taken when its beat is overdue
(watch.py).

The lock is a hint, by which less time passes after one whose process ended: the server
gives it to one that waits, which then waits for no more than a beat.  Whoever steals, holds or
frees it changes nothing while beats come; one that has it beside them passes it on.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import ovs.vlog

from ...lib import sb
from ...lib.call import Call
from ...lib.delta import Actual, Desired, plan
from ...lib.guard import Guard, guard_row
from ...lib.idl import BESIDE, Session
from ...lib.log_pattern import escape
from ...lib.northd_lock import SOUTHBOUND_LOCK
from ...lib.refusal import is_forbidden
from . import northd_row
from .pace import BEAT_INTERVAL_MS
from .watch import Step, Watch

vlog = ovs.vlog.Vlog("claim")

_TABLE = sb.Northd.TABLE
# Between two attempts on a row that nobody has, where the southbound refuses them.
_LONGEST_PAUSE_MS = 8000
# For so long a theft of the lock is told after the last one.
_TOLD_MS = 60_000
_STOLEN = (
    f"a client of SVC_Southbound that is no svc-northd took the lock {SOUTHBOUND_LOCK}: nothing"
    " depends on that, but the key of a chassis may be in wrong hands"
)
# So many of its own former incarnations may still come to stand in the row.
_MOST_FORMER = 4


class Chance(Enum):
    """Whether the row may be taken: not now; since nobody has it; from one that is silent."""

    NONE = auto()
    VACANT = auto()
    SILENT = auto()


class Claim:
    """Takes, keeps and gives up the row of table Northd; times are monotonic, in ms."""

    def __init__(self, session: Session) -> None:
        self._sb = session
        self._watch = Watch()
        self._own: deque[str] = deque(maxlen=_MOST_FORMER)
        self._taking = self._taken = False
        self._not_before_ms = self._pause_ms = 0
        self._leaving: Call | None = None
        # The row as it was when the lock came to this one, which stands by.
        self._granted: object = None
        # The connection on which it last had the lock, and when that was taken from it.
        self._locked: int | None = None
        self._robbed_ms: int | None = None
        self.incarnation = self._renew()

    # -- how it stands -----------------------------------------------------

    @property
    def row(self) -> sb.Northd | None:
        """The row, whosever it is."""
        return northd_row.find_leader(list(self._sb.rows(sb.Northd).values()))

    @property
    def held(self) -> bool:
        """Whether the row is ours, as far as the replica and the answers tell."""
        if not (self._taken and self._reaches() and not self._sb.guard_broken):
            return False
        row = self.row
        return row is not None and row.incarnation == self.incarnation

    @property
    def foreign(self) -> bool:
        """Whether the row is another one's."""
        row = self.row
        return self._reaches() and row is not None and not self._is_free(row)

    @property
    def problem(self) -> str:
        """Why the southbound does not take the row, and what to do; "" if it does."""
        refusal = self._sb.refusals.words.get(BESIDE, "")
        if not refusal or self.foreign:
            return ""
        todo = "; svc-northd needs a remote without a role" if is_forbidden(refusal) else ""
        return f"SVC_Southbound refuses the row Northd: {refusal}{todo}"

    @property
    def theft(self) -> str:
        """That somebody stole the lock a moment ago, which no svc-northd does; "" if nobody did."""
        return _STOLEN if self._robbed_ms is not None else ""

    # -- in each pass ------------------------------------------------------

    def ask(self, now_ms: int, wanted: bool) -> None:
        """Asks for the lock, or gives it back; passes it on if another one beats."""
        self._note_theft(now_ms)
        passes_on = wanted and not self.held and self._outlives_lock()
        self._sb.set_lock(SOUTHBOUND_LOCK if wanted and not passes_on else None)
        self._locked = self._sb.connection if self._sb.has_lock else None

    def look(self, now_ms: int, wanted: bool) -> Chance:
        """Returns whether the row may be taken at 'now_ms', if it is 'wanted' and not 'held'."""
        self._taken = False
        if not (wanted and self._reaches()):
            self._watch.begin()
            return Chance.NONE
        if self._sb.committing_beside:
            return Chance.NONE
        row = self.row
        if row is None or self._is_free(row):
            self._watch.begin()
            return Chance.VACANT if now_ms >= self._not_before_ms else Chance.NONE
        freed = self._sb.has_lock
        step = self._watch.look(now_ms, _mark(row), row.patience, self._sb.answered, freed=freed)
        if step is Step.PROBE:
            self._sb.probe()
        if step is not Step.TAKE:
            return Chance.NONE
        who = escape(f"the active svc-northd, that of {row.hostname}, pid {row.pid},")
        if freed:
            vlog.info(f"{who} is gone; taking over")
        else:
            vlog.warn(f"{who} does nothing any more; relieving it")
        return Chance.SILENT

    def take(self, columns: Mapping[str, Any]) -> None:
        """Sends what makes the row ours, with 'columns', if it is still as it was found."""
        row = self.row
        seen = Guard(_TABLE)
        if row is not None:
            found = {"incarnation": row.incarnation, "heartbeat": row.heartbeat}
            seen = guard_row(_TABLE, row.uuid, found)
        self.incarnation = self._renew()
        self._taking = True
        self._write(columns, "svc-northd: taking the lead", [seen])

    def beat(self, columns: Mapping[str, Any]) -> None:
        """Sends a beat, with 'columns'."""
        self._write(columns, "svc-northd: beat", None)

    def note_outcome(self, now_ms: int, stands: bool) -> None:
        """Notes whether what take() or beat() sent was carried out."""
        if not self._taking:
            return
        self._taking, self._taken, self._leaving = False, stands, None
        if stands:
            self._pause_ms = 0
        else:
            self._pause_ms = min(max(BEAT_INTERVAL_MS, 2 * self._pause_ms), _LONGEST_PAUSE_MS)
            self.wait_until(now_ms + self._pause_ms)

    def wait_until(self, moment_ms: int) -> None:
        """Leaves a row that nobody has to others until then."""
        self._not_before_ms = moment_ms

    def give_up(self, now_ms: int) -> None:
        """Makes the row nobody's if it is ours; again and again until it is so."""
        self._taken = False
        row = self.row
        if row is None or row.incarnation not in self._own or not self._reaches():
            return
        if self._leaving is not None and (not self._leaving.done or now_ms < self._not_before_ms):
            return
        where = [["_uuid", "==", ["uuid", str(row.uuid)]]]
        change = {"op": "update", "table": _TABLE, "where": where, "row": {"incarnation": ""}}
        own = Guard(_TABLE, where, {"incarnation": row.incarnation})
        self._leaving = self._sb.call([change], [own])
        self.wait_until(now_ms + BEAT_INTERVAL_MS)

    def find_deadline_ms(self) -> int | None:
        """Returns when look() may find something without news; None if only news can tell."""
        row = self.row
        if row is None or self._is_free(row):
            return self._not_before_ms if self._reaches() else None
        return self._watch.find_deadline_ms()

    # -- helpers, in the order they are called -----------------------------

    def _renew(self) -> str:
        """Returns a new incarnation, which guards all that is written from here on."""
        incarnation = uuid.uuid4().hex
        self._own.append(incarnation)
        self._sb.set_guard(Guard(_TABLE, (), {"incarnation": incarnation}))
        return incarnation

    def _reaches(self) -> bool:
        return self._sb.connected and self._sb.synced

    def _is_free(self, row: sb.Northd) -> bool:
        return not row.incarnation or row.incarnation in self._own

    def _note_theft(self, now_ms: int) -> None:
        if self._robbed_ms is not None and now_ms >= self._robbed_ms + _TOLD_MS:
            self._robbed_ms = None
        # An answer, or another connection, may be due.
        if self._locked is None or self._locked != self._sb.connection or not self._sb.contended:
            return
        if self._robbed_ms is None:
            vlog.warn(_STOLEN)
        self._robbed_ms = now_ms

    def _outlives_lock(self) -> bool:
        """Returns whether another one has beaten since the lock came to us."""
        row = self.row
        if not self._sb.has_lock or row is None:
            self._granted = None
            return False
        if self._granted is None:
            self._granted = _mark(row)
        return self._granted != _mark(row) and not self._is_free(row)

    def _write(self, columns: Mapping[str, Any], comment: str, guard: list[Guard] | None) -> None:
        rows = self._sb.rows(sb.Northd).values()
        whole = {**columns, "incarnation": self.incarnation}
        changes = plan([Desired(_TABLE, "", whole)], [Actual("", row) for row in rows])
        self._sb.commit_beside(changes, comment, guard)


def _mark(row: sb.Northd) -> tuple[Any, ...]:
    """Returns what is another with each beat."""
    return row.uuid, row.incarnation, row.heartbeat
