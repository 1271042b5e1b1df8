"""How much of the time the looks at containers take."""

from __future__ import annotations

from ..controller.host.sweep import BUDGET_MS, INTERVAL_MS, TICK_MS, Sweep


def test_a_look_that_takes_long_is_paid_for_by_a_longer_pause() -> None:
    sweep = Sweep()
    assert sweep.begins(INTERVAL_MS)
    sweep.left["c1"] = None
    assert sweep.is_due(INTERVAL_MS)
    sweep.rest(INTERVAL_MS, INTERVAL_MS + 5)
    assert sweep.find_next_ms() == INTERVAL_MS + TICK_MS
    sweep.rest(INTERVAL_MS, INTERVAL_MS + 3 * BUDGET_MS)
    assert not sweep.is_due(INTERVAL_MS + 3 * TICK_MS - 1)
    assert sweep.is_due(INTERVAL_MS + 3 * TICK_MS)
