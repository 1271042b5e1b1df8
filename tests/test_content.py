"""What operators asked for counts on where the northbound went back to older content."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import nb
from ..lib.rows import Row
from ..northd.sync.content import Content
from ..northd.sync.kept_rows import Key

MOST = 2**53 - 1
_KEYS = st.sampled_from(["a", "b", "c"])


@dataclass(frozen=True, slots=True)
class Holder(Row):
    """As a VPN_Service."""

    TABLE = "Holder"
    name: str
    children: tuple[UUID, ...] = ()
    group: UUID | None = None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Child(Row):
    """As an IPsec_Connection."""

    TABLE = "Child"
    name: str
    peers: tuple[str, ...] = ()
    status: str = ""


def make_root(
    content_cfg: int = 5, seed: str | None = "seed", lost: int | None = None, number: int = 99
) -> Any:
    numbers = (0, 0, 0, 0, 0, 0, content_cfg, lost, None, 0)
    return nb.SVCGlobal(UUID(int=number), *numbers, seed, {}, {})


def make_group(number: int = 1, **columns: Any) -> nb.ContainerGroup:
    row = nb.ContainerGroup(UUID(int=number), f"g{number}", None, None, None, None, {})
    return replace(row, **columns)


class World:
    """A database, and what counts of it; 'root' follows what is to be written."""

    def __init__(self, *rows: Row) -> None:
        self.there: dict[Key, Row] = {}
        self.counts: dict[Key, Row] = {}
        self.content = Content(self._find_own, lambda table, uuid: self.there.get((table, uuid)))
        self.root = make_root()
        self.connection: int | None = 1
        self.show(*rows)

    def show(self, *rows: Row, root: Any = "", anew: bool = False) -> None:
        """Lets the database have these rows and no others."""
        before, self.there = self.there, {(row.TABLE, row.uuid): row for row in rows}
        self.root = self.root if root == "" else root
        if anew:
            self.connection = (self.connection or 0) + 1
        changed: dict[str, dict[UUID, Any]] = {}
        for key in (*before, *self.there):
            pair = before.get(key), self.there.get(key)
            if pair[0] != pair[1]:
                changed.setdefault(key[0], {})[key[1]] = pair
        counted = self.content.take(self.connection, self.root, changed)
        for key in {**before, **self.there, **counted}:
            row = counted.get(key, self.there.get(key))
            if key in counted or before.get(key) != self.there.get(key):
                self.counts.pop(key, None)
                if row is not None:
                    self.counts[key] = row
        self.write()

    def write(self) -> None:
        """Lets the active svc-northd write the root row."""
        if self.root is not None:
            (desired,) = self.content.make_owned(self.root).updates
            self.root = replace(self.root, **desired.columns)
            self.content.take(self.connection, self.root, {})

    def restore(self, *rows: Row, **root: Any) -> None:
        self.show(*rows, root=make_root(1, **root), anew=True)

    @property
    def rows(self) -> list[Row]:
        return sorted(self.counts.values(), key=lambda row: (row.TABLE, row.uuid))

    def _find_own(self, row: Row) -> AbstractSet[str]:
        return frozenset({"unread", "policy" if isinstance(row, nb.ContainerGroup) else "status"})


def test_an_older_number_keeps_what_is_gone_and_what_is_otherwise() -> None:
    gone, other = make_group(1), make_group(2, options={"x": "1"})
    world = World(gone, other)
    number = world.root.content_cfg
    world.restore(replace(other, options={}))
    assert world.rows == [gone, other]
    assert "Container_Group g1 (and 1 more)" in world.content.sentences[0]
    shown = [line.rpartition(" ")[2] for line in world.content.format_kept().splitlines()]
    assert shown == ["gone", "otherwise"]
    assert (world.root.content_cfg, world.root.lost_content_cfg) == (number + 1, number)
    # To empty the column is the operator's word.
    world.show(*world.there.values(), root=replace(world.root, lost_content_cfg=None))
    assert world.rows == [replace(other, options={})]
    assert world.content.sentences == []
    assert world.root.lost_content_cfg is None


def test_a_runtime_command_accepts_as_well() -> None:
    world = World(make_group())
    world.restore()
    assert world.content.accept() == {("Container_Group", UUID(int=1)): None}
    world.write()
    assert world.root.lost_content_cfg is None


def test_what_an_older_file_has_more_counts() -> None:
    world = World()
    world.restore(make_group())
    assert world.rows == [make_group()]
    assert world.content.sentences == []


@pytest.mark.parametrize("more", [0, 1, MOST])
def test_an_equal_or_higher_number_is_no_older_file(more: int) -> None:
    world = World(make_group())
    number = min(world.root.content_cfg + more, MOST)
    world.show(root=make_root(number), anew=True)
    assert world.rows == []


@pytest.mark.parametrize("root", [None, make_root(MOST, "other")])
def test_another_database_is_no_order_whatever_its_number(root: Any) -> None:
    world = World(make_group())
    world.show(root=root, anew=True)
    assert world.rows == [make_group()]


def test_content_that_was_read_before_the_connection_ended_is_none_either() -> None:
    world = World(make_group())
    world.connection = None
    world.show(root=make_root(1))
    world.connection = 3
    world.show(root=make_root(1))
    assert world.rows == [make_group()]


def test_a_seed_that_an_operator_emptied_is_no_other_database() -> None:
    world = World(make_group())
    world.show(root=replace(world.root, seal_seed=None), anew=True)
    assert world.rows == []


def test_a_file_that_is_restored_while_it_is_served_is_older_too() -> None:
    world = World(make_group(), make_group(2))
    world.show(make_group(2), root=make_root(1, number=98))
    assert world.rows == [make_group(), make_group(2)]
    # What comes afterwards is an order.
    world.show()
    assert world.rows == [make_group()]


@pytest.mark.parametrize("root", [make_root(0), make_root(5, "other")])
def test_what_a_hand_writes_on_the_root_row_is_no_other_content(root: Any) -> None:
    world = World(make_group())
    world.show(root=root)
    assert world.rows == []


def test_newer_content_that_is_not_the_newest_is_no_word_of_an_operator() -> None:
    world = World()
    world.show(make_group())
    middle = world.root
    world.show(make_group(), make_group(2))
    newest = world.root
    world.restore()
    world.show(make_group(), root=middle, anew=True)
    assert world.rows == [make_group(), make_group(2)]
    world.show(make_group(), make_group(2), root=newest, anew=True)
    assert world.content.sentences == []
    # And it counts on.
    world.show(make_group(2))
    assert world.rows == [make_group(2)]
    assert world.root.content_cfg > newest.content_cfg


@pytest.mark.parametrize("same", [False, True])
def test_one_that_is_started_later_says_so_until_that_is_meant(same: bool) -> None:
    world = World()
    world.root = make_root(7, lost=6)
    world.content = Content(world._find_own, lambda table, uuid: world.there.get((table, uuid)))
    world.show(make_group())
    assert "lost content before this svc-northd was started" in world.content.sentences[0]
    assert world.root.lost_content_cfg == 6
    if same:
        world.content.accept()
        world.write()
        assert world.root.lost_content_cfg is None
    else:
        world.show(make_group(), root=replace(world.root, lost_content_cfg=None))
    assert world.content.sentences == []


def test_one_that_was_started_too_early_to_be_told_does_not_take_it_back() -> None:
    """The active one had not written yet that content was lost."""
    world = World(make_group())
    world.show(make_group(), root=replace(world.root, lost_content_cfg=9))
    assert "lost content before this svc-northd was started" in world.content.sentences[0]
    assert world.root.lost_content_cfg == 9
    world.show(make_group(), root=replace(world.root, lost_content_cfg=None))
    assert world.content.sentences == []


def test_what_another_one_has_counted_is_not_counted_again() -> None:
    content = World().content
    content.take(1, make_root(6), {})
    (owned,) = content.make_owned(make_root(6)).updates
    assert owned.columns["content_cfg"] == 6
    # What nobody has counted is.
    changed = {"Container_Group": {UUID(int=1): (None, make_group())}}
    content.take(1, make_root(6), changed)
    content.take(1, make_root(6), {})
    (owned,) = content.make_owned(make_root(6)).updates
    assert owned.columns["content_cfg"] == 7


def test_an_operator_may_delete_the_root_row() -> None:
    world = World(make_group())
    world.show(root=None)
    assert world.rows == []


def test_one_that_reconnects_later_is_told() -> None:
    """The number may have come to what it was, by what was ordered since then."""
    world = World(make_group())
    world.show(root=make_root(world.root.content_cfg, lost=world.root.content_cfg), anew=True)
    assert world.rows == [make_group()]
    world.show(root=replace(world.root, lost_content_cfg=None), anew=True)
    assert world.rows == []


def test_the_word_of_an_older_file_accepts_nothing() -> None:
    world = World(make_group())
    world.restore()
    world.show(root=make_root(0), anew=True)
    assert world.rows == [make_group()]


def test_a_status_of_ours_is_no_order_and_no_difference() -> None:
    row = make_group(policy="old")
    world = World(row)
    number = world.root.content_cfg
    world.show(replace(row, policy="new"))
    assert world.root.content_cfg == number
    world.restore(row)
    assert world.rows == [row]
    assert world.content.sentences == []
    # Of a row that counts as it was our own columns are as they are there.
    world = World(make_group(policy="new", options={"x": "1"}))
    world.restore(row)
    assert world.rows == [replace(row, options={"x": "1"})]


def test_a_row_that_is_deleted_after_all_is_gone() -> None:
    row = make_group(options={"x": "1"})
    world = World(row)
    world.restore(make_group())
    world.show()
    assert world.rows == []
    assert world.content.sentences == []


def test_a_file_that_is_there_again_ends_it() -> None:
    rows = [make_group(options={"x": "1", "y": "2"}), make_group(2)]
    world = World(*rows)
    root = world.root
    world.restore(make_group(options={"x": "0"}))
    world.show(*rows, root=root, anew=True)
    assert world.rows == rows
    assert world.content.sentences == []


def test_the_highest_number_is_followed_by_the_lowest() -> None:
    world = World()
    world.show(root=make_root(MOST), anew=True)
    world.show(make_group(), root=make_root(0), anew=True)
    world.show(root=world.root, anew=True)
    assert world.rows == []


def test_the_number_counts_changes_and_no_value_of_it_stops_that() -> None:
    world = World(make_group())
    assert world.root.content_cfg == 6
    for number, expected in ((MOST, MOST), (100, 100), (2, 3)):
        world.show(make_group(), root=make_root(number))
        assert world.root.content_cfg == expected
    world.show(make_group(), root=make_root(MOST))
    world.show(root=world.root)
    # It began anew, and that was no going back.
    assert (world.root.content_cfg, world.rows) == (0, [])
    world.show(make_group(2))
    world.show()
    assert (world.root.content_cfg, world.rows) == (2, [])


def test_a_new_number_that_was_not_written_is_tried_again() -> None:
    world = World()
    for _ in range(2):
        (desired,) = world.content.make_owned(make_root(5)).updates
        assert desired.columns["content_cfg"] == 5
    world.content.take(1, make_root(5), {"Container_Group": {UUID(int=1): (None, make_group())}})
    for _ in range(2):
        (desired,) = world.content.make_owned(make_root(5)).updates
        assert desired.columns["content_cfg"] == 6


# -- rows that hang on others -----------------------------------------------------

CHILD = Child(UUID(int=11), "c", ("10.0.0.0/8",))
GROUP = make_group(21)
HOLDER = Holder(UUID(int=1), "h", (CHILD.uuid,), GROUP.uuid)


def test_one_that_is_lost_is_held_as_before() -> None:
    world = World(HOLDER, CHILD)
    bare = replace(HOLDER, children=())
    world.restore(bare)
    assert world.rows == [CHILD, HOLDER]
    # Another one is added, and the holder is changed: the lost one stays.
    new = Child(UUID(int=12), "new")
    changed = replace(bare, children=(new.uuid,), group=None)
    world.show(changed, new)
    assert world.rows == [CHILD, new, replace(changed, children=(CHILD.uuid, new.uuid))]
    # With its holder it goes.
    world.show(new)
    assert world.rows == [new]
    assert world.content.sentences == []


def test_one_that_was_deleted_since_then_is_there_again() -> None:
    """It counts, as all that an older file has more, and so does whoever holds it."""
    other = Child(UUID(int=12), "other")
    world = World(replace(HOLDER, children=(other.uuid,)), other)
    restored = replace(HOLDER, children=(CHILD.uuid,), group=None)
    world.restore(restored, CHILD)
    both = replace(HOLDER, children=(CHILD.uuid, other.uuid))
    assert world.rows == [CHILD, other, both]
    world = World(replace(HOLDER, children=()))
    world.restore(HOLDER, CHILD)
    assert world.rows == [CHILD, HOLDER]
    assert world.content.sentences == []


def test_one_that_is_added_again_by_its_name_takes_its_place() -> None:
    world = World(HOLDER, CHILD)
    bare = replace(HOLDER, children=())
    world.restore(bare)
    again = replace(CHILD, uuid=UUID(int=12), peers=("10.1.0.0/16",))
    holder = replace(bare, children=(again.uuid,))
    world.show(holder, again)
    assert world.rows == [again, holder]
    assert world.content.sentences == []


def test_a_holder_that_is_added_again_has_what_is_lost_of_it() -> None:
    world = World(HOLDER, CHILD)
    world.restore()
    again = replace(HOLDER, uuid=UUID(int=2), children=(), group=None)
    world.show(again)
    assert world.rows == [CHILD, replace(again, children=(CHILD.uuid,))]
    child = replace(CHILD, uuid=UUID(int=12))
    again = replace(again, children=(child.uuid,))
    world.show(again, child)
    assert world.rows == [child, again]
    assert world.content.sentences == []


def test_a_name_at_another_place_is_another_name() -> None:
    world = World(HOLDER, CHILD)
    other = Holder(UUID(int=3), "other")
    world.restore(other)
    child = replace(CHILD, uuid=UUID(int=12))
    world.show(replace(other, children=(child.uuid,)), child)
    assert CHILD in world.rows
    assert child in world.rows


def test_rows_that_were_restored_with_other_uuids_are_known_by_their_names() -> None:
    """As 'ovsdb-client restore' writes them (ovsdb-client(1))."""
    lost, named = Child(UUID(int=12), "lost"), make_group(22, options={"x": "1"})
    holder = replace(HOLDER, children=(CHILD.uuid, lost.uuid))
    world = World(holder, CHILD, lost, GROUP, named)
    child, group = replace(CHILD, uuid=UUID(int=111)), replace(GROUP, uuid=UUID(int=121))
    older = replace(named, uuid=UUID(int=122), options={})
    restored = Holder(UUID(int=101), "h", (child.uuid,), group.uuid, "up")
    # Its number is no lower: nothing was counted since then.
    root = make_root(world.root.content_cfg, number=98)
    world.show(child, group, older, restored, root=root)
    assert world.rows == [
        lost,
        child,
        group,
        replace(older, options={"x": "1"}),
        replace(restored, children=(lost.uuid, child.uuid)),
    ]
    # Whoever changes what is there changes what counts.
    world.show(child, group, older, replace(restored, group=None))
    assert world.rows[-1] == replace(restored, children=(lost.uuid, child.uuid), group=None)
    world.show(group, older)
    assert world.rows == [group, replace(older, options={"x": "1"})]


# -- any content --------------------------------------------------------------------


@given(*[st.dictionaries(_KEYS, st.sampled_from("12"))] * 3)
def test_what_is_changed_of_a_map_is_changed_and_no_more(
    counted: dict[str, str], old: dict[str, str], new: dict[str, str]
) -> None:
    world = World(make_group(options=counted))
    world.restore(make_group(options=old))
    world.show(make_group(options=new))
    (group,) = world.rows
    assert isinstance(group, nb.ContainerGroup)
    for key in "abc":
        was, now = old.get(key), new.get(key)
        assert group.options.get(key) == (counted.get(key) if was == now else now)


@given(*[st.sets(_KEYS)] * 3)
def test_what_is_changed_of_a_set_is_changed_and_no_more(
    counted: set[str], old: set[str], new: set[str]
) -> None:
    rows = [Child(UUID(int=1), "c", tuple(sorted(names))) for names in (counted, old, new)]
    world = World(rows[0])
    world.restore(rows[1])
    world.show(rows[2])
    (row,) = world.rows
    assert isinstance(row, Child)
    assert set(row.peers) == (counted | (new - old)) - (old - new)


_NUMBERS = st.integers(1, 4)
_ROWS = st.lists(
    st.one_of(
        st.builds(
            Holder,
            uuid=_NUMBERS.map(lambda number: UUID(int=number)),
            name=st.sampled_from(["a", "b", ""]),
            children=st.sets(_NUMBERS).map(
                lambda each: tuple(UUID(int=10 + number) for number in sorted(each))
            ),
            status=st.sampled_from("xy"),
        ),
        st.builds(
            Child,
            uuid=_NUMBERS.map(lambda number: UUID(int=10 + number)),
            name=st.sampled_from(["c", "d", ""]),
            peers=st.sampled_from([(), ("10.0.0.0/8",)]),
        ),
    ),
    max_size=8,
)
_STEPS = st.lists(st.tuples(_ROWS, st.sampled_from([None, 0, 1, 7, MOST]), st.booleans()))


@given(_ROWS, _STEPS)
def test_no_order_of_contents_confuses_it(first: list[Row], steps: list[Any]) -> None:
    world = World(*first)
    for rows, number, anew in steps:
        root = world.root if number is None else make_root(number)
        world.show(*rows, root=root, anew=anew)
        assert bool(world.content.sentences) == (world.root.lost_content_cfg is not None)
        if not world.content.sentences:
            assert world.counts == world.there
    world.show(*world.there.values(), root=replace(world.root, lost_content_cfg=None))
    assert world.counts == world.there
