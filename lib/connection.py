"""The connection of a session with its database: ovs.db.idl without its rows.

python-ovs finds the leader, monitors with conditions, takes the lock and comes
back after an outage.  Its rows cost 6 KB each, so that updates go to a Replica
(replica.py) instead, and transactions are sent as they are (transaction.py).

Used by idl.Session only.  This file alone knows internals of python-ovs, with
those of 3.1 and 4.0 tried: '_session', the JSON-RPC session; '_min_index', how
far a cluster had come; '_request_id', of the request whose answer a condition
waits for; '_lock_request_id' and the requests on locks; '_Idl__clear' and
'_Idl__parse_update', where content arrives; '_Idl__check_server_db', whether a
server will do; '_Idl__txn_process_reply', where a reply comes that nobody else
asked for; '_Idl__send_db_change_aware', with which it promises the server more
than it keeps; '_Idl__send_monitor_request', after which content comes.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import ovs.db.idl
import ovs.jsonrpc
import ovs.poller
import ovs.vlog

from . import characters, coverage
from .call import Call, Calls
from .failures import describe
from .guard import Guard, make_wait
from .replica import Replica
from .schema_request import MISFITS, UNREADABLE, is_schema
from .transaction import Operation, Status, Transaction, read_results
from .trouble import Trouble

vlog = ovs.vlog.Vlog("connection")

characters.install()

MIN_BACKOFF_MS = 1000
_NO_ID = str(UUID(int=0))
# glibc's; another C library gives memory back by itself, or does not.
_trim_heap = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Connection(ovs.db.idl.Idl):  # type: ignore[misc]
    """Keeps 'replica' as the database is, and sends transactions.

    'schema' is the database's, 'columns' are to be monitored by table; the
    server has all of them.
    """

    def __init__(  # noqa: PLR0913
        self,
        remote: str,
        schema: Mapping[str, Any],
        columns: Mapping[str, Collection[str]],
        replica: Replica,
        *,
        asserts_lock: bool,
        leader_only: bool,
        probe_interval_ms: int,
        max_backoff_ms: int,
    ) -> None:
        registered = ovs.db.idl.SchemaHelper(schema_json=_copy(schema))
        for table, names in columns.items():
            registered.register_columns(table, list(names))
        super().__init__(remote, registered, probe_interval_ms, leader_only)
        self._session.reconnect.set_backoff(MIN_BACKOFF_MS, max_backoff_ms)
        self.trouble = Trouble()
        self.trouble.follow(self._session)
        self._replica = replica
        self._probes: set[int] = set()
        self._transactions: dict[int, Transaction] = {}
        self._calls = Calls()
        self._asserts_lock = asserts_lock
        self._stole = False
        self._is_wrong = False
        # What the database has, once for each connection; the server's own table of schemas does
        # not tell of one that was converted.
        self.schema: Mapping[str, Any] | None = None
        self._schema_request_id: int | None = None
        replica.describe(
            {
                name: {each: column.type for each, column in table.columns.items()}
                for name, table in self.tables.items()
            }
        )

    # -- the state ---------------------------------------------------------

    @property
    def synced(self) -> bool:
        """Whether the replica holds what the database holds, or held when the connection went."""
        return bool(self.state == self.IDL_S_MONITORING) and not self._is_wrong

    @property
    def connected(self) -> bool:
        """Whether something can be sent now."""
        return bool(self._session.is_connected())

    @property
    def seqno(self) -> int:
        """The number of the connection that is spoken over, another one after each reconnection."""
        return int(self._session.get_seqno())

    @property
    def contended(self) -> bool:
        """Whether another client is known to hold the lock, and no answer on it is due."""
        return self._lock_request_id is None and bool(self.is_lock_contended)

    @property
    def conditioned(self) -> bool:
        """Whether the replica is that of the conditions last set."""
        states = [table.condition_state for table in self.tables.values()]
        return self.synced and all(each.new is None and each.requested is None for each in states)

    @property
    def answered(self) -> bool:
        """Whether the server owes no answer, be it to a probe() or on a condition."""
        return self._request_id is None and not self._probes

    @property
    def transacting(self) -> bool:
        """Whether the outcome of a transaction is open."""
        return bool(self._transactions)

    # -- the loop ----------------------------------------------------------

    def run(self) -> bool:
        """Receives and sends what can be; returns whether anything may have changed.

        A server that answers what nobody can read is asked for everything again.
        """
        try:
            return self._run()
        except MISFITS as error:
            vlog.err(f"{self._db.name}: an answer cannot be read ({describe(error)})")
            self.trouble.refuse(str(self._session.get_name()), UNREADABLE)
            self._start_over()
            return True

    def _run(self) -> bool:
        if self.synced or not gc.isenabled():
            return bool(super().run())
        # The content makes millions of objects at once, and none of them is garbage: to look
        # for some again and again would take a third of the time.
        gc.disable()
        try:
            return bool(super().run())
        finally:
            gc.enable()

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        self._session.wait(poller)
        self._session.recv_wait(poller)
        # The inherited one also wakes at once for a condition that cannot be sent yet.
        if self.cond_changed and self.connected and self._request_id is None:
            poller.immediate_wake()

    # -- what is sent ------------------------------------------------------

    def set_condition(self, table: str, condition: Sequence[Any]) -> None:
        """Replaces the condition of 'table', one of those that are monitored."""
        self.cond_change(table, list(condition))

    def probe(self) -> int:
        """Asks for a sign of life and returns the number of the question."""
        message = ovs.jsonrpc.Message.create_request("list_dbs", [])
        self._probes.add(message.id)
        self._session.send(message)
        return int(message.id)

    def has_answered(self, question: int) -> bool:
        """Returns whether that probe() was answered, or the connection is another one."""
        return question not in self._probes

    def transact(self, operations: Sequence[Operation], guard: Sequence[Guard]) -> Transaction:
        """Sends a transaction; what is returned changes when its outcome comes.

        Raises Unwritable.
        """
        lock = self.lock_name if self._asserts_lock else None
        if lock and not self.has_lock:
            return Transaction(Status.NOT_LOCKED)
        # The server checks the lock too, since it may be lost meanwhile.
        asserts = [{"op": "assert", "lock": lock}] if lock else []
        before = [*asserts, *map(make_wait, guard)]
        params = [self._db.name, *before, *operations]
        message = ovs.jsonrpc.Message.create_request("transact", params)
        if self._session.send(message):
            return Transaction(Status.LOST_RACE)
        transaction = Transaction(guard=guard, guards=len(before))
        self._transactions[message.id] = transaction
        return transaction

    def call(self, operations: Sequence[Operation], guard: Sequence[Guard]) -> Call:
        """Sends operations beside the replica; what is returned is filled when the answer comes.

        Raises Unwritable.
        """
        params = [self._db.name, *map(make_wait, guard), *operations]
        message = ovs.jsonrpc.Message.create_request("transact", params)
        call = self._calls.add(message.id, len(guard))
        self._session.send(message)
        return call

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
        if lost and self.lock_name is not None and self.connected:
            self._stole = False
            self._Idl__send_unlock_request()
            self._Idl__send_lock_request()

    def reset_cluster_state(self) -> None:
        """Has the next server be taken though it is behind what was read, as a restored one is."""
        self._min_index = 0

    # -- what python-ovs calls ----------------------------------------------

    def restart_fsm(self) -> None:
        """Begins anew on another connection: no answer to anything asked before can come."""
        self._give_up()
        if self._is_wrong:
            self._is_wrong, self.last_id = False, _NO_ID
        super().restart_fsm()

    def _Idl__send_monitor_request(self, *versions: Any) -> None:
        message = ovs.jsonrpc.Message.create_request("get_schema", [self._db.name])
        self._schema_request_id = message.id
        self._session.send(message)
        super()._Idl__send_monitor_request(*versions)

    def _Idl__send_db_change_aware(self) -> None:
        """Sends nothing: the server is to drop the connection where a database is converted.

        To a client that says that it is aware of changes it only says that the
        monitor is cancelled (ovsdb-server(7), 4.1.20), to which python-ovs is
        deaf: it would take the content of that moment for that of ever after.
        """

    def _Idl__txn_process_reply(self, message: Any) -> bool:
        """Takes an answer that would be taken for that on a condition."""
        if message.id == self._schema_request_id and message.result is not None:
            if not is_schema(message.result):
                raise ValueError("no schema")
            self.schema = message.result
            return True
        if message.id in self._probes:
            self._probes.remove(message.id)
            return True
        if self._calls.take(message):
            return True
        transaction = self._transactions.pop(message.id, None)
        if transaction is None:
            return False
        if message.type == ovs.jsonrpc.Message.T_ERROR:
            transaction.status, transaction.reason = Status.REFUSED, str(message.error)
        else:
            outcome = read_results(message.result, transaction.guards)
            transaction.status, transaction.reason = outcome.status, outcome.reason
        return True

    def _Idl__check_server_db(self) -> bool:
        """Returns whether the server has the database and may serve it; if not, notes why."""
        if super()._Idl__check_server_db():
            return True
        table = (self.server_tables or {}).get("Database")
        served = sorted(row.name for row in table.rows.values()) if table is not None else []
        others = ", ".join(each for each in served if each != "_Server") or "nothing"
        sentence = f"it serves {others}, and not {self._db.name}"
        if self._db.name in served:
            sentence = f"it is not a server of {self._db.name} that may be asked (its log says why)"
        self.trouble.refuse(str(self._session.get_name()), sentence)
        return False

    def _Idl__clear(self) -> None:
        self._replica.clear()
        super()._Idl__clear()

    def _Idl__parse_update(self, update: Any, version: Any, tables: Any = None) -> None:
        if tables is not None:
            super()._Idl__parse_update(update, version, tables)  # of the database _Server
            return
        if self._is_wrong:
            return
        coverage.count("idl_update")
        whole = not self.synced
        if whole:
            # The content of a new connection.  3.1 keeps the number of an older state, from which
            # the next connection would apply differences twice; 4.0 sets the right one after this.
            self.last_id = _NO_ID
        try:
            self._replica.update(update)
        except MISFITS as error:
            kind = type(error).__name__
            vlog.err(f"{self._db.name}: an update does not fit the replica ({kind}: {error})")
            self._start_over()
        if whole and _trim_heap is not None:
            # The parser of JSON had all of it at once, which is more than what is kept.
            _trim_heap(0)

    def close(self) -> None:
        """Drops the connection, and what is asked over it."""
        self._give_up()
        super().close()

    def _give_up(self) -> None:
        self._probes.clear()
        for transaction in self._transactions.values():
            transaction.status = Status.LOST_RACE
        self._transactions.clear()
        self._calls.drop()

    def _start_over(self) -> None:
        """Fetches everything again, since the replica is not what the server thinks it is."""
        # Until then nobody is to take the replica for the database.
        self._is_wrong = True
        self.force_reconnect()


def _copy(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a shallow copy: SchemaHelper drops unregistered tables in place."""
    return {**schema, "tables": {name: dict(table) for name, table in schema["tables"].items()}}
