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
from collections.abc import Iterable, Sequence
from typing import Any

from ...lib.errors import UsageError

_RECEIVE_BYTES = 1 << 18
_CONNECT_TIMEOUT_S = 15
_LEADER_ROUNDS = 40
_LEADER_PAUSE_S = 0.25


class ConnectionLost(UsageError):
    """No server can be reached, or the one we had went away."""


class Tls:
    """The files that a connection to an ssl: remote needs."""

    __slots__ = ("ca_cert", "certificate", "ciphers", "private_key")

    def __init__(
        self,
        private_key: str | None = None,
        certificate: str | None = None,
        ca_cert: str | None = None,
        ciphers: str | None = None,
    ) -> None:
        self.private_key = private_key
        self.certificate = certificate
        self.ca_cert = ca_cert
        self.ciphers = ciphers

    def wrap(self, plain: socket.socket, remote: str) -> socket.socket:
        """Returns 'plain' under TLS; as in OVS the CA alone says who may answer."""
        import ssl

        if not (self.private_key and self.certificate and self.ca_cert):
            raise UsageError(f"{remote}: --private-key, --certificate and --ca-cert are required")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        try:
            context.load_cert_chain(self.certificate, self.private_key)
            context.load_verify_locations(self.ca_cert)
            if self.ciphers:
                context.set_ciphers(self.ciphers)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"TLS: the key, a certificate or the ciphers: {error}") from None
        return context.wrap_socket(plain)


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
        self._leader_only = leader_only
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._received = b""
        self._next_id = 0
        self._changed = False
        self._connect(remotes)

    def transact(self, operations: Iterable[Any]) -> list[Any]:
        """Returns the results of one transaction, failed ones among them."""
        result = self._receive_result(self._send("transact", [self.database, *operations]))
        assert isinstance(result, list)
        return result

    def get_schema(self) -> dict[str, Any]:
        """Returns the schema of the database as JSON."""
        schema = self._receive_result(self._send("get_schema", [self.database]))
        assert isinstance(schema, dict)
        return schema

    def select(self, tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Returns all rows of 'tables', of one moment, as the server's JSON."""
        names = list(tables)
        results = self.transact({"op": "select", "table": name, "where": []} for name in names)
        return {name: each["rows"] for name, each in zip(names, results, strict=True)}

    def is_locked(self, lock: str) -> bool:
        """Returns whether another client holds 'lock' (RFC 7047, 4.1.8); it is let go at once."""
        taken = bool(self._receive_result(self._send("lock", [lock])).get("locked"))
        self._receive_result(self._send("unlock", [lock]))
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

    def close(self) -> None:
        """Drops the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- helpers, in the order they are called ------------------------------

    def _connect(self, remotes: Sequence[str]) -> None:
        """Tries each remote; where a server answers that cannot serve, an election may be on."""
        for _ in range(_LEADER_ROUNDS):
            failure: ConnectionLost | None = None
            for remote in remotes:
                try:
                    self._open(remote)
                    if self._can_serve():
                        return
                except ConnectionLost as error:
                    failure = failure or error
                else:
                    failure = None
                self.close()
            if failure is not None:
                raise failure
            time.sleep(_LEADER_PAUSE_S)
        raise ConnectionLost(f"{','.join(remotes)}: no server leads the cluster")

    def _open(self, remote: str) -> None:
        self.remote, self._received = remote, b""
        family, address = parse_remote(remote)
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(_CONNECT_TIMEOUT_S, self._patience_s or _CONNECT_TIMEOUT_S))
            connection.connect(address)
            if remote.startswith("ssl:"):
                connection = self._tls.wrap(connection, remote)
            connection.settimeout(self._patience_s)
        except OSError as error:
            connection.close()
            reason = _find_reason(error)
            raise ConnectionLost(f"{remote}: database connection failed ({reason})") from None
        self._socket = connection

    def _can_serve(self) -> bool:
        """Returns whether the server has the database and, if it must, leads its cluster."""
        where = [["name", "==", self.database]]
        columns = ["model", "connected", "leader"]
        select = {"op": "select", "table": "Database", "where": where, "columns": columns}
        rows = self._receive_result(self._send("transact", ["_Server", select]))[0].get("rows")
        if not rows:
            raise UsageError(f"{self.remote}: the server has no database {self.database}")
        if rows[0]["model"] != "clustered":
            return True
        return bool(rows[0]["connected"] and (rows[0]["leader"] or not self._leader_only))

    def _send(self, method: str, params: Sequence[Any]) -> int:
        self._next_id += 1
        self._write({"method": method, "params": list(params), "id": self._next_id})
        return self._next_id

    def _write(self, message: dict[str, Any]) -> None:
        assert self._socket is not None
        try:
            self._socket.sendall(json.dumps(message, separators=(",", ":")).encode())
        except OSError as error:
            raise self._lost(error) from None

    def _receive_result(self, request_id: int) -> Any:
        while True:
            message = self._receive()
            if message.get("method") == "update":
                self._changed = True
            if message.get("id") != request_id or "method" in message:
                continue
            if message.get("error") is not None:
                raise UsageError(f"{self.remote}: {json.dumps(message['error'])}")
            return message.get("result")

    def _receive(self) -> dict[str, Any]:
        """Returns the next message; the server's probes are answered on the way."""
        while True:
            message = self._take_message()
            if message is None:
                self._read()
            elif message.get("method") == "echo":
                self._write({"id": message["id"], "result": message["params"], "error": None})
            else:
                return message

    def _take_message(self) -> dict[str, Any] | None:
        # A message ends with a brace: looking for that first keeps a large reply,
        # which comes in many pieces, from being parsed as often.
        if not self._received.endswith(b"}"):
            return None
        try:
            text = self._received.decode()
            message, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return None
        self._received = text[end:].encode()
        if not isinstance(message, dict):
            raise ConnectionLost(f"{self.remote}: not an OVSDB server")
        return message

    def _read(self) -> None:
        assert self._socket is not None
        try:
            received = self._socket.recv(_RECEIVE_BYTES)
        except OSError as error:
            raise self._lost(error) from None
        if not received:
            raise self._lost(None)
        self._received += received

    def _lost(self, error: OSError | None) -> ConnectionLost:
        reason = _find_reason(error) if error else "the server closed it"
        return ConnectionLost(f"{self.remote}: database connection lost ({reason})")


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


def _find_reason(error: OSError) -> str:
    return error.strerror or str(error)
