"""Augmenting paths: a place for one more, by giving others of the plan another chassis."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ..northd.scheduler.shifts import find_shifts
from .placements import count_most, many

CHASSIS = ["hv1", "hv2", "hv3", "hv4"]
wishes = st.lists(st.lists(st.sampled_from(CHASSIS), unique=True), max_size=9)
rooms = st.fixed_dictionaries({name: st.integers(0, 3) for name in CHASSIS})


def _fill(options: dict[str, list[str]], room: dict[str, int]) -> dict[str, str]:
    """Places one after the other; returns where each is."""
    where: dict[str, str] = {}
    decided: defaultdict[str, dict[str, None]] = defaultdict(dict)
    stuck: set[str] = set()
    for name in options:
        shifts = find_shifts(
            name,
            lambda each: options[each],
            lambda chassis: len(decided[chassis]) < room[chassis],
            decided,
            stuck,
        )
        assert shifts is None or shifts[-1][0] == name
        for mover, chassis in shifts or ():
            decided[where.get(mover, "")].pop(mover, None)
            decided[chassis][mover] = None
            where[mover] = chassis
    return where


@many
@given(wishes, rooms)
def test_paths_make_a_greatest_matching(wanted: list[list[str]], room: dict[str, int]) -> None:
    options = {f"vpn-{number}": each for number, each in enumerate(wanted)}
    where = _fill(options, room)
    assert len(where) == count_most(options, room)
    assert all(chassis in options[name] for name, chassis in where.items())
    for chassis in CHASSIS:
        assert list(where.values()).count(chassis) <= room[chassis]


def test_a_path_may_be_long() -> None:
    count = 2000
    chassis = [f"hv{number}" for number in range(count + 1)]
    decided = {chassis[number]: [f"vpn-{number}"] for number in range(count)}

    def find_options(name: str) -> list[str]:
        number = int(name.partition("-")[2])
        return chassis[number : number + 2]

    shifts = find_shifts(
        "vpn-0", find_options, lambda each: each == chassis[count], {**decided}, set()
    )
    assert shifts is not None
    assert len(shifts) == count
    assert shifts[0] == (f"vpn-{count - 1}", chassis[count])
    assert shifts[-1] == ("vpn-0", chassis[1])


def test_what_leads_nowhere_is_not_searched_again() -> None:
    asked: list[str] = []
    stuck: set[str] = set()

    def find_options(name: str) -> list[str]:
        asked.append(name)
        return ["hv1"]

    decided = {"hv1": ["vpn-a"]}
    assert find_shifts("vpn-b", find_options, lambda _: False, decided, stuck) is None
    assert (asked, stuck) == (["vpn-b", "vpn-a"], {"hv1"})
    assert find_shifts("vpn-c", find_options, lambda _: False, decided, stuck) is None
    assert asked == ["vpn-b", "vpn-a", "vpn-c"]
