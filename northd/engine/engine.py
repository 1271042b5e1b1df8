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
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ...lib.errors import ConfigError
from ...lib.failures import describe, format_trace
from ...services.api.node import AnyNode, Datum, Index, Node, Tally
from .index import IndexStore, TallyStore
from .store import EVERYTHING, Reader, Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ABSENT = object()


@dataclass(slots=True)
class Stats:
    """How often a node was computed, came out changed or failed, and how long it took."""

    compute: int = 0
    changed: int = 0
    failed: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake of ours, or of a type, with one key: a sentence, and where it happened."""

    sentence: str
    trace: str


class _BrokenError(Exception):
    """A value that was read could not be computed."""


class Engine:
    """The values of all data.  'watched' are those whose changed keys run() returns."""

    def __init__(self, nodes: Iterable[AnyNode], watched: Iterable[Datum[Any, Any]] = ()) -> None:
        self.nodes = tuple(nodes)
        self._watched = tuple(watched)
        self._stores: dict[Datum[Any, Any], Store] = {}
        self._runs: list[Node[Any, Any]] = []
        self._dirty: list[set[Any]] = []
        self._reads: list[dict[Any, tuple[Any, ...]]] = []
        self._timers: list[dict[Any, int]] = []
        self._heap: list[tuple[int, int, int, Any]] = []
        self._pushed = 0
        self._now_ms = 0
        self._stats: dict[str, Stats] = {}
        self.faults: dict[tuple[str, Any], Fault] = {}
        self._new_faults: dict[tuple[str, Any], Fault] = {}
        for node in self.nodes:
            self._add(node)
        for datum in self._watched:
            self._find_store(datum).changed = set()

    # -- what goes in ------------------------------------------------------

    def put(self, datum: Datum[K, V], key: K, value: V | None) -> None:
        """Gives a source the value of a key; None takes it away."""
        self._change(self._find_store(datum), key, _ABSENT if value is None else value)

    def recompute(self) -> None:
        """Makes the next run compute every key of every node, and each index anew."""
        for store in self._stores.values():
            if isinstance(store, IndexStore | TallyStore):
                store.rebuild()
        # What comes of an index that came out otherwise has those keys now.
        for position, node in enumerate(self._runs):
            keys = self._dirty[position]
            keys.update(self._stores[node.datum].values)
            keys.update(self._reads[position])
            for datum in node.follows:
                store = self._find_store(datum)
                keys.update(store.values)
                keys.update(store.problems)

    def run(self, now_ms: int) -> Mapping[Datum[Any, Any], set[Any]]:
        """Brings each key up to date at 'now_ms' (monotonic); returns watched keys that changed.

        A key counts as changed, too, when its value could not be computed any
        more, or can be again.
        """
        self._now_ms = now_ms
        self._take_timers(now_ms)
        for position, keys in enumerate(self._dirty):
            # A node never makes keys of its own dirty.
            while keys:
                self._compute(position, keys.pop())
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
            if self._timers[position].get(key) == moment_ms:
                return moment_ms
            heapq.heappop(self._heap)
        return None

    def take_faults(self) -> Mapping[tuple[str, Any], Fault]:
        """Returns the faults that came since the last call, by datum and key."""
        found, self._new_faults = self._new_faults, {}
        return found

    def stats(self) -> Mapping[str, Stats]:
        """Returns the statistics of each node by the name of its datum."""
        return self._stats

    def count_runs(self) -> int:
        """Returns how many keys were computed since the start."""
        return sum(each.compute for each in self._stats.values())

    def find_differences(self) -> list[str]:
        """Computes everything in another engine; returns what came out otherwise there."""
        twin = Engine(self.nodes)
        computed = {node.datum for node in self.nodes}
        for datum, store in self._stores.items():
            if datum not in computed:
                for key, value in store.values.items():
                    twin.put(datum, key, value)
        twin.run(self._now_ms)
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
            position = len(self._runs)
            for datum in node.follows:
                self._find_store(datum).followers.append(position)
            self._stores[node.datum] = Store(node.datum.name)
            self._runs.append(node)
            self._dirty.append(set())
            self._reads.append({})
            self._timers.append({})
            self._stats[node.datum.name] = Stats()
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
            if self._timers[position].get(key) == moment_ms:
                self._dirty[position].add(key)

    def _compute(self, position: int, key: Any) -> None:
        node = self._runs[position]
        store = self._stores[node.datum]
        if not any(self._stores[datum].has(key) for datum in node.follows):
            self._forget(position, key)
            self._change(store, key, _ABSENT)
            return
        stats = self._stats[store.name]
        started = time.perf_counter()
        read = _Reading(self._stores, node, self._now_ms)
        value, problem, fault = _run(node, read, key)
        spent_ms = (time.perf_counter() - started) * 1000
        stats.compute += 1
        stats.total_ms += spent_ms
        stats.longest_ms = max(stats.longest_ms, spent_ms)
        stats.failed += problem is not None
        self._note_reads(position, key, tuple(read.reads))
        self._set_timer(position, key, read.moment_ms)
        self._note_fault((store.name, key), fault)
        if self._change(store, key, value, problem):
            stats.changed += 1

    def _forget(self, position: int, key: Any) -> None:
        self._note_reads(position, key, ())
        self._reads[position].pop(key, None)
        self._set_timer(position, key, None)
        self._note_fault((self._runs[position].datum.name, key), None)

    def _note_reads(self, position: int, key: Any, reads: tuple[Any, ...]) -> None:
        """Takes the flat sequence of stores and keys that were read."""
        before = self._reads[position].get(key, ())
        if before == reads:
            return
        self._reads[position][key] = reads
        me: Reader = (position, key)
        for each in range(0, len(before), 2):
            before[each].drop_reader(before[each + 1], me)
        for each in range(0, len(reads), 2):
            reads[each].add_reader(reads[each + 1], me)

    def _set_timer(self, position: int, key: Any, moment_ms: int | None) -> None:
        if moment_ms is None:
            self._timers[position].pop(key, None)
        elif self._timers[position].get(key) != moment_ms:
            self._timers[position][key] = moment_ms
            self._pushed += 1
            heapq.heappush(self._heap, (moment_ms, position, self._pushed, key))

    def _note_fault(self, place: tuple[str, Any], fault: Fault | None) -> None:
        before = self.faults.pop(place, None)
        if fault is None:
            return
        self.faults[place] = fault
        if before is None or before.sentence != fault.sentence:
            self._new_faults[place] = fault

    def _note_error(self, name: str, key: Any, error: Exception | None) -> None:
        """Notes what was raised for a key of an index, None for nothing any more."""
        self._note_fault((name, key), None if error is None else _make_fault(name, error))

    def _change(self, store: Store, key: Any, value: Any, problem: str | None = None) -> bool:
        """Sets a value, or its absence, or a problem; returns whether that is another one."""
        before = store.values.get(key, _ABSENT)
        same = before is value or _are_equal(before, value)
        if same and store.problems.get(key) == problem:
            if value is not _ABSENT:
                store.values[key] = value  # equal, but what does not compare may differ
            return False
        if value is _ABSENT:
            store.values.pop(key, None)
        else:
            store.values[key] = value
        if problem is None:
            store.problems.pop(key, None)
        else:
            store.problems[key] = problem
        self._tell(store, key)
        for index in store.dependents:
            for each in index.follow(key, _to_none(before), _to_none(value)):
                self._tell(index, each)
        return True

    def _tell(self, store: Store, key: Any) -> None:
        if store.changed is not None:
            store.changed.add(key)
        for position in store.followers:
            self._dirty[position].add(key)
        for position, reader in store.find_readers(key):
            self._dirty[position].add(reader)


def _are_equal(one: Any, other: Any) -> bool:
    return one is not _ABSENT and other is not _ABSENT and bool(one == other)


def _to_none(value: Any) -> Any:
    return None if value is _ABSENT else value


def _run(node: Node[Any, Any], read: _Reading, key: Any) -> tuple[Any, str | None, Fault | None]:
    """Returns the value, or why there is none and whose mistake that is."""
    try:
        value = node.run(read, key)
    except (_BrokenError, ConfigError) as error:
        return _ABSENT, str(error), None
    except Exception as error:  # ours, or a type's: it stays with this key
        fault = _make_fault(node.datum.name, error)
        return _ABSENT, fault.sentence, fault
    return (_ABSENT if value is None else value), None, None


def _make_fault(name: str, error: Exception) -> Fault:
    sentence = f"svc-northd cannot compute {name} of it: {describe(error)}"
    return Fault(sentence, format_trace(error))


class _Reading:
    """A Read: what one key asked, and the next moment that it waits for."""

    __slots__ = ("_node", "_now_ms", "_stores", "moment_ms", "reads")

    def __init__(
        self, stores: Mapping[Datum[Any, Any], Store], node: Node[Any, Any], now_ms: int
    ) -> None:
        self._stores = stores
        self._node = node
        self._now_ms = now_ms
        self.reads: list[Any] = []
        self.moment_ms: int | None = None

    def __call__(self, datum: Datum[K, V], key: K) -> V | None:
        store = self._note(datum, key)
        if store.problems and key in store.problems:
            raise _BrokenError(store.problems[key])
        value: V | None = store.values.get(key)
        return value

    def all(self, datum: Datum[K, V]) -> Mapping[K, V]:
        return self._note(datum, EVERYTHING).values

    def find_problem(self, datum: Datum[K, V], key: K) -> str | None:
        return self._note(datum, key).problems.get(key)

    def has_problems(self, datum: Datum[K, V]) -> bool:
        return self._note(datum, EVERYTHING).has_problems

    def is_past(self, moment_ms: int) -> bool:
        if self._now_ms >= moment_ms:
            return True
        if self.moment_ms is None or moment_ms < self.moment_ms:
            self.moment_ms = moment_ms
        return False

    def _note(self, datum: Datum[Any, Any], key: Any) -> Store:
        node = self._node
        if datum not in node.inputs and datum not in node.follows:
            raise AssertionError(f"{node.datum.name} reads {datum.name}, which is not an input")
        store = self._stores[datum]
        self.reads += (store, key)
        return store


def format_graph(nodes: Sequence[AnyNode]) -> str:
    """Returns the graph in DOT, for a person and for the test that holds it."""
    lines = ["digraph svc_northd {"]
    for node in nodes:
        inputs = (*node.follows, *node.inputs) if isinstance(node, Node) else (node.of,)
        lines.extend(f'    "{each.name}" -> "{node.datum.name}";' for each in inputs)
    return "\n".join([*lines, "}"])
