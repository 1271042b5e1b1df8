"""The claim on this chassis' name: the lock svc_chassis_<name> of the southbound.

The lock belongs to a connection.  When ours breaks without the server noticing
(a partition, a firewall that forgot), the server holds the lock for a
connection that is dead until its own probe fails, or for ever.  Chassis_Private
says whose it is: its row is written only under the lock, so while it has our
incarnation nobody else has come, and what is taken is our own.
"""

from __future__ import annotations

from dataclasses import dataclass

import ovs.poller
import ovs.vlog

from ..lib import sb
from ..lib.idl import Session

vlog = ovs.vlog.Vlog("claim")

# One that ends has released the lock by then; an answer to a theft has come.
PATIENCE_MS = 1000


@dataclass(slots=True)
class Claim:
    """Who has the lock, over time."""

    incarnation: str
    _contended_ms: int | None = None
    _warned: bool = False
    _stolen_ms: int | None = None

    def run(self, session: Session, name: str, now_ms: int) -> None:
        """Takes the lock back from a connection of ours, and warns once of another's."""
        if not session.contended:
            self._contended_ms, self._warned = None, False
            return
        if self._is_ours(session):
            self._steal(session, name, now_ms)
            return
        if self._contended_ms is None:
            self._contended_ms = now_ms
        if not self._warned and now_ms >= self._contended_ms + PATIENCE_MS:
            self._warned = True
            vlog.warn(
                f"waiting: another svc-controller claims the chassis name {name}; "
                "two hosts must not have the same external_ids:system-id"
            )

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for when run() has something to do again."""
        if self._contended_ms is not None and not self._warned:
            poller.timer_wait(max(0, self._contended_ms + PATIENCE_MS - now_ms))

    def _is_ours(self, session: Session) -> bool:
        rows = session.rows(sb.ChassisPrivate).values()
        fresh = session.synced and session.connected
        return fresh and any(row.incarnation == self.incarnation for row in rows)

    def _steal(self, session: Session, name: str, now_ms: int) -> None:
        if self._stolen_ms is not None and now_ms < self._stolen_ms + PATIENCE_MS:
            return
        self._stolen_ms = now_ms
        vlog.info(f"taking the lock of chassis {name} back from a connection that is dead")
        session.steal_lock()
