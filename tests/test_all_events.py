"""All events together are as many as there may be, however many come in one transaction.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

import pytest

from ..lib import nb
from ..lib.delta import Change, Delete, Insert, Update
from ..northd.engine.ledger import Owned
from ..northd.sync import events
from ..northd.sync.event_ledger import EventLedger
from ..northd.sync.events import News
from .random_rows import make_empty

MOST = 100
TABLE = nb.ServiceContainer.TABLE


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", MOST)
    monkeypatch.setattr(events, "MOST_DROPPED", 10)


class Table:
    """The table as a database has it, with the ledger that writes it."""

    def __init__(self) -> None:
        self.rows: dict[UUID, nb.Event] = {}
        self.ledger = EventLedger(lambda _name, _chassis: None, lambda: 10**12)

    def add(self, name: str, number: int) -> nb.Event:
        """Adds a row that somebody else wrote."""
        columns = {"table": TABLE, "name": name, "number": number, "state": "x", "count": 1}
        row: nb.Event = make_empty(nb.Event, uuid4(), **columns)
        self.rows[row.uuid] = row
        self.ledger.note_row(None, row)
        return row

    def plan(self, names: Sequence[str], message: str) -> list[Change]:
        """Returns a transaction with an event of each."""
        for name in names:
            self.ledger.set_owned(("container", name), Owned())
            self.ledger.add_news(("container", name), News(TABLE, name, "failed", message))
        return self.plan_again(names)

    def plan_again(self, names: Iterable[str]) -> list[Change]:
        """Returns a transaction with what is not written yet of these."""
        self.ledger.drop_planned()
        owners = [("container", name) for name in names]
        planned = [self.ledger.finish(owner, self.ledger.plan(owner)) for owner in owners]
        return [change for changes in planned for change in changes]

    def write(self, changes: Iterable[Change]) -> None:
        """Does what the server does; its answer comes last."""
        changes = list(changes)
        for change in changes:
            if isinstance(change, Insert):
                row = make_empty(nb.Event, uuid4(), **change.columns)
                self.rows[row.uuid] = row
                self.ledger.note_row(None, row)
            elif isinstance(change, Delete):
                self.ledger.note_row(self.rows.pop(change.uuid), None)
        self.ledger.note_committed(changes)

    def list_names(self) -> list[str]:
        """Returns whose events there are, the oldest first."""
        return [row.name for row in sorted(self.rows.values(), key=lambda row: row.number)]


def count(changes: Iterable[Change]) -> tuple[int, int]:
    """Returns how many rows are added, and how many are deleted."""
    listed = list(changes)
    deletes = [each for each in listed if isinstance(each, Delete)]
    assert len({each.uuid for each in deletes}) == len(deletes), "each once"
    return sum(isinstance(each, Insert) for each in listed), len(deletes)


def test_many_in_one_transaction_take_the_place_of_as_many() -> None:
    table = Table()
    for number in range(5):
        changes = table.plan([f"c{number}-{each}" for each in range(40)], "cause")
        assert count(changes) == (40, min(40, max(0, 40 * (number + 1) - MOST)))
        table.write(changes)
        assert len(table.rows) == min(MOST, 40 * (number + 1))
    assert table.list_names()[-40:] == [f"c4-{each}" for each in range(40)]
    assert table.list_names()[:20] == [f"c2-{each}" for each in range(20, 40)]


def test_one_that_was_refused_or_lost_is_planned_again_as_it_was() -> None:
    table = Table()
    table.write(table.plan([f"old{each}" for each in range(MOST)], "cause"))
    oldest = set(list(table.rows)[:7])
    names = [f"c{each}" for each in range(7)]
    table.plan(names, "cause")
    for _ in range(3):
        changes = table.plan_again(names)
        assert count(changes) == (7, 7)
        assert {each.uuid for each in changes if isinstance(each, Delete)} == oldest
    table.write(changes)
    assert len(table.rows) == MOST


def test_an_event_that_goes_on_is_not_the_oldest_any_more() -> None:
    table = Table()
    for number in range(3):
        table.write(table.plan(["first"], f"tried again at 2026-11-27T01:02:0{number}Z"))
    table.write(table.plan([f"old{each}" for each in range(MOST - 3)], "cause"))
    first = [uuid for uuid, row in table.rows.items() if row.name == "first"]
    changes = table.plan(["first", "other"], "tried again at 2026-11-27T01:02:09Z")
    [update] = [each for each in changes if isinstance(each, Update)]
    [delete] = [each for each in changes if isinstance(each, Delete)]
    assert update.uuid == first[2]
    assert delete.uuid == first[0]


def test_what_goes_in_the_same_transaction_is_not_counted_on() -> None:
    table = Table()
    for _ in range(3):
        table.write(table.plan(["first"], "cause"))
    table.write(table.plan([f"old{each}" for each in range(MOST - 3)], "cause"))
    changes = table.plan([*(f"new{each}" for each in range(3)), "first"], "cause")
    assert count(changes) == (4, 4)
    table.write(changes)
    assert table.list_names()[-1] == "first"


def test_a_table_that_others_filled_is_emptied_in_steps() -> None:
    table = Table()
    for number in range(3 * MOST):
        table.add(f"theirs{number}", number)
    changes = table.plan(["c1", "c2"], "cause")
    assert count(changes) == (2, 12)
    for number in range(30):
        table.write(changes)
        changes = table.plan([f"c{number}"], "cause")
        assert count(changes)[1] <= 11
    assert len(table.rows) == MOST


def test_one_subject_that_others_filled_is_emptied_in_steps() -> None:
    table = Table()
    for number in range(50):
        table.add("c1", number)
    for left in (41, 32, 23, 20, 20):
        changes = table.plan(["c1"], f"cause {'x' * left}")
        table.write(changes)
        assert len(table.rows) == left, count(changes)


@pytest.mark.parametrize("number", [2**53 - 1, 2**52, 2**52 - 2, 2**51])
def test_a_number_that_leaves_none_higher_harms_its_own_row_only(number: int) -> None:
    table = Table()
    table.write(table.plan([f"old{each}" for each in range(MOST - 1)], "cause"))
    table.add("theirs", number)
    for each in range(5):
        changes = table.plan([f"c{each}"], "cause")
        assert count(changes) == (1, 1)
        table.write(changes)
    told = [row.name for row in table.rows.values()]
    assert told[-5:] == [f"c{each}" for each in range(5)]
    assert "old10" in told, "the rest is as it was"
    assert len(set(told)) == MOST
    assert ("theirs" in told) is (number == 2**51), "enough are left above that one"
    assert number == 2**51 or max(row.number for row in table.rows.values()) < 1000
