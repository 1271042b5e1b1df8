"""The Chassis_Private row of this host: written by name, and not replicated.

The server tells a change of that table to each session that monitors it, so a chassis that
followed its own row would make a heartbeat cost what the square of the chassis costs.  Nothing is
lost by that: what stands there is what this process was told to have written.  The row is read
at each connection, for what an earlier svc-controller left in it and for whose it is (claim.py),
and again whenever a transaction was not carried out since it is another's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import ovs.poller
import ovs.vlog

from ..lib import sb
from ..lib.call import Call, Operation
from ..lib.guard import Guard
from ..lib.idl import Session
from .claim import LOOK_MS, Claim, Found

vlog = ovs.vlog.Vlog("private_row")

AGAIN_MS = 1000
_LONGEST_AGAIN_MS = 8000
_FOUND_COLUMNS = {each.name for each in fields(Found)} - {"exists"}


@dataclass(slots=True)
class PrivateRow:
    """The row of 'chassis' in one southbound, and whether it is ours by 'claim'.

    'held' is whether it is ours, as of this connection or of the last one.  'found' is what was
    read last, None until then; 'told' are the columns that the server is known to have, none
    before its first answer.  'outdated' is whether what was found is older than what stood
    there before, 'refusal' why the server does not take what is written, in its words.
    """

    chassis: str
    claim: Claim
    held: bool = False
    found: Found | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    outdated: bool = False
    refusal: str = ""
    _stood: Mapping[str, Any] = field(default_factory=dict)
    _connection: int | None = None
    _reading: Call | None = None
    _taking: Call | None = None
    _writing: Call | None = None
    _sent: Mapping[str, Any] = field(default_factory=dict)
    # Columns that the southbound of this connection does not have, as one of an older release.
    _unknown: set[str] = field(default_factory=set)
    _first: bool = False
    _warned: bool = False
    _lost_ms: int | None = None
    _look_at_ms: int = 0
    _again_at_ms: int = 0
    _again_ms: int = AGAIN_MS

    def run(self, session: Session, interval_ms: int, now_ms: int) -> None:
        """Takes answers; reads the row, and takes it, where that is to be done.

        'interval_ms' is how often the chassis beats.
        """
        if session.connection is None:
            self.claim.interrupt()
            return
        if session.connection != self._connection:
            self._begin(session)
        if self._writing is not None and self._writing.done:
            written, self._writing = self._writing, None
            self._note_written(session, written, now_ms)
        if self.held and session.guard_broken:
            self.lose(session, now_ms)
        if self._taking is not None and self._taking.done:
            taken, self._taking = self._taking, None
            self._note_taken(session, taken, now_ms)
        if not self.held and session.synced:
            self._seek(session, interval_ms, now_ms)

    def write(self, session: Session, columns: Mapping[str, Any], now_ms: int) -> None:
        """Makes the row have 'columns'; one request at a time, the last columns given next."""
        if columns == self.told or self._writing is not None or now_ms < self._again_at_ms:
            return
        if not self.held:
            return
        had = {name: value for name, value in columns.items() if name not in self._unknown}
        self._sent = dict(columns)
        self._writing = session.call([self._update(had)])

    def lose(self, session: Session, now_ms: int) -> None:
        """Notes that the row is not ours, at least not as it was written; it is read anew."""
        vlog.info(f"the row of chassis {self.chassis} is another one than this process wrote")
        # A server that is behind may say for a moment that it is ours still.
        often = self._lost_ms is not None and now_ms < self._lost_ms + AGAIN_MS
        self._lost_ms = now_ms
        self._look_anew(session, now_ms + LOOK_MS if often else 0)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for the next look at the row, and for what was refused."""
        at_ms = self._again_at_ms if self.held else max(self._look_at_ms, self._again_at_ms)
        if now_ms < at_ms:
            poller.timer_wait(at_ms - now_ms)

    # -- helpers, in the order they are called ------------------------------

    def _begin(self, session: Session) -> None:
        """Begins anew: another server may answer, with another row or none."""
        self._connection = session.connection
        self.claim.interrupt()
        self._reading = self._taking = self._writing = None
        self._unknown.clear()
        self._again_at_ms, self.refusal = 0, ""
        self._first = True
        self._look_anew(session, 0)

    def _look_anew(self, session: Session, at_ms: int) -> None:
        """Forgets what was found; it is read again, not before 'at_ms'."""
        self.held, self.found, self.told = False, None, {}
        self._look_at_ms = at_ms
        session.set_guard(self._guard({"incarnation": self.claim.incarnation}))

    def _note_written(self, session: Session, call: Call, now_ms: int) -> None:
        self.told = {}
        if call.unguarded:
            self.lose(session, now_ms)
            return
        unknown = _find_unknown(call.problem)
        if unknown is not None and unknown not in self._unknown:
            self._unknown.add(unknown)
            vlog.info(f"the southbound is of an older release: it has no {unknown} of a chassis")
        elif call.results is None:
            self._postpone(call, now_ms)
        else:
            self._accept()
            self.told = self._stood = self._sent

    def _postpone(self, call: Call, now_ms: int) -> None:
        """Notes that the server did not carry something out."""
        self._again_at_ms = now_ms + self._again_ms
        if not call.lost:
            self._again_ms = min(2 * self._again_ms, _LONGEST_AGAIN_MS)
            self.refusal = call.problem

    def _accept(self) -> None:
        """Notes that the server takes what is written."""
        self.refusal, self._again_ms = "", AGAIN_MS

    def _note_taken(self, session: Session, call: Call, now_ms: int) -> None:
        if call.results is None:
            # Somebody else was first, or the server refuses it.
            if not call.unguarded:
                self._postpone(call, now_ms)
            self._look_anew(session, now_ms + LOOK_MS)
            return
        self._accept()
        self._hold(session)

    def _hold(self, session: Session) -> None:
        self.held, self._warned = True, False
        self.claim.end()
        session.set_guard(self._guard({"incarnation": self.claim.incarnation}))

    def _seek(self, session: Session, interval_ms: int, now_ms: int) -> None:
        """Reads whose the row is, and takes it if that may be."""
        if self._reading is not None and self._reading.done:
            results, self._reading = self._reading.results, None
            if results is not None:
                self._note_found(results[0].get("rows", []))
                self._judge(session, interval_ms, now_ms)
        due = now_ms >= max(self._look_at_ms, self._again_at_ms)
        if due and not self.held and self._taking is None and self._reading is None:
            self._reading = session.call([self._operation("select")], guard=())
            self._look_at_ms = now_ms + LOOK_MS

    def _note_found(self, rows: list[dict[str, Any]]) -> None:
        known = {name: rows[0][name] for name in _FOUND_COLUMNS & rows[0].keys()} if rows else {}
        found = self.found = Found(exists=bool(rows), **known)
        first, self._first = self._first, False
        if self._stood and first:
            same = found.incarnation == self._stood["incarnation"]
            self.outdated = not same or found.heartbeat < self._stood["heartbeat"]

    def _judge(self, session: Session, interval_ms: int, now_ms: int) -> None:
        found, claim = self.found, self.claim
        assert found is not None
        if claim.is_ours(found):
            self._hold(session)
        elif claim.may_take(found, self._stood, interval_ms, now_ms):
            if claim.watching:
                vlog.info(f"taking the name {self.chassis}, under which nobody beats any more")
            self._taking = session.call([self._take(found)], guard=[self._guard_found(found)])
        elif claim.rival and not self._warned:
            self._warned = True
            vlog.warn(
                f"waiting: another svc-controller claims the chassis name {self.chassis}; "
                "two hosts must not have the same external_ids:system-id"
            )

    def _take(self, found: Found) -> Operation:
        # The heartbeat says that the row has passed on, if it is not edited back by hand.
        row = {"incarnation": self.claim.incarnation, "heartbeat": 0}
        return self._update(row) if found.exists else self._insert(row)

    def _guard_found(self, found: Found) -> Guard:
        if not found.exists:
            return Guard(sb.ChassisPrivate.TABLE, self._where)
        return self._guard({"incarnation": found.incarnation, "heartbeat": found.heartbeat})

    def _guard(self, columns: Mapping[str, Any]) -> Guard:
        return Guard(sb.ChassisPrivate.TABLE, self._where, columns)

    def _update(self, columns: Mapping[str, Any]) -> Operation:
        return {**self._operation("update"), "row": _encode(columns)}

    def _insert(self, columns: Mapping[str, Any]) -> Operation:
        row = {"name": self.chassis, **_encode(columns)}
        return {"op": "insert", "table": sb.ChassisPrivate.TABLE, "row": row}

    def _operation(self, name: str) -> dict[str, Any]:
        return {"op": name, "table": sb.ChassisPrivate.TABLE, "where": self._where}

    @property
    def _where(self) -> list[Any]:
        return [["name", "==", self.chassis]]


def make_removal(chassis: str) -> list[Operation]:
    """Returns what removes all rows that 'chassis' made."""
    named = [["name", "==", chassis]]
    placed = [["chassis", "==", chassis]]
    tables = (
        (sb.ContainerItem.TABLE, placed),
        (sb.ChassisPrivate.TABLE, named),
        (sb.Chassis.TABLE, named),
    )
    return [{"op": "delete", "table": table, "where": where} for table, where in tables]


def _find_unknown(problem: str | None) -> str | None:
    """Returns the column that a server refused since its schema has none of that name."""
    found = re.search(r"\bNo column (\w+) in table ", problem or "")
    return found[1] if found else None


def _encode(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns 'columns' as RFC 7047 writes them (5.1)."""
    return {name: _encode_value(value) for name, value in columns.items()}


def _encode_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return ["set", list(value)]
    return ["map", [[*pair] for pair in value.items()]] if isinstance(value, Mapping) else value
