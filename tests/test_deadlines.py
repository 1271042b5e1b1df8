"""Deadlines by name, held against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ..northd.deadlines import Deadlines

_NAMES = st.sampled_from("abc")
_STEPS = st.one_of(
    st.tuples(st.just("set"), _NAMES, st.integers(0, 20)),
    st.tuples(st.just("drop"), _NAMES, st.just(0)),
    st.tuples(st.just("take"), st.just(""), st.integers(0, 20)),
)


@given(st.lists(_STEPS, max_size=60))
def test_the_earliest_deadline_of_each_counts(steps: list[tuple[str, str, int]]) -> None:
    deadlines, expected = Deadlines(), dict[str, int]()
    for step, name, number in steps:
        if step == "set":
            deadlines.set(name, number)
            expected[name] = min(number, expected.get(name, number))
        elif step == "drop":
            deadlines.drop(name)
            expected.pop(name, None)
        else:
            due = sorted(each for each, due_ms in expected.items() if due_ms < number)
            assert sorted(deadlines.take_before(number)) == due
            for each in due:
                del expected[each]


def test_a_deadline_that_is_put_off_again_and_again_costs_nothing() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.set("a", number)
    assert len(deadlines._heap) == 1
