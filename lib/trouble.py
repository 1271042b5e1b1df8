"""Why a database cannot be read, in words: what became of the last attempt to reach a server.

python-ovs logs that, more and more seldom; a runtime command wants to know it at any time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import ovs.jsonrpc
import ovs.reconnect

from . import coverage, tls_stream

# A mistake in keys is mended by hand, and what is mended is to work soon.
MISTAKE_BACKOFF_MS = 2000
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
            mistake = tls_stream.find_failure(session)
            # Each attempt would be told by python-ovs, in other words.
            reconnect.set_quiet(bool(mistake))
            if mistake:
                self.sentence, self.remote = mistake, str(reconnect.get_name())
                tls_stream.tell(self.remote, mistake)
                go_on(now_ms, 0)
                reconnect.backoff = min(reconnect.backoff, MISTAKE_BACKOFF_MS)
            else:
                pending = tls_stream.find_pending(session)
                self._note(reconnect, error, pending)
                if pending:
                    tls_stream.tell(self.remote, pending)
                go_on(now_ms, error)

        reconnect.disconnected = note

    def refuse(self, remote: str, sentence: str) -> None:
        """Notes that there was a server, and why it is not the right one."""
        self.sentence, self.remote = sentence, remote

    def __str__(self) -> str:
        return f"{self.remote}: {self.sentence}" if self.remote else self.sentence

    def _note(self, reconnect: Any, error: Any, pending: str) -> None:
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
            sentence = pending or "no answer"
        self.sentence, self.remote = sentence, str(reconnect.get_name())
