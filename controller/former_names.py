"""The names that this chassis had: their rows in the southbound go once it has another one.

Nobody serves under such a name any more, and as long as its rows are there svc-northd waits for
a heartbeat of it.  What was bound there svc-northd places elsewhere, as soon as the row in Chassis
is gone.

Another host may have the name by now; or this host was made from a copy of another's disk, which
goes on under the name, with the same key.  So what is removed is proved to be ours (former_row.py).
The lock on the name is asked for only when nothing but it is missing: who waits in line for it
would get it when the other svc-controller is restarted, and keep that from beating.
"""

from __future__ import annotations

import ovs.poller
import ovs.vlog

from ..lib import sb, schema
from ..lib.call import Call, Operation
from ..lib.idl import Session
from . import kept_names
from .chassis_lock import name_lock
from .fence import find_dead_after_ms
from .former_row import FormerRow, Sight
from .kept_names import MOST_INCARNATIONS, Name
from .private_row import make_removal
from .southbound import MAX_BACKOFF_MS, PROBE_INTERVAL_MS

vlog = ovs.vlog.Vlog("former_names")

_MOST = 16
_AGAIN_MS = 1000


class FormerNames:
    """'names' are those whose rows may be there still, the last name first.

    'incarnation' is that of this process.
    """

    def __init__(self, public_key: str, incarnation: str) -> None:
        self._public_key = public_key
        self._incarnation = incarnation
        self._host = kept_names.read_host()
        self._present: Name | None = None
        self.names: list[Name] = []
        self._session: Session | None = None
        self._row: FormerRow | None = None
        self._removing: Call | None = None
        self._again_at_ms = 0
        self._read()

    def note(self, chassis: str, remote: str) -> None:
        """Takes the name that this chassis has now."""
        before = self._present
        earlier = [] if before is None else [before, *self.names]
        self._present = self._make_present(chassis, remote, earlier)
        if self._present == before:
            return
        kept = [each for each in earlier if each.chassis != chassis]
        if kept[:1] != self.names[:1]:
            self._close()
        self.names = kept[:_MOST]
        self._write()

    def note_registered(self) -> None:
        """Notes that the southbound has the incarnation of this process under the present name."""
        present = self._present
        if present is None or present.incarnations == (self._incarnation,):
            return
        self._present = Name(present.chassis, present.remote, present.host, (self._incarnation,))
        self._write()

    def run(self, clock_ms: int) -> None:
        """Removes what is there under a former name, one after the other."""
        if not self.names:
            return
        name = self.names[0]
        if self._session is None:
            self._session = _open(name)
            self._row = FormerRow(name, self._host, self._public_key, self._incarnation)
        self._session.run()
        if self._removing is not None:
            self._take_answer(self._session, name)
        elif not (self._session.synced and self._session.connected):
            assert self._row is not None
            self._row.interrupt()
        elif clock_ms >= self._again_at_ms:
            self._look(self._session, name, clock_ms)

    def wait(self, poller: ovs.poller.Poller, clock_ms: int) -> None:
        """Arms 'poller'."""
        if self._session is not None:
            self._session.wait(poller)
            assert self._row is not None
            for at_ms in (self._again_at_ms, self._row.next_ms or 0):
                if clock_ms < at_ms:
                    poller.timer_wait(at_ms - clock_ms)
        elif self.names:
            poller.immediate_wake()

    def close(self) -> None:
        """Drops the connection."""
        self._close()

    # -- helpers -----------------------------------------------------------

    def _look(self, session: Session, name: Name, clock_ms: int) -> None:
        """Asks for the lock, or gives up the name, or removes its rows, by what is there."""
        assert self._row is not None
        sight = _read_sight(session)
        options = next((row.options for row in session.rows(sb.SBGlobal).values()), {})
        dead_after_ms = find_dead_after_ms(options)
        stranger = self._row.find_stranger(sight, dead_after_ms, clock_ms)
        if sight is None or stranger:
            if stranger:
                vlog.info(f"the rows of chassis {name.chassis} stay: {stranger}")
            self._finish()
        elif not self._row.is_ours(clock_ms, contended=session.contended):
            if session.contended:
                vlog.info(
                    f"the rows of chassis {name.chassis} stay for now:"
                    " another svc-controller has the lock on that name"
                )
            session.set_lock(None)
        elif session.has_lock:
            self._again_at_ms = clock_ms + _AGAIN_MS
            self._removing = session.call(_remove(name.chassis, sight))
        else:
            session.set_lock(name_lock(name.chassis))

    def _take_answer(self, session: Session, name: Name) -> None:
        assert self._removing is not None
        if not self._removing.done:
            return
        removed, self._removing = self._removing.results is not None, None
        if removed:
            vlog.info(f"removed the rows of this chassis under its former name {name.chassis}")
            self._finish()
        else:
            session.set_lock(None)

    def _make_present(self, chassis: str, remote: str, earlier: list[Name]) -> Name:
        """Returns a name with what this host may have written under it, now and earlier."""
        written = [
            incarnation
            for each in earlier
            if each.is_at(chassis, remote) and each.host.machine == self._host.machine
            for incarnation in each.incarnations
            if incarnation != self._incarnation
        ]
        incarnations = (self._incarnation, *written)[:MOST_INCARNATIONS]
        return Name(chassis, remote, self._host, incarnations)

    def _finish(self) -> None:
        """Forgets the name that was looked at."""
        del self.names[0]
        self._close()
        self._write()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._row = self._removing = None
        self._again_at_ms = 0

    def _read(self) -> None:
        try:
            found = kept_names.read()
        except OSError as error:
            vlog.warn(f"former names of this chassis are not known: {error}")
            return
        self._present, self.names = next(iter(found), None), found[1 : _MOST + 1]

    def _write(self) -> None:
        """Keeps the names, the present one first."""
        assert self._present is not None
        try:
            kept_names.write([self._present, *self.names])
        except OSError as error:
            vlog.warn(f"the name of this chassis is not kept over a restart: {error}")


