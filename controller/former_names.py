"""The names that this chassis had: their rows in the southbound go once it has another one.

Nobody serves under such a name any more, and as long as its rows are there svc-northd waits for
a heartbeat of it.  Another host may have the name by now.  So what is removed is proved to be
ours: the row in Chassis has the public key of this host, and the lock on the name is free.  What
was bound there svc-northd places elsewhere, as soon as the row in Chassis is gone.

A file keeps the names, since a chassis may be renamed while svc-controller does not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ovs.poller
import ovs.vlog

from ..lib import dirs, sb, schema, state_file
from ..lib.call import Call, Operation
from ..lib.idl import Session
from .chassis_lock import name_lock
from .private_row import make_removal
from .southbound import MAX_BACKOFF_MS, PROBE_INTERVAL_MS

vlog = ovs.vlog.Vlog("former_names")

_FILE = "chassis.names"
_MOST = 16
_AGAIN_MS = 1000


@dataclass(frozen=True, slots=True)
class Name:
    """A name of a chassis in the southbound at 'remote'."""

    chassis: str
    remote: str


class FormerNames:
    """'names' are those whose rows may be there still, the last name first."""

    def __init__(self, public_key: str) -> None:
        self._public_key = public_key
        self._present: Name | None = None
        self.names: list[Name] = []
        self._session: Session | None = None
        self._removing: Call | None = None
        self._again_at_ms = 0
        self._read()

    def note(self, present: Name) -> None:
        """Takes the name that this chassis has now."""
        before, self._present = self._present, present
        if before == present:
            return
        kept = [each for each in self.names if each.chassis != present.chassis]
        if before is not None and before.chassis != present.chassis:
            kept.insert(0, before)
        if kept[:1] != self.names[:1]:
            self._close()
        self.names = kept[:_MOST]
        self._write()

    def run(self, clock_ms: int) -> None:
        """Removes what is there under a former name, one after the other."""
        if not self.names:
            return
        name = self.names[0]
        if self._session is None:
            self._session = _open(name)
        session = self._session
        session.run()
        if self._removing is not None and self._removing.done:
            removed, self._removing = self._removing.results is not None, None
            if removed:
                vlog.info(f"removed the rows of this chassis under its former name {name.chassis}")
                self._finish()
                return
        if self._removing is not None or not session.synced or clock_ms < self._again_at_ms:
            return
        row = next(iter(session.rows(sb.Chassis).values()), None)
        if row is None or row.public_key != self._public_key:
            self._finish()
        elif session.has_lock:
            self._again_at_ms = clock_ms + _AGAIN_MS
            self._removing = session.call(_remove(name.chassis, self._public_key))

    def wait(self, poller: ovs.poller.Poller, clock_ms: int) -> None:
        """Arms 'poller'."""
        if self._session is not None:
            self._session.wait(poller)
            if clock_ms < self._again_at_ms:
                poller.timer_wait(self._again_at_ms - clock_ms)

    def close(self) -> None:
        """Drops the connection."""
        self._close()

    # -- helpers -----------------------------------------------------------

    def _finish(self) -> None:
        """Forgets the name that was looked at."""
        del self.names[0]
        self._close()
        self._write()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._removing = None
        self._again_at_ms = 0

    def _read(self) -> None:
        try:
            found = list(_parse(state_file.read_json(_find_path())))
        except OSError as error:
            vlog.warn(f"former names of this chassis are not known: {error}")
            return
        self._present, self.names = next(iter(found), None), found[1 : _MOST + 1]

    def _write(self) -> None:
        """Keeps the names, the present one first."""
        assert self._present is not None
        names = [[each.chassis, each.remote] for each in (self._present, *self.names)]
        try:
            os.makedirs(dirs.SYSCONFDIR, mode=0o755, exist_ok=True)
            state_file.write_json(_find_path(), names)
        except OSError as error:
            vlog.warn(f"the name of this chassis is not kept over a restart: {error}")


def _find_path() -> str:
    return os.path.join(dirs.SYSCONFDIR, _FILE)


def _parse(value: Any) -> Iterator[Name]:
    """Yields the names in the file, as far as they can be read."""
    for each in value if isinstance(value, list) else ():
        match each:
            case [str(chassis), str(remote)] if chassis and remote:
                yield Name(chassis, remote)


def _open(name: Name) -> Session:
    return Session(
        name.remote,
        schema.SOUTHBOUND,
        (sb.Chassis,),
        schema=schema.load(schema.SOUTHBOUND),
        conditions={sb.Chassis.TABLE: [["name", "==", name.chassis]]},
        lock=name_lock(name.chassis),
        probe_interval_ms=PROBE_INTERVAL_MS,
        max_backoff_ms=MAX_BACKOFF_MS,
    )


def _remove(chassis: str, public_key: str) -> list[Operation]:
    """Returns the removal of all rows of 'chassis', if they are those of this host."""
    ours: Operation = {
        "op": "wait",
        "timeout": 0,
        "table": sb.Chassis.TABLE,
        "where": [["name", "==", chassis]],
        "columns": ["public_key"],
        "until": "==",
        "rows": [{"public_key": public_key}],
    }
    check, *deletes = make_removal(chassis, name_lock(chassis))
    return [check, ours, *deletes]
