"""The ledger: who is dirty, and what one owner lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from ..lib.delta import Change, Delete, Desired, Insert, Parent, Update
from ..lib.rows import Row
from ..northd.engine.ledger import Ledger, Mark, Owned


@dataclass(frozen=True, slots=True)
class Thing(Row):
    """A row with an owner; 'subject' may keep it."""

    TABLE: ClassVar[str] = "Thing"
    owner: str
    name: str
    subject: str = ""
    colour: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Box(Row):
    """Holds things."""

    TABLE: ClassVar[str] = "Box"
    things: tuple[UUID, ...]


def _find_mark(row: Row) -> Mark | None:
    if not isinstance(row, Thing) or not row.owner:
        return None
    return Mark(row.owner, row.name, row.subject, row.foreign)


def _make_thing(number: int, owner: str, name: str, **columns: str | bool) -> Thing:
    values = {"subject": "", "colour": "", "foreign": False, **columns}
    return Thing(UUID(int=number), owner, name, **values)  # type: ignore[arg-type]


def _want(*names: str, colour: str = "") -> tuple[Desired, ...]:
    return tuple(Desired("Thing", name, {"name": name, "colour": colour}) for name in names)


def _make(*rows: Thing) -> Ledger:
    ledger = Ledger(_find_mark)
    for row in rows:
        ledger.note_row(None, row)
    ledger.dirty.clear()
    return ledger


def _show(changes: list[Change]) -> set[tuple[str, object]]:
    return {
        (type(each).__name__, each.key if isinstance(each, Insert) else each.uuid.int)
        for each in changes
    }


def test_a_change_makes_its_owner_dirty_and_nobody_else() -> None:
    ledger = _make(_make_thing(1, "ann", "a"), _make_thing(2, "bob", "b"))
    ledger.set_owned("ann", Owned(_want("a")))
    assert ledger.dirty == {"ann"}
    ledger.dirty.clear()
    before, after = _make_thing(2, "bob", "b"), _make_thing(2, "bob", "b", colour="red")
    ledger.note_row(before, after)
    assert ledger.dirty == {"bob"}
    ledger.dirty.clear()
    # One that becomes somebody else's is both their business.
    ledger.note_row(after, _make_thing(2, "ann", "b"))
    assert ledger.dirty == {"ann", "bob"}
    ledger.dirty.clear()
    ledger.note_row(None, _make_thing(3, "", "nobody's"))
    assert ledger.dirty == set()
    ledger.mark_all()
    assert ledger.dirty == {"ann"}


def test_what_an_owner_lacks_is_of_its_own_rows_alone() -> None:
    ledger = _make(
        _make_thing(1, "ann", "a"), _make_thing(2, "ann", "b"), _make_thing(3, "bob", "b")
    )
    ledger.set_owned("ann", Owned(_want("b", "c", colour="red")))
    assert _show(ledger.plan("ann")) == {("Delete", 1), ("Update", 2), ("Insert", "c")}
    # Of one without an entry everything is taken away.
    assert _show(ledger.plan("bob")) == {("Delete", 3)}
    ledger.set_owned("ann", None)
    assert _show(ledger.plan("ann")) == {("Delete", 1), ("Delete", 2)}


def test_rows_of_a_frozen_owner_stay_as_they_are() -> None:
    ledger = _make(_make_thing(1, "ann", "a"))
    ledger.set_owned("ann", Owned(_want("b")))
    ledger.freeze("ann")
    assert ledger.dirty == set()
    ledger.note_row(_make_thing(1, "ann", "a"), _make_thing(1, "ann", "a", colour="red"))
    ledger.mark_all()
    assert ledger.dirty == set()
    assert ledger.plan("ann") == []
    assert ledger.is_frozen("ann")
    ledger.set_owned("ann", Owned(_want("b")))
    assert ledger.dirty == {"ann"}
    assert _show(ledger.plan("ann")) == {("Delete", 1), ("Insert", "b")}


def test_kept_rows_stay_but_those_that_are_wanted_are_kept_true() -> None:
    rows = (
        _make_thing(1, "ann", "a", subject="x"),
        _make_thing(2, "ann", "b", subject="x"),
        _make_thing(3, "ann", "c", subject="y"),
        _make_thing(4, "ann", "d"),
    )
    ledger = _make(*rows)
    ledger.set_owned("ann", Owned(_want("b", colour="red"), kept=frozenset({"x"})))
    assert _show(ledger.plan("ann")) == {("Update", 2), ("Delete", 3), ("Delete", 4)}
    # A row without a subject is not kept by a subject that is empty.
    ledger.set_owned("ann", Owned(kept=frozenset({"", "x", "y"})))
    assert _show(ledger.plan("ann")) == {("Delete", 4)}
    ledger.set_owned("ann", Owned(_want("e"), keeps_all=True))
    assert _show(ledger.plan("ann")) == {("Insert", "e")}


def test_updates_make_no_row() -> None:
    ledger = _make(_make_thing(1, "ann", "a"))
    updates = (*_want("a", "gone", colour="red"),)
    ledger.set_owned("ann", Owned(updates=updates, keeps_all=True))
    [change] = ledger.plan("ann")
    assert change == Update("Thing", UUID(int=1), {"colour": "red"})
    # What is kept true is no row to be there: without 'keeps_all' others go.
    ledger.note_row(None, _make_thing(2, "ann", "b"))
    ledger.set_owned("ann", Owned(updates=updates))
    assert _show(ledger.plan("ann")) == {("Update", 1), ("Delete", 2)}


def test_a_foreign_row_is_never_taken_away() -> None:
    ledger = _make(_make_thing(1, "ann", "a", foreign=True), _make_thing(2, "ann", "b"))
    ledger.set_owned("ann", None)
    assert _show(ledger.plan("ann")) == {("Delete", 2)}
    ledger.set_owned("ann", Owned(updates=_want("a", colour="red")))
    assert _show(ledger.plan("ann")) == {("Delete", 2), ("Update", 1)}


def test_a_row_is_taken_out_of_what_holds_it() -> None:
    ledger = _make(_make_thing(1, "ann", "a"))
    box = Box(UUID(int=9), (UUID(int=1),))
    ledger.note_children(Box, "things", None, box)
    assert ledger.dirty == {"ann"}
    parent = Parent("Box", box.uuid, "things")
    ledger.set_owned("ann", None)
    assert ledger.plan("ann") == [Delete("Thing", UUID(int=1), parent)]
    # Who is taken out of it by somebody is put back.
    wanted = Desired("Thing", "a", {"name": "a"}, parent=parent)
    ledger.set_owned("ann", Owned((wanted,)))
    assert ledger.plan("ann") == []
    ledger.dirty.clear()
    ledger.note_children(Box, "things", box, Box(box.uuid, ()))
    assert ledger.dirty == {"ann"}
    assert _show(ledger.plan("ann")) == {("Delete", 1), ("Insert", "a")}


def test_a_row_that_somebody_puts_elsewhere_is_put_back() -> None:
    ledger = _make(_make_thing(1, "ann", "a"))
    here, there = Box(UUID(int=9), (UUID(int=1),)), Box(UUID(int=8), (UUID(int=1),))
    ledger.note_children(Box, "things", None, here)
    wanted = Desired("Thing", "a", {"name": "a"}, parent=Parent("Box", here.uuid, "things"))
    ledger.set_owned("ann", Owned((wanted,)))
    # The rows that hold it are told in any order.
    ledger.note_children(Box, "things", None, there)
    ledger.note_children(Box, "things", here, Box(here.uuid, ()))
    insert = Insert("Thing", "a", {"name": "a"}, wanted.parent)
    delete = Delete("Thing", UUID(int=1), Parent("Box", there.uuid, "things"))
    assert ledger.plan("ann") == [delete, insert]


def test_of_two_rows_with_one_key_one_stays() -> None:
    ledger = _make(_make_thing(1, "ann", "a"), _make_thing(2, "ann", "a"))
    ledger.set_owned("ann", Owned(_want("a")))
    assert _show(ledger.plan("ann")) == {("Delete", 2)}


def test_only_what_somebody_else_did_is_mended() -> None:
    ledger = _make()
    ledger.set_owned("a", Owned(_want("one", "two", "three")))
    assert ledger.find_mended("a", ledger.plan("a")) is None
    rows = [_make_thing(number, "a", name) for number, name in enumerate(("one", "two", "three"))]
    for row in rows:
        ledger.note_row(None, row)
    assert ledger.plan("a") == []
    ledger.note_row(rows[0], None)
    assert ledger.find_mended("a", ledger.plan("a")) == "Thing one was gone"
    painted = _make_thing(1, "a", "two", colour="red")
    ledger.note_row(rows[1], painted)
    other = _make_thing(7, "a", "another")
    ledger.note_row(None, other)
    mended = ledger.find_mended("a", ledger.plan("a"))
    assert mended is not None
    assert mended.endswith(" (and 2 more)")
    ledger.note_row(other, None)
    ledger.note_row(None, rows[0])
    assert ledger.find_mended("a", ledger.plan("a")) == "Thing two had another colour"
    # From here on it is we who want something else.
    ledger.set_owned("a", Owned(_want("one", "two", colour="blue")))
    assert ledger.find_mended("a", ledger.plan("a")) is None


def test_what_is_left_of_nobody_and_rows_of_others_are_not_mended() -> None:
    ledger = _make(_make_thing(1, "a", "one"))
    assert ledger.find_mended("a", ledger.plan("a")) is None
    ledger = _make(_make_thing(1, "a", "one", foreign=True))
    ledger.set_owned("a", Owned(updates=_want("one")))
    assert ledger.plan("a") == []
    ledger.note_row(
        _make_thing(1, "a", "one", foreign=True),
        _make_thing(1, "a", "one", foreign=True, colour="red"),
    )
    assert ledger.plan("a")
    assert ledger.find_mended("a", ledger.plan("a")) is None
