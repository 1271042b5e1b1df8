"""The engine of keyed nodes: a change costs what read it, a mistake harms its key only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.errors import ConfigError
from ..northd.engine.engine import Engine
from ..northd.engine.store import Store
from ..services.api.node import AnyNode, Datum, Index, Node, Read, Tally

NUMBER: Datum[str, int] = Datum("number")
FACTOR: Datum[str, int] = Datum("factor")
PARITY: Datum[str, int] = Datum("parity")
TEXT: Datum[str, str] = Datum("text")


def _find_parity(read: Read, key: str) -> int | None:
    number = read(NUMBER, key)
    return None if number is None else number % 2


def _make_text(read: Read, key: str) -> str:
    return f"{key} is {'odd' if read(PARITY, key) else 'even'}"


def _make() -> Engine:
    nodes = (
        Node(PARITY, _find_parity, (NUMBER,)),
        Node(TEXT, _make_text, (PARITY,)),
    )
    return Engine(nodes, (TEXT,))


def _count(engine: Engine) -> dict[str, tuple[int, int]]:
    return {name: (each.compute, each.changed) for name, each in engine.stats().items()}


def test_a_run_of_many_keys_leaves_no_room_that_later_ones_walk_through() -> None:
    """A set that was emptied by pop() keeps its room, and pop() looks through all of it."""
    engine = _make()
    for number in range(10_000):
        engine.put(NUMBER, str(number), number)
    engine.run(0)
    room = sum(sys.getsizeof(state.store.dirty) for state in engine._states)
    assert room == len(engine.nodes) * sys.getsizeof(set())


def test_a_change_computes_what_it_reaches_and_stops_where_a_value_came_out_equal() -> None:
    engine = _make()
    for key in "abc":
        engine.put(NUMBER, key, 1)
    assert engine.run(0) == {TEXT: {"a", "b", "c"}}
    assert engine.get_all(TEXT) == {key: f"{key} is odd" for key in "abc"}
    assert _count(engine) == {"parity": (3, 3), "text": (3, 3)}
    engine.put(NUMBER, "b", 3)
    assert engine.run(0) == {}
    assert _count(engine) == {"parity": (4, 3), "text": (3, 3)}
    engine.put(NUMBER, "b", 4)
    assert engine.run(0) == {TEXT: {"b"}}
    assert _count(engine) == {"parity": (5, 4), "text": (4, 4)}
    engine.put(NUMBER, "b", 4)
    assert engine.run(0) == {}
    assert engine.count_runs() == 9


def test_a_key_goes_with_what_it_follows() -> None:
    engine = _make()
    engine.put(NUMBER, "a", 1)
    engine.run(0)
    engine.put(NUMBER, "a", None)
    assert engine.run(0) == {TEXT: {"a"}}
    assert engine.get(TEXT, "a") is None
    assert engine.get_all(PARITY) == {}


def test_who_read_a_value_is_computed_again_and_nobody_else() -> None:
    computed: list[str] = []

    def multiply(read: Read, key: str) -> int:
        computed.append(key)
        # Only a big number asks for a factor, and which one depends on the key.
        number = read(NUMBER, key) or 0
        return number * (read(FACTOR, key[0]) or 1) if number > 9 else number

    engine = Engine((Node(PARITY, multiply, (NUMBER,), (FACTOR,)),))
    for key, number in {"a1": 10, "a2": 20, "a3": 1, "b1": 10}.items():
        engine.put(NUMBER, key, number)
    engine.run(0)
    computed.clear()
    engine.put(FACTOR, "a", 3)
    engine.run(0)
    assert sorted(computed) == ["a1", "a2"]
    assert engine.get_all(PARITY) == {"a1": 30, "a2": 60, "a3": 1, "b1": 10}
    # What is not read any more makes nobody dirty, nor does what was never there.
    engine.put(NUMBER, "a1", 1)
    engine.run(0)
    computed.clear()
    engine.put(FACTOR, "a", 4)
    engine.put(FACTOR, "c", 4)
    engine.run(0)
    assert computed == ["a2"]


def test_who_reads_everything_is_computed_again_with_any_change() -> None:
    engine = Engine(
        (Node(PARITY, lambda read, _: sum(read.all(NUMBER).values()), (FACTOR,), (NUMBER,)),)
    )
    engine.put(FACTOR, "", 1)
    engine.run(0)
    engine.put(NUMBER, "a", 3)
    engine.put(NUMBER, "b", 4)
    engine.run(0)
    assert engine.get(PARITY, "") == 7
    engine.put(NUMBER, "a", None)
    engine.run(0)
    assert engine.get(PARITY, "") == 4


def test_a_fault_does_not_tell_what_was_computed_with() -> None:
    def run(_read: Read, _key: str) -> int | None:
        return int("a secret")

    engine = Engine((Node(PARITY, run, (NUMBER,)),))
    engine.put(NUMBER, "a", 1)
    engine.run(0)
    fault = engine.faults["parity", "a"]
    assert "ValueError in " in fault.sentence
    assert "a secret" not in fault.sentence
    assert "with base 10" not in fault.trace


def test_what_was_not_declared_cannot_be_read() -> None:
    def peek(read: Read, key: str) -> int | None:
        return read(FACTOR, key)

    engine = Engine((Node(PARITY, peek, (NUMBER,)), Node(TEXT, _make_text, (PARITY,), (FACTOR,))))
    engine.put(NUMBER, "a", 1)
    engine.run(0)
    fault = engine.faults["parity", "a"]
    assert "AssertionError('parity reads factor, which is not an input')" in fault.sentence


def test_a_node_stands_behind_what_it_reads() -> None:
    with pytest.raises(AssertionError, match="parity is computed after it was read"):
        Engine((Node(TEXT, _make_text, (PARITY,)), Node(PARITY, _find_parity, (NUMBER,))))


# -- time ----------------------------------------------------------------------


def test_a_key_is_computed_again_when_its_moment_comes() -> None:
    engine = Engine((Node(TEXT, _look, (NUMBER,)),), (TEXT,))
    engine.put(NUMBER, "a", 100)
    engine.put(NUMBER, "b", 200)
    engine.run(0)
    assert engine.find_next_ms() == 100
    assert engine.run(99) == {}
    assert engine.run(100) == {TEXT: {"a"}}
    assert engine.get_all(TEXT) == {"a": "past", "b": "before"}
    assert engine.find_next_ms() == 200
    # A moment that nobody waits for any more is none.
    engine.put(NUMBER, "b", 300)
    engine.run(150)
    assert engine.find_next_ms() == 300
    assert engine.run(250) == {}
    engine.put(NUMBER, "b", None)
    engine.run(250)
    assert engine.find_next_ms() is None


def _look(read: Read, key: str) -> str:
    return "past" if read.is_past(read(NUMBER, key) or 0) else "before"


# -- mistakes --------------------------------------------------------------------


def _divide(read: Read, key: str) -> int:
    number = read(NUMBER, key) or 0
    if number < 0:
        raise ConfigError("a number is below 0")
    return 100 // number


def test_a_fault_stays_with_its_key_and_is_told_once() -> None:
    engine = Engine((Node(PARITY, _divide, (NUMBER,)), Node(TEXT, _make_text, (PARITY,))), (TEXT,))
    engine.put(NUMBER, "a", 1)
    engine.put(NUMBER, "b", 1)
    engine.run(0)
    engine.put(NUMBER, "a", 0)
    assert engine.run(0) == {TEXT: {"a"}}
    assert engine.find_problem(TEXT, "a") == engine.find_problem(PARITY, "a")
    assert "ZeroDivisionError" in str(engine.find_problem(TEXT, "a"))
    assert engine.get(TEXT, "a") is None
    assert engine.get(TEXT, "b") == "b is odd"
    told = engine.take_faults()
    # Who reads it has the problem and not the fault.
    assert list(told) == [("parity", "a")]
    assert "_divide" in told["parity", "a"].trace
    engine.recompute()
    engine.run(0)
    assert engine.take_faults() == {}
    assert list(engine.faults) == [("parity", "a")]
    engine.put(NUMBER, "a", 1)
    assert engine.run(0) == {TEXT: {"a"}}
    assert engine.faults == {}
    assert engine.find_problem(TEXT, "a") is None
    engine.put(NUMBER, "a", 0)
    engine.run(0)
    assert list(engine.take_faults()) == [("parity", "a")], "it is told when it comes again"
    engine.put(NUMBER, "a", None)
    engine.run(0)
    assert (engine.faults, engine.find_problem(TEXT, "a")) == ({}, None)


def test_a_mistake_in_a_row_is_a_problem_and_no_fault() -> None:
    engine = Engine((Node(PARITY, _divide, (NUMBER,)), Node(TEXT, _make_text, (PARITY,))))
    engine.put(NUMBER, "a", -1)
    engine.run(0)
    assert engine.find_problem(TEXT, "a") == "a number is below 0"
    assert not engine.faults


def test_a_problem_can_be_asked_for() -> None:
    def tell(read: Read, key: str) -> str:
        return f"{read.find_problem(PARITY, key)}, {read.has_problems(PARITY)}"

    engine = Engine((Node(PARITY, _divide, (NUMBER,)), Node(TEXT, tell, (NUMBER,), (PARITY,))))
    engine.put(NUMBER, "a", 1)
    engine.put(NUMBER, "b", 1)
    engine.run(0)
    assert engine.get(TEXT, "b") == "None, False"
    engine.put(NUMBER, "a", -1)
    engine.run(0)
    assert engine.get(TEXT, "a") == "a number is below 0, True"
    assert engine.get(TEXT, "b") == "None, True"


# -- indexes -----------------------------------------------------------------------

BY_SIZE: Datum[str, Any] = Datum("by size")
TOTAL: Datum[str, int] = Datum("total")


def _find_size(_key: str, number: int) -> tuple[str, ...]:
    return ("big",) if 1000 // number < 100 else ("small",)


INDEXED = (
    Index(BY_SIZE, NUMBER, _find_size),
    Tally(TOTAL, NUMBER, lambda key, number: ((key[0], number),)),
    Node(TEXT, lambda read, key: str(sorted(read(BY_SIZE, key) or ())), (FACTOR,), (BY_SIZE,)),
)


def test_an_index_and_a_tally_follow_the_rows_that_change() -> None:
    engine = Engine(INDEXED)
    for size in ("big", "small"):
        engine.put(FACTOR, size, 1)
    for key, number in {"a1": 5, "a2": 50, "b1": 60}.items():
        engine.put(NUMBER, key, number)
    engine.run(0)
    assert engine.get_all(TEXT) == {"big": "['a2', 'b1']", "small": "['a1']"}
    assert engine.get_all(TOTAL) == {"a": 55, "b": 60}
    engine.put(NUMBER, "a2", 7)
    engine.put(NUMBER, "b1", None)
    engine.run(0)
    assert engine.get_all(TEXT) == {"big": "[]", "small": "['a1', 'a2']"}
    assert engine.get_all(TOTAL) == {"a": 12}
    # A value that leads nowhere by a mistake of ours is left out, and told.
    engine.put(NUMBER, "b1", 0)
    engine.run(0)
    assert engine.get_all(TEXT)["big"] == "[]"
    ((place, fault),) = engine.take_faults().items()
    assert place == ("by size", "b1")
    assert "ZeroDivisionError" in fault.sentence
    assert "_find_size" in fault.trace
    assert engine.find_differences() == []
    engine.recompute()
    engine.run(0)
    assert engine.take_faults() == {}, "it is told once"
    engine.put(NUMBER, "b1", 60)
    engine.run(0)
    assert engine.faults == {}


def test_an_index_that_is_asked_again_may_lead_elsewhere() -> None:
    """A type may have mistakes: a recompute finds what is then, and a change never raises."""
    places = {"a": "small"}
    index = Index(BY_SIZE, NUMBER, lambda key, _number: (places[key],))
    text = Node(TEXT, lambda read, size: str(sorted(read(BY_SIZE, size) or ())), (BY_SIZE,))
    engine = Engine((index, text))
    engine.put(NUMBER, "a", 1)
    engine.run(0)
    places["a"] = "big"
    engine.recompute()
    engine.run(0)
    assert engine.get_all(TEXT) == {"big": "['a']"}
    assert engine.find_differences() == []
    places["a"] = "middling"
    engine.put(NUMBER, "a", None)
    engine.recompute()
    engine.run(0)
    assert engine.get_all(TEXT) == {}


# -- incremental and recompute --------------------------------------------------------


def _mix(number: int, inputs: tuple[Datum[Any, Any], ...]) -> Callable[[Read, str], int | None]:
    """Returns a function that loses much, so that a changed input often gives an equal value."""

    def run(read: Read, key: str) -> int | None:
        values = [read(each, other) or 0 for each in inputs for other in (key, "abc"[number % 3])]
        total = number + sum(values)
        if total % 7 == 3:
            raise ConfigError(f"{total} cannot be")
        return total % 4 or None

    return run


@st.composite
def graphs(draw: st.DrawFn) -> tuple[AnyNode, ...]:
    """Nodes that read among all data before them."""
    known: list[Datum[Any, Any]] = [NUMBER, FACTOR]
    nodes: list[AnyNode] = []
    for number in range(draw(st.integers(1, 7))):
        datum: Datum[Any, Any] = Datum(f"n{number}")
        inputs = tuple(draw(st.lists(st.sampled_from(known), max_size=3, unique=True)))
        follows = draw(st.sampled_from(known))
        nodes.append(Node(datum, _mix(number, inputs), (follows,), inputs))
        known.append(datum)
    return tuple(nodes)


changes = st.lists(
    st.tuples(
        st.sampled_from([NUMBER, FACTOR]), st.sampled_from("abcd"), st.none() | st.integers(0, 5)
    ),
    max_size=3,
)


@given(graphs(), st.lists(changes, max_size=8))
def test_what_was_kept_is_what_a_recompute_gives(
    nodes: tuple[AnyNode, ...], steps: list[list[tuple[Datum[str, int], str, int | None]]]
) -> None:
    watched = [node.datum for node in nodes]
    engine = Engine(nodes, watched)
    before: dict[Any, Any] = {}
    for step in steps:
        for datum, key, value in step:
            engine.put(datum, key, value)
        told = {(datum, key) for datum, keys in engine.run(0).items() for key in keys}
        assert engine.find_differences() == []
        now = {
            (datum, key): (engine.get(datum, key), engine.find_problem(datum, key))
            for datum in watched
            for key in "abcd"
        }
        changed = {place for place in now if now[place] != before.get(place, (None, None))}
        assert changed <= told, "a change was not told"
        before = now
    engine.recompute()
    engine.run(0)
    assert engine.find_differences() == []


def test_a_value_that_is_not_what_its_rows_say_is_found() -> None:
    state = {"number": 1}
    engine = Engine((Node(PARITY, lambda _read, _key: state["number"], (NUMBER,)),))
    for key in "ab":
        engine.put(NUMBER, key, 1)
    engine.run(0)
    assert engine.find_differences() == []
    # A function that is not pure: what it read, nobody noted.
    state["number"] = 2
    engine.put(NUMBER, "a", 2)
    engine.run(0)
    assert engine.find_differences() == ["parity: ['b']"]


@given(st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 3))), max_size=60))
def test_who_reads_a_cell_is_known_however_many_they_are(
    readings: list[tuple[int, set[int]]],
) -> None:
    """Readers are kept in one of several ways by their number; each is told of a change."""
    values, computed = Store("values"), Store("computed")
    known: dict[int, set[int]] = {}
    for number in range(4):
        values.cells[number].set(number)
    for reader, read in readings:
        # As a node that reads some twice.
        cells = [values.cells[number] for number in (*sorted(read), *sorted(read))]
        computed.cells[reader].read_from(tuple(cells))
        known[reader] = read
        for number in range(4):
            values.cells[number].mark_readers()
            told = {cell.key for cell in computed.dirty}
            assert told == {each for each, numbers in known.items() if number in numbers}
            computed.dirty.clear()
    for reader in known:
        computed.cells[reader].read_from(())
    assert all(cell.readers is None for cell in values.cells.values())
