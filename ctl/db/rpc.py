"""A blocking JSON-RPC connection to an ovsdb-server (RFC 7047).

svcctl lives for a few requests, and most of its time is the start of Python.
So it does not load python-ovs' IDL, which keeps a replica up to date for a
daemon, but asks for what it needs: the schema, a consistent selection of some
tables, a transaction.  One round trip each, nothing to import but the standard
library.

Used by every command through 'replica', and by 'lookup' for the southbound and
OVN's northbound.
"""

from __future__ import annotations

import json
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...lib.errors import UsageError
from .framing import Framing
from .schema import DatabaseSchema
from .tls import Tls, wrap

if TYPE_CHECKING:
    from ...lib.tls_attempt import Attempt

_RECEIVE_BYTES = 1 << 18
_CONNECT_TIMEOUT_S = 15
_LONG_ANSWER_S = 60.0
_LEADER_ROUNDS = 40
_LEADER_PAUSE_S = 0.25


class Unserved(UsageError):
    """A server does not serve the database."""


class ConnectionLost(Unserved):
    """No server can be reached, or the one we had went away."""


class NoAnswer(ConnectionLost):
    """A server that can be reached does not answer in time."""


class Declined(UsageError):
    """The server answers a request with an error."""


class Client:
    """A connection to 'database' at the first of 'remotes' that serves it.

    It is lost if the server is silent for longer than 'patience_s', None for ever.
    """

    def __init__(
        self,
        remotes: Sequence[str],
        database: str,
        tls: Tls,
        leader_only: bool = True,
        patience_s: float | None = None,
    ) -> None:
        self.database = database
        self.remote = ""
        self._tls = tls
        # Until a server that was reached over TLS has answered: it may refuse us later than that.
        self._attempt: Attempt | None = None
        self._leader_only = leader_only
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._framing = Framing()
        self._messages: deque[Any] = deque()
        self._next_id = 0
        self._changed = False
        self._schema: dict[str, Any] = {}
        self._known_schema: DatabaseSchema | None = None
        self.received_bytes = 0
        self._connect(remotes)

    def transact(self, operations: Iterable[Any]) -> list[Any]:
        """Returns the results of one transaction, failed ones among them."""
        result = self._receive_result(self._send("transact", [self.database, *operations]))
        assert isinstance(result, list)
        return result

    def get_schema(self) -> dict[str, Any]:
        """Returns the schema of the database as JSON; a server that changes it ends connections."""
        if not self._schema:
            found = self._receive_result(self._send("get_schema", [self.database]))
            assert isinstance(found, dict)
            self._schema = found
        return self._schema

    def find_schema(self) -> DatabaseSchema:
        """Returns the schema of the database."""
        if self._known_schema is None:
            self._known_schema = DatabaseSchema(self.get_schema(), self.remote)
        return self._known_schema

    def select(self, tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Returns all rows of 'tables', of one moment, as the server's JSON."""
        names = list(tables)
        results = self.transact({"op": "select", "table": name, "where": []} for name in names)
        return {name: each["rows"] for name, each in zip(names, results, strict=True)}

    def is_locked(self, lock: str) -> bool | None:
        """Returns whether another client holds 'lock' (RFC 7047, 4.1.8).

        None is where that is not told, as on a remote that is read-only.

        OVSDB tells that only to who asks for the lock.  To give it up is asked for in the same
        write, so that however this process fares from then on the server has both: of a lock
        that is free somebody else gets a "no" for no longer than the server takes from the one
        to the next, and is told at once when that is over.
        """
        asked, ended = self._send_all(("lock", [lock]), ("unlock", [lock]))
        try:
            taken = bool(self._receive_result(asked).get("locked"))
            self._receive_result(ended)
        except Declined:
            return None
        return not taken

    def monitor(self, table: str) -> None:
        """Asks for a notification of each change of 'table', for wait_for_change()."""
        requests = {table: [{"select": {"initial": False}}]}
        self._receive_result(self._send("monitor", [self.database, table, requests]))

    def wait_for_change(self) -> None:
        """Returns when a monitored table has changed."""
        while not self._changed:
            self._changed = self._receive().get("method") == "update"
        self._changed = False

    def wait_longer(self) -> None:
        """Gives each answer from here on the time that it takes to tell much, if one is limited."""
        if self._socket is not None and self._patience_s is not None:
            self._socket.settimeout(_LONG_ANSWER_S)

    def is_good(self) -> bool:
        """Returns whether the connection is there still, and to a server that may be used."""
        try:
            return self._can_serve()
        except UsageError:
            self.close()
            return False

    def close(self) -> None:
        """Drops the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- helpers, in the order they are called ------------------------------

    def _connect(self, remotes: Sequence[str]) -> None:
        """Takes the first remote that serves; where a server may come to lead, it is waited for."""
        causes: dict[str, UsageError] = {}
        for _ in range(_LEADER_ROUNDS):
            causes.clear()
            for remote in remotes:
                try:
                    self._open(remote)
                    if self._can_serve():
                        assert self._socket is not None
                        self._socket.settimeout(self._patience_s)
                        return
                except Unserved as error:
                    causes[remote] = error
                self.close()
            if causes.keys() == set(remotes):
                raise _join(list(causes.values()))
            time.sleep(_LEADER_PAUSE_S)
        others = "".join(f"; {each}" for each in causes.values())
        raise ConnectionLost(f"{','.join(remotes)}: no server leads the cluster{others}")

    def _open(self, remote: str) -> None:
        self.remote, self._framing = remote, Framing()
        self._messages.clear()
        family, address = parse_remote(remote)
        self._attempt = None
        attempt = self._tls.begin(remote) if remote.startswith("ssl:") else None
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(_CONNECT_TIMEOUT_S, self._patience_s or _CONNECT_TIMEOUT_S))
            connection.connect(address)
            if attempt is not None:
                self._attempt = attempt
                connection = wrap(connection, attempt, remote)
        except OSError as error:
            connection.close()
            reason = self._attempt.explain(error) if self._attempt else _find_reason(error)
            raise ConnectionLost(f"{remote}: database connection failed ({reason})") from None
        self._socket = connection

    def _can_serve(self) -> bool:
        """Returns whether the server has the database and, if it must, leads its cluster."""
        where = [["name", "==", self.database]]
        columns = ["model", "connected", "leader"]
        select = {"op": "select", "table": "Database", "where": where, "columns": columns}
        rows = self._receive_result(self._send("transact", ["_Server", select]))[0].get("rows")
        if not rows:
            raise Unserved(f"{self.remote}: the server has no database {self.database}")
        if rows[0]["model"] != "clustered":
            return True
        return bool(rows[0]["connected"] and (rows[0]["leader"] or not self._leader_only))

    def _send(self, method: str, params: Sequence[Any]) -> int:
        return self._send_all((method, params))[0]

    def _send_all(self, *requests: tuple[str, Sequence[Any]]) -> list[int]:
        """Sends requests in one write; returns the id of each."""
        first = self._next_id + 1
        self._next_id += len(requests)
        ids = list(range(first, self._next_id + 1))
        self._write(
            *(
                {"method": method, "params": list(params), "id": each}
                for each, (method, params) in zip(ids, requests, strict=True)
            )
        )
        return ids

    def _write(self, *messages: dict[str, Any]) -> None:
        assert self._socket is not None
        text = "".join(json.dumps(message, separators=(",", ":")) for message in messages)
        try:
            self._socket.sendall(text.encode())
        except OSError as error:
            raise self._lost(error) from None

    def _receive_result(self, request_id: int) -> Any:
        while True:
            message = self._receive()
            if message.get("method") == "update":
                self._take_update(message["params"])
            if message.get("id") != request_id or "method" in message:
                continue
            if message.get("error") is not None:
                raise Declined(f"{self.remote}: {json.dumps(message['error'])}")
            return message.get("result")

    def _take_update(self, params: Sequence[Any]) -> None:
        """Takes a notification of what is monitored (RFC 7047, 4.1.6)."""
        self._changed = True

    def _receive(self) -> dict[str, Any]:
        """Returns the next message; the server's probes are answered on the way."""
        while True:
            while not self._messages:
                self._read()
            message = self._take_message()
            if message is not None:
                return message

    def _take_message(self) -> dict[str, Any] | None:
        """Returns the first of the messages that have come, None if it was a probe."""
        message = self._messages.popleft()
        if not isinstance(message, dict):
            raise self._make_stranger()
        if message.get("method") != "echo":
            return message
        self._write({"id": message["id"], "result": message["params"], "error": None})
        return None

    def _read(self) -> None:
        assert self._socket is not None
        try:
            received = self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise self._lost(error) from None
        if not received:
            raise self._lost(None)
        self.received_bytes += len(received)
        self._attempt = None
        try:
            self._messages += self._framing.feed(received)
        except ValueError:
            raise self._make_stranger() from None

    def _make_stranger(self) -> ConnectionLost:
        return ConnectionLost(f"{self.remote}: not an OVSDB server")

    def _lost(self, error: OSError | None) -> ConnectionLost:
        reason = _find_reason(error) if error else "the server closed it"
        if self._attempt is not None and not isinstance(error, TimeoutError):
            reason = self._attempt.explain_end(error)
        kind = NoAnswer if isinstance(error, TimeoutError) else ConnectionLost
        return kind(f"{self.remote}: database connection lost ({reason})")


def split_remotes(text: str, shuffle: bool = False) -> list[str]:
    """Returns the remotes in 'text', which are separated by commas."""
    remotes: list[str] = []
    for part in text.split(","):
        if remotes and not part.startswith(("unix:", "tcp:", "ssl:")):
            remotes[-1] += f",{part}"
        elif part:
            remotes.append(part)
    if not remotes:
        raise UsageError("no database is given")
    if shuffle and len(remotes) > 1:
        import random

        random.shuffle(remotes)
    return remotes


def parse_remote(remote: str) -> tuple[int, Any]:
    """Returns the address family and address of unix:FILE, tcp:IP:PORT or ssl:IP:PORT."""
    method, _, rest = remote.partition(":")
    if method == "unix" and rest:
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_port = port.isascii() and port.isdigit() and len(port) < 6
    if method not in ("tcp", "ssl") or not host or not is_port:
        raise UsageError(f"{remote}: a database is unix:FILE, tcp:IP:PORT or ssl:IP:PORT")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConnectionLost(f"{remote}: database connection failed ({error})") from None
    return found[0][0], found[0][4]


def _join(causes: Sequence[UsageError]) -> UsageError:
    """Returns why none of several remotes serves."""
    if len(causes) == 1:
        return causes[0]
    text = "; ".join(map(str, causes))
    kinds = (NoAnswer, ConnectionLost, Unserved)
    return next(kind for kind in kinds if any(isinstance(each, kind) for each in causes))(text)


def _find_reason(error: OSError) -> str:
    return error.strerror or str(error)
