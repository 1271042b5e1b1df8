"""The writer of a ledger, with a real server that refuses: nobody waits for who is refused."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ..lib import nb
from ..lib.delta import Change, Desired, Insert
from ..lib.rows import Row
from ..northd.engine import writer as writers
from ..northd.engine.ledger import Ledger, Mark, Owned, Owner
from ..northd.engine.writer import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, Writer
from .logs import Logs
from .ovsdb import Databases
from .sessions import Sessions

REFUSED = "transaction refused"


def _find_mark(row: Row) -> Mark | None:
    """Returns the mark of a group; one with a chassis 'foreign' is not ours."""
    assert isinstance(row, nb.ChassisGroup)
    return None if "foreign" in row.chassis else Mark(row.name, row.name)


class _Ledger(Ledger):
    """Notes whose rows were planned; planning or finishing those of some fails."""

    def __init__(self) -> None:
        super().__init__(_find_mark)
        self.planned: Counter[Owner] = Counter()
        self.unplannable: set[Owner] = set()
        self.unfinishable: set[Owner] = set()

    def plan(self, owner: Owner) -> list[Change]:
        self.planned[owner] += 1
        if owner in self.unplannable:
            raise ZeroDivisionError("on purpose")
        return super().plan(owner)

    def finish(self, owner: Owner, changes: list[Change]) -> list[Change]:
        if owner in self.unfinishable:
            raise KeyError("on purpose")
        return changes


class _Desk:
    """A writer on a real northbound, and what it wrote."""

    def __init__(self, sessions: Sessions, databases: Databases) -> None:
        self._sessions = sessions
        self.database = databases.nb
        self.session = sessions.open(databases.nb, nb.ChassisGroup, refused_backoff_ms=0)
        self.ledger = _Ledger()
        self.root: list[Change] = []
        self.concluded = 0
        self.writer = Writer(self.session, self.ledger, str, self._conclude)
        self.transactions = 0
        self.now_ms = 0

    def _conclude(self) -> list[Change]:
        self.concluded += 1
        return self.root

    def want(self, names: Iterable[str], chassis: str = "hv1") -> None:
        """Says that owners should have a group of their own name."""
        for name in names:
            columns = {"name": name, "chassis": (chassis,)}
            self.ledger.set_owned(name, Owned((Desired("Chassis_Group", name, columns),)))

    def step(self) -> None:
        """One pass."""
        for pairs in self.session.take_changed_rows().values():
            for before, after in pairs.values():
                self.ledger.note_row(before, after)
        was_committing = self.session.committing
        self.writer.run(self.now_ms)
        self.transactions += self.session.committing and not was_committing

    def settle(self, spent_ms: int = 0) -> None:
        """Runs 'spent_ms' later until all is written that can be."""
        self.now_ms += spent_ms

        def done() -> bool:
            self.step()
            return self.writer.settled and self.session.answered

        self.session.probe()
        self._sessions.wait_for(done, "the writer to settle")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Runs until 'condition' holds."""

        def stepped() -> bool:
            self.step()
            return condition()

        self._sessions.wait_for(stepped, what)

    def names(self) -> set[str]:
        """Returns the names of the groups that are there."""
        return {row["name"] for row in self.database.rows("Chassis_Group")}


@pytest.fixture
def desk(sessions: Sessions, databases: Databases) -> _Desk:
    """A writer."""
    return _Desk(sessions, databases)


NAMES = [f"g{number:03}" for number in range(256)]
TAKEN = NAMES[77]


def test_only_who_is_dirty_is_planned(desk: _Desk) -> None:
    desk.want(NAMES)
    desk.settle()
    assert desk.names() == set(NAMES)
    desk.ledger.planned.clear()
    desk.settle()
    assert not desk.ledger.planned
    desk.want(NAMES[:1], "hv2")
    desk.settle()
    # Once for the change, and once for the row that came back.
    assert desk.ledger.planned == {NAMES[0]: 2}
    # What somebody else changes is put back.
    desk.database.delete("Chassis_Group", [["name", "==", NAMES[5]]])
    desk.settle()
    assert desk.names() == set(NAMES)
    desk.ledger.freeze(NAMES[6])
    desk.database.delete("Chassis_Group", [["name", "==", NAMES[6]]])
    desk.settle()
    assert desk.names() == set(NAMES) - {NAMES[6]}


def test_one_that_is_refused_is_found_by_halves_and_all_others_are_written(
    desk: _Desk, logs: Logs
) -> None:
    logs.allow(REFUSED)
    desk.database.insert("Chassis_Group", name=TAKEN, chassis="foreign")
    desk.want(NAMES)
    desk.settle()
    assert desk.names() == set(NAMES)
    assert desk.transactions <= 2 * math.log2(len(NAMES)) + 2
    told = desk.writer.take_refusals()
    assert list(told) == [TAKEN]
    assert "constraint violation" in str(told[TAKEN])
    assert desk.database.rows("Chassis_Group", [["name", "==", TAKEN]])[0]["chassis"] == "foreign"
    assert desk.writer.settled, "nobody waits for it"


def test_several_that_are_refused_are_all_found(desk: _Desk, logs: Logs) -> None:
    logs.allow(REFUSED)
    taken = set(NAMES[::50])
    for name in taken:
        desk.database.insert("Chassis_Group", name=name, chassis="foreign")
    desk.want(NAMES)
    desk.settle()
    assert set(desk.writer.take_refusals()) == taken
    ours = {row["name"] for row in desk.database.rows("Chassis_Group", [["chassis", "==", "hv1"]])}
    assert ours == set(NAMES) - taken
    assert desk.transactions <= len(taken) * 2 * (math.log2(len(NAMES)) + 1)


