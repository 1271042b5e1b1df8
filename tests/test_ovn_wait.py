"""Health of a container that waits for OVN: its chassis is judged once OVN has answered."""

from __future__ import annotations

from dataclasses import replace

from ..northd.scheduler.ovn_wait import Wait, Word
from .healthworld import HERE, NOW, TIMEOUT_MS, World, find_failure, make_binding

HV1 = Wait("hv1", "1")


def test_no_chassis_is_blamed_before_ovn_has_answered() -> None:
    world = World(make_binding())
    world.wait = HV1
    assert find_failure(world.look(NOW)) is None
    assert find_failure(world.look(NOW + 10 * TIMEOUT_MS)) is None
    world.word = Word(replace(HV1, incarnation="2"), late=False)  # of another wait
    assert find_failure(world.look(NOW + 10 * TIMEOUT_MS)) is None
    world.word = Word(HV1, late=False)
    assert find_failure(world.look(NOW + 10 * TIMEOUT_MS)) is not None


def test_after_ovn_was_late_the_chassis_has_the_whole_time() -> None:
    world = World(make_binding())
    world.wait = HV1
    world.look(NOW)
    world.word = Word(HV1, late=True)
    world.look(NOW + 3000)
    back_ms = NOW + 3_600_000
    assert world.look(back_ms - 1).next_ms is None
    world.word = Word(HV1, late=False)
    assert world.look(back_ms).next_ms == back_ms + TIMEOUT_MS
    assert find_failure(world.look(back_ms + TIMEOUT_MS - 1)) is None
    assert find_failure(world.look(back_ms + TIMEOUT_MS)) is not None


def test_one_that_waited_for_ovn_may_fall_once_when_it_is_well() -> None:
    world = World(make_binding())
    world.wait, world.word = HV1, Word(HV1, late=True)
    world.look(NOW)
    back_ms = NOW + 3_600_000
    for moment_ms, up in ((back_ms, True), (back_ms + 1000, False), (back_ms + 2000, True)):
        world.up = {HERE} if up else set()
        world.wait = None if up else HV1
        world.word = None
        assert find_failure(world.look(moment_ms)) is None
