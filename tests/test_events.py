"""What is another event, and how many there are of one subject.  Pure."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import nb
from ..lib.delta import Delete, Insert, Update
from ..northd.sync import events
from ..northd.sync.events import KEPT, News, mask, record

HOUR_MS = 3_600_000


class Subject:
    """The events of one subject, as a database has them."""

    def __init__(self) -> None:
        self.rows: dict[UUID, nb.Event] = {}
        self.number = 0
        self.passing: tuple[int, str] | None = None

    def tell(self, now_ms: int, state: str, message: str = "", *, passing: bool = False) -> None:
        """Records that it is so."""
        self.number += 1
        known = sorted(self.rows.values(), key=lambda row: row.number)
        row = str(UUID(int=1))
        news = News("VPN_Service", "mercury", state, message, row=row, passing=passing)
        changes = record(news, known, self.number, now_ms, self.passing)
        if passing and changes:
            self.passing = self.number, message
        for change in changes:
            if isinstance(change, Insert):
                uuid = UUID(int=1000 + self.number)
                self.rows[uuid] = nb.Event(uuid, **change.columns)
            elif isinstance(change, Update):
                self.rows[change.uuid] = replace(self.rows[change.uuid], **change.columns)
            elif isinstance(change, Delete):
                del self.rows[change.uuid]

    def list_states(self) -> list[tuple[str, int]]:
        """Returns state and count of each, the newest last."""
        known = sorted(self.rows.values(), key=lambda row: row.number)
        return [(each.state, each.count) for each in known]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("no answer from P since 16:07:14", "no answer from P since 16:07:24", True),
        ("since 2026-11-27T01:02:03Z", "since 2026-11-28T11:12:13.500Z", True),
        ("tried again after 4 s", "tried again after 30 s", True),
        ("killed 4 times", "killed 17 times", True),
        ("killed, more than 3 times", "killed, more than 12 times", True),
        ("starting after 30 s (x)", "starting after 60.5 s (x)", True),
        ("silent for 5 s", "silent for 15 s", True),
        ("heard 2 min ago", "heard 3 min ago", True),
        ("no new place before 2026-11-27T03:01:10Z or", "no new place before 3 s or", False),
        ("1 of 3 tunnels up", "2 of 3 tunnels up", False),
        ("charon ended with status 1", "charon ended with status 2", False),
        ("killed by signal 6", "killed by signal 11", False),
        ("of 3 chassis 2 are full (limit 2)", "of 3 chassis 3 are full (limit 2)", False),
        ("the route is gone (and 2 more)", "the route is gone (and 1 more)", False),
        ("no answer from 1.0.0.3", "no answer from 1.0.0.4", False),
        ("subnet 10.0.0.0/24", "subnet 10.0.0.0/25", False),
        ("address fd00::1", "address fd00::2", False),
        ("chassis hv1 is dead", "chassis hv2 is dead", False),
        ("port 10.0.0.1:80 is gone", "port 10.0.0.1:81 is gone", False),
        ("AES_CBC_128", "AES_CBC_256", False),
        ("to-venus-1", "to-venus-2", False),
    ],
)
def test_what_only_counts_on(one: str, other: str, same: bool) -> None:
    assert (mask(one) == mask(other)) is same


def test_outages_that_are_far_apart_are_told_each_by_itself() -> None:
    subject = Subject()
    for number in range(4):
        subject.tell(number * HOUR_MS, "down", "no answer")
        subject.tell(number * HOUR_MS + 300_000, "up")
    assert subject.list_states() == [("down", 1), ("up", 1)] * 4


def test_the_fourth_within_an_hour_is_counted() -> None:
    subject = Subject()
    for number in range(37):
        subject.tell(number * 20_000, "down", "no answer")
        subject.tell(number * 20_000 + 10_000, "up")
    assert subject.list_states() == [*[("down", 1), ("up", 1)] * 2, ("down", 35), ("up", 35)]


def test_a_row_that_counts_up_and_down_floods_nothing() -> None:
    """Each number is an event of its own, of one kind."""
    subject = Subject()
    for number in range(60):
        subject.tell(number * 90_000 // 3, "partial", f"{number % 7} of 9 tunnels up")
    states = subject.list_states()
    assert len(states) <= 6
    last = max(subject.rows.values(), key=lambda row: row.number)
    assert last.message == f"{59 % 7} of 9 tunnels up"


def test_the_first_cause_takes_the_place_of_none() -> None:
    subject = Subject()
    subject.tell(0, "down", "connecting", passing=True)
    subject.tell(1000, "down", "refused")
    assert [(row.message, row.time) for row in subject.rows.values()] == [("refused", 0)]
    subject.tell(2000, "down", "connecting", passing=True)
    subject.tell(3000, "down", "no answer")
    assert [(row.message, row.time) for row in subject.rows.values()] == [
        ("refused", 0),
        ("no answer", 3000),
    ]


def test_causes_that_change_all_the_time_are_few_rows() -> None:
    subject = Subject()
    for number in range(50):
        subject.tell(number * 1000, "down", f"cause {chr(65 + number)}")
    assert [row.message for row in subject.rows.values()] == ["cause A", "cause B", "cause r"]
    assert subject.rows[UUID(int=1003)].time == 49_000
    subject.tell(60_000 + 49_000, "down", "no answer")
    assert len(subject.rows) == 4


@given(
    st.lists(
        st.tuples(
            st.integers(-HOUR_MS, 2 * HOUR_MS), st.sampled_from("ab"), st.sampled_from("xyz12")
        ),
        max_size=80,
    )
)
def test_whatever_comes_they_are_bounded_and_end_with_the_last(
    told: list[tuple[int, str, str]],
) -> None:
    """Also by a clock that is set."""
    subject, now_ms = Subject(), 10**12
    for step_ms, state, message in told:
        now_ms += step_ms
        subject.tell(now_ms, state, message)
        assert len(subject.rows) <= KEPT
        last = max(subject.rows.values(), key=lambda row: row.number)
        assert (last.state, mask(last.message)) == (state, mask(message))
        before = dict(subject.rows)
        subject.tell(now_ms, state, message)
        assert subject.rows == before, "it is told once"


def test_texts_are_bounded() -> None:
    subject = Subject()
    subject.tell(0, "down", "x" * 10_000)
    [row] = subject.rows.values()
    assert len(row.message) == 500
    subject.tell(events.SETTLING_MS, "down", "x" * 20_000)
    assert len(subject.rows) == 1
