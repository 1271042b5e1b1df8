"""The lock of one northbound: asked for, and taken from the one that was relieved.

The server does not tell who holds a lock.  So whoever holds that of a northbound
notes beside it, on the root row, which southbound it works for: the UUID of the
row in table Northd, which every svc-northd of one southbound shares and none of
another has.  A lock is stolen only where that is our own, for then its holder
was relieved at the southbound; a svc-northd that was given a wrong database
takes nothing from anybody, however often it is started.
"""

from __future__ import annotations

from typing import Protocol, cast
from uuid import UUID

import ovs.vlog

from ...lib.delta import SetKeys
from ...lib.idl import Session
from ...lib.northd_lock import SOUTHBOUND_KEY, make_northbound_lock
from ...lib.rows import Row
from .watch import Absence

vlog = ovs.vlog.Vlog("northbound_lock")

UNREACHABLE = "cannot be reached"
SILENT = "does not answer"
FOREIGN = "is led by a svc-northd that has another southbound"
_PROBE_INTERVAL_MS = 2000
_NOTE_INTERVAL_MS = 1000
_FIRST_PAUSE_MS = 2000
_LONGEST_PAUSE_MS = 60_000


class _Root(Protocol):
    """A root row, SVC_Global or NB_Global."""

    TABLE: str
    uuid: UUID
    external_ids: dict[str, str]


class NorthboundLock:
    """The lock of one northbound; 'root' is the class of its root row."""

    def __init__(self, session: Session, root: type[Row]) -> None:
        self._session = session
        self._root = root
        self._absence = Absence()
        self._southbound: str | None = None
        self._probe_ms = self._note_ms = 0
        self._missing_ms = self._pause_ms = self._not_before_ms = 0
        self.lost = False

    @property
    def database(self) -> str:
        """The name of the northbound."""
        return self._session.database

    @property
    def held(self) -> bool:
        """Whether the lock is ours."""
        return self._session.has_lock

    @property
    def trouble(self) -> str:
        """Why the northbound cannot be led from here, in words; "" if it can."""
        trouble = self._find_trouble()
        # An answer may always be due.
        return "" if trouble == SILENT and not self.lost else trouble

    def look(self, now_ms: int) -> None:
        """Notes whether the northbound is there; 'lost' is whether it was not for too long."""
        trouble = self._find_trouble()
        self.lost = self._absence.note(now_ms, bool(trouble))
        if not trouble and now_ms >= self._probe_ms:
            self._probe_ms = now_ms + _PROBE_INTERVAL_MS
            self._session.probe()

    def run(self, now_ms: int, southbound: str, confirmed_ms: int) -> bool:
        """Does what can be done for the lock now, as one that leads 'southbound'.

        'confirmed_ms' is when the last beat that stands was written.  Returns
        whether a theft waits for a beat that is written after now.
        """
        if self._southbound is None:
            self._missing_ms = self._pause_ms = self._not_before_ms = self._note_ms = 0
            self._session.set_lock(make_northbound_lock(self.database))
        self._southbound = southbound
        if self.held:
            self._missing_ms = 0
            self._note(now_ms, southbound)
            return False
        if not self._session.connected:
            self._missing_ms = 0
        elif not self._missing_ms:
            self._missing_ms = now_ms
        if not self._wants_theft(now_ms):
            return False
        if confirmed_ms <= self._missing_ms:
            return True
        self._steal(now_ms)
        return False

    def give_up(self) -> None:
        """Gives the lock back."""
        if self._southbound is not None:
            self._southbound = None
            self._session.set_lock(None)

    def _find_trouble(self) -> str:
        if not (self._session.connected and self._session.synced):
            return UNREACHABLE
        if not self._session.answered:
            return SILENT
        foreign = self._session.contended and self._find_southbound() != self._southbound
        return FOREIGN if foreign else ""

    def _wants_theft(self, now_ms: int) -> bool:
        """Returns whether one that was relieved has the lock, and it is not too early."""
        ours = self._session.contended and self._find_southbound() == self._southbound
        return ours and bool(self._missing_ms) and now_ms >= self._not_before_ms

    def _steal(self, now_ms: int) -> None:
        """Takes the lock from the one that was relieved; less and less often."""
        self._pause_ms = min(max(_FIRST_PAUSE_MS, 2 * self._pause_ms), _LONGEST_PAUSE_MS)
        self._not_before_ms = now_ms + self._pause_ms
        vlog.info(f"{self.database}: taking the lock of the svc-northd that was relieved")
        self._session.steal_lock()

    def _note(self, now_ms: int, southbound: str) -> None:
        """Notes on the root row, once there is one, whose the lock is."""
        root = self._find_root()
        noted = root is None or self._find_southbound() == southbound
        if noted or self._session.committing_beside or now_ms < self._note_ms:
            return
        assert root is not None
        self._note_ms = now_ms + _NOTE_INTERVAL_MS
        keys = {SOUTHBOUND_KEY: southbound}
        change = SetKeys(root.TABLE, root.uuid, "external_ids", keys)
        self._session.commit_beside([change], "svc-northd: the southbound of the active one")

    def _find_southbound(self) -> str | None:
        """Returns the southbound of whoever had the lock last, as it noted it."""
        root = self._find_root()
        return None if root is None else root.external_ids.get(SOUTHBOUND_KEY)

    def _find_root(self) -> _Root | None:
        rows = self._session.rows(self._root).values()
        return cast("_Root | None", next(iter(rows), None))
