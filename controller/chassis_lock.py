"""The lock on this chassis' name: svc_chassis_<name> of the southbound.

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

from ..lib.idl import Session
from .private_row import PrivateRow

vlog = ovs.vlog.Vlog("chassis_lock")

# One that ends has released the lock by then; an answer to a theft has come.
PATIENCE_MS = 1000


RIVAL = "another svc-controller has it; two hosts must not have the same external_ids:system-id"


def name_lock(chassis: str) -> str:
    """Returns the name of the lock."""
    return f"svc_chassis_{chassis}"


@dataclass(slots=True)
class ChassisLock:
    """Who has the lock, over time."""

    incarnation: str
    _contended_ms: int | None = None
    _warned: bool = False
    _stolen_ms: int | None = None

    def run(self, session: Session, row: PrivateRow, now_ms: int) -> None:
        """Takes the lock back from a connection of ours, and warns once of another's."""
        if not (session.contended and session.synced and session.connected):
            self._contended_ms, self._warned = None, False
            return
        if self._stolen_ms is not None and now_ms < self._stolen_ms + PATIENCE_MS:
            return
        if self._contended_ms is None or self._stolen_ms is not None:
            # Only what stands there after the lock was found taken says whose it is.
            self._contended_ms, self._stolen_ms = now_ms, None
            row.read_again()
        found = row.found
        if found is not None and found.incarnation == self.incarnation:
            self._stolen_ms = now_ms
            vlog.info(f"taking the lock of {row.chassis} back from a connection that is dead")
            session.steal_lock()
        elif not self._warned and now_ms >= self._contended_ms + PATIENCE_MS:
            self._warned = True
            vlog.warn(
                f"waiting: another svc-controller claims the chassis name {row.chassis}; "
                "two hosts must not have the same external_ids:system-id"
            )

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for when run() has something to do again."""
        since_ms = self._stolen_ms if self._stolen_ms is not None else self._contended_ms
        if since_ms is not None and not self._warned:
            poller.timer_wait(max(0, since_ms + PATIENCE_MS - now_ms))
