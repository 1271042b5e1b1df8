"""Row events of SVC_Northbound, and waiting for a state of its rows.

ovsdbapp tells an event in two steps: 'matches' is asked by the thread that reads
the database, 'run' is called by another one, later.  Two events of ovsdbapp that
look alike are one to it, and only the first is ever told; those here are themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ovsdbapp.backend.ovs_idl import event

from .errors import WaitTimeout

_T = TypeVar("_T")


class RowEvent(event.RowEvent):
    """An ovsdbapp RowEvent that is equal to itself only."""

    def __init__(
        self, events: Sequence[str], table: str, conditions: Any = None, old_conditions: Any = None
    ) -> None:
        super().__init__(tuple(events), table, conditions, old_conditions)

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def run(self, event: str, row: Any, old: Any) -> None:
        """Is called with the row as it was when it matched."""


class StatusEvent(RowEvent):
    """Tells each change of the status, or of its reason, in a table; also with a new row.

    'table' is VPN_Service, IPsec_Connection or Service_Container; 'tell' is called
    with the row, by the thread of events.
    """

    def __init__(self, table: str, tell: Callable[[Any], Any]) -> None:
        super().__init__((self.ROW_CREATE, self.ROW_UPDATE), table)
        self._tell = tell

    def match_fn(self, event: str, row: Any, old: Any) -> bool:
        """Returns whether the status is another one."""
        columns = ("status", "status_code", "status_message")
        return event == self.ROW_CREATE or any(_differs(row, old, each) for each in columns)

    def run(self, event: str, row: Any, old: Any) -> None:
        """Tells."""
        self._tell(row)


class WaitEvent(RowEvent):
    """Waits for the first row that 'check' is true of; watch it before what makes the change.

    wait() returns whether it came within 'timeout' seconds.
    """

    ONETIME = True
    priority = 10

    def __init__(
        self, table: str, check: Callable[[Any], Any], timeout: float | None = None
    ) -> None:
        super().__init__((self.ROW_CREATE, self.ROW_UPDATE), table)
        self._check = check
        self._came = threading.Event()
        self._timeout = timeout

    def match_fn(self, event: str, row: Any, old: Any) -> bool:
        """Returns whether the row is as it is waited for."""
        return bool(self._check(row))

    def run(self, event: str, row: Any, old: Any) -> None:
        """Ends the waiting."""
        self._came.set()

    def wait(self) -> bool:
        """Returns whether such a row came in time."""
        return self._came.wait(self._timeout)


class _Stir(RowEvent):
    """Sets a flag whenever anything of a table changes."""

    def __init__(self, table: str) -> None:
        super().__init__((self.ROW_CREATE, self.ROW_UPDATE, self.ROW_DELETE), table)
        self.flag = threading.Event()

    def matches(self, event: str, row: Any, old: Any = None) -> bool:
        """Returns False: the flag is all."""
        if row._table.name == self.table:
            self.flag.set()
        return False


def wait_for_rows(
    api: Any, table: str, check: Callable[[], _T | None], timeout: float, tell: Callable[[], str]
) -> _T:
    """Returns what 'check' returns once it is not None; it is asked again when 'table' changes.

    Raises WaitTimeout with what 'tell' says after 'timeout' seconds.
    """
    deadline = time.monotonic() + timeout
    stir, lock = _Stir(table), api.ovsdb_connection.lock
    api.watch_event(stir)
    try:
        while True:
            stir.flag.clear()
            # Whoever waits for a server that hangs has the lock.
            if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                raise WaitTimeout(f"the database did not answer, after {timeout:g} s")
            try:
                found = check()
            finally:
                lock.release()
            if found is not None:
                return found
            if not stir.flag.wait(max(0.0, deadline - time.monotonic())):
                raise WaitTimeout(f"{tell()}, after {timeout:g} s")
    finally:
        api.unwatch_event(stir)


def _differs(row: Any, old: Any, column: str) -> bool:
    missing = object()
    before = getattr(old, column, missing)
    return before is not missing and before != getattr(row, column, missing)
