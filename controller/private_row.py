"""The Chassis_Private row of this host: written by name, and not replicated.

The server tells a change of that table to each session that monitors it, so a chassis that
followed its own row would make a heartbeat cost what the square of the chassis costs.  Nothing is
lost by that: what stands there is what this process was told to have written.  The row is read
once at each connection, for what an earlier svc-controller left in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ovs.poller
import ovs.vlog

from ..lib import sb
from ..lib.call import Call, Operation
from ..lib.idl import Session

vlog = ovs.vlog.Vlog("private_row")

AGAIN_MS = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What stood in the row when it was read; all of it empty if there was no row."""

    incarnation: str = ""
    heartbeat: int = 0
    nb_cfg: int = 0
    nb_cfg_timestamp: int = 0
    ovn_problem: str = ""


_FOUND_COLUMNS = list(Found.__dataclass_fields__)


@dataclass(slots=True)
class PrivateRow:
    """The row of 'chassis' in one southbound, whose writer holds 'lock'.

    'found' is what was read at this connection, None until then; 'told' are the
    columns that the server is known to have, none before its first answer.
    'outdated' is whether what was found is older than what stood there before.
    """

    chassis: str
    lock: str
    found: Found | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    outdated: bool = False
    _stood: Mapping[str, Any] = field(default_factory=dict)
    _connection: int | None = None
    _reading: Call | None = None
    _writing: Call | None = None
    _sent: Mapping[str, Any] = field(default_factory=dict)
    _inserting: bool = False
    _missing: bool = False
    # Columns that the southbound of this connection does not have, as one of an older release.
    _unknown: set[str] = field(default_factory=set)
    _again_at_ms: int = 0

    def run(self, session: Session, now_ms: int) -> None:
        """Takes answers, and reads the row where that is to be done."""
        if session.connection is None:
            return
        if session.connection != self._connection:
            # Another server may answer at this one, with another row or none.
            self._connection = session.connection
            self.told = {}
            self._unknown.clear()
            self.read_again()
        if self._reading is None and self.found is None:
            self._reading = session.call([self._select()])
        if self._reading is not None and self._reading.done:
            self._note_found(self._reading)
            self._reading = None
        if self._writing is not None and self._writing.done:
            self._note_written(self._writing, now_ms)
            self._writing = None

    def read_again(self) -> None:
        """Forgets what was found; run() reads it anew."""
        self.found = self._reading = None

    def write(self, session: Session, columns: Mapping[str, Any], now_ms: int) -> None:
        """Makes the row have 'columns'; one request at a time, the last columns given next."""
        if columns == self.told or self._writing is not None or now_ms < self._again_at_ms:
            return
        self._inserting = self._missing
        had = {name: value for name, value in columns.items() if name not in self._unknown}
        change = self._insert(had) if self._missing else self._update(had)
        self._sent = dict(columns)
        self._writing = session.call([{"op": "assert", "lock": self.lock}, change])

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for when a refused write is tried again."""
        if now_ms < self._again_at_ms:
            poller.timer_wait(self._again_at_ms - now_ms)

    def _note_found(self, call: Call) -> None:
        if call.results is not None:
            rows = call.results[0].get("rows", [])
            self.found = Found(**rows[0]) if rows else Found()
            self.outdated = bool(self._stood) and (
                self.found.incarnation != self._stood["incarnation"]
                or self.found.heartbeat < self._stood["heartbeat"]
            )
            self._missing = not rows

    def _note_written(self, call: Call, now_ms: int) -> None:
        self.told = {}
        unknown = _find_unknown(call.problem)
        if unknown is not None and unknown not in self._unknown:
            self._unknown.add(unknown)
            vlog.info(f"the southbound is of an older release: it has no {unknown} of a chassis")
        elif call.results is None:
            self._missing = False
            self._again_at_ms = now_ms + AGAIN_MS
            vlog.info(f"the row of chassis {self.chassis} was not written: {call.problem}")
        elif self._inserting or call.results[1].get("count"):
            self.told, self._missing = self._sent, False
            self._stood = self._sent
        else:
            self._missing = True

    def _select(self) -> Operation:
        return {**self._operation("select"), "columns": _FOUND_COLUMNS}

    def _update(self, columns: Mapping[str, Any]) -> Operation:
        return {**self._operation("update"), "row": _encode(columns)}

    def _insert(self, columns: Mapping[str, Any]) -> Operation:
        row = {"name": self.chassis, **_encode(columns)}
        return {"op": "insert", "table": sb.ChassisPrivate.TABLE, "row": row}

    def _operation(self, name: str) -> dict[str, Any]:
        where = [["name", "==", self.chassis]]
        return {"op": name, "table": sb.ChassisPrivate.TABLE, "where": where}


def make_removal(chassis: str, lock: str) -> list[Operation]:
    """Returns what removes all rows that 'chassis' made, if 'lock' is held."""
    named = [["name", "==", chassis]]
    placed = [["chassis", "==", chassis]]
    tables = (
        (sb.ContainerItem.TABLE, placed),
        (sb.ChassisPrivate.TABLE, named),
        (sb.Chassis.TABLE, named),
    )
    deletes = [{"op": "delete", "table": table, "where": where} for table, where in tables]
    return [{"op": "assert", "lock": lock}, *deletes]


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
    return ["map", [list(pair) for pair in value.items()]] if isinstance(value, Mapping) else value
