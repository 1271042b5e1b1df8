"""Numbers of requests count on past the end of their range, whatever others wrote there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..lib.placement import EVERYWHERE, count_forgiveness
from ..lib.sequence import MOST, count_on, find_earlier, find_first, find_last, has_reached

ENDS = (0, 1, 2, MOST // 2, MOST // 2 + 1, MOST - 1, MOST)
NUMBERS = st.integers(0, MOST) | st.sampled_from(ENDS)


@given(NUMBERS)
def test_the_next_is_later_and_within_the_range(number: int) -> None:
    assert 1 <= count_on(number) <= MOST
    assert not has_reached(number, count_on(number))
    assert has_reached(count_on(number), number)


@given(NUMBERS, st.integers(0, 1000))
def test_some_later_ones_have_reached_it(number: int, count: int) -> None:
    later = number
    for _ in range(count):
        later = count_on(later)
    assert has_reached(later, number)
    assert find_first([later, number]) == number
    assert find_last([number, later]) == later


@given(NUMBERS.filter(bool), NUMBERS)
def test_the_ranges_are_those_that_have_not_reached_it(number: int, reached: int) -> None:
    inside = [low <= reached <= high for low, high in find_earlier(number)]
    assert any(inside) != has_reached(reached, number)


@given(st.integers(0, MOST // 2), st.integers(0, MOST // 2))
def test_numbers_near_each_other_are_compared_as_ever(one: int, other: int) -> None:
    assert has_reached(one, other) == (one >= other)


def test_none_is_before_all_others() -> None:
    assert has_reached(0, 0)
    assert has_reached(MOST, 0)
    assert not has_reached(0, MOST)
    assert (find_first([]), find_last([])) == (None, 0)
    assert find_first([3, 0, MOST]) == 0


def test_forgiveness_has_a_number_that_no_key_had() -> None:
    assert count_forgiveness({"hv1": MOST}, "hv2") == {"hv1": MOST, "hv2": 1}
    assert count_forgiveness({"hv1": MOST, "hv2": 1}, "hv2") == {"hv1": MOST, "hv2": 2}
    assert count_forgiveness({"hv1": MOST - 1}, None) == {EVERYWHERE: MOST}
