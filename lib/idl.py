"""A session with one database, on ovs.db.idl.

A session keeps a replica of some tables as frozen rows (rows.py), says which
tables changed, and commits planned changes (delta.py) in the background, one
transaction at a time and a small one beside it.  svc-northd has one for each of
its databases, svc-controller for the southbound and the local Open_vSwitch.

The caller's loop is run(), look at 'synced' and take_changes(), commit(),
wait(poller).  A row cache is kept by the IDL's notifications, so a change
costs what the change costs; after a reconnection it is built again, since the
IDL does not tell which rows went meanwhile.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import ovs.db.data
import ovs.db.idl
import ovs.jsonrpc
import ovs.poller
import ovs.timeval
import ovs.vlog

from . import transaction
from .delta import Change
from .numbers import parse_number
from .rows import Row, find_columns, from_datum

vlog = ovs.vlog.Vlog("idl")

PROBE_INTERVAL_MS = 60_000
MIN_BACKOFF_MS = 1000
MAX_BACKOFF_MS = 8000
REFUSED_BACKOFF_MS = 1000

RowT = TypeVar("RowT", bound=Row)


class _NotifyingIdl(ovs.db.idl.Idl):  # type: ignore[misc]
    """Hands each change of a row to its session."""

    session: Session
    probes: set[int]
    _stole = False

    def restart_fsm(self) -> None:
        self.probes.clear()
        super().restart_fsm()

    def _Idl__txn_process_reply(self, message: Any) -> Any:
        """Takes the answer to a probe, which would be taken for that on a condition."""
        if message.id in self.probes:
            self.probes.remove(message.id)
            return True
        return super()._Idl__txn_process_reply(message)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        self.session._note(row._table.name, row.uuid)

    def wait(self, poller: ovs.poller.Poller) -> None:
        self._session.wait(poller)
        self._session.recv_wait(poller)
        # The inherited one also wakes at once for a condition that cannot be sent yet.
        if self.cond_changed and self._session.is_connected() and self._request_id is None:
            poller.immediate_wake()

    def steal_lock(self) -> None:
        """Takes the lock from whoever holds it (RFC 7047, 4.1.9); the reply comes later."""
        # The server takes no "steal" from a client that waits for the lock.
        self._Idl__send_unlock_request()
        self._lock_request_id = self._Idl__do_send_lock_request("steal")
        self._stole = True

    def queue_again(self) -> None:
        """Waits for the lock again where it was stolen and is lost to another thief.

        A client that lost a lock for which it waited is queued by the server; a thief is not.
        """
        lost = self._stole and not self.has_lock and self._lock_request_id is None
        if lost and self.lock_name is not None and self._session.is_connected():
            self._stole = False
            self._Idl__send_unlock_request()
            self._Idl__send_lock_request()


class _SchemaRequest:
    """Asks a server for the schema of a database that is not ours to ship."""

    def __init__(self, remotes: list[str], database: str) -> None:
        self._session = ovs.jsonrpc.Session.open_multiple(remotes, PROBE_INTERVAL_MS)
        self._database = database
        self._asked_seqno = 0
        self._ask_again_ms = 0

    def run(self) -> dict[str, Any] | None:
        """Returns the schema once it has arrived."""
        self._session.run()
        if not self._session.is_connected():
            return None
        waiting = ovs.timeval.msec() < self._ask_again_ms
        if self._asked_seqno != self._session.get_seqno() and not waiting:
            self._asked_seqno = self._session.get_seqno()
            request = ovs.jsonrpc.Message.create_request("get_schema", [self._database])
            self._session.send(request)
        message = self._session.recv()
        if message is not None and message.type == ovs.jsonrpc.Message.T_ERROR:
            vlog.warn(f"{self._database}: the server has no schema of it: {message.error}")
            self._asked_seqno = 0
            self._ask_again_ms = ovs.timeval.msec() + REFUSED_BACKOFF_MS
        if message is None or message.type != ovs.jsonrpc.Message.T_REPLY:
            return None
        self._session.close()
        return cast(dict[str, Any], message.result)

    def wait(self, poller: ovs.poller.Poller) -> None:
        self._session.wait(poller)
        self._session.recv_wait(poller)
        if ovs.timeval.msec() < self._ask_again_ms:
            poller.timer_wait_until(self._ask_again_ms)


class Session:
    """A connection to 'database' at 'remote' (comma-separated OVSDB remotes).

    'row_classes' say which tables and columns are monitored, 'conditions'
    restrict tables (RFC 7047 conditions).  Without 'schema' the server is
    asked for its own; a column that an older server lacks reads as None.
    A connection by TCP that is silent for 'probe_interval_ms' is probed and,
    silent for as long again, given up; attempts come at least every
    'max_backoff_ms'.
    """

    def __init__(  # noqa: PLR0913
        self,
        remote: str,
        database: str,
        row_classes: Iterable[type[Row]],
        *,
        schema: Mapping[str, Any] | None = None,
        conditions: Mapping[str, Sequence[Any]] | None = None,
        lock: str | None = None,
        leader_only: bool = False,
        probe_interval_ms: int = PROBE_INTERVAL_MS,
        max_backoff_ms: int = MAX_BACKOFF_MS,
    ) -> None:
        self.remote = remote
        self.database = database
        self._classes = {row_class.TABLE: row_class for row_class in row_classes}
        self._conditions = dict(conditions or {})
        self._lock = lock
        self._leader_only = leader_only
        self._probe_interval_ms = probe_interval_ms
        self._max_backoff_ms = max_backoff_ms
        self._rows: dict[str, dict[UUID, Any]] = {table: {} for table in self._classes}
        self._dirty: dict[str, set[UUID]] = {}
        self._changed: set[str] = set()
        # Of tables whose rows are taken one by one: what each was when they were last taken.
        self._followed: dict[str, dict[UUID, Any]] = {}
        self._idl: _NotifyingIdl | None = None
        self._seqno: int | None = None
        self._rebuild = True
        self._txn: Any = None
        self._beside: Any = None
        self._beside_outcome: bool | None = None
        self._retry_ms = 0
        self._outcome: str | None = None
        self._request: _SchemaRequest | None = None
        if schema is None:
            self._request = _SchemaRequest(remote.split(","), database)
        else:
            self._open(schema)

    # -- the loop ----------------------------------------------------------

    def run(self) -> None:
        """Does what can be done now: receives changes, finishes a transaction."""
        if self._request is not None:
            schema = self._request.run()
            if schema is not None:
                self._request = None
                self._open(schema)
        if self._idl is None:
            return
        self._idl.run()
        self._finish_commit()
        self._finish_beside()
        self._apply_lock()
        self._idl.queue_again()
        # The IDL notes the number of the connection whose content it fetches anew.
        # The number itself moves earlier, while the replica is still the old one.
        if self._seqno != self._idl._last_seqno:
            self._seqno = self._idl._last_seqno
            self._rebuild = True
        if self.synced:
            self._refresh()

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        if self._request is not None:
            self._request.wait(poller)
        if self._idl is not None:
            self._idl.wait(poller)
        for txn in (self._txn, self._beside):
            if txn is not None:
                txn.wait(poller)
        if self._txn is None and self.committing:
            poller.timer_wait_until(self._retry_ms)

    def close(self) -> None:
        """Drops the connection."""
        if self._idl is not None:
            self._idl.close()

    # -- the replica -------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether the replica holds what the database holds."""
        return self._idl is not None and self._idl.state == self._idl.IDL_S_MONITORING

    @property
    def connected(self) -> bool:
        """Whether a transaction can be sent now; a replica outlives its connection."""
        return self._idl is not None and bool(self._idl._session.is_connected())

    @property
    def has_lock(self) -> bool:
        """Whether this session holds the lock it asked for."""
        return self._lock is not None and self._idl is not None and bool(self._idl.has_lock)

    @property
    def contended(self) -> bool:
        """Whether another client is known to hold the lock, and no answer on it is due."""
        return (
            self._lock is not None
            and self._idl is not None
            and self._idl._lock_request_id is None
            and bool(self._idl.is_lock_contended)
        )

    def set_lock(self, lock: str | None) -> None:
        """Asks for 'lock', or gives the lock back if None, once no transaction is under way."""
        self._lock = lock
        self._apply_lock()

    def steal_lock(self) -> None:
        """Takes the lock that was asked for from whoever holds it (RFC 7047, 4.1.9).

        'has_lock' tells when it is ours.  The other one's transactions are refused from then on.
        """
        if self.connected and self._lock is not None and not self.has_lock:
            assert self._idl is not None
            if self._idl.lock_name == self._lock:
                self._idl.steal_lock()

    def probe(self) -> int | None:
        """Asks the server for a sign of life; has_answered() tells when it came.

        Returns the number of the question, None without a connection in sync.
        All that the server had to tell when it was asked is in the replica by then.
        """
        if self._idl is None or not (self.synced and self.connected):
            return None
        message = ovs.jsonrpc.Message.create_request("list_dbs", [])
        self._idl.probes.add(message.id)
        self._idl._session.send(message)
        return int(message.id)

    def has_answered(self, question: int) -> bool:
        """Returns whether that probe() was answered, or the connection is another one."""
        return self._idl is None or question not in self._idl.probes

    @property
    def answered(self) -> bool:
        """Whether the server owes no answer, be it to a probe() or on a condition."""
        return self._idl is not None and self._idl._request_id is None and not self._idl.probes

    def set_condition(self, table: str, condition: Sequence[Any]) -> None:
        """Replaces the condition of 'table'; a row that meets any clause of it is monitored.

        'conditioned' tells when the replica is that of this condition.
        """
        self._conditions[table] = condition
        if self._idl is not None and table in self._idl.tables:
            self._idl.cond_change(table, list(condition))

    @property
    def conditioned(self) -> bool:
        """Whether the replica is that of the conditions last set."""
        if self._idl is None or not self.synced:
            return False
        states = [table.condition_state for table in self._idl.tables.values()]
        return all(state.new is None and state.requested is None for state in states)

    def rows(self, row_class: type[RowT]) -> Mapping[UUID, RowT]:
        """Returns the rows of a table by UUID; it must not be changed."""
        return cast(Mapping[UUID, RowT], self._rows[row_class.TABLE])

    @property
    def tables(self) -> Mapping[str, Mapping[UUID, Any]]:
        """The replica: rows by UUID, by table; it must not be changed."""
        return self._rows

    def take_changes(self) -> set[str]:
        """Returns the tables that changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def take_rows(self, row_class: type[RowT]) -> list[tuple[RowT | None, RowT | None]]:
        """Returns each row that changed since the last call, as it was then and as it is.

        None is for a row that was not there, or is not.  The first call returns all rows.
        """
        rows = self._rows[row_class.TABLE]
        before = self._followed.get(row_class.TABLE, dict.fromkeys(rows))
        self._followed[row_class.TABLE] = {}
        pairs = [(row, rows.get(row_uuid)) for row_uuid, row in before.items()]
        return [pair for pair in pairs if pair != (None, None)]

    # -- writing -----------------------------------------------------------

    @property
    def committing(self) -> bool:
        """Whether no transaction may start now: one is under way, or the last was refused."""
        return self._txn is not None or ovs.timeval.msec() < self._retry_ms

    def commit(self, changes: Sequence[Change], comment: str) -> None:
        """Starts one transaction with 'changes'; an empty list starts none.

        A failure is logged and marks each table changed, so that the caller
        computes again.
        """
        assert self._idl is not None
        assert self._txn is None
        if not changes:
            return
        self._txn = transaction.make(self._idl, changes, comment)
        self._finish_commit()

    def commit_beside(self, changes: Sequence[Change], comment: str) -> None:
        """Starts a transaction that does not wait for that of commit(); one at a time.

        Its failure is told by take_beside() only.
        """
        assert self._idl is not None
        assert self._beside is None
        self._beside = transaction.make(self._idl, changes, comment)
        self._beside_outcome = None
        self._finish_beside()

    @property
    def committing_beside(self) -> bool:
        """Whether a transaction of commit_beside() is under way."""
        return self._beside is not None

    def take_beside(self) -> bool | None:
        """Returns whether the last transaction of commit_beside() succeeded.

        None while it is under way, or if this was asked before.
        """
        outcome, self._beside_outcome = self._beside_outcome, None
        return outcome

    def take_outcome(self) -> str | None:
        """Returns "" if the last transaction succeeded, the server's words if it was refused.

        None if it lost a race or the connection, or if this was asked before.
        """
        outcome, self._outcome = self._outcome, None
        return outcome

    # -- helpers, in the order they are called ------------------------------

    def _open(self, schema: Mapping[str, Any]) -> None:
        registered = ovs.db.idl.SchemaHelper(schema_json=_copy(schema))
        for table, row_class in self._classes.items():
            known = schema["tables"].get(table, {"columns": {}})["columns"]
            columns = [name for name in find_columns(row_class) if name in known]
            registered.register_columns(table, columns)
        self._idl = _NotifyingIdl(
            self.remote, registered, self._probe_interval_ms, self._leader_only
        )
        self._idl.session, self._idl.probes = self, set()
        self._idl._session.reconnect.set_backoff(MIN_BACKOFF_MS, self._max_backoff_ms)
        for table, condition in self._conditions.items():
            self._idl.cond_change(table, list(condition))
        if self._lock is not None:
            self._idl.set_lock(self._lock)

    def _apply_lock(self) -> None:
        # The IDL changes no lock while the outcome of a transaction that asserts it is open.
        idl = self._idl
        if idl is not None and idl.lock_name != self._lock and not idl._outstanding_txns:
            idl.set_lock(self._lock)

    def _note(self, table: str, row_uuid: UUID) -> None:
        if table in self._classes:  # the IDL also follows the _Server database
            self._dirty.setdefault(table, set()).add(row_uuid)

    def _refresh(self) -> None:
        assert self._idl is not None
        if self._rebuild:
            self._rebuild = False
            for table in self._classes:
                known = set(self._rows[table]) | set(self._idl.tables[table].rows.keys())
                self._dirty.setdefault(table, set()).update(known)
                self._changed.add(table)
        for table, row_uuids in self._dirty.items():
            self._changed.add(table)
            for row_uuid in row_uuids:
                self._read(table, row_uuid)
        self._dirty.clear()

    def _read(self, table: str, row_uuid: UUID) -> None:
        assert self._idl is not None
        row = self._idl.tables[table].rows.get(row_uuid)
        if table in self._followed:
            self._followed[table].setdefault(row_uuid, self._rows[table].get(row_uuid))
        if row is None:
            self._rows[table].pop(row_uuid, None)
            return
        row_class = self._classes[table]
        columns = self._idl.tables[table].columns
        values = {
            name: from_datum(row._data[name]) if name in columns else None
            for name in find_columns(row_class)
        }
        self._rows[table][row_uuid] = row_class(uuid=row_uuid, **values)

    def _finish_commit(self) -> None:
        if self._txn is None:
            return
        status = self._txn.commit()
        if status == self._txn.INCOMPLETE:
            return
        txn, self._txn = self._txn, None
        if status in (txn.SUCCESS, txn.UNCHANGED):
            self._outcome = ""
            return
        self._changed.update(self._classes)
        if status == txn.ERROR:
            self._outcome = str(txn.get_error())
            self._retry_ms = ovs.timeval.msec() + REFUSED_BACKOFF_MS
            vlog.warn(f"{self.database}: transaction refused: {txn.get_error()}")
        elif status == txn.TRY_AGAIN:
            vlog.dbg(f"{self.database}: transaction lost a race, computing again")
        else:
            vlog.info(f"{self.database}: {txn.status_to_string(status)}")

    def _finish_beside(self) -> None:
        if self._beside is None:
            return
        status = self._beside.commit()
        if status == self._beside.INCOMPLETE:
            return
        txn, self._beside = self._beside, None
        self._beside_outcome = status in (txn.SUCCESS, txn.UNCHANGED)
        if status == txn.ERROR:
            vlog.warn(f"{self.database}: transaction refused: {txn.get_error()}")


def _copy(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a shallow copy: SchemaHelper drops unregistered tables in place."""
    return {**schema, "tables": {name: dict(table) for name, table in schema["tables"].items()}}


def find_remote_problem(remotes: str) -> str | None:
    """Returns in a sentence why python-ovs cannot connect to 'remotes', separated by commas.

    It takes unix:PATH and, with ports and without resolving names, tcp:IP:PORT and ssl:IP:PORT.
    """
    for remote in remotes.split(","):
        method, _, rest = remote.strip().partition(":")
        if method == "unix" and rest:
            continue
        if method not in ("tcp", "ssl"):
            return f"{remote!r} is neither unix:PATH nor tcp:IP:PORT nor ssl:IP:PORT"
        host, port = _split_port(rest)
        if not host or parse_number(port, 1, 65535) is None:
            return f"{remote!r} has no port: it must be {method}:IP:PORT"
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return f"{remote!r}: {host} is not an IP address, and names are not resolved"
    return None


def _split_port(text: str) -> tuple[str, str]:
    """Returns the address without its brackets, and the port or ""."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
    else:
        host, _, port = text.rpartition(":")
    return host or text, port if host else ""
