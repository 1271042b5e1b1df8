"""Asks a daemon of OVS or OVN, at its control socket, for a sign of life; never waits.

The command is 'version' (ovs-appctl(8)), which every daemon answers from its main loop.  One
connection is kept, and one question at a time is under way.
"""

from __future__ import annotations

import json
import socket

_MOST_BYTES = 4096


class Control:
    """A connection to one control socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket: socket.socket | None = None
        self._number = 0
        self._received = b""
        self.asking = False

    def ask(self) -> bool:
        """Asks; returns whether it could.  One that takes nothing more counts as asked."""
        try:
            if self._socket is None:
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._socket = made
                made.setblocking(False)
                made.connect(self.path)
            self._number += 1
            self._received = b""
            self._socket.send(_make_request(self._number))
        except BlockingIOError:
            # Its queue is full; a connection that was not made has nothing to be read from.
            if self._number == 0:
                self.close()
        except OSError:
            self.close()
            return False
        self.asking = True
        return True

    def is_answered(self) -> bool:
        """Returns whether the answer has come; one that ended the connection did not answer."""
        if self._socket is None:
            self.asking = False  # nothing was sent; it can be asked anew
            return False
        try:
            received = self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        if not received:
            self.close()
            return False
        self._received = (self._received + received)[-_MOST_BYTES:]
        answered = _is_answer(self._received, self._number)
        self.asking = self.asking and not answered
        return answered

    def close(self) -> None:
        """Drops the connection and the question; the next one makes another."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._number, self.asking = None, 0, False


def _make_request(number: int) -> bytes:
    return json.dumps({"id": number, "method": "version", "params": []}).encode()


def _is_answer(received: bytes, number: int) -> bool:
    """Returns whether a whole answer to question 'number' came; other text is passed over."""
    try:
        answer = json.loads(received)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("id") == number
