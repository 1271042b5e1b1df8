"""The plan, applied to a table in memory, gives what is desired; and then there is none."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib.delta import Actual, Change, Delete, Desired, Insert, Parent, Ref, Update, plan
from ..lib.rows import Row


@dataclass(frozen=True, slots=True)
class Switch(Row):
    """A root, as a Logical_Switch."""

    TABLE: ClassVar[str] = "Switch"
    color: str
    favourite: UUID | None
    friends: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Port(Row):
    """Lives in the set of a switch, ours or somebody else's."""

    TABLE: ClassVar[str] = "Port"
    color: str
    seen: str


FOREIGN = (UUID(int=1), UUID(int=2))


class Model:
    """A database in memory: rows of ours with their keys and parents."""

    def __init__(self) -> None:
        self.items: dict[UUID, Actual] = {}
        self._numbers = itertools.count(100)

    def apply(self, changes: Iterable[Change]) -> None:
        """Applies one transaction; a reference to a row that is not there then is refused."""
        changes = list(changes)
        inserted: dict[tuple[str, Any], UUID] = {}
        for change in changes:
            if isinstance(change, Insert):
                assert (change.table, change.key) not in inserted, "inserted twice"
                inserted[change.table, change.key] = UUID(int=next(self._numbers))
        for change in changes:
            if isinstance(change, Insert):
                self._insert(change, inserted)
            elif isinstance(change, Update):
                assert change.columns
                columns = _resolve_all(change.columns, inserted)
                item = self.items[change.uuid]
                self.items[change.uuid] = replace(item, row=replace(item.row, **columns))
            else:
                assert isinstance(change, Delete)
                assert self.items.pop(change.uuid).parent == change.parent
        self._check_references()

    def _insert(self, change: Insert, inserted: Mapping[tuple[str, Any], UUID]) -> None:
        columns = _resolve_all(change.columns, inserted)
        row_class = {"Switch": Switch, "Port": Port}[change.table]
        uuid = inserted[change.table, change.key]
        parent = change.parent
        if parent is not None:
            parent = replace(parent, row=_resolve(parent.row, inserted))
        self.items[uuid] = Actual(change.key, row_class(uuid=uuid, **columns), parent)

    def _check_references(self) -> None:
        known = {*self.items, *FOREIGN}
        for item in self.items.values():
            if item.parent is not None:
                assert item.parent.row in known, "it hangs on a row that is gone"
            if isinstance(item.row, Switch):
                referred = {*item.row.friends, item.row.favourite} - {None}
                assert referred <= known, "it refers to a row that is gone"

    def show(self) -> set[tuple[Any, ...]]:
        """Returns what the rows say, with keys in place of UUIDs."""
        names: dict[Any, Any] = {uuid: item.key for uuid, item in self.items.items()}
        shown: set[tuple[Any, ...]] = set()
        for item in self.items.values():
            on = names.get(item.parent.row, item.parent.row) if item.parent else None
            if isinstance(item.row, Switch):
                friends = frozenset(names[uuid] for uuid in item.row.friends)
                favourite = names.get(item.row.favourite)
                shown.add((item.key, on, item.row.color, favourite, friends))
            elif isinstance(item.row, Port):
                shown.add((item.key, on, item.row.color))
        return shown


def _resolve(value: Any, inserted: Mapping[tuple[str, Any], UUID]) -> Any:
    if isinstance(value, Ref):
        return inserted[value.table, value.key]
    if isinstance(value, tuple):
        return tuple(sorted(_resolve(each, inserted) for each in value))
    return value


def _resolve_all(
    columns: Mapping[str, Any], inserted: Mapping[tuple[str, Any], UUID]
) -> dict[str, Any]:
    return {name: _resolve(value, inserted) for name, value in columns.items()}


colors = st.sampled_from(["red", "blue"])


