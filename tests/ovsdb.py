"""Real ovsdb-servers in a temporary directory, for each test that needs a database.

One server serves SVC_Northbound, one SVC_Southbound, one OVN_Northbound, each
on its own unix socket.  About 15 ms a server.  Used through the fixtures in
conftest.py; 'transact' writes around every program of ours, as an operator
with ovsdb-client could.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..lib import schema

OVN_NORTHBOUND = "OVN_Northbound"
OVN_NORTHBOUND_SCHEMA = "/usr/share/ovn/ovn-nb.ovsschema"

_SOCKETS = {
    schema.NORTHBOUND: "svcnb_db.sock",
    schema.SOUTHBOUND: "svcsb_db.sock",
    OVN_NORTHBOUND: "ovnnb_db.sock",
}


class Database:
    """An ovsdb-server process with one empty database, until stop()."""

    def __init__(self, directory: Path, name: str, schema_path: str | None = None) -> None:
        self.name = name
        self.directory = directory
        self.socket = directory / _SOCKETS.get(name, f"{name}.sock")
        self.remote = f"unix:{self.socket}"
        self._file = directory / f"{name}.db"
        # More of the command line of the server, from the next start() on.
        self.options: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._schema_path = str(schema_path or find_schema(name))
        self._file.write_bytes(self.make_empty_file())
        self.start()

    def start(self) -> None:
        """Starts the server on the file as it is and returns once it can be reached."""
        assert self._process is None
        self._process = subprocess.Popen(
            [
                # A test run that is killed takes its servers with it.
                *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server"),
                # First, or it says on stderr that it opened the log file.
                *("-vconsole:off", "-vsyslog:off", "-vfile:info"),
                f"--remote=punix:{self.socket}",
                f"--unixctl={self.directory}/{self.name}.ctl",
                f"--log-file={self.directory}/{self.name}.log",
                *self.options,
                str(self._file),
            ],
            cwd=self.directory,
        )
        wait_until(self._reachable, f"ovsdb-server for {self.name}")

    def stop(self) -> None:
        """Ends the server as a crash would; the file stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def restart(self, *options: str) -> None:
        """Lets another server take this one's place, with more options from here on."""
        self.options = options or self.options
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """The process of the server."""
        assert self._process is not None
        return self._process.pid

    def pause(self) -> None:
        """Stops the server, connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets the server go on after pause()."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def detach(self) -> None:
        """Takes the database away from its server, which goes on without."""
        self._control("remove-db", self.name)

    def attach(self) -> None:
        """Gives the database to its server again."""
        self._control("add-db", str(self._file))

    def read_file(self) -> bytes:
        """Returns the file as it is, for replace()."""
        return self._file.read_bytes()

    def make_empty_file(self) -> bytes:
        """Returns the file of an empty database of the same schema, for replace()."""
        return make_empty(self._schema_path)

    def run_client(self, command: str, given: Path | None = None) -> bytes:
        """Returns what "ovsdb-client COMMAND" prints of the database; it reads the file 'given'."""
        call = ("ovsdb-client", "--timeout=10", command, self.remote, self.name)
        with (given or Path(os.devnull)).open("rb") as source:
            return subprocess.run(call, stdin=source, check=True, capture_output=True).stdout

    def replace(self, content: bytes) -> None:
        """Lets another server take this one's place, with another file."""
        self.stop()
        self._file.write_bytes(content)
        self.start()

    def add_remote(self, remote: str) -> None:
        """Makes the server listen there too."""
        self._control("add-remote", remote)

    def end_connections(self) -> None:
        """Has the server end all connections."""
        self._control("reconnect")

    def _control(self, command: str, *arguments: str) -> None:
        target = f"{self.directory}/{self.name}.ctl"
        call = ("ovs-appctl", "-T", "10", "-t", target, f"ovsdb-server/{command}", *arguments)
        subprocess.run(call, check=True, capture_output=True)

    def transact(self, *operations: Mapping[str, Any]) -> list[Any]:
        """Returns the results of one transaction (RFC 7047, 4.1.3); fails if it failed."""
        results = request(self.socket, "transact", [self.name, *operations])
        assert isinstance(results, list)
        failed = [each for each in results if each and "error" in each]
        assert not failed, f"{operations}: {failed}"
        return results

    def rows(
        self, table: str, where: Sequence[Any] = (), columns: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Returns the rows of 'table' as OVSDB's JSON, those that match 'where' only."""
        operation: dict[str, Any] = {"op": "select", "table": table, "where": list(where)}
        if columns:
            operation["columns"] = list(columns)
        result: list[dict[str, Any]] = self.transact(operation)[0]["rows"]
        return result

    def insert(self, table: str, **columns: Any) -> str:
        """Adds a row (OVSDB's JSON values) and returns its UUID."""
        result = self.transact({"op": "insert", "table": table, "row": columns})
        uuid: str = result[0]["uuid"][1]
        return uuid

    def update(self, table: str, where: Sequence[Any], **columns: Any) -> None:
        """Sets columns of the rows that match 'where'."""
        self.transact({"op": "update", "table": table, "where": list(where), "row": columns})

    def delete(self, table: str, where: Sequence[Any] = ()) -> None:
        """Removes the rows that match 'where'."""
        self.transact({"op": "delete", "table": table, "where": list(where)})

    def convert(self, schema: Mapping[str, Any]) -> None:
        """Gives the database another schema, as 'ovsdb-client convert' does."""
        request(self.socket, "convert", [self.name, schema])

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Returns everything in the database: rows by table, in the order of their UUIDs."""
        tables = sorted(request(self.socket, "get_schema", [self.name])["tables"])
        results = self.transact(*({"op": "select", "table": name, "where": []} for name in tables))
        return {
            name: sorted(result["rows"], key=lambda row: str(row["_uuid"]))
            for name, result in zip(tables, results, strict=True)
        }

    def _reachable(self) -> bool:
        try:
            request(self.socket, "list_dbs", [])
        except OSError:
            assert self._process is not None
            assert self._process.poll() is None, f"ovsdb-server for {self.name} ended"
            return False
        return True


class Databases:
    """The three databases of a cloud, in 'directory'."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nb = Database(directory, schema.NORTHBOUND)
        self.sb = Database(directory, schema.SOUTHBOUND)
        self.ovn_nb = Database(directory, OVN_NORTHBOUND)

    def stop(self) -> None:
        """Ends the three servers."""
        for database in (self.nb, self.sb, self.ovn_nb):
            database.stop()

    def environment(self) -> dict[str, str]:
        """Returns the environment in which a program finds these databases."""
        return {
            **os.environ,
            "SVC_NB_DB": self.nb.remote,
            "SVC_SB_DB": self.sb.remote,
            "OVN_NB_DB": self.ovn_nb.remote,
            "SVC_RUNDIR": str(self.directory),
            "SVC_LOGDIR": str(self.directory),
        }


@functools.cache
def make_empty(schema_path: str) -> bytes:
    """Returns the file of an empty database; made once, since ovsdb-tool takes its time."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        subprocess.run(["ovsdb-tool", "create", file, schema_path], check=True)
        return file.read_bytes()


def find_schema(database: str) -> str:
    """Returns the path of the schema file of 'database'."""
    return OVN_NORTHBOUND_SCHEMA if database == OVN_NORTHBOUND else schema.find_path(database)


def request(path: Path, method: str, params: Sequence[Any]) -> Any:
    """Returns the result of one JSON-RPC request; raises OSError if nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        return exchange(connection, method, params)


def exchange(connection: socket.socket, method: str, params: Sequence[Any]) -> Any:
    """Returns the result of a JSON-RPC request on a connection on which nothing else is told."""
    message = {"method": method, "params": list(params), "id": 0}
    connection.sendall(json.dumps(message).encode())
    reply = _receive(connection)
    assert reply["error"] is None, reply["error"]
    return reply["result"]


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
    """Returns the first true value of 'condition'; fails, naming 'what', when time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.002)


def _receive(connection: socket.socket) -> dict[str, Any]:
    decoder = json.JSONDecoder()
    received = bytearray()
    while True:
        chunk = connection.recv(1 << 16)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        received += chunk
        # A long reply is not parsed again with each piece that arrives.
        if not chunk.rstrip().endswith(b"}"):
            continue
        try:
            reply, _end = decoder.raw_decode(received.decode())
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
        assert isinstance(reply, dict)
        return reply
