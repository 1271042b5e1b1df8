"""The daemon's end of the process that reads (reading.py): what it was given, what it has said."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence

import ovs.vlog

from ..lib import loop
from .command_table import CommandTable
from .reading import LOADING, LONGEST_ORDER, LONGEST_VERDICT, PASSED, READY, TAKEN, work
from .worker import Order

vlog = ovs.vlog.Vlog("reader")

# A command line without any of these is not for it.
_READING = frozenset(("get", "list", "find"))
_CHANGING = frozenset(("set", "add", "remove", "clear", "destroy"))
_MOST_ORDERS = 64
PATIENCE_MS = 10_000
_LOADING_PATIENCE_MS = 120_000

Passed = tuple[Order, Sequence[Sequence[str]]]
"""A command for a process of its own, and what is known for that: as Worker.begin() has them."""


class Reader:
    """The process, made when it is first asked for, and the commands that it has not judged yet."""

    def __init__(self, table: CommandTable, words: Sequence[str]) -> None:
        self._orders: deque[Order] = deque()
        self._is_loading = False
        self._due_ms = 0
        self.rows = 0
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            work(table, words, theirs)
        theirs.close()
        self.channel.setblocking(False)

    def hand_over(self, order: Order) -> bool:
        """Gives it a command line with its caller; returns False if that is not for it."""
        connection, words, _ = order
        request = json.dumps([connection._request_id, list(words)]).encode()
        if self._is_loading or len(self._orders) >= _MOST_ORDERS or len(request) > LONGEST_ORDER:
            return False
        # It would tell where a row is, which is not worth waiting for.
        if self._orders and not _CHANGING.isdisjoint(words):
            return False
        try:
            socket.send_fds(self.channel, [request], [connection._rpc.stream.socket.fileno()])
        except OSError:
            return False
        if not self._orders:
            self._due_ms = loop.monotonic_ms() + PATIENCE_MS
        self._orders.append(order)
        return True

    def take_verdicts(self) -> tuple[list[Passed], bool]:
        """Returns the commands that are for somebody else, and whether this process is at an end.

        One that is silent for too long is ended.
        """
        passed, is_over = self._receive()
        due_ms = self.find_due_ms()
        if not is_over and (due_ms is None or loop.monotonic_ms() < due_ms):
            return passed, False
        if self._end() != 0:
            vlog.warn("the process that reads did not end by itself; others do what it was asked")
        # Who was answered to the last is answered by nobody else.
        passed += self._receive()[0]
        self.channel.close()
        return [*passed, *((order, ()) for order in self._orders)], True

    def find_due_ms(self) -> int | None:
        """Returns until when a verdict is waited for, None if none is."""
        return self._due_ms if self._orders else None

    def close(self) -> None:
        """Ends the process with the daemon."""
        self._end()
        self.channel.close()

    def _end(self) -> int:
        """Ends the process; returns its status, which is 0 if it had ended in good order."""
        os.kill(self.pid, signal.SIGKILL)
        return os.waitpid(self.pid, 0)[1]

    def _receive(self) -> tuple[list[Passed], bool]:
        """Returns the commands that it has passed, and whether there will be no more verdicts."""
        passed: list[Passed] = []
        while True:
            try:
                text = self.channel.recv(LONGEST_VERDICT)
            except BlockingIOError:
                return passed, False
            except ConnectionError:
                text = b""
            if not text:
                return passed, True
            passed += self._take(*json.loads(text))

    def _take(self, verdict: str, rows: int, places: Sequence[Sequence[str]] = ()) -> list[Passed]:
        self.rows = rows
        self._is_loading = verdict == LOADING
        if verdict == READY:
            return []
        patience_ms = _LOADING_PATIENCE_MS if self._is_loading else PATIENCE_MS
        self._due_ms = loop.monotonic_ms() + patience_ms
        order = self._orders.popleft()
        if verdict in (PASSED, LOADING):
            return [(order, places)]
        assert verdict == TAKEN
        loop.drop(order[0])
        return []


def is_generic(words: Sequence[str]) -> bool:
    """Returns whether a command line may be one of which the process that reads knows something."""
    return not (_READING | _CHANGING).isdisjoint(words)
