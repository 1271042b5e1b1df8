"""What the engine keeps of one node, and how one key of it is computed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...lib.errors import ConfigError
from ...lib.failures import describe, format_trace
from ...services.api.node import Datum, Node
from .store import Cell, Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class Stats:
    """How often a node was computed, came out changed or failed, and how long it took."""

    compute: int = 0
    changed: int = 0
    failed: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0

    def note(self, spent_s: float, failed: bool) -> None:
        """Notes that a key was computed."""
        spent_ms = spent_s * 1000
        self.compute += 1
        self.total_ms += spent_ms
        self.failed += failed
        self.longest_ms = max(self.longest_ms, spent_ms)


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake of ours, or of a type, with one key: a sentence, and where it happened."""

    sentence: str
    trace: str


class NodeState:
    """What is kept of the node at a position of the graph.

    'stores' are those that it may read, 'timers' has by key the next moment that it
    waits for.
    """

    __slots__ = ("follows", "node", "position", "stats", "store", "stores", "timers")

    def __init__(
        self, position: int, node: Node[Any, Any], stores: Mapping[Datum[Any, Any], Store]
    ) -> None:
        self.position = position
        self.node = node
        self.store = stores[node.datum]
        self.follows = tuple(stores[datum] for datum in node.follows)
        self.stores = {datum: stores[datum] for datum in (*node.follows, *node.inputs)}
        self.stats = Stats()
        self.timers: dict[Any, int] = {}

    def has(self, key: Any) -> bool:
        """Returns whether there is a key of what the node follows."""
        for store in self.follows:
            if key in store.values or (store.problems and key in store.problems):
                return True
        return False


class Reading:
    """A Read: the cells that one key asked for, and the next moment that it waits for."""

    __slots__ = ("_now_ms", "_state", "_stores", "moment_ms", "reads")

    def __init__(self, state: NodeState, now_ms: int) -> None:
        self._state = state
        self._stores = state.stores
        self._now_ms = now_ms
        self.reads: list[Cell] = []
        self.moment_ms: int | None = None

    def __call__(self, datum: Datum[K, V], key: K) -> V | None:
        # As find_problem(); a call more for each read would be a tenth of the engine's own time.
        try:
            store = self._stores[datum]
        except KeyError:
            raise self._refuse(datum) from None
        cell = store.cells[key]
        self.reads.append(cell)
        if cell.problem is not None:
            raise _BrokenError(cell.problem)
        value: V | None = cell.value
        return value

    def all(self, datum: Datum[K, V]) -> Mapping[K, V]:
        return self._note_all(datum).values

    def find_problem(self, datum: Datum[K, V], key: K) -> str | None:
        cell = self._find_store(datum).cells[key]
        self.reads.append(cell)
        return cell.problem

    def has_problems(self, datum: Datum[K, V]) -> bool:
        return self._note_all(datum).has_problems

    def is_past(self, moment_ms: int) -> bool:
        if self._now_ms >= moment_ms:
            return True
        if self.moment_ms is None or moment_ms < self.moment_ms:
            self.moment_ms = moment_ms
        return False

    def _note_all(self, datum: Datum[Any, Any]) -> Store:
        store = self._find_store(datum)
        self.reads.append(store.everything)
        return store

    def _find_store(self, datum: Datum[Any, Any]) -> Store:
        if datum not in self._stores:
            raise self._refuse(datum)
        return self._stores[datum]

    def _refuse(self, datum: Datum[Any, Any]) -> AssertionError:
        name = self._state.store.name
        return AssertionError(f"{name} reads {datum.name}, which is not an input")


class _BrokenError(Exception):
    """A value that was read could not be computed."""


def compute(node: Node[Any, Any], read: Reading, key: Any) -> tuple[Any, str | None, Fault | None]:
    """Returns the value, or None, why there is none, and whose mistake that is."""
    try:
        return node.run(read, key), None, None
    except (_BrokenError, ConfigError) as error:
        return None, str(error), None
    except Exception as error:  # ours, or a type's: it stays with this key
        fault = make_fault(node.datum.name, error)
        return None, fault.sentence, fault


def make_fault(name: str, error: Exception) -> Fault:
    """Returns what is told of an exception in the node or index 'name'."""
    sentence = f"svc-northd cannot compute {name} of it: {describe(error)}"
    return Fault(sentence, format_trace(error))
