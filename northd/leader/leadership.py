"""Which svc-northd is the active one: locks, beats, relieving one that hangs, giving way.

northd.py calls run() in each pass and tells what became of the pass.

The active one holds a lock on each of the three databases, so that each of its
transactions asserts it, whatever it had in mind when it was stopped.
First comes the southbound's, then a beat that stands in table Northd: the
server had told everything that its predecessor did by then.  After that it asks
for the locks of the two northbounds, so two never wait for each other.

Another one's lock of the southbound is stolen when its beat is overdue
(watch.py), a lock of a northbound when a beat of ours stands that was written
after the lock was seen missing and its holder worked for the same southbound
(northbound_lock.py).

Only one that reaches both northbounds asks for the southbound's lock, and one
that cannot lead a northbound for some seconds gives it back: there may be
another that can.  One whose passes fail for long (pace.py) gives it back as
well and asks again at once: the server gives it to whoever waited, and to the
same one if nobody did.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping

import ovs.poller
import ovs.vlog

from ...lib import loop, sb
from ...lib.delta import Actual, Desired, plan
from ...lib.idl import Session
from ...lib.northd_lock import SOUTHBOUND_LOCK
from ...lib.rows import Row
from . import northd_row
from .northbound_lock import NorthboundLock
from .pace import BEAT_INTERVAL_MS, Pace, Turn
from .watch import MOST_LOT_MS, Step, Watch

vlog = ovs.vlog.Vlog("leadership")


class Leadership:
    """This svc-northd among those of which one is active.

    'northbounds' are the sessions with the class of the root row of each.
    """

    def __init__(self, southbound: Session, northbounds: Mapping[Session, type[Row]]) -> None:
        self.incarnation = uuid.uuid4().hex
        self._sb = southbound
        self._locks = [NorthboundLock(session, root) for session, root in northbounds.items()]
        self._pace = Pace()
        self._turn = Turn()
        self._watch = Watch(random.randrange(MOST_LOT_MS + 1))
        self._asks = False
        self._stole = False
        self._told = ""
        self._leads = False
        self._since_ms = 0
        self._heartbeat = 0
        self._due_ms = 0
        self._sent_ms = 0
        self._confirmed_ms: int | None = None
        self._ran_ms = 0
        self._worked_ms = 0
        self._failure = self._problem = ""

    @property
    def leading(self) -> bool:
        """Whether the southbound's lock is ours and a beat of this term stands."""
        return self._has_southbound() and self._confirmed_ms is not None

    @property
    def trouble(self) -> str:
        """Why no northbound can be led from here, in words; "" if they can."""
        troubles = ((lock.database, lock.trouble) for lock in self._locks)
        return ", ".join(f"{database} {trouble}" for database, trouble in troubles if trouble)

    def run(self, paused: bool) -> None:
        """Beats, takes or gives up locks, relieves one that hangs; after the sessions ran.

        One that is 'paused' takes no part.
        """
        now_ms = self._ran_ms = loop.monotonic_ms()
        for lock in self._locks:
            lock.look(now_ms)
        self._take_part(paused)
        if not self._has_southbound():
            self._stand_by(now_ms)
            return
        if not self._leads:
            self._begin(now_ms)
        self._take_outcome(now_ms)
        if self._confirmed_ms is not None:
            self._claim_northbounds(now_ms, self._confirmed_ms)
        if now_ms >= self._due_ms and not self._sb.committing_beside:
            self._beat(now_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the next beat, or for when another's is overdue."""
        if not self._leads:
            deadline_ms = self._watch.find_deadline_ms()
        else:
            deadline_ms = None if self._sb.committing_beside else self._due_ms
        if deadline_ms is not None:
            poller.timer_wait(max(0, deadline_ms - loop.monotonic_ms()))

    def note_pass(self, span_ms: int) -> None:
        """Notes that a whole pass of the active svc-northd ended, which took 'span_ms'."""
        now_ms = loop.monotonic_ms()
        self._worked_ms, self._failure = loop.now_ms(), ""
        self._turn.note_pass()
        self._pace.note(now_ms, span_ms)
        if self._pace.end_first_pass():
            self._due_ms = now_ms

    def note_failure(self, sentence: str) -> None:
        """Notes that the pass that began with run() failed, and why; the row Northd tells it."""
        now_ms = loop.monotonic_ms()
        self._failure = sentence
        if self._leads:
            self._turn.note_failure(now_ms)
            self._pace.note(now_ms, now_ms - self._ran_ms)

    def set_problem(self, text: str) -> None:
        """Sets what is wrong though passes succeed, "" if nothing; the row Northd tells it."""
        self._problem = text

    @property
    def problem(self) -> str:
        """What is wrong with this svc-northd or with what it compiles, in words; "" if nothing."""
        return "; ".join(each for each in (self.obstacle, self._problem) if each)

    @property
    def obstacle(self) -> str:
        """What keeps this svc-northd from its work as a whole, in words; "" if nothing does."""
        failure = f"no pass succeeds: {self._failure}" if self._failure else ""
        return "; ".join(each for each in (self.trouble, failure) if each)

    def find_leader(self) -> sb.Northd | None:
        """Returns the row of the svc-northd that has the southbound's lock, or had it last."""
        return northd_row.find_leader(list(self._sb.rows(sb.Northd).values()))

    # -- taking part -------------------------------------------------------

    def _take_part(self, paused: bool) -> None:
        """Asks for the southbound's lock, or gives it back."""
        if self._asks:
            lost = any(lock.lost for lock in self._locks)
            if lost:
                self._tell(self.trouble)
            if lost or paused or self._ends_turn():
                self._asks = False
                self._sb.set_lock(None)
        # Until its transactions are done the session keeps the lock that it is to give back.
        elif not (paused or self.trouble or self._sb.committing or self._sb.committing_beside):
            self._asks = True
            self._sb.set_lock(SOUTHBOUND_LOCK)

    def _ends_turn(self) -> bool:
        """Returns whether passes fail for so long that another one is to try."""
        if not (self._leads and self._turn.take_end()):
            return False
        vlog.warn(f"{self._failure}: no pass succeeds; another svc-northd may have the lock")
        return True

    def _tell(self, trouble: str) -> None:
        """Says that a northbound cannot be led, once until all three locks were ours again."""
        if trouble != self._told:
            self._told = trouble
            vlog.warn(f"{trouble}: leaving the lock of the southbound to another svc-northd")

    # -- leading -----------------------------------------------------------

    def _has_southbound(self) -> bool:
        return self._sb.connected and self._sb.synced and self._sb.has_lock

    def _begin(self, now_ms: int) -> None:
        before = self.find_leader()
        self._leads = True
        self._heartbeat = before.heartbeat if before else 0
        self._worked_ms, self._failure = before.worked_at if before else 0, ""
        self._turn.begin()
        # One that ended was not too slow.
        self._pace.begin(before.patience if before and self._stole else 0)
        self._stole = False
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
        self._heartbeat = northd_row.find_next_heartbeat(self._heartbeat)
        columns = northd_row.make_columns(
            self.incarnation,
            self._heartbeat,
            self._pace.find_patience(now_ms),
            self._since_ms,
            northd_row.Work(self._worked_ms, self.problem),
        )
        rows = self._sb.rows(sb.Northd).values()
        changes = plan([Desired(sb.Northd.TABLE, "", columns)], [Actual("", row) for row in rows])
        self._sent_ms, self._due_ms = now_ms, now_ms + BEAT_INTERVAL_MS
        self._sb.commit_beside(changes, "svc-northd: beat")

    def _claim_northbounds(self, now_ms: int, confirmed_ms: int) -> None:
        row = self.find_leader()
        if row is None:
            return
        for lock in self._locks:
            if lock.run(now_ms, str(row.uuid), confirmed_ms):
                self._due_ms = now_ms
        if not self._since_ms and all(lock.held for lock in self._locks):
            self._since_ms = loop.now_ms()
            self._due_ms = now_ms
            self._told = ""

    # -- standing by -------------------------------------------------------

    def _stand_by(self, now_ms: int) -> None:
        self._leads, self._confirmed_ms = False, None
        self._since_ms = self._sent_ms = 0
        for lock in self._locks:
            lock.give_up()
        if not (self._sb.connected and self._sb.synced and self._sb.contended):
            self._watch.begin()
            return
        row = self.find_leader()
        mark = (row.incarnation, row.heartbeat) if row else None
        step = self._watch.look(now_ms, mark, row.patience if row else 0, self._sb.answered)
        if step is Step.PROBE:
            self._sb.probe()
        elif step is Step.STEAL:
            who = f"that of {row.hostname}, pid {row.pid}," if row else "one"
            vlog.warn(f"the active svc-northd, {who} does nothing any more; relieving it")
            self._stole = True
            self._sb.steal_lock()
