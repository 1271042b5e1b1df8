"""A connection to an ovsdb-server that keeps tables as the server has them.

The server tells of changes before it answers what it was asked after they were made.  So
after any answer the tables are at least as new as the question.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from .kept import KeptTable
from .rpc import Client, ConnectionLost

MOST_BYTES = 64 << 20
"""How much a server may tell of tables, first content and changes, before it is asked anew."""


class TooMuch(ConnectionLost):
    """The server has told more than is to be kept."""


class Follower(Client):
    """A Client with 'tables' by name; 'find_secrets' tells which columns of a table are secret."""

    def __init__(
        self, *arguments: Any, find_secrets: Callable[[str, Sequence[str]], Container[str]]
    ) -> None:
        self.tables: dict[str, KeptTable] = {}
        self._find_secrets = find_secrets
        super().__init__(*arguments)

    def keep(self, name: str) -> None:
        """Reads a table, to follow it from here on."""
        schema = self.find_schema().tables[name]
        table = KeptTable(schema, self._find_secrets(name, list(schema.columns)))
        requests = {name: {"columns": table.columns}}
        number = self._send("monitor", [self.database, name, requests])
        table.apply(self._receive_result(number).get(name, {}))
        self.tables[name] = table

    def fileno(self) -> int:
        """Returns what to poll for when something may have come."""
        assert self._socket is not None
        return self._socket.fileno()

    def take_notices(self) -> None:
        """Takes what has come, which is something; raises ConnectionLost if that is the end."""
        self._read()
        while getattr(self._socket, "pending", int)():
            self._read()
        while self._messages:
            message = self._take_message()
            if message is not None and message.get("method") == "update":
                self._take_update(message["params"])

    def count_rows(self) -> int:
        """Returns how many rows are kept."""
        return sum(map(len, self.tables.values()))

    def _take_update(self, params: Sequence[Any]) -> None:
        for name, changes in params[1].items():
            self.tables[name].apply(changes)

    def _read(self) -> None:
        super()._read()
        if self.received_bytes > MOST_BYTES:
            raise TooMuch(f"{self.remote}: more than {MOST_BYTES} bytes to keep")
