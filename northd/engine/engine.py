"""Runs keyed nodes: computes again what a change reaches, and stops where a value came out equal.

The order of the nodes is that of the graph: each reads only what stands before
it, so one sweep from the first dirty node to the last is enough.  'recompute'
makes every key dirty and is the same code.  OVN's lib/inc-proc-eng.h is the
model, with a key in place of a whole node.

An exception in a node is a problem of its key, and of the keys that read it;
every other key goes on.  A ConfigError is the mistake of a row; anything else is
ours, or a type's: a Fault, which is told once.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

from ...lib import stopwatch
from ...services.api.node import AnyNode, Datum, Index, Node, Tally
from .collector import MANY_KEYS, resting
from .index import IndexStore, TallyStore
from .node_state import Fault, NodeState, Reading, Stats, compute, make_fault
from .store import Cell, Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Engine:
    """The values of all data.  'watched' are those whose changed keys run() returns."""

    def __init__(self, nodes: Iterable[AnyNode], watched: Iterable[Datum[Any, Any]] = ()) -> None:
        self.nodes = tuple(nodes)
        self._watched = tuple(watched)
        self._stores: dict[Datum[Any, Any], Store] = {}
        self._states: list[NodeState] = []
        self._heap: list[tuple[int, int, int, Any]] = []
        self._pushed = 0
        self._now_ms = 0
        self.faults: dict[tuple[str, Any], Fault] = {}
        self._new_faults: dict[tuple[str, Any], Fault] = {}
        for node in self.nodes:
            self._add(node)
        for datum in self._watched:
            self._find_store(datum).changed = set()

    # -- what goes in ------------------------------------------------------

    def put(self, datum: Datum[K, V], key: K, value: V | None) -> None:
        """Gives a source the value of a key; None takes it away."""
        cell = self._find_store(datum).cells[key]
        self._change(cell, value)
        if value is None:
            cell.drop_if_idle()

    def recompute(self) -> None:
        """Makes the next run compute every key of every node, and each index anew."""
        for store in self._stores.values():
            if isinstance(store, IndexStore | TallyStore):
                store.rebuild()
        # What comes of an index that came out otherwise has those keys now.
        for state in self._states:
            cells, dirty = state.store.cells, state.store.dirty
            dirty.update(cells.values())
            for store in state.follows:
                dirty.update([cells[key] for key in (*store.values, *store.problems)])

    def run(self, now_ms: int) -> Mapping[Datum[Any, Any], set[Any]]:
        """Brings each key up to date at 'now_ms' (monotonic); returns watched keys that changed.

        A key counts as changed, too, when its value could not be computed any
        more, or can be again.
        """
        self._now_ms = now_ms
        self._take_timers(now_ms)
        many = max((len(state.store.dirty) for state in self._states), default=0) >= MANY_KEYS
        with resting() if many else nullcontext():
            self._compute_dirty(stopwatch.note)
        changed: dict[Datum[Any, Any], set[Any]] = {}
        for datum in self._watched:
            store = self._find_store(datum)
            if store.changed:
                changed[datum], store.changed = store.changed, set()
        return changed

    # -- what comes out ----------------------------------------------------

    def get(self, datum: Datum[K, V], key: K) -> V | None:
        """Returns the value of a key, None if there is none."""
        value: V | None = self._find_store(datum).values.get(key)
        return value

    def get_all(self, datum: Datum[K, V]) -> Mapping[K, V]:
        """Returns the values by key; it must not be changed."""
        return self._find_store(datum).values

    def find_problem(self, datum: Datum[K, V], key: K) -> str | None:
        """Returns why the value of a key could not be computed."""
        return self._find_store(datum).problems.get(key)

    def find_next_ms(self) -> int | None:
        """Returns the moment at which run() has something to do though nothing changed."""
        while self._heap:
            moment_ms, position, _, key = self._heap[0]
            if self._states[position].timers.get(key) == moment_ms:
                return moment_ms
            heapq.heappop(self._heap)
        return None

    def take_faults(self) -> Mapping[tuple[str, Any], Fault]:
        """Returns the faults that came since the last call, by datum and key."""
        found, self._new_faults = self._new_faults, {}
        return found

    def stats(self) -> Mapping[str, Stats]:
        """Returns the statistics of each node by the name of its datum."""
        return {state.store.name: state.stats for state in self._states}

    def clear_stats(self) -> None:
        """Begins anew with the statistics of each node."""
        for state in self._states:
            state.stats = Stats()

    def count_values(self) -> int:
        """Returns how many values are kept."""
        return sum(len(store.values) for store in self._stores.values())

    def count_runs(self) -> int:
        """Returns how many keys were computed since the start."""
        return sum(state.stats.compute for state in self._states)

    def find_differences(self) -> list[str]:
        """Computes everything in another engine; returns what came out otherwise there."""
        twin = Engine(self.nodes)
        computed = {node.datum for node in self.nodes}
        for datum, store in self._stores.items():
            if datum not in computed:
                for key, value in store.values.items():
                    twin.put(datum, key, value)
        twin._now_ms = self._now_ms
        twin._compute_dirty()  # not run(): what it makes does not stay
        found = []
        for datum, store in self._stores.items():
            other = twin._find_store(datum)
            if store.problems != other.problems or store.values != other.values:
                keys = store.values.keys() | other.values.keys() | store.problems.keys()
                wrong = [
                    key
                    for key in keys | other.problems.keys()
                    if store.values.get(key) != other.values.get(key)
                    or store.problems.get(key) != other.problems.get(key)
                ]
                found.append(f"{datum.name}: {wrong[:5]}")
        return found

    # -- building ----------------------------------------------------------

    def _add(self, node: AnyNode) -> None:
        assert node.datum not in self._stores, f"{node.datum.name} is computed after it was read"
        if isinstance(node, Node):
            for datum in (*node.follows, *node.inputs):
                self._find_store(datum)
            mine = self._stores[node.datum] = Store(node.datum.name)
            for datum in node.follows:
                self._find_store(datum).followers.append(mine)
            self._states.append(NodeState(len(self._states), node, self._stores))
            return
        of = self._find_store(node.of)
        store: IndexStore | TallyStore
        if isinstance(node, Index):
            store = IndexStore(
                node.datum.name, of, node.find_keys, partial(self._note_error, node.datum.name)
            )
        else:
            assert isinstance(node, Tally)
            store = TallyStore(node.datum.name, of, node.find_counts)
        of.dependents.append(store)
        self._stores[node.datum] = store

    def _find_store(self, datum: Datum[Any, Any]) -> Store:
        store = self._stores.get(datum)
        if store is None:
            store = self._stores[datum] = Store(datum.name)
        return store

    # -- running -----------------------------------------------------------

    def _take_timers(self, now_ms: int) -> None:
        while self._heap and self._heap[0][0] <= now_ms:
            moment_ms, position, _, key = heapq.heappop(self._heap)
            if self._states[position].timers.get(key) == moment_ms:
                store = self._states[position].store
                store.dirty.add(store.cells[key])

    def _compute_dirty(self, note: Callable[[str, float], None] | None = None) -> None:
        """Computes what is dirty; 'note' is told the name of a node, and what its keys took."""
        for state in self._states:
            cells = state.store.dirty
            if not cells:
                continue
            started = time.perf_counter()
            # A node never makes keys of its own dirty.
            while cells:
                self._compute(state, cells.pop())
            # A set keeps the room of the most that it ever had, and pop() walks through it.
            cells.clear()
            if note is not None:
                note(f"en_{state.store.name}", time.perf_counter() - started)

    def _compute(self, state: NodeState, cell: Cell) -> None:
        key = cell.key
        if not state.has(key):
            self._forget(state, cell)
            return
        read = Reading(state, self._now_ms)
        started = time.perf_counter()
        value, problem, fault = compute(state.node, read, key)
        state.stats.note(time.perf_counter() - started, problem is not None)
        cell.read_from(tuple(read.reads))
        if read.moment_ms is not None or state.timers:
            self._set_timer(state, key, read.moment_ms)
        if fault is not None or self.faults:
            self._note_fault((cell.store.name, key), fault)
        if self._change(cell, value, problem):
            state.stats.changed += 1
        if value is None:
            cell.drop_if_idle()

    def _forget(self, state: NodeState, cell: Cell) -> None:
        cell.read_from(())
        self._set_timer(state, cell.key, None)
        self._note_fault((cell.store.name, cell.key), None)
        self._change(cell, None)
        cell.drop_if_idle()

    def _set_timer(self, state: NodeState, key: Any, moment_ms: int | None) -> None:
        if moment_ms is None:
            state.timers.pop(key, None)
        elif state.timers.get(key) != moment_ms:
            state.timers[key] = moment_ms
            self._pushed += 1
            heapq.heappush(self._heap, (moment_ms, state.position, self._pushed, key))

    def _note_fault(self, place: tuple[str, Any], fault: Fault | None) -> None:
        before = self.faults.pop(place, None)
        if fault is None:
            return
        self.faults[place] = fault
        if before is None or before.sentence != fault.sentence:
            self._new_faults[place] = fault

    def _note_error(self, name: str, key: Any, error: Exception | None) -> None:
        """Notes what was raised for a key of an index, None for nothing any more."""
        self._note_fault((name, key), None if error is None else make_fault(name, error))

    def _change(self, cell: Cell, value: Any, problem: str | None = None) -> bool:
        """Sets a value, or its absence, or a problem; returns whether that is another one."""
        before = cell.value
        if cell.problem == problem:
            if before is value:
                return False
            if before is not None and value is not None and before == value:
                cell.set(value, problem)  # equal, but what does not compare may differ
                return False
        cell.set(value, problem)
        self._tell(cell)
        for index in cell.store.dependents:
            for each in index.follow(cell.key, before, value):
                self._tell(each)
                if each.value is None:
                    each.drop_if_idle()
        return True

    def _tell(self, cell: Cell) -> None:
        store = cell.store
        if store.changed is not None:
            store.changed.add(cell.key)
        for follower in store.followers:
            follower.dirty.add(follower.cells[cell.key])
        if cell.readers is not None:
            cell.mark_readers()
        if store.everything.readers is not None:
            store.everything.mark_readers()


def format_graph(nodes: Sequence[AnyNode]) -> str:
    """Returns the graph in DOT, for a person and for the test that holds it."""
    lines = ["digraph svc_northd {"]
    for node in nodes:
        inputs = (*node.follows, *node.inputs) if isinstance(node, Node) else (node.of,)
        lines.extend(f'    "{each.name}" -> "{node.datum.name}";' for each in inputs)
    return "\n".join([*lines, "}"])
