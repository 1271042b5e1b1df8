"""Events that are counted and times that are measured, as coverage/show and stopwatch/show say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..lib import stopwatch
from ..lib.coverage import Event
from ..lib.stopwatch import Stopwatch

HOUR_MS = 3_600_000


@given(st.lists(st.integers(0, 2 * HOUR_MS), max_size=50), st.integers(0, HOUR_MS))
def test_rates_are_those_of_the_time_that_is_over(moments: list[int], later: int) -> None:
    event = Event(0)
    for moment in sorted(moments):
        event.count(moment)
    now_ms = max(moments, default=0) + later
    end = now_ms // 5000 * 5000
    spans = (5000, 60_000, HOUR_MS)
    expected = [sum(end - ms <= each < end for each in moments) * 1000 / ms for ms in spans]
    assert list(event.find_rates(now_ms)) == expected
    assert event.total == len(moments)


def test_what_a_stopwatch_tells() -> None:
    watch = Stopwatch()
    assert watch.find_percentile_95() == 0
    for ms in range(1, 101):
        watch.note(float(ms))
    assert (watch.samples, watch.shortest_ms, watch.longest_ms) == (100, 1, 100)
    assert watch.find_percentile_95() == 95
    assert 98 < watch.short_ms < 100
    assert 1 < watch.long_ms < watch.short_ms
    for _ in range(1000):
        watch.note(7.0)
    assert watch.find_percentile_95() == 7
    assert watch.longest_ms == 100


def test_stopwatches_are_reset_by_name() -> None:
    stopwatch.note("a test", 0.25)
    text = stopwatch.format_statistics("a test")
    assert text is not None
    assert "Total samples: 1\n  Maximum: 250 msec" in text
    assert stopwatch.reset("a test")
    text = stopwatch.format_statistics("a test")
    assert text is not None
    assert "Total samples: 0" in text
    assert not stopwatch.reset("no such")
    assert stopwatch.format_statistics("no such") is None
