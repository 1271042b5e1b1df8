"""Sessions with real databases, run together as a daemon runs its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ovs.poller

from ..lib import schema
from ..lib.delta import Change
from ..lib.idl import Session
from ..lib.rows import Row
from .ovsdb import Database

# What a session may say about a server that went.
OUTAGE = r"\.sock: (connection (attempt failed|closed by peer|dropped)|(send|receive) error)"


class Sessions:
    """Opens sessions, runs them together, closes them."""

    def __init__(self) -> None:
        self.opened: list[Session] = []

    def open(self, database: Database, *row_classes: type[Row], **options: Any) -> Session:
        """Returns a session that is in sync."""
        if database.name in (schema.NORTHBOUND, schema.SOUTHBOUND):
            options.setdefault("schema", schema.load(database.name))
        session = Session(database.remote, database.name, row_classes, **options)
        self.opened.append(session)
        self.wait_for(lambda: session.synced, "the first sync")
        return session

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Runs every session until 'condition' holds; blocks in the poller as a daemon does."""
        deadline = time.monotonic() + 10
        while True:
            poller = ovs.poller.Poller()
            for session in self.opened:
                session.run()
                session.wait(poller)
            if condition():
                return
            assert time.monotonic() < deadline, (
                f"waited in vain for {what}; {[each.trouble for each in self.opened]}"
            )
            poller.timer_wait(100)
            poller.block()

    def commit(self, session: Session, *changes: Change) -> None:
        """Commits and waits for the end."""
        session.commit(changes, "a test")
        self.wait_for(lambda: not session.committing, "the end of the transaction")

    def close(self) -> None:
        """Closes all of them."""
        for session in self.opened:
            session.close()
