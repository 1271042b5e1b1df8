"""The words in which svc-northd's compile step is written; northd/engine runs it.

A datum is a map from key to value.  A node is one datum and one pure function
of one key, which gets what it needs of other data through a 'Read'; the engine
notes what was read, and a value that changes makes exactly those keys be
computed again that read it.  An index is a datum that is kept by the changes of
another one: it turns a value into keys under which it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
IndexKey = TypeVar("IndexKey", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Datum(Generic[K, V]):
    """What is known under a name, by key."""

    name: str


class Read(Protocol):
    """What a node may ask, for the key that it is computing."""

    def __call__(self, datum: Datum[K, V], key: K) -> V | None:
        """Returns the value, None if there is none.

        One that could not be computed makes this key be one that cannot be
        computed, for the same reason; nothing is to be caught.
        """

    def all(self, datum: Datum[K, V]) -> Mapping[K, V]:
        """Returns every value by key; any change makes this key be computed again."""

    def find_problem(self, datum: Datum[K, V], key: K) -> str | None:
        """Returns why a value could not be computed, None if it could."""

    def has_problems(self, datum: Datum[K, V]) -> bool:
        """Returns whether any value of a datum could not be computed."""

    def is_past(self, moment_ms: int) -> bool:
        """Returns whether a moment of the monotonic clock has come.

        This key is computed again when it comes.
        """


@dataclass(frozen=True, slots=True)
class Node(Generic[K, V]):
    """Computes 'datum': run() gets a Read and a key, and returns the value or None for none.

    The keys are those of the data in 'follows'; a change there makes the same
    key be computed again.  Beside them only 'inputs' may be read.
    """

    datum: Datum[K, V]
    run: Callable[[Read, K], V | None]
    follows: tuple[Datum[K, Any], ...]
    inputs: tuple[Datum[Any, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Index(Generic[IndexKey, K, V]):
    """Keeps under each key of find_keys(key, value) the keys of 'of' that have it.

    Such a set goes on changing, so that who reads it must not keep it.
    """

    datum: Datum[IndexKey, AbstractSet[K]]
    of: Datum[K, V]
    find_keys: Callable[[K, V], Iterable[IndexKey]]


@dataclass(frozen=True, slots=True)
class Tally(Generic[IndexKey, K, V]):
    """Keeps under each key the sum of the numbers that find_counts(key, value) gives it."""

    datum: Datum[IndexKey, int]
    of: Datum[K, V]
    find_counts: Callable[[K, V], Iterable[tuple[IndexKey, int]]]


AnyNode = Node[Any, Any] | Index[Any, Any, Any] | Tally[Any, Any, Any]
