"""Nodes, their inputs, and what must be computed again.

A node is one datum and the pure function that makes it from the data of its
inputs (OVN's lib/inc-proc-eng.h is the model).  When an input changed, the
node is computed again; when its datum came out equal to the one before,
nothing that depends on it is touched.  There is no other shortcut: 'recompute'
forgets every datum and gives the same result.

A source has no function: its datum is set from outside (a table, the clock's
verdict on the chassis).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A datum; 'run' gets the data of 'inputs' in their order."""

    name: str
    inputs: tuple[str, ...] = ()
    run: Callable[..., Any] | None = None


@dataclass(slots=True)
class Stats:
    """How often a node was computed, came out changed, and how long it took."""

    compute: int = 0
    changed: int = 0
    last_ms: float = 0.0
    longest_ms: float = 0.0


@dataclass(slots=True)
class _State:
    datum: Any = None
    valid: bool = False
    stats: Stats = field(default_factory=Stats)


class Engine:
    """Runs nodes in the order given; each must come after its inputs."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = tuple(nodes)
        self._states: dict[str, _State] = {}
        for node in self.nodes:
            missing = [name for name in node.inputs if name not in self._states]
            assert not missing, f"{node.name} stands before its inputs {missing}"
            self._states[node.name] = _State()
        self._changed: set[str] = set()

    def set_source(self, name: str, datum: Any) -> None:
        """Gives a source its new datum; what depends on it is run next time."""
        state = self._states[name]
        state.datum, state.valid = datum, True
        self._changed.add(name)

    def recompute(self) -> None:
        """Makes the next run compute every node from its inputs."""
        for node in self.nodes:
            if node.run is not None:
                self._states[node.name].valid = False

    def run(self) -> set[str]:
        """Brings each node up to date; returns the nodes whose datum changed."""
        for node in self.nodes:
            if node.run is not None and self._is_stale(node):
                self._compute(node)
        changed, self._changed = self._changed, set()
        return changed

    def get(self, name: str) -> Any:
        """Returns the datum of a node."""
        return self._states[name].datum

    def stats(self) -> Mapping[str, Stats]:
        """Returns the statistics of each node that computes something."""
        return {node.name: self._states[node.name].stats for node in self.nodes if node.run}

    def _is_stale(self, node: Node) -> bool:
        return not self._states[node.name].valid or any(
            name in self._changed for name in node.inputs
        )

    def _compute(self, node: Node) -> None:
        assert node.run is not None
        state = self._states[node.name]
        started = time.perf_counter()
        datum = node.run(*(self._states[name].datum for name in node.inputs))
        state.stats.last_ms = (time.perf_counter() - started) * 1000
        state.stats.longest_ms = max(state.stats.longest_ms, state.stats.last_ms)
        state.stats.compute += 1
        if not state.valid or datum != state.datum:
            state.stats.changed += 1
            self._changed.add(node.name)
        state.datum, state.valid = datum, True


def format_graph(nodes: Iterable[Node]) -> str:
    """Returns the graph in DOT, for a person and for the test that holds it."""
    lines = ["digraph svc_northd {"]
    for node in nodes:
        lines.extend(f'    "{source}" -> "{node.name}";' for source in node.inputs)
    return "\n".join([*lines, "}"])