@st.composite
def desires(draw: st.DrawFn) -> list[Desired]:
    """Switches that refer to ports, ports on any of our switches or on a foreign row."""
    switches = draw(st.sets(st.sampled_from("ABC")))
    ports = draw(st.sets(st.sampled_from("uvwxyz")))
    rows = [_desire_switch(draw, key, sorted(ports)) for key in sorted(switches)]
    homes: list[Ref | UUID] = [*(Ref("Switch", key) for key in sorted(switches)), *FOREIGN]
    for key in sorted(ports):
        home = Parent("Switch", draw(st.sampled_from(homes)), "ports")
        columns = {"color": draw(colors)}
        rows.append(Desired("Port", key, columns, initial={"seen": "never"}, parent=home))
    return draw(st.permutations(rows))


def _desire_switch(draw: st.DrawFn, key: str, ports: list[str]) -> Desired:
    some = draw(st.sets(st.sampled_from(ports))) if ports else set()
    refs = tuple(Ref("Port", port) for port in sorted(some, reverse=True))
    columns = {"color": draw(colors), "friends": refs, "favourite": refs[0] if refs else None}
    return Desired("Switch", key, columns)


def _show_desired(rows: Iterable[Desired]) -> set[tuple[Any, ...]]:
    shown: set[tuple[Any, ...]] = set()
    for row in rows:
        home = row.parent.row if row.parent else None
        on = home.key if isinstance(home, Ref) else home
        if row.table == "Switch":
            friends = frozenset(ref.key for ref in row.columns["friends"])
            favourite = row.columns["favourite"]
            key = favourite.key if favourite else None
            shown.add((row.key, on, row.columns["color"], key, friends))
        else:
            shown.add((row.key, on, row.columns["color"]))
    return shown


@settings(max_examples=300)
@given(st.lists(desires(), min_size=1, max_size=4))
def test_each_plan_gives_what_is_desired_and_the_next_is_empty(wishes: list[list[Desired]]) -> None:
    model = Model()
    for wanted in wishes:
        model.apply(plan(wanted, model.items.values()))
        assert model.show() == _show_desired(wanted)
        assert plan(wanted, model.items.values()) == []
        assert plan(wanted[::-1], reversed(model.items.values())) == []


@given(desires(), desires())
def test_rows_that_are_there_twice_are_there_once_after(
    first: list[Desired], second: list[Desired]
) -> None:
    model = Model()
    model.apply(plan(first, []))
    # Another writer, which did not see the first one's rows.
    twin = Model()
    twin._numbers = itertools.count(500)
    twin.apply(plan(first, []))
    model.items.update(twin.items)
    model.apply(plan(second, model.items.values()))
    assert model.show() == _show_desired(second)
    assert plan(second, model.items.values()) == []


@given(desires())
def test_nothing_desired_is_nothing_left(wanted: list[Desired]) -> None:
    model = Model()
    model.apply(plan(wanted, []))
    model.apply(plan([], model.items.values()))
    assert not model.items


def test_columns_that_others_write_are_given_once() -> None:
    model = Model()
    wanted = Desired("Port", "x", {"color": "red"}, {"seen": "never"}, _home(FOREIGN[0]))
    model.apply(plan([wanted], []))
    [item] = model.items.values()
    assert isinstance(item.row, Port)
    assert item.row.seen == "never"
    model.items[item.row.uuid] = replace(item, row=replace(item.row, seen="today"))
    assert plan([wanted], model.items.values()) == []
    blue = replace(wanted, columns={"color": "blue"})
    [change] = plan([blue], model.items.values())
    assert change == Update("Port", item.row.uuid, {"color": "blue"})


def test_of_twins_the_one_with_the_smaller_uuid_stays() -> None:
    twins = [
        Actual("x", Port(UUID(int=number), "red", ""), _home(FOREIGN[0])) for number in (7, 5, 9)
    ]
    wanted = Desired("Port", "x", {"color": "red"}, parent=_home(FOREIGN[0]))
    changes = plan([wanted], twins)
    assert {change.uuid for change in changes if isinstance(change, Delete)} == {
        UUID(int=7),
        UUID(int=9),
    }
    assert len(changes) == 2


def _home(uuid: UUID) -> Parent:
    return Parent("Switch", uuid, "ports")
