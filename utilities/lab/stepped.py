"""A svc-northd in a process of its own, which tells what a change costs it.

change.py asks through a Watcher; the other side is serve(), in a child, so that
its memory is svc-northd's alone.  It runs passes as the daemon does, and answers
between them.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ovs.poller

from ...lib import descriptors, loop
from ...northd.northd import Northd
from ...services.ipsec.compile import HALF
from . import footprint
from .errors import LabError

PATIENCE_S = 600.0
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """What a change came to: ms until the transactions were handed over, and runs of nodes."""

    taken_ms: float
    runs: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory and the most of it in MB, and MB by what holds them."""

    resident: float
    peak: float
    parts: dict[str, float]


class Watcher:
    """The parent's side; raises LabError where an answer takes too long."""

    def __init__(self, remotes: Sequence[str], core: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve, args=(other, tuple(remotes), core), daemon=True
        )
        self._process.start()
        other.close()

    def close(self) -> None:
        """Ends the child."""
        self._connection.close()
        self._process.join()

    def load(self) -> float:
        """Waits until the replicas are in place; returns in how many seconds they were loaded."""
        return float(self._ask("load"))

    def start(self) -> Work:
        """Has it compute for the first time."""
        return self.time(lambda: None)

    def settle(self) -> None:
        """Returns when it knows and has done all."""
        self._ask("settle")

    def time(self, act: Callable[[], object]) -> Work:
        """Returns what it costs that 'act' changes rows; it is to be settled before."""
        self._ask("watch")
        act()
        work = self._receive("a transaction")
        assert isinstance(work, Work)
        return work

    def measure_memory(self) -> Memory:
        """Returns its memory."""
        memory = self._ask("memory")
        assert isinstance(memory, Memory)
        return memory

    def _ask(self, question: str) -> Any:
        self._connection.send(question)
        return self._receive(question)

    def _receive(self, what: str) -> Any:
        try:
            if self._connection.poll(PATIENCE_S):
                return self._connection.recv()
        except EOFError:
            raise LabError(f"svc-northd ended before '{what}'") from None
        raise LabError(f"svc-northd: '{what}' not within {PATIENCE_S:g} s")


def serve(connection: Connection, remotes: Sequence[str], core: int) -> None:
    """Runs a svc-northd on a core until the parent closes 'connection'."""
    os.sched_setaffinity(0, {core})
    gc.set_threshold(*loop.GC_THRESHOLDS)
    descriptors.use_poll()
    server = _Server(connection, Northd(*remotes, halves={"ipsec": HALF}))
    try:
        server.run()
    except (EOFError, BrokenPipeError):
        return


class _Server:
    """The child's side: passes, and what is asked of them."""

    def __init__(self, connection: Connection, northd: Northd) -> None:
        self._connection = connection
        self._northd = northd
        self._sessions = northd.sessions.values()
        self._settling = self._watching = False
        self._begun: tuple[float, int] | None = None

    def run(self) -> None:
        """Loads, then runs passes."""
        started = time.perf_counter()
        while not all(session.synced for session in self._sessions):
            poller = ovs.poller.Poller()
            for session in self._sessions:
                session.wait(poller)
            poller.block()
            for session in self._sessions:
                session.run()
        assert self._connection.recv() == "load"
        self._connection.send(time.perf_counter() - started)
        self._answer(self._connection.recv())
        while True:
            self._pass()
            poller = ovs.poller.Poller()
            self._northd.wait(poller)
            poller.fd_wait(self._connection.fileno(), ovs.poller.POLLIN)
            poller.block()
            if self._connection.poll():
                self._answer(self._connection.recv())

    def _pass(self) -> None:
        runs = self._northd.engine.count_runs()
        started = time.perf_counter()
        self._northd.run()
        ended = time.perf_counter()
        if self._watching:
            self._look(started, ended, runs)
        if self._settling and self._is_settled():
            self._settling = False
            self._connection.send(None)

    def _look(self, started: float, ended: float, runs_before: int) -> None:
        """Tells what a change took, from the pass that computed first to the one that writes."""
        runs = self._northd.engine.count_runs()
        if self._begun is None and runs > runs_before:
            self._begun = (started, runs_before)
        if self._begun is not None and any(session.committing for session in self._sessions):
            began, first = self._begun
            self._watching, self._begun = False, None
            self._connection.send(Work((ended - began) * 1000, runs - first))
        elif self._northd.settled:
            self._begun = None  # a moment that came, and nothing of it

    def _is_settled(self) -> bool:
        answered = all(session.answered and not session.committing for session in self._sessions)
        return answered and self._northd.settled

    def _answer(self, question: str) -> None:
        if question == "settle":
            for session in self._sessions:
                session.probe()
            self._settling = True
        elif question == "watch":
            self._watching = True
            self._connection.send(None)
        else:
            assert question == "memory"
            self._connection.send(self._measure_memory())

    def _measure_memory(self) -> Memory:
        engine, sessions = self._northd.engine, self._northd.sessions
        resident, peak = _read_memory("VmRSS"), _read_memory("VmHWM")
        parts = {
            **{f"replica of {each.database}": each.tables for each in sessions.values()},
            "sessions beside them": list(sessions.values()),
            "engine: values": [engine.get_all(node.datum) for node in engine.nodes],
            "engine: who reads what": engine,
            "ledgers beside them": self._northd.writers.ledgers,
        }
        found = footprint.measure(parts)
        return Memory(resident, peak, {name: each / _MEGABYTE for name, each in found.items()})


def _read_memory(field: str) -> float:
    """Returns a line of /proc/self/status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return 0.0
