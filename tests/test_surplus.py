"""Rows of Container_Item that are too many: what counts is bounded, and what is held back goes."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import sb
from ..lib.items import MOST_ITEMS, MOST_TEXT, weigh
from ..northd.sync import surplus as module
from ..northd.sync.surplus import Surplus
from .random_rows import make_empty

Row = sb.ContainerItem
CHASSIS, CONTAINERS = ("hv1", "hv2"), ("c1", "c2", "c3")


def _make(number: int, chassis: str, container: str, length: int = 0) -> Row:
    columns = {"container": container, "chassis": chassis, "message": "x" * length}
    row: Row = make_empty(Row, UUID(int=number + 1), **columns)
    return row


def _bind(surplus: Surplus, chassis: str, *containers: str) -> None:
    rows = (
        make_empty(sb.ContainerBinding, UUID(int=1), chassis=chassis, container=each)
        for each in containers
    )
    surplus.note_bindings((None, row) for row in rows)


def _take(surplus: Surplus, *rows: Row) -> set[UUID]:
    """Returns which of new rows count."""
    return set(surplus.take({row.uuid: (None, row) for row in rows}))


def test_what_may_be_there_counts() -> None:
    surplus = Surplus()
    _bind(surplus, "hv1", "c1", "c2")
    rows = [_make(2 * number, "hv1", "c1") for number in range(MOST_ITEMS)]
    rows += [_make(2 * number + 1, "hv1", "c2") for number in range(MOST_ITEMS)]
    # Those of what was bound to it a moment ago.
    strays = [_make(9999 + number, "hv1", "c3") for number in range(MOST_ITEMS)]
    assert len(_take(surplus, *rows, *strays)) == 3 * MOST_ITEMS
    assert not surplus.chassis


@pytest.mark.parametrize("bound", [True, False])
def test_rows_that_take_the_place_of_others_are_not_too_many(bound: bool) -> None:
    surplus = Surplus()
    if bound:
        _bind(surplus, "hv1", "c1")
    rows = [_make(number, "hv1", "c1") for number in range(MOST_ITEMS)]
    assert len(_take(surplus, *rows)) == MOST_ITEMS
    others = [_make(number, "hv1", "c1") for number in range(MOST_ITEMS, MOST_ITEMS + 100)]
    # In one transaction, of which the replica has what is new before what is gone.
    pairs: dict[UUID, Any] = {row.uuid: (None, row) for row in others}
    pairs |= {row.uuid: (row, None) for row in rows[:100]}
    assert surplus.take(pairs) == pairs
    assert not surplus.chassis


def test_what_is_too_much_of_one_chassis_holds_back_nobody_else_s() -> None:
    surplus = Surplus()
    for chassis in CHASSIS:
        _bind(surplus, chassis, "c1")
    excess = [_make(number, "hv2", "c1") for number in range(MOST_ITEMS + 5)]
    ours = [_make(99_999 + number, "hv1", "c1") for number in range(MOST_ITEMS)]
    assert len(_take(surplus, *excess, *ours)) == 2 * MOST_ITEMS
    assert list(surplus.chassis) == ["hv2"]
    assert surplus.find_container("hv2") == "c1"
    (deletion,) = surplus.make_deletions("hv2")
    assert deletion["where"] == [["chassis", "==", "hv2"], ["container", "==", "c1"]]


def test_strays_go_at_once_however_they_are_named() -> None:
    surplus = Surplus()
    _bind(surplus, "hv2", "c1", "c2")
    _take(surplus, *(_make(number, "hv2", f"x{number}") for number in range(3 * MOST_ITEMS)))
    (deletion,) = surplus.make_deletions("hv2")
    but = [["container", "!=", "c1"], ["container", "!=", "c2"]]
    assert deletion["where"] == [["chassis", "==", "hv2"], *but]


class Laws:
    """Changes of any rows: what counts is bounded, and each change of it is of what counted."""

    def __init__(self) -> None:
        self.surplus = Surplus()
        self.rows: dict[UUID, Row] = {}
        self.counted: dict[UUID, Row] = {}

    def change(self, *rows: Row | None, uuids: list[UUID]) -> None:
        pairs = {uuid: (self.rows.get(uuid), row) for uuid, row in zip(uuids, rows, strict=True)}
        for uuid, (old, new) in self.surplus.take(pairs).items():
            assert old == self.counted.pop(uuid, None)
            if new is not None:
                self.counted[uuid] = new
        for uuid, (_, row) in pairs.items():
            self.rows.pop(uuid, None)
            if row is not None:
                self.rows[uuid] = row
        self.hold()

    def hold(self) -> None:
        assert all(self.rows[uuid] == row for uuid, row in self.counted.items())
        counts = Counter((row.chassis, row.container) for row in self.counted.values())
        assert max(counts.values(), default=0) <= 3
        held = {row.chassis for uuid, row in self.rows.items() if uuid not in self.counted}
        assert set(self.surplus.chassis) == held

    def clean(self) -> None:
        """Removes what is held back, as the server would."""
        for chassis in list(self.surplus.chassis):
            wheres = [each["where"] for each in self.surplus.make_deletions(chassis)]
            gone = [uuid for uuid, row in self.rows.items() if any(_meets(row, w) for w in wheres)]
            self.change(*[None for _ in gone], uuids=gone)
        assert not self.surplus.chassis


def _meets(row: Row, where: Any) -> bool:
    return all((getattr(row, name) == value) == (op == "==") for name, op, value in where)


@given(data=st.data())
def test_any_changes(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("MOST_ITEMS", 3), ("MOST_STRAYS", 4), ("MOST_TEXT", 50)):
            patch.setattr(module, name, most)
        laws = Laws()
        bindings: set[tuple[str, str]] = set()
        for _ in range(data.draw(st.integers(1, 12))):
            place = data.draw(st.tuples(st.sampled_from(CHASSIS), st.sampled_from(CONTAINERS)))
            if data.draw(st.integers(0, 4)) == 0:
                row = make_empty(
                    sb.ContainerBinding, UUID(int=1), chassis=place[0], container=place[1]
                )
                laws.surplus.note_bindings([(row, None) if place in bindings else (None, row)])
                bindings ^= {place}
            numbers = data.draw(st.lists(st.integers(0, 20), unique=True, max_size=8))
            lengths = data.draw(st.lists(st.integers(-10, 60), min_size=8, max_size=8))
            rows = [
                _make(number, *place, length) if length >= 0 else None
                for number, length in zip(numbers, lengths, strict=False)
            ]
            laws.change(*rows, uuids=[UUID(int=number + 1) for number in numbers])
            texts = Counter[Any]()
            for each in laws.counted.values():
                texts[each.chassis, each.container] += weigh(each)
            assert max(texts.values(), default=0) <= 50
        laws.clean()
        # Nothing is remembered of what is gone.
        laws.change(*[None for _ in laws.rows], uuids=list(laws.rows))
        kept = laws.surplus
        assert not any((kept._admitted, kept._counts, kept._texts, kept._held, kept._held_by))
        assert not any(kept._strays.values())


def test_texts_are_bounded_together() -> None:
    surplus = Surplus()
    _bind(surplus, "hv1", "c1")
    rows = [_make(number, "hv1", "c1", MOST_TEXT // 2) for number in range(3)]
    assert len(_take(surplus, *rows)) == 2
