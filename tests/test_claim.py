"""Whose the name of a chassis is: by what is read of its row, and a clock of the test."""

from __future__ import annotations

from dataclasses import replace

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
