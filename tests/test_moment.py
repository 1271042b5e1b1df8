"""Points in time as people read them, and when something is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..ctl.commands.problems import format_problems
from ..ctl.db.table import PlainCell
from ..lib.moment import TOLD_FROM_MS, add_retry, drop_retry, format_past, format_time
from ..services.api.commands import Moment, Problem

WALL_MS = 1_767_225_600_000


@pytest.mark.parametrize(
    ("wall_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (WALL_MS + 999, "2026-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
        (253_402_300_800_000, "253402300800000 ms"),
        (10**18, f"{10**18} ms"),
        (-(10**30), f"{-(10**30)} ms"),
    ],
)
def test_time(wall_ms: int, text: str) -> None:
    assert format_time(wall_ms) == text


@given(st.integers())
def test_any_number_is_shown(wall_ms: int) -> None:
    assert format_time(wall_ms)


def test_only_a_pause_worth_reading_of_is_told() -> None:
    assert add_retry("no", TOLD_FROM_MS - 1) == "no"
    assert add_retry("no", TOLD_FROM_MS) == "no; tried again after 2 s"


def test_what_stands_around_a_time_stays() -> None:
    sentence = f"{add_retry('no', 5000)}; and {add_retry('never', 9000)}"
    assert drop_retry(sentence) == "no; and never"


@given(st.text(), st.integers(0, 10**6))
def test_a_time_that_was_added_is_dropped(sentence: str, pause_ms: int) -> None:
    assert drop_retry(add_retry(sentence, pause_ms)) == drop_retry(sentence)


def test_a_moment_is_told_in_one_form() -> None:
    assert format_past(60_000, 240_000) == "1970-01-01T00:01:00Z (3 min)"
    assert (format_past(None), format_past(0)) == ("", "")
    assert PlainCell(Moment(60_000)).shown() == format_past(60_000)
    problem = Problem("down", "mercury", "no answer", 60_000)
    [line] = format_problems([problem], [problem], 240_000, shorten=True)
    assert line == f"DOWN mercury since {format_past(60_000, 240_000)}: no answer"
