"""Why a database cannot be read, in words: what became of the last attempt to reach a server.

python-ovs logs that, more and more seldom; a runtime command wants to know it at any time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import ovs.jsonrpc
import ovs.reconnect

from . import coverage

UNTRIED = "no server was reached yet"


@dataclass(slots=True)
class Trouble:
    """The sentence of the moment; 'remote' is of the attempt that it is about."""

    sentence: str = UNTRIED
    remote: str = ""

    def follow(self, session: ovs.jsonrpc.Session) -> None:
        """Notes from here on why 'session' has no connection."""
        reconnect = session.reconnect
        go_on = reconnect.disconnected

        def note(now_ms: int, error: Any) -> None:
            coverage.count("connection_failed")
            self._note(reconnect, error)
            go_on(now_ms, error)

        reconnect.disconnected = note

    def refuse(self, remote: str, sentence: str) -> None:
        """Notes that there was a server, and why it is not the right one."""
        self.sentence, self.remote = sentence, remote

    def __str__(self) -> str:
        return f"{self.remote}: {self.sentence}" if self.remote else self.sentence

    def _note(self, reconnect: Any, error: Any) -> None:
        states = ovs.reconnect.Reconnect
        if reconnect.state == states.Reconnect:
            return  # dropped by ourselves: why is known
        if isinstance(error, int) and error > 0:
            sentence = os.strerror(error)
        elif reconnect.state in (states.Active, states.Idle):
            sentence = "the server closed the connection"
            if error == 0:
                sentence = "the server does not answer"
        else:
            sentence = "no answer"
        self.sentence, self.remote = sentence, str(reconnect.get_name())
