"""Whose the rows under a former name are: by what is seen, and a clock of the test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ..controller.former_row import FormerRow, Sight
from ..controller.kept_names import Host, Name

HOST = Host("machine", "boot")
REBOOTED = Host("machine", "later boot")
KEY, OURS, EARLIER = "key", "this process", "the one before"
DEAD_AFTER_MS = 4000
SIGHT = Sight(KEY, EARLIER, 7, 1000)


def make_row(host: Host = HOST, now: Host = HOST) -> FormerRow:
    return FormerRow(Name("hv1", "unix:x", host, (OURS, EARLIER)), now, KEY, OURS)


def look(row: FormerRow, now_ms: int, sight: Sight = SIGHT) -> bool:
    assert row.find_stranger(sight, DEAD_AFTER_MS, now_ms) == ""
    return row.is_ours(now_ms)


def test_what_this_host_wrote_in_this_boot_is_ours_at_once() -> None:
    assert look(make_row(), 0)


def test_what_this_process_wrote_is_ours_though_it_moves() -> None:
    row, sight = make_row(), replace(SIGHT, incarnation=OURS)
    for heartbeat in range(7, 12):
        assert look(row, heartbeat, replace(sight, heartbeat=heartbeat))


@pytest.mark.parametrize("cause", ["boot", "move"])
def test_otherwise_the_heartbeat_is_to_stand_still(cause: str) -> None:
    row = make_row(HOST, REBOOTED if cause == "boot" else HOST)
    if cause == "move":
        assert row.find_stranger(replace(SIGHT, heartbeat=6), DEAD_AFTER_MS, 0) == ""
    assert not look(row, 0)
    begun_ms = 10
    assert not look(row, begun_ms)
    assert not look(row, DEAD_AFTER_MS)
    assert look(row, begun_ms + DEAD_AFTER_MS + 1)


def test_time_in_which_nothing_was_seen_does_not_count() -> None:
    row = make_row(HOST, REBOOTED)
    assert not look(row, 0)
    row.interrupt()
    assert not look(row, 100_000)
    assert look(row, 100_000 + DEAD_AFTER_MS + 1)


def test_one_that_beats_seldom_has_longer() -> None:
    row, slow = make_row(HOST, REBOOTED), replace(SIGHT, heartbeat_interval_ms=10_000)
    assert not look(row, 0, slow)
    assert not look(row, 30_000, slow)
    assert look(row, 30_001, slow)


@pytest.mark.parametrize(
    ("sight", "reason"),
    [
        (replace(SIGHT, public_key="other"), "another host has registered"),
        (replace(SIGHT, public_key=None), "another host has registered"),
        (replace(SIGHT, incarnation="other"), "another svc-controller"),
        (Sight(KEY), "another svc-controller"),
    ],
)
def test_what_others_wrote_is_not(sight: Sight, reason: str) -> None:
    assert make_row().find_stranger(sight, DEAD_AFTER_MS, 0).startswith(reason)


def test_a_copy_that_knows_the_key_and_the_incarnation_is_found_out() -> None:
    copied = make_row(Host("other", "boot"))
    assert copied.find_stranger(SIGHT, DEAD_AFTER_MS, 0).startswith("the disk of this host is a")
    row = make_row(HOST, REBOOTED)
    assert not look(row, 0)
    assert not look(row, 1000, replace(SIGHT, heartbeat=8))
    goes_on = replace(SIGHT, heartbeat=9)
    assert row.find_stranger(goes_on, DEAD_AFTER_MS, 2000).startswith("their heartbeat goes on")