def test_it_is_tried_again_with_a_pause_that_grows_and_forgotten_with_its_cause(
    desk: _Desk, logs: Logs
) -> None:
    logs.allow(REFUSED)
    desk.database.insert("Chassis_Group", name=TAKEN, chassis="foreign")
    desk.want([TAKEN])
    desk.settle()
    for pause_ms in (FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS, 4 * FIRST_PAUSE_MS):
        assert desk.writer.find_next_ms() == desk.now_ms + pause_ms
        count = desk.transactions
        desk.settle(pause_ms - 1)
        assert desk.transactions == count
        desk.settle(1)
        assert desk.transactions == count + 1
    for _ in range(5):
        desk.settle(LONGEST_PAUSE_MS)
    assert desk.writer.find_next_ms() == desk.now_ms + LONGEST_PAUSE_MS
    assert "; tried again after " in str(desk.writer.take_refusals()[TAKEN])
    desk.database.delete("Chassis_Group")
    desk.settle(LONGEST_PAUSE_MS)
    assert desk.writer.take_refusals() == {TAKEN: None}
    assert desk.writer.find_next_ms() is None
    assert desk.names() == {TAKEN}


def test_what_it_should_have_now_is_tried_at_once(desk: _Desk, logs: Logs) -> None:
    logs.allow(REFUSED)
    desk.database.insert("Chassis_Group", name=TAKEN, chassis="foreign")
    desk.want([TAKEN])
    desk.settle()
    assert list(desk.writer.take_refusals()) == [TAKEN]
    # The same again is no reason to try.
    count = desk.transactions
    desk.want([TAKEN])
    desk.settle()
    assert desk.transactions == count
    free = Desired("Chassis_Group", TAKEN, {"name": "free", "chassis": ()})
    desk.ledger.set_owned(TAKEN, Owned((free,)))
    desk.step()
    assert desk.session.committing
    assert desk.writer.take_refusals() == {TAKEN: None}


@pytest.mark.parametrize("where", ["unplannable", "unfinishable"])
def test_a_mistake_with_one_owner_harms_only_it(desk: _Desk, logs: Logs, where: str) -> None:
    logs.allow("SVC_Northbound: g077 cannot be planned")
    getattr(desk.ledger, where).add(TAKEN)
    desk.want(NAMES)
    desk.settle()
    assert desk.names() == set(NAMES) - {TAKEN}
    told = desk.writer.take_refusals()
    assert list(told) == [TAKEN]
    assert str(told[TAKEN]).startswith("svc-northd cannot plan its rows: ")
    assert desk.writer.find_next_ms() == LONGEST_PAUSE_MS
    getattr(desk.ledger, where).clear()
    desk.settle(LONGEST_PAUSE_MS)
    assert desk.writer.take_refusals() == {TAKEN: None}
    assert desk.names() == set(NAMES)


def test_what_cannot_be_put_into_a_transaction_harms_only_its_owner(
    desk: _Desk, logs: Logs
) -> None:
    logs.allow(REFUSED)
    desk.want(NAMES)
    columns: dict[str, Any] = {"name": TAKEN, "chassis": (object(),)}
    desk.ledger.set_owned(TAKEN, Owned((Desired("Chassis_Group", TAKEN, columns),)))
    desk.settle()
    assert desk.names() == set(NAMES) - {TAKEN}
    assert desk.writer.take_refusals() == {TAKEN: "a value of type object"}


def test_many_owners_leave_no_room_that_later_ones_walk_through(desk: _Desk) -> None:
    for number in range(5000):
        desk.ledger.set_owned(f"none-{number}", None)
    desk.settle()
    desk.step()
    assert sys.getsizeof(desk.ledger.dirty) == sys.getsizeof(set())


def test_a_transaction_is_bounded(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "MOST_CHANGES", 100)
    desk.want(NAMES)
    desk.step()
    assert desk.session.committing
    assert len(desk.ledger.dirty) == len(NAMES) - 100
    desk.settle()
    assert desk.names() == set(NAMES)
    assert desk.transactions == 3


def test_the_root_row_comes_last_and_a_refusal_of_it_harms_nobody(desk: _Desk, logs: Logs) -> None:
    logs.allow(REFUSED)
    desk.want(NAMES)
    desk.root = [Insert("Chassis_Group", "root", {"name": "root", "chassis": ("foreign",)}, None)]
    desk.settle()
    assert desk.names() == {*NAMES, "root"}
    assert desk.transactions == 1
    # It is there already, so that the server refuses it from now on.
    desk.want(["late", "later"])
    desk.writer.reconsider()
    desk.until(lambda: desk.names() == {*NAMES, "root", "late", "later"}, "what is not refused")
    desk.until(lambda: desk.writer.find_next_ms() is not None, "the refusal of the root row")
    assert desk.writer.take_refusals() == {}
    assert desk.writer.find_next_ms() == FIRST_PAUSE_MS
    assert not desk.writer.settled
    desk.root = []
    desk.settle(FIRST_PAUSE_MS)
    assert desk.writer.find_next_ms() is None


def test_who_is_refused_beside_the_root_row_is_found(desk: _Desk, logs: Logs) -> None:
    logs.allow(REFUSED)
    desk.database.insert("Chassis_Group", name=TAKEN, chassis="foreign")
    desk.root = [Insert("Chassis_Group", "root", {"name": "root", "chassis": ("foreign",)}, None)]
    desk.want([TAKEN])
    desk.step()
    desk.root = []
    desk.settle()
    assert list(desk.writer.take_refusals()) == [TAKEN]
