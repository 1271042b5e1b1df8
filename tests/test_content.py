"""What operators asked for counts on where the northbound went back to older content."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ..lib import nb
from ..lib.rows import Row
from ..northd.sync.content import Content

TABLE = nb.ContainerGroup.TABLE
MOST = 2**53 - 1
ROOT = nb.SVCGlobal(UUID(int=99), 0, 0, 0, 0, 0, 0, 5, "seed", {}, {})
OWN = frozenset({"policy"})
_KEYS = st.sampled_from(["a", "b", "c"])


def make_group(number: int = 1, **columns: object) -> nb.ContainerGroup:
    row = nb.ContainerGroup(UUID(int=number), f"g{number}", None, None, None, None, {})
    return replace(row, **columns)  # type: ignore[arg-type]


def find_own(_: Row) -> AbstractSet[str]:
    return OWN


def make_content(*rows: Row) -> Content:
    """Returns what has read 'rows' over the first connection."""
    content = Content(find_own)
    content.begin(1, ROOT)
    for row in rows:
        content.take(row.TABLE, None, row)
    return content


def test_an_older_number_keeps_what_is_gone_and_what_is_otherwise() -> None:
    gone, other = make_group(1), make_group(2, options={"x": "1"})
    content = make_content(gone, other)
    content.begin(2, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, gone, None) == gone
    assert content.take(TABLE, other, replace(other, options={})) == other
    assert "Container_Group g1 (and 1 more)" in content.tell()[0]
    assert list(content.accept()) == [(TABLE, gone.uuid), (TABLE, other.uuid)]
    assert content.tell() == []


def test_what_an_older_file_has_more_counts() -> None:
    content = make_content()
    content.begin(2, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, None, make_group()) == make_group()
    assert content.tell() == []


def test_an_equal_or_higher_number_is_no_older_file() -> None:
    for cfg in (5, 6):
        content = make_content(make_group())
        content.begin(2, replace(ROOT, content_cfg=cfg))
        assert content.take(TABLE, make_group(), None) is None


def test_another_database_is_no_order_whatever_its_number() -> None:
    for root in (None, replace(ROOT, seal_seed="other", content_cfg=MOST)):
        content = make_content(make_group())
        content.begin(2, root)
        assert content.take(TABLE, make_group(), None) == make_group()


def test_a_seed_that_an_operator_emptied_is_no_other_database() -> None:
    content = make_content(make_group())
    content.begin(2, replace(ROOT, seal_seed=None))
    assert content.take(TABLE, make_group(), None) is None


def test_a_file_that_is_restored_while_it_is_served_is_older_too() -> None:
    content = make_content(make_group(), make_group(2))
    content.begin(1, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, make_group(), None) == make_group()
    # What comes afterwards with that number is an order.
    content.begin(1, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, make_group(2), None) is None


def test_an_operator_may_delete_the_root_row() -> None:
    content = make_content(make_group())
    content.begin(1, None)
    assert content.take(TABLE, make_group(), None) is None


def test_a_status_of_ours_is_no_order_and_no_difference() -> None:
    row = make_group(policy="old")
    content = make_content(row)
    assert content.plan_cfg(5) == 6
    now = replace(row, policy="new")
    assert content.take(TABLE, row, now) == now
    assert not content.is_due
    content.begin(2, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, now, row) == row
    assert content.tell() == []


def test_a_row_that_is_deleted_after_all_is_gone() -> None:
    row = make_group(options={"x": "1"})
    content = make_content(row)
    content.begin(2, replace(ROOT, content_cfg=4))
    back = replace(row, options={})
    assert content.take(TABLE, row, back) == row
    content.begin(2, replace(ROOT, content_cfg=4))
    assert content.take(TABLE, back, None) is None
    assert content.tell() == []


def test_a_replica_that_lags_and_catches_up_has_changed_nothing() -> None:
    new = make_group(options={"x": "1", "y": "2"})
    old = make_group(options={"x": "0"})
    later = make_group(2)
    content = make_content(new, later)
    content.begin(2, replace(ROOT, content_cfg=3))
    assert content.take(TABLE, new, old) == new
    assert content.take(TABLE, later, None) == later
    content.begin(2, ROOT)
    assert content.take(TABLE, old, new) == new
    assert content.take(TABLE, None, later) == later
    assert content.tell() == []


def test_the_number_counts_changes_and_no_value_of_it_stops_that() -> None:
    content = make_content(make_group())
    assert content.plan_cfg(MOST) == 0
    assert content.plan_cfg(0) == 0
    content.take(TABLE, make_group(), None)
    assert content.plan_cfg(7) == 8
    # It was not written, or somebody wrote over it.
    assert content.plan_cfg(7) == 8
    assert content.plan_cfg(8) == 8
    assert content.plan_cfg(100) == 100
    assert content.plan_cfg(2) == 3


@given(*[st.dictionaries(_KEYS, st.sampled_from("12"))] * 3, *[st.sets(_KEYS)] * 3)
def test_what_is_changed_later_changes_that_and_no_more(
    counted: dict[str, str],
    old: dict[str, str],
    new: dict[str, str],
    ports: set[str],
    old_ports: set[str],
    new_ports: set[str],
) -> None:
    sets = [
        nb.PortGroup(UUID(int=1), "p", tuple(sorted(names)))
        for names in (ports, old_ports, new_ports)
    ]
    content = make_content(sets[0])
    content.begin(2, replace(ROOT, content_cfg=1))
    content.take("Port_Group", sets[0], sets[1])
    content.begin(2, replace(ROOT, content_cfg=1))
    found = content.take("Port_Group", sets[1], sets[2])
    assert isinstance(found, nb.PortGroup)
    expected = (ports | (new_ports - old_ports)) - (old_ports - new_ports)
    assert set(found.ports) == expected

    groups = [make_group(options=each) for each in (counted, old, new)]
    content = make_content(groups[0])
    content.begin(2, replace(ROOT, content_cfg=1))
    content.take(TABLE, groups[0], groups[1])
    content.begin(2, replace(ROOT, content_cfg=1))
    group = content.take(TABLE, groups[1], groups[2])
    assert isinstance(group, nb.ContainerGroup)
    for key in "abc":
        was, now = old.get(key), new.get(key)
        assert group.options.get(key) == (counted.get(key) if was == now else now)
