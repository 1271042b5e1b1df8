"""Whose the name of a chassis is: by what is read of its row, and a clock of the test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.claim import LOOK_MS, Claim, Found, find_still_ms
from ..lib.options import MOST_HEARTBEAT_INTERVAL_MS

MINE, EARLIER, OTHER = "this process", "one before it", "another host"
INTERVAL_MS = 1000
STILL_MS = 4000
LEFT = Found(True, OTHER, 7, 100, INTERVAL_MS)


def make_claim() -> Claim:
    return Claim(MINE, (MINE, EARLIER))


def look(claim: Claim, found: Found, now_ms: int) -> bool:
    return claim.may_take(found, {}, INTERVAL_MS, now_ms)


@pytest.mark.parametrize("found", [Found(), Found(True), replace(LEFT, incarnation=EARLIER)])
def test_what_is_nobodys_or_of_this_boot_is_taken_at_once(found: Found) -> None:
    claim = make_claim()
    assert look(claim, found, 0)
    assert not claim.watching


def test_what_is_anothers_is_taken_when_it_stands_still() -> None:
    claim = make_claim()
    for now_ms in range(0, STILL_MS, LOOK_MS):
        assert not look(claim, LEFT, now_ms)
    assert claim.watching
    assert look(claim, LEFT, STILL_MS)
    assert not claim.rival


def test_one_that_beats_is_a_rival_and_its_row_is_watched_when_it_is_removed() -> None:
    claim = make_claim()
    assert not look(claim, LEFT, 0)
    assert not look(claim, replace(LEFT, heartbeat=8), LOOK_MS)
    assert claim.rival
    # Its southbound was emptied, and it will register again.
    for now_ms in range(2 * LOOK_MS, 2 * LOOK_MS + STILL_MS, LOOK_MS):
        assert not look(claim, Found(), now_ms)
    assert look(claim, Found(), 2 * LOOK_MS + STILL_MS)
    claim.end()
    assert (claim.rival, claim.watching) == (False, False)


def test_another_life_of_a_rival_is_a_rival() -> None:
    claim = make_claim()
    look(claim, LEFT, 0)
    assert not look(claim, replace(LEFT, incarnation="its next life"), 100)
    assert claim.rival


def test_a_gap_in_what_was_seen_counts_little() -> None:
    """As when this process was stopped, or the server, or nothing was connected."""
    claim = make_claim()
    look(claim, LEFT, 0)
    assert not look(claim, LEFT, 100_000)
    claim.interrupt()
    assert not look(claim, LEFT, 200_000)
    assert not look(claim, LEFT, 200_000 + LOOK_MS)


def test_what_was_edited_by_hand_is_mended_at_once_and_what_was_taken_is_not() -> None:
    last = {"heartbeat": 7, "heartbeat_timestamp": 100}
    assert make_claim().may_take(LEFT, last, INTERVAL_MS, 0)
    assert not make_claim().may_take(replace(LEFT, heartbeat=0), last, INTERVAL_MS, 0)
    # The number of another that has come as far.
    assert not make_claim().may_take(replace(LEFT, heartbeat_timestamp=9), last, INTERVAL_MS, 0)


@pytest.mark.parametrize(
    ("told_ms", "own_ms", "still_ms"),
    [
        (0, 100, STILL_MS),
        (100, 1000, STILL_MS),
        (10_000, 1000, 40_000),
        (1000, 10_000, 40_000),
        (2**31 - 1, 1000, 4 * MOST_HEARTBEAT_INTERVAL_MS),
    ],
)
def test_one_that_beats_seldom_has_longer_but_not_for_ever(
    told_ms: int, own_ms: int, still_ms: int
) -> None:
    assert find_still_ms(replace(LEFT, heartbeat_interval=told_ms), own_ms) == still_ms


@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), max_size=60))
def test_a_row_is_taken_only_after_many_looks_at_a_heartbeat_that_stands_still(
    steps: list[tuple[int, bool]],
) -> None:
    claim, found, now_ms = make_claim(), LEFT, 0
    looks = 0
    for pause_ms, beats in steps:
        now_ms += pause_ms
        if beats:
            found = replace(found, heartbeat=found.heartbeat + 1)
            looks = 0
        taken = look(claim, found, now_ms)
        assert not taken or looks * 2 * LOOK_MS >= STILL_MS
        looks += 1


@dataclass
class Host:
    """One of several that are told to have one name; 'row' is the world's only one."""

    claim: Claim
    has_name: bool = False
    seen: Found | None = None
    last: dict[str, Any] = field(default_factory=dict)

    def step(self, row: Found, now_ms: int) -> Found:
        """Returns the row after this host has beaten, or looked, or taken what it saw before."""
        mine = self.claim.incarnation
        if self.has_name:
            self.has_name = row.incarnation == mine
            if not self.has_name:
                return row
            beaten = replace(row, heartbeat=row.heartbeat + 1, heartbeat_timestamp=now_ms)
            self.last = {"heartbeat": beaten.heartbeat, "heartbeat_timestamp": now_ms}
            return beaten
        seen, self.seen = self.seen, None
        if seen is not None:
            # What it decides by is older than what is there by now.
            if self.claim.is_ours(seen):
                self.has_name = True
            elif self.claim.may_take(seen, self.last, INTERVAL_MS, now_ms):
                same = (seen.incarnation, seen.heartbeat) == (row.incarnation, row.heartbeat)
                if same:
                    row = replace(row, exists=True, incarnation=mine, heartbeat=0)
            if self.has_name or row.incarnation == mine:
                self.has_name = row.incarnation == mine
                self.claim.end()
            return row
        self.seen = row
        return row


@given(st.lists(st.tuples(st.integers(1, 900), st.sampled_from((1, 2, None))), max_size=300))
def test_of_several_hosts_the_one_that_beats_keeps_the_name(
    steps: list[tuple[int, int | None]],
) -> None:
    """The others run when they like, stop for any time, and die and come again."""
    hosts = [Host(Claim(name, (name,))) for name in ("0", "1", "2")]
    row, now_ms = Found(), 0
    for _ in range(2):
        row = hosts[0].step(row, now_ms)
    for pause_ms, other in steps:
        now_ms += pause_ms
        row = hosts[0].step(row, now_ms)
        if other is not None:
            before = row
            row = hosts[other].step(row, now_ms)
            assert row == before, "it writes nothing"
        assert row.incarnation == "0"
        assert not any(each.has_name for each in hosts[1:])
    # It dies, and one of the others has the name.
    for _ in range(100):
        now_ms += LOOK_MS
        for host in hosts[1:]:
            row = host.step(row, now_ms)
    assert sum(each.has_name for each in hosts[1:]) == 1
    assert row.incarnation != "0"
    heir = row.incarnation
    # It comes back after it was stopped.
    for _ in range(100):
        now_ms += LOOK_MS
        for host in hosts:
            row = host.step(row, now_ms)
    assert (row.incarnation, hosts[0].has_name) == (heir, False)
