"""When new places are held since many chassis went silent at once: by a clock of the test."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..lib.options import find_problems
from ..northd.mass_failure import HELD, LEAST_SILENT, PACED, MassFailure, Now, Numbers
from ..northd.options import Options, make_options
from ..northd.turns import STEP_MS, Turns

PASS_MS = 500
HOLD_MS = 60_000
DEAD_AFTER_MS = 4000


class World:
    """So many chassis hv1, hv2, ... and one svc-northd."""

    def __init__(self, count: int, **options: str) -> None:
        self.mass = MassFailure()
        self.alive = {f"hv{number}" for number in range(1, count + 1)}
        # Alive still, but of which nothing was heard for half of their time.
        self.silent = 0
        self.options = make_options(
            {key.replace("_", "-"): value for key, value in options.items()}, None
        )
        self.numbers = Numbers()
        self.now_ms = 1_000_000

    def run(self, ms: int = PASS_MS) -> str:
        """Passes for 'ms'; returns what is so then."""
        for _ in range(0, ms, PASS_MS):
            self.now_ms += PASS_MS
            self.look()
        return self.mass.state

    def look(self) -> None:
        now = Now(self.now_ms, self.now_ms + 7, len(self.alive), lambda: self.silent)
        self.mass.run(now, self.options, self.numbers)

    def kill(self, *names: str) -> str:
        for name in names:
            self.alive.remove(name)
            self.mass.note_death(name)
        return self.run()

    def kill_first(self, count: int) -> str:
        return self.kill(*self.list_alive()[:count])

    def hear(self, *names: str) -> str:
        for name in names:
            self.alive.add(name)
            self.mass.note_life(name)
        return self.run()

    def list_alive(self) -> list[str]:
        return sorted(self.alive, key=lambda name: int(name[2:]))

    def say_failover(self) -> str:
        assert self.mass.number is not None
        self.numbers = Numbers(self.mass.number)
        return self.run()


@pytest.mark.parametrize(
    ("count", "dead", "held"),
    [
        (1, 1, False),
        (2, 1, False),
        (2, 2, False),
        (3, 1, False),
        (3, 2, False),
        (3, 3, True),
        (4, 2, False),
        (4, 3, True),
        (5, 2, False),
        (5, 3, True),
        (8, 3, False),
        (10, 4, False),
        (10, 5, True),
        (1000, 1, False),
        (1000, 400, False),
        (1000, 401, True),
    ],
)
def test_more_than_the_share_and_no_fewer_than_three(count: int, dead: int, held: bool) -> None:
    world = World(count)
    assert (world.kill_first(dead) == HELD) == held
    assert len(world.mass.members) == (dead if held else 0)


@given(st.integers(1, 60), st.data())
def test_what_is_held_is_more_than_the_share_of_those_that_were_alive(
    count: int, data: st.DataObject
) -> None:
    dead, share = data.draw(st.integers(1, count)), data.draw(st.integers(1, 100))
    world = World(count, mass_failure_share=str(share))
    held = dead >= LEAST_SILENT and dead / count > share / 100
    assert world.kill_first(dead) == (HELD if held else "")


def test_all_chassis_are_looked_at_once_in_a_second_of_a_hold() -> None:
    world, looks = World(1000), []

    def count_silent() -> int:
        looks.append(world.now_ms)
        return 0

    for name in world.list_alive()[:500]:
        world.alive.remove(name)
        world.mass.note_death(name)
    for _ in range(100):
        world.now_ms += 100
        now = Now(world.now_ms, world.now_ms, len(world.alive), count_silent)
        world.mass.run(now, world.options, world.numbers)
        assert world.mass.state == HELD
    assert len(looks) == 1 + 10, "as they died, and each second from then on"


def test_those_that_fall_silent_one_after_the_other_are_held_from_the_first() -> None:
    world = World(10)
    world.silent = 4
    assert world.kill("hv1") == HELD, "nothing was heard of four others for half of their time"
    world.silent = 0
    assert world.kill("hv2", "hv3", "hv4", "hv5") == HELD
    assert world.mass.members == {"hv1", "hv2", "hv3", "hv4", "hv5"}


def test_one_after_the_other_over_a_longer_time_is_no_mass_failure() -> None:
    world = World(10)
    for number in range(1, 9):
        assert world.kill(f"hv{number}") == ""
        world.run(20_000)
    assert world.mass.members == set()


def test_a_chassis_that_is_dead_for_long_counts_no_more() -> None:
    world = World(10)
    for number in range(1, 5):
        world.kill(f"hv{number}")
        world.run(20_000)
    # 2 of the 6 that were alive: a third, though 6 of 10 are dead.
    assert world.kill("hv5", "hv6") == ""
    world.run(20_000)
    assert world.kill("hv7", "hv8", "hv9") == HELD, "3 of 4"
    assert world.mass.members == {"hv7", "hv8", "hv9"}


def test_a_hold_is_over_after_its_time_and_what_dies_at_once_is_of_it() -> None:
    world = World(10)
    world.kill_first(5)
    until_ms = world.now_ms + HOLD_MS
    assert world.kill("hv10") == HELD
    assert world.run(HOLD_MS - 2 * PASS_MS) == HELD
    assert world.mass.until_wall_ms == until_ms + 7
    assert world.run() == PACED
    assert "hv10" in world.mass.members
    assert world.mass.ended == "60000 ms are over"
    # From then on a chassis that dies is one that dies.
    assert world.kill("hv9") == PACED
    assert "hv9" not in world.mass.members
    world.mass.finish()
    assert (world.mass.state, world.mass.members) == ("", set())


def test_one_that_dies_later_in_a_hold_is_one_that_dies_and_many_are_held_with_the_others() -> None:
    world = World(20)
    world.kill_first(9)
    first = set(world.mass.members)
    begun_ms = world.now_ms
    world.run(20_000)
    assert world.kill("hv20") == HELD
    assert world.mass.members == first
    world.run(20_000)
    world.kill("hv15", "hv16")
    assert world.mass.members == first, "two of ten"
    world.kill("hv17", "hv18", "hv19")
    assert world.mass.members == first | {"hv15", "hv16", "hv17", "hv18", "hv19"}
    assert world.run(begun_ms + HOLD_MS - world.now_ms - PASS_MS) == HELD
    assert world.run() == PACED, "the time is that of the first"


def test_all_that_are_heard_again_end_it() -> None:
    world = World(10)
    world.kill_first(5)
    assert world.hear("hv1", "hv2", "hv3", "hv4", "hv5") == ""
    assert world.mass.ended == "all of them are heard again"


def test_once_few_are_silent_they_have_their_time_anew() -> None:
    world = World(10)
    world.kill_first(6)
    assert world.hear("hv1", "hv2") == HELD
    assert world.run(DEAD_AFTER_MS - 2 * PASS_MS) == HELD
    assert world.hear("hv3") == HELD
    assert world.run(DEAD_AFTER_MS - PASS_MS) == HELD
    assert world.run() == PACED
    assert world.mass.members == {"hv4", "hv5", "hv6"}


def test_failover_now_ends_this_one_and_not_a_later_one() -> None:
    world = World(20)
    world.kill_first(9)
    assert world.say_failover() == PACED
    assert world.numbers == Numbers(1)
    world.mass.finish()
    world.run(20_000)
    assert world.kill_first(6) == HELD
    assert world.say_failover() == PACED
    assert world.numbers == Numbers(2)


def test_a_number_that_was_raised_before_ends_nothing() -> None:
    world = World(10)
    world.numbers = Numbers(7)
    assert world.kill_first(5) == HELD
    assert world.mass.number == 8


def test_after_the_highest_number_comes_1() -> None:
    world = World(10)
    world.numbers = Numbers(2**53 - 1)
    assert world.kill_first(5) == HELD
    assert world.mass.number == 1
    assert world.say_failover() == PACED


@pytest.mark.parametrize("state", [HELD, PACED])
def test_a_svc_northd_that_is_started_goes_by_the_southbound(state: str) -> None:
    world = World(4)
    world.numbers = Numbers(3, 4)
    for name in ("hv6", "hv7", "hv8"):
        world.mass.restore(name, state)
    assert world.run() == state
    assert world.mass.number == (4 if state == HELD else None)
    if state == HELD:
        assert world.run(HOLD_MS - PASS_MS) == HELD, "the whole time again"
        assert world.run() == PACED


def test_failover_now_counts_that_was_said_while_no_svc_northd_ran() -> None:
    world = World(5)
    world.numbers = Numbers(4, 4)
    for name in ("hv6", "hv7", "hv8"):
        world.mass.restore(name, HELD)
    assert world.run() == PACED


def test_whatever_stands_in_the_southbound_holds_no_chassis_that_is_alive() -> None:
    world = World(5)
    world.mass.restore("hv6", "nonsense")
    assert world.run() == ""
    world.mass.restore("hv1", HELD)
    assert world.hear("hv1") == ""


def test_time_without_a_connection_and_time_asleep_do_not_count() -> None:
    world = World(10)
    world.kill_first(5)
    world.run(HOLD_MS - 2 * PASS_MS)
    world.mass.interrupt()
    world.now_ms += 10 * HOLD_MS
    world.look()
    assert world.mass.state == HELD, "what has passed counts, and nothing else"
    world.now_ms += 10 * HOLD_MS
    world.look()
    assert world.mass.state == PACED, "it had some seconds left"
    world = World(10)
    world.kill_first(5)
    world.now_ms += 10 * HOLD_MS
    assert world.run() == HELD


def test_a_hold_ends_though_the_connection_breaks_again_and_again() -> None:
    world = World(10)
    world.kill_first(5)
    begun_ms, gaps = world.now_ms, 0
    while world.run(2000) == HELD:
        world.mass.interrupt()
        world.now_ms += 30_000
        gaps += 1
        world.look()
        assert gaps < 100
    lost = 30_000 * gaps
    assert world.now_ms - begun_ms - lost <= HOLD_MS + 2000
    assert world.now_ms - begun_ms - lost >= HOLD_MS - 2000


def test_what_is_found_dead_by_one_that_was_just_started_is_of_what_it_took_over() -> None:
    world = World(10)
    for name in ("hv11", "hv12", "hv13"):
        world.mass.restore(name, HELD)
    world.run(5000 + DEAD_AFTER_MS - 2 * PASS_MS)
    world.kill("hv1")
    assert "hv1" in world.mass.members
    world.run(10_000)
    world.kill("hv2")
    assert "hv2" not in world.mass.members


@pytest.mark.parametrize("hold", ["0", "1000"])
def test_an_operator_who_wants_no_hold_has_them_paced(hold: str) -> None:
    world = World(10, mass_failure_hold=hold)
    world.kill_first(4)
    assert world.kill_first(1) == (PACED if hold == "0" else HELD)
    assert world.kill_first(2) in (HELD, PACED)
    assert len(world.mass.members) == 7, "also those that die a moment later"


def test_options_that_make_no_sense_count_as_not_set_and_are_told() -> None:
    options = {
        "mass-failure-share": "0",
        "mass-failure-hold": "-1",
        "mass-failure-rate": "many",
    }
    assert make_options(options, None) == Options()
    assert find_problems(options) == [
        "options:mass-failure-hold is '-1', not a number from 0 to 3600000",
        "options:mass-failure-rate is 'many', not a number from 1 to 10000",
        "options:mass-failure-share is '0', not a number from 1 to 100",
    ]


# -- turns -----------------------------------------------------------------------


def _give_all(turns: Turns, rate: int, ms: int, start_ms: int = 0) -> list[str]:
    names: list[str] = []
    for now_ms in range(start_ms, start_ms + ms, STEP_MS // 2):
        names += turns.give(now_ms, rate)
    return names


def test_turns_come_at_the_rate_in_the_order_in_which_they_waited() -> None:
    turns = Turns()
    turns.note([f"b{number:03}" for number in range(200)], ())
    turns.note([f"a{number:03}" for number in range(200)], ())
    names = _give_all(turns, 50, 2000)
    assert names == [f"b{number:03}" for number in range(100)]
    assert turns.given == set(names)
    turns.note((), ["b100"])
    assert _give_all(turns, 50, 100, 2000)[0] == "b101"


@settings(max_examples=40)
@given(st.integers(1, 300), st.lists(st.integers(1, 3000), max_size=20))
def test_no_second_has_more_turns_than_the_rate_and_one_step(rate: int, gaps: list[int]) -> None:
    turns, now_ms, given_at = Turns(), 0, list[int]()
    turns.note(_names(5000), ())
    for gap in gaps:
        now_ms += gap
        given_at += [now_ms] * len(turns.give(now_ms, rate))
    for moment in set(given_at):
        within = sum(1 for other in given_at if moment <= other < moment + 1000)
        assert within <= 2 * rate + 1, "two seconds meet in one"


def _names(count: int) -> Iterable[str]:
    return [f"c{number:05}" for number in range(count)]


def test_what_was_not_used_is_not_saved_up() -> None:
    turns = Turns()
    turns.give(0, 50)
    for now_ms in range(0, 60_000, 500):
        turns.give(now_ms, 50)
    turns.note(_names(1000), ())
    assert len(turns.give(60_000, 50)) <= 50


def test_after_a_stop_they_wait_again() -> None:
    turns = Turns()
    turns.note(["a", "b"], ())
    assert turns.give(0, 10) == ["a"]
    assert turns.stop() == {"a"}
    turns.note(["a"], ())
    assert turns.give(1000, 10) == ["b"]
    assert turns.find_next_ms() == 1000 + STEP_MS
    assert turns.give(1100, 10) == ["a"]
    assert turns.find_next_ms() is None
