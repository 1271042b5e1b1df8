"""Which svc-northd is the active one: the row Northd, beats, locks of northbounds, giving way.

northd.py calls run() in each pass and tells what became of the pass.

The active one has the row of table Northd of the southbound (claim.py), and a lock on
each of the two northbounds, so that each of its transactions asserts one of these,
whatever it had in mind when it was stopped.  First comes the row: the server had
told everything that its predecessor did by then.  After that it asks for the locks
of the two northbounds, so two never wait for each other.  One of those is stolen when
a beat of ours stands that was written after the lock was seen missing and its
holder worked for the same southbound (northbound_lock.py).  The southbound's
lock decides nothing, since every chassis reaches that server.

Only one that reaches both northbounds takes the row, and one that cannot lead
a northbound for some seconds gives it up: there may be another that can.  One
whose passes fail for long (pace.py) gives it up as well and waits for two beats:
whoever stood by takes it, and the same one if nobody did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ovs.poller
import ovs.vlog

from ...lib import loop, sb
from ...lib.idl import Session
from ...lib.rows import Row
from . import northd_row
from .claim import Chance, Claim
from .northbound_lock import NorthboundLock
from .pace import BEAT_INTERVAL_MS, Pace, Turn

vlog = ovs.vlog.Vlog("leadership")


class Leadership:
    """This svc-northd among those of which one is active.

    'northbounds' are the sessions with the class of the root row of each.
    """

    def __init__(self, southbound: Session, northbounds: Mapping[Session, type[Row]]) -> None:
        self._sb = southbound
        self._claim = Claim(southbound)
        self._locks = [NorthboundLock(session, root) for session, root in northbounds.items()]
        self._pace = Pace()
        self._turn = Turn()
        self._takes_part = False
        self._told = ""
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
        """Whether the row of the southbound is ours."""
        return self._claim.held and self._confirmed_ms is not None

    @property
    def incarnation(self) -> str:
        """What stands in the row while it is ours; another one with each term."""
        return self._claim.incarnation

    @property
    def standing_by(self) -> bool:
        """Whether another one has the row, and this one takes part."""
        return self._takes_part and self._claim.foreign

    @property
    def trouble(self) -> str:
        """Why no northbound can be led from here, in words; "" if they can."""
        troubles = ((lock.database, lock.trouble) for lock in self._locks)
        return ", ".join(f"{database} {trouble}" for database, trouble in troubles if trouble)

    def run(self, paused: bool) -> None:
        """Beats, takes or gives up the row, relieves one that hangs; after the sessions ran.

        One that is 'paused' takes no part.
        """
        now_ms = self._ran_ms = loop.monotonic_ms()
        for lock in self._locks:
            lock.look(now_ms)
        self._take_outcome(now_ms)
        self._take_part(now_ms, paused)
        if self._confirmed_ms is None or not self._claim.held:
            self._stand_by(now_ms)
            return
        self._claim_northbounds(now_ms, self._confirmed_ms)
        if now_ms >= self._due_ms and not self._sb.committing_beside:
            self._beat(now_ms)

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for the next beat, or for when another's is overdue."""
        if self._sb.committing_beside:
            return
        if self._confirmed_ms is not None:
            deadline_ms: int | None = self._due_ms
        else:
            deadline_ms = self._claim.find_deadline_ms() if self._takes_part else None
        if deadline_ms is not None:
            poller.timer_wait(max(0, deadline_ms - loop.monotonic_ms()))

    def close(self) -> None:
        """Gives up the row, so that another one takes it at once."""
        self._claim.give_up(loop.monotonic_ms())

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
        if self._confirmed_ms is not None:
            self._turn.note_failure(now_ms)
            self._pace.note(now_ms, now_ms - self._ran_ms)

    def set_problem(self, text: str) -> None:
        """Sets what is wrong though passes succeed, "" if nothing; the row Northd tells it."""
        self._problem = text

    @property
    def problem(self) -> str:
        """What is wrong with this svc-northd or with what it compiles, in words; "" if nothing."""
        words = (self.obstacle, self._problem, self._claim.theft)
        return "; ".join(each for each in words if each)

    @property
    def obstacle(self) -> str:
        """What keeps this svc-northd from its work as a whole, in words; "" if nothing does."""
        failure = f"no pass succeeds: {self._failure}" if self._failure else ""
        return "; ".join(each for each in (self.trouble, self._claim.problem, failure) if each)

    def find_leader(self) -> sb.Northd | None:
        """Returns the row of the svc-northd that leads, or led last."""
        return self._claim.row

    # -- taking part -------------------------------------------------------

    def _take_outcome(self, now_ms: int) -> None:
        stands = self._sb.take_beside()
        if stands is None or not self._sent_ms:
            return
        self._claim.note_outcome(now_ms, stands)
        if stands:
            self._confirmed_ms = self._sent_ms
            self._pace.note(now_ms, now_ms - self._sent_ms)
        self._sent_ms = 0

    def _take_part(self, now_ms: int, paused: bool) -> None:
        """Finds out whether this one may lead, and gives up the row if not."""
        if self._takes_part:
            lost = any(lock.lost for lock in self._locks)
            if lost:
                self._tell(self.trouble)
            self._takes_part = not (lost or paused or self._ends_turn())
            if not self._takes_part:
                self._claim.give_up(now_ms)
                self._claim.wait_until(now_ms + 2 * BEAT_INTERVAL_MS)
        elif not (paused or self.trouble):
            self._takes_part = True
        else:
            self._claim.give_up(now_ms)
        self._claim.ask(now_ms, self._takes_part)

    def _ends_turn(self) -> bool:
        """Returns whether passes fail for so long that another one is to try."""
        if not (self._confirmed_ms is not None and self._turn.take_end()):
            return False
        vlog.warn(f"{self._failure}: no pass succeeds; another svc-northd may lead")
        return True

    def _tell(self, trouble: str) -> None:
        """Says that a northbound cannot be led, once until this one was active again."""
        if trouble != self._told:
            self._told = trouble
            vlog.warn(f"{trouble}: leaving the lead to another svc-northd")

    # -- leading -----------------------------------------------------------

    def _beat(self, now_ms: int) -> None:
        self._claim.beat(self._make_beat(now_ms))

    def _make_beat(self, now_ms: int) -> dict[str, Any]:
        """Returns the columns of the next beat, which is sent at once."""
        self._sent_ms, self._due_ms = now_ms, now_ms + BEAT_INTERVAL_MS
        self._heartbeat = northd_row.find_next_heartbeat(self._heartbeat)
        return northd_row.make_columns(
            self._heartbeat,
            self._pace.find_patience(now_ms),
            self._since_ms,
            northd_row.Work(self._worked_ms, self.problem),
        )

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
        self._confirmed_ms, self._since_ms = None, 0
        for lock in self._locks:
            lock.give_up()
        chance = self._claim.look(now_ms, wanted=self._takes_part)
        if chance is not Chance.NONE:
            self._take(now_ms, chance)

    def _take(self, now_ms: int, chance: Chance) -> None:
        before = self.find_leader()
        self._heartbeat = before.heartbeat if before else 0
        self._worked_ms, self._failure = before.worked_at if before else 0, ""
        self._turn.begin()
        # One that ended in good order was not too slow.
        self._pace.begin(before.patience if before and chance is Chance.SILENT else 0)
        self._claim.take(self._make_beat(now_ms))
