"""The engine: what it spares is what a recompute would not change; and the graph itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..northd import graph
from ..northd.engine import Engine, Node, format_graph

GOLDEN = Path(__file__).parent / "northd-graph.dot"

# -- the engine ------------------------------------------------------------

NAMES = "abcdefgh"


def _mix(number: int) -> Callable[..., int]:
    """Returns a function that loses much, so that a changed input often gives an equal datum."""
    return lambda *data: (number + sum(data)) % 3


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Node, ...]:
    """Sources s0..s2, then nodes with inputs among all before them."""
    nodes = [Node(f"s{number}") for number in range(3)]
    for number, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        known = [node.name for node in nodes]
        inputs = draw(st.lists(st.sampled_from(known), max_size=3, unique=True))
        nodes.append(Node(name, tuple(inputs), _mix(number)))
    return tuple(nodes)


steps = st.lists(
    st.dictionaries(st.sampled_from(["s0", "s1", "s2"]), st.integers(0, 3)), max_size=8
)


def _compute_all(nodes: tuple[Node, ...], sources: dict[str, int]) -> dict[str, Any]:
    """Says what each datum must be, without an engine."""
    data: dict[str, Any] = dict(sources)
    for node in nodes:
        if node.run is not None:
            data[node.name] = node.run(*(data[name] for name in node.inputs))
    return data


@given(graphs(), steps)
def test_what_was_kept_is_what_a_recompute_gives(
    nodes: tuple[Node, ...], changes: list[dict[str, int]]
) -> None:
    engine = Engine(nodes)
    sources = {"s0": 0, "s1": 0, "s2": 0}
    before: dict[str, Any] = {}
    for change in ({**sources}, *changes):
        sources.update(change)
        for name, datum in change.items():
            engine.set_source(name, datum)
        changed = engine.run()
        data = {node.name: engine.get(node.name) for node in nodes}
        assert data == _compute_all(nodes, sources)
        assert changed or data == before, "a change was not told"
        before = data
    engine.recompute()
    engine.run()
    assert {node.name: engine.get(node.name) for node in nodes} == before


def _count(engine: Engine) -> dict[str, tuple[int, int]]:
    return {name: (each.compute, each.changed) for name, each in engine.stats().items()}


def test_an_equal_datum_stops_the_change() -> None:
    engine = Engine(
        [
            Node("rows"),
            Node("parity", ("rows",), lambda rows: rows % 2),
            Node("text", ("parity",), str),
        ]
    )
    engine.set_source("rows", 1)
    assert engine.run()
    engine.set_source("rows", 3)
    assert engine.run(), "the source itself changed"
    assert _count(engine) == {"parity": (2, 1), "text": (1, 1)}
    assert not engine.run()
    assert _count(engine) == {"parity": (2, 1), "text": (1, 1)}
    engine.recompute()
    assert engine.run()
    assert _count(engine) == {"parity": (3, 2), "text": (2, 2)}


def test_a_node_that_failed_is_computed_again() -> None:
    failing = True

    def refuse(rows: int) -> int:
        if failing:
            raise ValueError("on purpose")
        return rows

    engine = Engine([Node("rows"), Node("first", ("rows",), refuse), Node("last", ("rows",), str)])
    engine.set_source("rows", 5)
    with pytest.raises(ValueError, match="on purpose"):
        engine.run()
    failing = False
    assert engine.run()
    assert (engine.get("first"), engine.get("last")) == (5, "5")


def test_a_node_before_its_inputs_is_refused() -> None:
    with pytest.raises(AssertionError, match="late stands before its inputs"):
        Engine([Node("late", ("rows",), str), Node("rows")])


# -- the graph of svc-northd -----------------------------------------------


def test_graph_is_the_one_that_was_looked_at() -> None:
    """To accept a new graph write format_graph(graph.NODES) to the file; its diff is the review."""
    assert format_graph(graph.NODES) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_names_of_nodes_differ_and_inputs_are_taken() -> None:
    names = [node.name for node in graph.NODES]
    assert len(set(names)) == len(names)
    for node in graph.NODES:
        if node.run is not None:
            assert len(inspect.signature(node.run).parameters) == len(node.inputs), node.name


def test_each_node_is_needed_by_an_output() -> None:
    inputs = {node.name: node.inputs for node in graph.NODES}
    needed = [name for names in graph.OUTPUTS.values() for name in names]
    for name in needed:
        needed.extend(each for each in inputs[name] if each not in needed)
    unused = inputs.keys() - set(needed)
    # Tables that the sync_* modules read, and nodes do not.
    assert not {name for name in unused if "." not in name}


def test_every_table_that_is_fed_has_its_node() -> None:
    names = {node.name for node in graph.NODES}
    for prefix, classes in (("nb", graph.NB_CLASSES), ("sb", graph.SB_CLASSES)):
        assert {f"{prefix}.{each.TABLE}" for each in classes} <= names
