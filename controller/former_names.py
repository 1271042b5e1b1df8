"""The names that this chassis had: their rows in the southbound go once it has another one.

Nobody serves under such a name any more, and as long as its rows are there svc-northd waits for
a heartbeat of it.  What was bound there svc-northd places elsewhere, as soon as the row in Chassis
is gone.

Another host may have the name by now; or this host was made from a copy of another's disk, which
goes on under the name, with the same key.  So what is removed is proved to be ours (former_row.py),
and the server removes it only as it was seen.

A southbound with roles takes nothing of that from a host whose certificate has the new name.  Then
'warning' says so, and what to do, until somebody has removed the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ovs.poller
import ovs.vlog

from ..lib import sb, schema
from ..lib.call import Call
from ..lib.guard import Guard
from ..lib.idl import Session
from ..lib.refusal import is_forbidden
from .fence import find_dead_after_ms
from .former_row import FormerRow, Sight
from .kept_names import MOST_INCARNATIONS, KeptNames, Name
from .private_row import make_removal
from .southbound import MAX_BACKOFF_MS, PROBE_INTERVAL_MS

vlog = ovs.vlog.Vlog("former_names")

_MOST = 16
_AGAIN_MS = 1000
# Only an operator can mend that.
_FORBIDDEN_AGAIN_MS = 60_000


class FormerNames:
    """'names' are those whose rows may be there still, the last name first.

    'incarnation' is that of this process.
    """

    def __init__(self, kept_names: KeptNames, public_key: str, incarnation: str) -> None:
        self.warning = ""
        self._kept_names = kept_names
        self._public_key = public_key
        self._incarnation = incarnation
        self._host = kept_names.host
        self._present: Name | None = None
        self.names: list[Name] = []
        self._session: Session | None = None
        self._row: FormerRow | None = None
        self._removing: Call | None = None
        self._again_at_ms = 0
        self._forbidden_until_ms = 0
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

    def find_lives(self) -> Sequence[str]:
        """Returns the incarnations of this host under the present name in this boot."""
        present = self._present
        if present is None or present.host != self._host or not self._host.boot:
            return (self._incarnation,)
        return present.incarnations

    def note_registered(self) -> None:
        """Notes that the southbound has the incarnation of this process under the present name."""
        present = self._present
        if present is None:
            return
        # What stood there from an earlier boot stands there no more.
        registered = replace(present, host=self._host, incarnations=tuple(self.find_lives()))
        if registered != present:
            self._present = registered
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
            self._take_answer(name, clock_ms)
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
            for at_ms in (self._again_at_ms, self._forbidden_until_ms, self._row.next_ms or 0):
                if clock_ms < at_ms:
                    poller.timer_wait(at_ms - clock_ms)
        elif self.names:
            poller.immediate_wake()

    def close(self) -> None:
        """Drops the connection."""
        self._close()

    # -- helpers -----------------------------------------------------------

    def _look(self, session: Session, name: Name, clock_ms: int) -> None:
        """Gives up the name, or removes its rows, by what is there."""
        assert self._row is not None
        sight = _read_sight(session)
        options = next((row.options for row in session.rows(sb.SBGlobal).values()), {})
        dead_after_ms = find_dead_after_ms(options)
        stranger = self._row.find_stranger(sight, dead_after_ms, clock_ms)
        if sight is None or stranger:
            if stranger:
                vlog.info(f"the rows of chassis {name.chassis} stay: {stranger}")
            self._finish()
        elif clock_ms >= self._forbidden_until_ms and self._row.is_ours(clock_ms):
            self._again_at_ms = clock_ms + _AGAIN_MS
            guard = _expect(name.chassis, sight)
            self._removing = session.call(make_removal(name.chassis), guard)

    def _take_answer(self, name: Name, clock_ms: int) -> None:
        assert self._removing is not None
        if not self._removing.done:
            return
        answer, self._removing = self._removing, None
        if answer.results is not None:
            vlog.info(f"removed the rows of this chassis under its former name {name.chassis}")
            self._finish()
        elif is_forbidden(answer.problem):
            self._forbidden_until_ms = clock_ms + _FORBIDDEN_AGAIN_MS
            self._warn(name.chassis)

    def _warn(self, former: str) -> None:
        """Says that the rows under a former name stay."""
        warning = (
            f"the southbound does not let this host remove its rows as chassis {former}, which it"
            f" was before: svcctl chassis-del {former} does"
        )
        if warning != self.warning:
            self.warning = warning
            vlog.warn(warning)

    def _make_present(self, chassis: str, remote: str, earlier: list[Name]) -> Name:
        """Returns a name with what this host may have written under it, now and earlier."""
        same = [
            each
            for each in earlier
            if each.chassis == chassis and each.host.machine == self._host.machine
        ]
        written = [
            incarnation
            for each in same
            for incarnation in each.incarnations
            if incarnation != self._incarnation
        ]
        host = next((each.host for each in same if each.host != self._host), self._host)
        incarnations = (self._incarnation, *written)[:MOST_INCARNATIONS]
        return Name(chassis, remote, host, incarnations)

    def _finish(self) -> None:
        """Forgets the name that was looked at."""
        del self.names[0]
        self._close()
        self._write()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._row = self._removing = None
        self._again_at_ms = self._forbidden_until_ms = 0
        self.warning = ""

    def _read(self) -> None:
        try:
            found = self._kept_names.read()
        except OSError as error:
            vlog.warn(f"former names of this chassis are not known: {error}")
            return
        self._present, self.names = next(iter(found), None), found[1 : _MOST + 1]

    def _write(self) -> None:
        """Keeps the names, the present one first."""
        assert self._present is not None
        try:
            self._kept_names.write([self._present, *self.names])
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


def _expect(chassis: str, sight: Sight) -> list[Guard]:
    """Returns the condition that the rows of 'chassis' are those that were seen."""
    named = [["name", "==", chassis]]
    beat = {"incarnation": sight.incarnation, "heartbeat": sight.heartbeat}
    return [
        Guard(sb.Chassis.TABLE, named, {"public_key": sight.public_key}),
        Guard(sb.ChassisPrivate.TABLE, named, beat),
    ]
