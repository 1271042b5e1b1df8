"""What the engine keeps of one node, and how one key of it is computed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...lib.errors import ConfigError
from ...lib.failures import describe, format_trace
from ...services.api.node import Datum, Node
from .store import EVERYTHING, Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ABSENT = object()
"""Stands for no value."""


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

    'stores' are those that it may read.  'reads' has, by key, the flat sequence
    of the stores and keys that it read; 'timers' the next moment that it waits for.
    """

    __slots__ = (
        "dirty",
        "follows",
        "node",
        "position",
        "reads",
        "stats",
        "store",
        "stores",
        "timers",
    )

    def __init__(
        self, position: int, node: Node[Any, Any], stores: Mapping[Datum[Any, Any], Store]
    ) -> None:
        self.position = position
        self.node = node
        self.store = stores[node.datum]
        self.follows = tuple(stores[datum] for datum in node.follows)
        self.stores = {datum: stores[datum] for datum in (*node.follows, *node.inputs)}
        self.stats = Stats()
        self.dirty: set[Any] = set()
        self.reads: dict[Any, tuple[Any, ...]] = {}
        self.timers: dict[Any, int] = {}

    def has(self, key: Any) -> bool:
        """Returns whether there is a key of what the node follows."""
        for store in self.follows:  # noqa: SIM110 - a generator would cost more than the look
            if key in store.values or key in store.problems:
                return True
        return False


class Reading:
    """A Read: what one key asked, and the next moment that it waits for."""

    __slots__ = ("_now_ms", "_state", "moment_ms", "reads")

    def __init__(self, state: NodeState, now_ms: int) -> None:
        self._state = state
        self._now_ms = now_ms
        self.reads: list[Any] = []
        self.moment_ms: int | None = None

    def __call__(self, datum: Datum[K, V], key: K) -> V | None:
        # As _note(); a call more for each read would be a tenth of the engine's own time.
        store = self._state.stores.get(datum)
        if store is None:
            raise self._refuse(datum)
        self.reads += (store, key)
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
        store = self._state.stores.get(datum)
        if store is None:
            raise self._refuse(datum)
        self.reads += (store, key)
        return store

    def _refuse(self, datum: Datum[Any, Any]) -> AssertionError:
        name = self._state.store.name
        return AssertionError(f"{name} reads {datum.name}, which is not an input")


class _BrokenError(Exception):
    """A value that was read could not be computed."""


def compute(node: Node[Any, Any], read: Reading, key: Any) -> tuple[Any, str | None, Fault | None]:
    """Returns the value, or ABSENT, why there is none, and whose mistake that is."""
    try:
        value = node.run(read, key)
    except (_BrokenError, ConfigError) as error:
        return ABSENT, str(error), None
    except Exception as error:  # ours, or a type's: it stays with this key
        fault = make_fault(node.datum.name, error)
        return ABSENT, fault.sentence, fault
    return (ABSENT if value is None else value), None, None


def make_fault(name: str, error: Exception) -> Fault:
    """Returns what is told of an exception in the node or index 'name'."""
    sentence = f"svc-northd cannot compute {name} of it: {describe(error)}"
    return Fault(sentence, format_trace(error))
