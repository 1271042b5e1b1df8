"""Asks a server for the schema of a database that is not ours to ship; for idl.Session."""

from __future__ import annotations

from typing import Any, cast

import ovs.db.error
import ovs.db.schema
import ovs.jsonrpc
import ovs.poller
import ovs.timeval
import ovs.vlog

from .trouble import Trouble

vlog = ovs.vlog.Vlog("schema_request")

AGAIN_MS = 1000
# What comes of reading a message that is not what OVSDB has there.
MISFITS = (KeyError, ValueError, TypeError, IndexError, AttributeError)
UNREADABLE = "what it answers cannot be read: it may be no server of OVSDB"


def is_schema(content: Any) -> bool:
    """Returns whether an answer is a schema (RFC 7047, 3.2)."""
    try:
        ovs.db.schema.DbSchema.from_json(content)
    except (ovs.db.error.Error, *MISFITS):
        return False
    return True


class SchemaRequest:
    """The question, until run() has the answer."""

    def __init__(self, remotes: list[str], database: str, probe_interval_ms: int) -> None:
        self._session = ovs.jsonrpc.Session.open_multiple(remotes, probe_interval_ms)
        self.trouble = Trouble()
        self.trouble.follow(self._session)
        self._database = database
        self._asked_seqno = 0
        self._ask_again_ms = 0

    def run(self) -> dict[str, Any] | None:
        """Returns the schema once it has arrived."""
        self._session.run()
        if not self._session.is_connected():
            return None
        waiting = ovs.timeval.msec() < self._ask_again_ms
        if self._asked_seqno != self._session.get_seqno() and not waiting:
            self._asked_seqno = self._session.get_seqno()
            request = ovs.jsonrpc.Message.create_request("get_schema", [self._database])
            self._session.send(request)
        message = self._session.recv()
        if message is not None and message.type == ovs.jsonrpc.Message.T_ERROR:
            vlog.warn(f"{self._database}: the server has no schema of it: {message.error}")
            self._ask_later(f"the server has no database {self._database}")
        if message is None or message.type != ovs.jsonrpc.Message.T_REPLY:
            return None
        if not is_schema(message.result):
            self._ask_later(UNREADABLE)
            return None
        self._session.close()
        return cast(dict[str, Any], message.result)

    @property
    def failing(self) -> bool:
        """Whether no server was reached, and the next attempt waits."""
        return not self._session.is_connected() and self._session.reconnect.backoff > 0

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        self._session.wait(poller)
        self._session.recv_wait(poller)
        if ovs.timeval.msec() < self._ask_again_ms:
            poller.timer_wait_until(self._ask_again_ms)

    def _ask_later(self, sentence: str) -> None:
        self.trouble.refuse(str(self._session.get_name()), sentence)
        self._asked_seqno = 0
        self._ask_again_ms = ovs.timeval.msec() + AGAIN_MS
