"""Whether the southbound holds less than it did: its file was restored, or another server answers.

A chassis knows what it wrote last into its row in Chassis_Private.  Where the
row is an older one after an outage, what svc-northd wrote since is gone as well,
and a container without a binding is not one that nobody wants.  What runs goes
on until it is bound again, or until svc-northd has worked on this content for
long enough to have bound whatever it wants.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import ovs.poller
import ovs.vlog

from ..lib import sb
from ..lib.call import Call, Operation
from ..lib.idl import Session

vlog = ovs.vlog.Vlog("lost_content")

# svc-northd gives the chassis the time after which they are dead to register again, 4 s unless an
# operator says otherwise, and 10 s at most (northd/sync/lost_content.py).
WORK_MS = 20_000
ASK_MS = 1000


@dataclass(slots=True)
class LostContent:
    """'holding' is whether what is wanted is not to be learnt from the bindings."""

    holding: bool = False
    _told: bool = False
    _heartbeat: int | None = None
    _worked_ms: int = 0
    _asked_ms: int = 0
    _asking: Call | None = None

    def begin(self, now_ms: int) -> None:
        """Notes that content was lost, at 'now_ms' (monotonic)."""
        self.holding, self._worked_ms, self._asked_ms = True, 0, now_ms
        self._heartbeat = self._asking = None

    def run(self, session: Session, missing: Collection[str], now_ms: int) -> None:
        """Ends once none of the containers that run are 'missing', or svc-northd left them out."""
        self._ask(session, now_ms)
        self.holding = bool(missing) and self._worked_ms < WORK_MS
        if self.holding != self._told:
            self._told = self.holding
            if self.holding:
                vlog.warn(
                    f"the southbound lost content: {min(missing)}, among {len(missing)} in all,"
                    " goes on without a binding until svc-northd has worked for a while"
                )
            else:
                words = f"{len(missing)} containers are" if missing else "no container is"
                vlog.info(f"{words} without a binding since the southbound lost content")

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the next question."""
        if self.holding:
            poller.timer_wait(max(0, self._asked_ms + ASK_MS - now_ms))

    def _ask(self, session: Session, now_ms: int) -> None:
        """Looks whether svc-northd beats, and counts for how long it has.

        A chassis does not follow that row: it changes each second.
        """
        if self._asking is not None and self._asking.done:
            self._note(self._asking)
            self._asking = None
        if self._asking is None and now_ms >= self._asked_ms + ASK_MS:
            self._asked_ms = now_ms
            self._asking = session.call([_SELECT], guard=())

    def _note(self, call: Call) -> None:
        rows = call.results[0].get("rows", []) if call.results else []
        heartbeat = int(rows[0]["heartbeat"]) if rows else None
        if heartbeat is not None and self._heartbeat not in (None, heartbeat):
            self._worked_ms += ASK_MS
        self._heartbeat = heartbeat


_SELECT: Operation = {
    "op": "select",
    "table": sb.Northd.TABLE,
    "where": [],
    "columns": ["heartbeat"],
}