def _open(name: Name) -> Session:
    named = [["name", "==", name.chassis]]
    return Session(
        name.remote,
        schema.SOUTHBOUND,
        (sb.SBGlobal, sb.Chassis, sb.ChassisPrivate),
        schema=schema.load(schema.SOUTHBOUND),
        conditions={sb.Chassis.TABLE: named, sb.ChassisPrivate.TABLE: named},
        probe_interval_ms=PROBE_INTERVAL_MS,
        max_backoff_ms=MAX_BACKOFF_MS,
    )


def _read_sight(session: Session) -> Sight | None:
    """Returns what stands under the name; None if no chassis is registered there."""
    chassis = next(iter(session.rows(sb.Chassis).values()), None)
    if chassis is None:
        return None
    beat = next(iter(session.rows(sb.ChassisPrivate).values()), None)
    if beat is None:
        return Sight(chassis.public_key)
    return Sight(chassis.public_key, beat.incarnation, beat.heartbeat, beat.heartbeat_interval)


def _remove(chassis: str, sight: Sight) -> list[Operation]:
    """Returns the removal of all rows of 'chassis', if they are those that were seen."""
    check, *deletes = make_removal(chassis, name_lock(chassis))
    beat = {"incarnation": sight.incarnation, "heartbeat": sight.heartbeat}
    return [
        check,
        _expect(sb.Chassis.TABLE, chassis, {"public_key": sight.public_key}),
        _expect(sb.ChassisPrivate.TABLE, chassis, beat),
        *deletes,
    ]


def _expect(table: str, chassis: str, row: dict[str, object]) -> Operation:
    return {
        "op": "wait",
        "timeout": 0,
        "table": table,
        "where": [["name", "==", chassis]],
        "columns": sorted(row),
        "until": "==",
        "rows": [row],
    }
