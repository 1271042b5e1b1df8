"""Sessions with a server that answers what nobody can read: a sentence, and it heals."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..lib import nb, schema
from ..lib.idl import Session
from .logs import Logs
from .ovsdb import Database
from .sessions import Sessions


class Misfit:
    """Answers each request on 'path' with 'result', behind the message 'first'."""

    def __init__(self, path: Path, result: Any, first: str = "") -> None:
        self._result, self._first = result, first
        self._path = path
        self._answered = 0
        self.connections: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def tried(self) -> int:
        """How many connections and answers there were, of which the first is none."""
        return len(self.connections) + max(0, self._answered - 1)

    def close(self) -> None:
        """Ends it, and gives the path back."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink()
        for each in self.connections:
            each.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        decoder, text = json.JSONDecoder(), ""
        try:
            connection.sendall(self._first.encode())
            while received := connection.recv(1 << 16):
                text += received.decode()
                while text:
                    request, end = decoder.raw_decode(text)
                    text = text[end:]
                    reply = {"id": request["id"], "result": self._result, "error": None}
                    connection.sendall(json.dumps(reply).encode())
                    self._answered += 1
        except (OSError, ValueError):
            return


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    made = Sessions()
    yield made
    made.close()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(
    ("result", "first"),
    [
        ([], ""),
        ([1, 2, 3], ""),
        ([False, [], {}], ""),
        ({"tables": 7}, '{"id":[[]],"result":{},"error":null}'),
        ({}, '{"id":{"a":1},"result":null,"error":{}}'),
    ],
)
def test_what_cannot_be_read_is_told_and_heals(
    given: bool, result: Any, first: str, sessions: Sessions, tmp_path: Path, logs: Logs
) -> None:
    logs.allow("")
    database = Database(tmp_path, schema.NORTHBOUND)
    database.stop()
    misfit = Misfit(database.socket, result, first)
    content = schema.load(schema.NORTHBOUND) if given else None
    session = Session(
        database.remote,
        schema.NORTHBOUND,
        (nb.SVCGlobal,),
        schema=content,
        max_backoff_ms=1000,
    )
    sessions.opened.append(session)
    sessions.wait_for(lambda: misfit.tried > 1, "another attempt")
    assert not session.synced
    assert session.trouble
    misfit.close()
    database.start()
    sessions.wait_for(lambda: session.synced and session.connected, "the right server")
    assert not session.trouble
    database.stop()
