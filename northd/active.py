"""Which svc-northd is the active one: the locks, its beats, and relieving one that hangs.

The active one holds the lock of that name on all three databases, so that each
of its transactions asserts it, whatever it had in mind when it was stopped.
First comes the southbound's, then a beat that stands in table Northd: the
server had told everything that its predecessor did by then.  After that it asks
for the locks of the two northbounds, so two never wait for each other.

Another one's lock of the southbound is stolen when its beat is overdue
(beat.py), a lock of a northbound when a beat of ours stands that was written
after the lock was seen missing.  Without a predecessor in table Northd none of
a northbound is stolen: a svc-northd that was given a wrong southbound relieves
nobody.
"""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Sequence

import ovs.poller
import ovs.vlog

from ..lib import loop, sb
from ..lib.delta import Actual, Desired, plan
from ..lib.idl import Session
from .beat import BEAT_INTERVAL_MS, MOST_LOT_MS, Pace, Step, Watch

vlog = ovs.vlog.Vlog("active")

LOCK = "svc_northd"
_FIRST_PAUSE_MS = 2000
_LONGEST_PAUSE_MS = 60_000


class Candidate:
    """This svc-northd among those of which one is active."""

    def __init__(self, southbound: Session, northbounds: Sequence[Session]) -> None:
        self.incarnation = uuid.uuid4().hex
        self._sb = southbound
        self._northbounds = {session: _Claim(session) for session in northbounds}
        self._pace = Pace()
        self._watch = Watch(random.randrange(MOST_LOT_MS + 1))
        self._since_ms: int | None = None
        self._heartbeat = 0
        self._relieves = False
        self._due_ms = 0
        self._sent_ms = 0
        self._confirmed_ms: int | None = None

    @property
    def leading(self) -> bool:
        """Whether the southbound's lock is ours and a beat of this term stands."""
        return self._has_southbound() and self._confirmed_ms is not None

    def run(self) -> None:
        """Beats, takes or gives up locks, relieves one that hangs; after the sessions ran."""
        now_ms = loop.monotonic_ms()
        if not self._has_southbound():
            self._stand_by(now_ms)
            return
        if self._since_ms is None:
            self._begin(now_ms)
        self._take_outcome(now_ms)
        if self._confirmed_ms is not None:
            self._claim_northbounds(now_ms, self._confirmed_ms)
        if now_ms >= self._due_ms and not self._sb.committing_beside:
            self._beat(now_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the next beat, or for when another's is overdue."""
        if self._since_ms is None:
            deadline_ms = self._watch.find_deadline_ms()
        else:
            deadline_ms = None if self._sb.committing_beside else self._due_ms
        if deadline_ms is not None:
            poller.timer_wait_until(deadline_ms)

    def note_pass(self, span_ms: int) -> None:
        """Notes that a pass of the active svc-northd took 'span_ms'."""
        now_ms = loop.monotonic_ms()
        self._pace.note(now_ms, span_ms)
        if self._pace.end_first_pass():
            self._due_ms = now_ms

    def find_active(self) -> sb.Northd | None:
        """Returns the row of the svc-northd that was last active."""
        rows = sorted(self._sb.rows(sb.Northd).values(), key=lambda row: row.uuid)
        return rows[0] if rows else None

    # -- leading -----------------------------------------------------------

    def _has_southbound(self) -> bool:
        return self._sb.connected and self._sb.synced and self._sb.has_lock

    def _begin(self, now_ms: int) -> None:
        before = self.find_active()
        self._since_ms = loop.now_ms()
        self._heartbeat = before.heartbeat if before else 0
        self._relieves = before is not None and before.incarnation != self.incarnation
        self._pace.begin(before.patience if before else 0)
        self._due_ms = now_ms
        self._sb.take_beside()
        self._watch.begin()

    def _take_outcome(self, now_ms: int) -> None:
        stands = self._sb.take_beside()
        if stands is None or not self._sent_ms:
            return
        if stands:
            self._confirmed_ms = self._sent_ms
            self._pace.note(now_ms, now_ms - self._sent_ms)
        self._sent_ms = 0

    def _beat(self, now_ms: int) -> None:
        self._heartbeat += 1
        columns = {
            "incarnation": self.incarnation,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "heartbeat": self._heartbeat,
            "patience": self._pace.find_patience(now_ms),
            "since": self._since_ms,
        }
        rows = self._sb.rows(sb.Northd).values()
        changes = plan([Desired(sb.Northd.TABLE, "", columns)], [Actual("", row) for row in rows])
        self._sent_ms, self._due_ms = now_ms, now_ms + BEAT_INTERVAL_MS
        self._sb.commit_beside(changes, "svc-northd: beat")

    def _claim_northbounds(self, now_ms: int, confirmed_ms: int) -> None:
        for claim in self._northbounds.values():
            claim.run(now_ms)
            if self._relieves and claim.wants_theft(now_ms):
                if confirmed_ms > claim.missing_ms:
                    claim.steal(now_ms)
                else:
                    self._due_ms = now_ms

    # -- standing by -------------------------------------------------------

    def _stand_by(self, now_ms: int) -> None:
        self._since_ms = self._confirmed_ms = None
        self._sent_ms = 0
        for claim in self._northbounds.values():
            claim.give_up()
        if not (self._sb.connected and self._sb.synced and self._sb.contended):
            self._watch.begin()
            return
        row = self.find_active()
        mark = (row.incarnation, row.heartbeat) if row else None
        step = self._watch.look(now_ms, mark, row.patience if row else 0, self._sb.answered)
        if step is Step.PROBE:
            self._sb.probe()
        elif step is Step.STEAL:
            who = f"that of {row.hostname}, pid {row.pid}," if row else "one"
            vlog.warn(f"the active svc-northd, {who} does nothing any more; relieving it")
            self._sb.steal_lock()


class _Claim:
    """The lock of one northbound, while the southbound's is held."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = False
        self.missing_ms = 0
        self._pause_ms = 0
        self._not_before_ms = 0

    def run(self, now_ms: int) -> None:
        """Asks for the lock once, and notes since when it is missing."""
        if not self._asked:
            self._asked = True
            self._pause_ms = self._not_before_ms = self.missing_ms = 0
            self._session.set_lock(LOCK)
        if self._session.has_lock or not self._session.connected:
            self.missing_ms = 0
        elif not self.missing_ms:
            self.missing_ms = now_ms

    def give_up(self) -> None:
        """Gives the lock back."""
        if self._asked:
            self._asked = False
            self._session.set_lock(None)

    def wants_theft(self, now_ms: int) -> bool:
        """Returns whether another one holds the lock and it is not too early to steal again."""
        return bool(self.missing_ms) and self._session.contended and now_ms >= self._not_before_ms

    def steal(self, now_ms: int) -> None:
        """Takes the lock from the one that was relieved; less and less often."""
        self._pause_ms = min(max(_FIRST_PAUSE_MS, 2 * self._pause_ms), _LONGEST_PAUSE_MS)
        self._not_before_ms = now_ms + self._pause_ms
        vlog.info(f"{self._session.database}: taking the lock of the svc-northd that was relieved")
        self._session.steal_lock()
