"""Removes from the southbound the rows of chassis that an operator says are gone for good.

They are the chassis' own rows, so that none of the writers knows them.  What svc-northd itself
wrote of such a chassis, its weight and what was bound to it, follows from the graph.
"""

from __future__ import annotations

from collections.abc import Iterable

import ovs.vlog

from ...lib import sb
from ...lib.call import Call, Operation
from ...lib.idl import Session
from ...lib.northd_lock import SOUTHBOUND_LOCK

vlog = ovs.vlog.Vlog("chassis_removal")

_AGAIN_MS = 1000


class ChassisRemoval:
    """'names' are the chassis whose rows are to go; the times are monotonic, in ms."""

    def __init__(self, session: Session) -> None:
        self.names: set[str] = set()
        self._session = session
        self._call: Call | None = None
        self._sent: frozenset[str] = frozenset()
        self._sent_ms: int | None = None

    def note(self, gone: Iterable[str], others: Iterable[str]) -> None:
        """Takes the chassis whose rows are to go, and those of which that is not so any more."""
        self.names.difference_update(others)
        self.names.update(gone)

    def run(self, now_ms: int) -> None:
        """Sends what is to go; again after a while, as long as it is there.

        It goes before what is written in the same pass, so that who waits for that number has both.
        """
        if self._call is not None and not self._call.done:
            return
        self._call = None
        again = self._sent_ms is not None and now_ms >= self._sent_ms + _AGAIN_MS
        if not self.names or (self.names <= self._sent and not again):
            return
        for name in sorted(self.names - self._sent):
            vlog.info(f"chassis {name}: an operator deleted it; its rows are removed")
        self._call = self._session.call(_remove(sorted(self.names)))
        self._sent, self._sent_ms = frozenset(self.names), now_ms

    def find_next_ms(self) -> int | None:
        """Returns when run() has something to do again."""
        return None if not self.names or self._sent_ms is None else self._sent_ms + _AGAIN_MS


def _remove(names: Iterable[str]) -> list[Operation]:
    tables = (sb.ChassisPrivate.TABLE, sb.Chassis.TABLE)
    deletes: list[Operation] = [
        {"op": "delete", "table": table, "where": [["name", "==", name]]}
        for name in names
        for table in tables
    ]
    return [{"op": "assert", "lock": SOUTHBOUND_LOCK}, *deletes]
