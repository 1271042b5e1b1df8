"""A session with one database.

A session keeps a replica of some tables as frozen rows (replica.py), says what
changed, and commits planned changes (delta.py) in the background, one
transaction at a time and a small one beside it.  svc-northd has one for each of
its databases, svc-controller for the southbound and the local Open_vSwitch.

The caller's loop is run(), look at 'synced' and take_changed_rows(), commit(),
wait(poller).  A change costs what it changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import ovs.poller
import ovs.timeval
import ovs.vlog

from . import coverage
from .call import Call, Operation
from .connection import Connection
from .delta import Change
from .guard import Guard
from .refusal import Refusals
from .replica import ChangedRows, Pair, Replica
from .rows import Row, find_columns
from .schema_request import SchemaRequest
from .transaction import Status, Transaction, Unwritable, make_operations
from .trouble import UNTRIED

vlog = ovs.vlog.Vlog("idl")

PROBE_INTERVAL_MS = 60_000
MAX_BACKOFF_MS = 8000
REFUSED_BACKOFF_MS = 1000
COMMIT, BESIDE = "commit", "beside"

RowT = TypeVar("RowT", bound=Row)
# By table and column what a schema says of it.
_Known = Mapping[str, Mapping[str, Any]]


class Session:
    """A connection to 'database' at 'remote' (comma-separated OVSDB remotes).

    'row_classes' say which tables and columns are monitored, 'conditions'
    restrict tables (RFC 7047 conditions).  Without 'schema' the server is
    asked for its own, also where the database has another one after an outage;
    a column that an older server lacks reads as its row class has it (rows.py).
    Without 'asserts_lock' what is written does not go by the lock.
    A connection by TCP that is silent for 'probe_interval_ms' is probed and,
    silent for as long again, given up; attempts come at least every
    'max_backoff_ms'.  'refusals' are of commit() and commit_beside(), by COMMIT and BESIDE.
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
        asserts_lock: bool = True,
        leader_only: bool = False,
        probe_interval_ms: int = PROBE_INTERVAL_MS,
        max_backoff_ms: int = MAX_BACKOFF_MS,
        refused_backoff_ms: int = REFUSED_BACKOFF_MS,
    ) -> None:
        self.remote = remote
        self.database = database
        self._conditions = dict(conditions or {})
        self._lock = lock
        self._asserts_lock = asserts_lock
        self._guard: Sequence[Guard] = ()
        self._guard_broken = False
        self._leader_only = leader_only
        self._probe_interval_ms = probe_interval_ms
        self._max_backoff_ms = max_backoff_ms
        self._refused_backoff_ms = refused_backoff_ms
        self._replica = Replica(row_classes)
        self._changed_rows: ChangedRows | None = None
        self._followed: dict[str, ChangedRows] = {}
        self._connection: Connection | None = None
        self._transaction: Transaction | None = None
        self._beside: Transaction | None = None
        self._beside_outcome: bool | None = None
        self.refusals = Refusals()
        self._retry_ms = 0
        self._outcome: str | None = None
        self._request: SchemaRequest | None = None
        # What was known of the server's own schema; None with one that is given.
        self._opened: _Known | None = None
        self._missing: list[str] = []
        # Of connections before this one.
        self._seqno = 0
        if schema is None:
            self._request = SchemaRequest(remote.split(","), database, PROBE_INTERVAL_MS)
        else:
            self._open(schema)

    # -- the loop ----------------------------------------------------------

    def run(self) -> None:
        """Does what can be done now: receives changes, finishes a transaction."""
        if self._request is not None:
            answer = self._request.run()
            if answer is not None:
                self._request = None
                self._open_served(answer)
        connection = self._connection
        if connection is None:
            return
        connection.run()
        schema, connection.schema = connection.schema, None
        if schema is not None:
            connection = self._follow_schema(connection, schema)
        self._finish_commit()
        self._finish_beside()
        self._apply_lock()
        connection.queue_again()

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        if self._request is not None:
            self._request.wait(poller)
        if self._connection is not None:
            self._connection.wait(poller)
        if self._transaction is None and self.committing:
            poller.timer_wait_until(self._retry_ms)

    def reconnect(self) -> None:
        """Makes another connection, to which the keys of now are presented."""
        if self._connection is not None:
            self._connection.force_reconnect()

    def close(self) -> None:
        """Drops the connection."""
        if self._connection is not None:
            self._connection.close()

    # -- the connection and the lock ----------------------------------------

    @property
    def failing(self) -> bool:
        """Whether a server that has yet to be asked for its schema cannot be reached."""
        return self._request is not None and self._request.failing

    @property
    def synced(self) -> bool:
        """Whether the replica holds what the database holds."""
        return self._connection is not None and self._connection.synced

    @property
    def connected(self) -> bool:
        """Whether a transaction can be sent now; a replica outlives its connection."""
        return self._connection is not None and self._connection.connected

    @property
    def trouble(self) -> str:
        """Why the database cannot be read now, in words; "" if it can."""
        if self.synced and self.connected:
            return ""
        if self._missing:
            return f"the server's schema has no {', '.join(self._missing)}"
        asked = self._connection or self._request
        return str(asked.trouble) if asked is not None else UNTRIED

    @property
    def connection(self) -> int | None:
        """The number of the connection, another one after each reconnection; None without."""
        if self._connection is None or not self.connected:
            return None
        return self._seqno + self._connection.seqno

    @property
    def has_lock(self) -> bool:
        """Whether this session holds the lock it asked for."""
        connection = self._connection
        return self._lock is not None and connection is not None and bool(connection.has_lock)

    @property
    def contended(self) -> bool:
        """Whether another client is known to hold the lock, and no answer on it is due."""
        connection = self._connection
        return self._lock is not None and connection is not None and connection.contended

    def set_lock(self, lock: str | None) -> None:
        """Asks for 'lock', or gives the lock back if None, once no transaction is under way."""
        self._lock = lock
        self._apply_lock()

    def steal_lock(self) -> None:
        """Takes the lock that was asked for from whoever holds it (RFC 7047, 4.1.9).

        'has_lock' tells when it is ours.  The other one's transactions are refused from then on.
        """
        if self.connected and self._lock is not None and not self.has_lock:
            assert self._connection is not None
            if self._connection.lock_name == self._lock:
                self._connection.steal_lock()

    def set_guard(self, *guard: Guard) -> None:
        """Has each transaction from now on, call()s too, be carried out only while 'guard' holds.

        Beside the lock, if there is one.  Without a guard none is looked at.
        """
        self._guard, self._guard_broken = guard, False

    @property
    def guard_broken(self) -> bool:
        """Whether what the guard says was found not to be so, since it was set.

        Such a transaction is not refused, and told by take_outcome() as one that lost the lock.
        """
        return self._guard_broken

    def probe(self) -> int | None:
        """Asks the server for a sign of life; has_answered() tells when it came.

        Returns the number of the question, None without a connection in sync.
        All that the server had to tell when it was asked is in the replica by then.
        """
        if self._connection is None or not (self.synced and self.connected):
            return None
        return self._connection.probe()

    def has_answered(self, question: int) -> bool:
        """Returns whether that probe() was answered, or the connection is another one."""
        return self._connection is None or self._connection.has_answered(question)

    @property
    def answered(self) -> bool:
        """Whether the server owes no answer, be it to a probe() or on a condition."""
        return self._connection is not None and self._connection.answered

    def reset_cluster_state(self) -> None:
        """Forgets how far a cluster of servers had come, so that a restored one is not stale."""
        if self._connection is not None:
            self._connection.reset_cluster_state()

    def count_rows(self) -> int:
        """Returns how many rows the replica has."""
        return sum(map(len, self._replica.rows.values()))

    # -- the replica -------------------------------------------------------

    def set_condition(self, table: str, condition: Sequence[Any]) -> None:
        """Replaces the condition of 'table'; a row that meets any clause of it is monitored.

        'conditioned' tells when the replica is that of this condition.
        """
        self._conditions[table] = condition
        if self._connection is not None and table in self._connection.tables:
            self._connection.set_condition(table, condition)

    @property
    def conditioned(self) -> bool:
        """Whether the replica is that of the conditions last set."""
        return self._connection is not None and self._connection.conditioned

    def rows(self, row_class: type[RowT]) -> Mapping[UUID, RowT]:
        """Returns the rows of a table by UUID; it must not be changed."""
        return cast(Mapping[UUID, RowT], self._replica.rows[row_class.TABLE])

    @property
    def tables(self) -> Mapping[str, Mapping[UUID, Any]]:
        """The replica: rows by UUID, by table; it must not be changed."""
        return self._replica.rows

    def take_changed_rows(self) -> dict[str, dict[UUID, Pair]]:
        """Returns, by table and UUID, each row that changed since the last call: (old, new).

        None stands for a row that was not there, or is not.  The first call
        returns all rows.  After a reconnection rows that went meanwhile are
        told, and those that are as they were are not.  A failed commit tells
        nothing here: see take_outcome().
        """
        if self._changed_rows is None:
            self._changed_rows = self._replica.follow(self._replica.rows)
        return self._changed_rows.take()

    def take_rows(self, row_class: type[RowT]) -> list[tuple[RowT | None, RowT | None]]:
        """Returns what take_changed_rows() does, of one table and for another reader."""
        table = row_class.TABLE
        if table not in self._followed:
            self._followed[table] = self._replica.follow([table])
        return list(self._followed[table].take().get(table, {}).values())

    def has_rows_to_take(self, row_class: type[Row]) -> bool:
        """Returns whether take_rows() may have something to return."""
        followed = self._followed.get(row_class.TABLE)
        return followed is None or followed.waiting

    # -- writing -----------------------------------------------------------

    @property
    def committing(self) -> bool:
        """Whether no transaction may start now: one is under way, or the last was refused."""
        return self._transaction is not None or ovs.timeval.msec() < self._retry_ms

    def commit(self, changes: Sequence[Change], comment: str) -> None:
        """Starts one transaction with 'changes'; an empty list starts none.

        take_outcome() tells how it ended.
        """
        assert self._transaction is None
        if changes:
            self._outcome = None
            self._transaction = self._send(changes, comment)
            self._finish_commit()

    def commit_beside(
        self, changes: Sequence[Change], comment: str, guard: Sequence[Guard] | None = None
    ) -> None:
        """Starts a transaction that does not wait for that of commit(); one at a time.

        Its failure is told by take_beside() only.  'guard' takes the place of the session's.
        """
        assert self._beside is None
        self._beside_outcome = None
        self._beside = self._send(changes, comment, guard)
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

    def call(
        self, operations: Sequence[Operation], guard: Sequence[Guard] | None = None
    ) -> Call | None:
        """Sends a transaction of operations of RFC 7047, beside the replica and its transactions.

        'guard' takes the place of the session's; one that only reads wants an
        empty one.  Returns None without a connection.
        """
        if self._connection is None or not self.connected:
            return None
        return self._connection.call(operations, self._guard if guard is None else guard)

    def take_outcome(self) -> str | None:
        """Returns "" if the last transaction succeeded, the server's words if it was refused.

        None while it is under way, and if this was asked before.  None, too, if
        it lost a race, the lock, the guard or the connection: when 'committing' is
        false and a commit()'s outcome was not told, its changes are to be
        computed again.
        """
        outcome, self._outcome = self._outcome, None
        return outcome

    # -- helpers, in the order they are called ------------------------------

    def _follow_schema(self, connection: Connection, schema: Mapping[str, Any]) -> Connection:
        """Begins anew if the database has another schema than what the connection was made for."""
        known = self._describe(schema)
        if self._opened is None:
            self._tell_missing(known)
            return connection
        if known == self._opened:
            return connection
        vlog.info(f"{self.database}: the schema is another one")
        connection.close()
        self._seqno += connection.seqno
        return self._open_served(schema)

    def _tell_missing(self, known: _Known) -> None:
        """Tells why there will be no content: the schema is older than this program."""
        missing = [
            f"{table}:{column}"
            for table, row_class in self._replica.classes.items()
            for column in find_columns(row_class)
            if column not in known[table]
        ]
        if missing != self._missing and missing:
            vlog.err(
                f"{self.database}: the server's schema has no {', '.join(missing)};"
                " nothing is known of it until it is converted to a newer one"
            )
        self._missing = missing

    def _open_served(self, schema: Mapping[str, Any]) -> Connection:
        """Opens a database with its own schema."""
        connection = self._open(schema)
        self._opened = self._describe(schema)
        return connection

    def _describe(self, schema: Mapping[str, Any]) -> _Known:
        """Returns what a schema says of the columns that are monitored."""
        return {
            table: {
                column: definition
                for column, definition in schema["tables"].get(table, {}).get("columns", {}).items()
                if column in find_columns(row_class)
            }
            for table, row_class in self._replica.classes.items()
        }

    def _open(self, schema: Mapping[str, Any]) -> Connection:
        columns = {
            table: [each for each in find_columns(row_class) if each in _find_known(schema, table)]
            for table, row_class in self._replica.classes.items()
            if table in schema["tables"]
        }
        connection = self._connection = Connection(
            self.remote,
            schema,
            columns,
            self._replica,
            asserts_lock=self._asserts_lock,
            leader_only=self._leader_only,
            probe_interval_ms=self._probe_interval_ms,
            max_backoff_ms=self._max_backoff_ms,
        )
        for table, condition in self._conditions.items():
            if table in connection.tables:
                connection.set_condition(table, condition)
        if self._lock is not None:
            connection.set_lock(self._lock)
        return connection

    def _apply_lock(self) -> None:
        # No lock changes while the outcome of a transaction that asserts it is open.
        connection = self._connection
        if connection is None or connection.lock_name == self._lock or connection.transacting:
            return
        connection.set_lock(self._lock)

    def _send(
        self, changes: Sequence[Change], comment: str, guard: Sequence[Guard] | None = None
    ) -> Transaction:
        assert self._connection is not None
        tables = self._connection.tables
        try:
            operations = make_operations(
                changes,
                self._replica.rows,
                lambda table: table not in tables or bool(tables[table].is_root),
                comment,
            )
            if not operations:
                return Transaction(Status.DONE)
            return self._connection.transact(operations, self._guard if guard is None else guard)
        except Unwritable as error:
            return Transaction(Status.REFUSED, str(error))

    def _finish_commit(self) -> None:
        transaction = self._transaction
        if transaction is None or transaction.status is Status.UNDER_WAY:
            return
        self._transaction = None
        self._note(COMMIT, transaction)
        coverage.count(f"txn_{transaction.status.name.lower()}")
        if transaction.status is Status.DONE:
            self._outcome = ""
            return
        if transaction.status is Status.REFUSED:
            self._outcome = transaction.reason
            self._retry_ms = ovs.timeval.msec() + self._refused_backoff_ms
        elif transaction.status is Status.LOST_RACE:
            vlog.dbg(f"{self.database}: transaction lost a race, computing again")
        else:
            vlog.info(f"{self.database}: {transaction.status.value}")

    def _finish_beside(self) -> None:
        transaction = self._beside
        if transaction is None or transaction.status is Status.UNDER_WAY:
            return
        self._beside = None
        self._note(BESIDE, transaction)
        self._beside_outcome = transaction.status is Status.DONE

    def _note(self, kind: str, transaction: Transaction) -> None:
        if transaction.status is Status.NOT_GUARDED and transaction.guard is self._guard:
            self._guard_broken = True
        if transaction.status not in (Status.DONE, Status.REFUSED):
            return
        if self.refusals.note(kind, transaction.reason):
            vlog.warn(f"{self.database}: transaction refused: {transaction.reason}")


def _find_known(schema: Mapping[str, Any], table: str) -> Collection[str]:
    """Returns the columns that a table has, none of a table that is not there."""
    columns: Collection[str] = schema["tables"].get(table, {}).get("columns", ())
    return columns
