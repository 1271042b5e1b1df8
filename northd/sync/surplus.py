"""Rows of Container_Item that are too many: nothing is computed of them, and they go.  Pure.

A chassis that means well has rows for what is bound to it, no more of them than lib/items.py says,
and, for a moment, those of what was bound to it.  What is there beside these was written by a
mistake, or by somebody who has the key of the chassis, and is to cost nobody more than to read it.
So it is held back here, before the engine and the ledger, and goes by conditions that need no row
to be named: all strays of a chassis at once, and all items of a container that has too many.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from ...lib import sb
from ...lib.call import Operation
from ...lib.items import MOST_ITEMS, MOST_TEXT, weigh

# Of one chassis, of containers that are not bound to it.
MOST_STRAYS = MOST_ITEMS

Pair = tuple[Any, Any]


class _Place(NamedTuple):
    chassis: str
    container: str


class _Admitted(NamedTuple):
    place: _Place
    text: int
    stray: bool


class Surplus:
    """In each pass note_bindings(), then take(); 'chassis' are those whose rows are to go."""

    def __init__(self) -> None:
        self._bound: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._admitted: dict[UUID, _Admitted] = {}
        self._counts: Counter[_Place] = Counter()
        self._texts: Counter[_Place] = Counter()
        self._strays: Counter[str] = Counter()
        self._held: dict[UUID, _Place] = {}
        self._held_by: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def note_bindings(self, pairs: Iterable[Pair]) -> None:
        """Takes changes of Container_Binding, each a row before and after."""
        for old, new in pairs:
            if new is not None:
                self._bound[new.chassis][new.container] += 1
            if old is not None:
                _count_down(self._bound, old.chassis, old.container)

    def take(self, pairs: Mapping[UUID, Pair]) -> dict[UUID, Pair]:
        """Returns those changes of Container_Item that count, without the rows that do not."""
        # First what is gone, or one row that takes the place of another would be one too many.
        counted_before = {uuid for uuid in pairs if self._drop(uuid)}
        counted = {}
        for uuid, (old, new) in pairs.items():
            counts_before = uuid in counted_before
            counts = new is not None and self._admit(uuid, new)
            if counts_before or counts:
                counted[uuid] = (old if counts_before else None, new if counts else None)
        return counted

    @property
    def chassis(self) -> Collection[str]:
        """The chassis that have rows which are held back."""
        return self._held_by.keys()

    def find_container(self, chassis: str) -> str:
        """Returns a container of which a chassis has such rows."""
        return max(self._held_by[chassis].items(), key=lambda pair: (pair[1], pair[0]))[0]

    def make_deletions(self, chassis: str) -> list[Operation]:
        """Returns what removes all rows of a chassis that are held back, and others beside them.

        A svc-controller that means well writes again what is missing.
        """
        held, bound = self._held_by.get(chassis, Counter()), self._bound.get(chassis, Counter())
        of_chassis = ["chassis", "==", chassis]
        conditions = [["container", "==", each] for each in sorted(held.keys() & bound.keys())]
        wheres: list[list[Any]] = [[of_chassis, each] for each in conditions]
        if held.keys() - bound.keys():
            wheres.append([of_chassis, *(["container", "!=", each] for each in sorted(bound))])
        table = sb.ContainerItem.TABLE
        return [{"op": "delete", "table": table, "where": where} for where in wheres]

    # -- helpers -----------------------------------------------------------

    def _drop(self, uuid: UUID) -> bool:
        """Forgets a row; returns whether it counted."""
        place = self._held.pop(uuid, None)
        if place is not None:
            _count_down(self._held_by, place.chassis, place.container)
        admitted = self._admitted.pop(uuid, None)
        if admitted is None:
            return False
        self._add(admitted, -1)
        return True

    def _admit(self, uuid: UUID, row: sb.ContainerItem) -> bool:
        """Takes a row; returns whether it counts."""
        place = _Place(row.chassis, row.container)
        stray = row.container not in self._bound.get(row.chassis, ())
        text = weigh(row)
        full = self._counts[place] >= MOST_ITEMS or self._texts[place] + text > MOST_TEXT
        if full or (stray and self._strays[row.chassis] >= MOST_STRAYS):
            self._held[uuid] = place
            self._held_by[place.chassis][place.container] += 1
            return False
        admitted = self._admitted[uuid] = _Admitted(place, text, stray)
        self._add(admitted, 1)
        return True

    def _add(self, admitted: _Admitted, number: int) -> None:
        place = admitted.place
        self._counts[place] += number
        self._texts[place] += number * admitted.text
        if not self._counts[place]:
            del self._counts[place], self._texts[place]
        if admitted.stray:
            self._strays[place.chassis] += number


def _count_down(counts: defaultdict[str, Counter[str]], chassis: str, container: str) -> None:
    counts[chassis][container] -= 1
    if not counts[chassis][container]:
        del counts[chassis][container]
    if not counts[chassis]:
        del counts[chassis]
