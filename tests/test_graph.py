"""The graph of svc-northd's nodes is the one that was looked at, and no node is for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..northd import graph
from ..northd.engine.engine import Engine, format_graph
from ..northd.scheduler.clock import Clock
from ..northd.scheduler.health import Memory
from ..services.api.node import Datum, Node
from ..services.ipsec.compile import HALF

GOLDEN = Path(__file__).parent / "northd-graph.dot"
HALVES = {"ipsec": HALF}
NODES = graph.make_nodes(HALVES, Memory(Clock()))


def test_graph_is_the_one_that_was_looked_at() -> None:
    """To accept a new graph write format_graph(NODES) to the file; its diff is the review."""
    assert format_graph(NODES) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_names_differ() -> None:
    # A Datum is compared by identity, and told apart by its name in every sentence.
    inputs = {each for node in NODES if isinstance(node, Node) for each in node.follows}
    data = {node.datum for node in NODES} | inputs
    assert len({datum.name for datum in data}) == len(data)


def test_nodes_read_only_what_is_before_them() -> None:
    assert Engine(NODES).nodes == NODES


def test_each_node_is_needed_by_an_output() -> None:
    inputs = {
        node.datum: {*node.follows, *node.inputs} if isinstance(node, Node) else {node.of}
        for node in NODES
    }
    outputs = [datum for each in graph.OUTPUTS.values() for datum in each]
    needed: list[Datum[Any, Any] | None] = [*outputs, *graph.WATCHED, HALF.statuses]
    for datum in needed:
        found = inputs.get(datum, set()) if datum is not None else set()
        needed.extend(each for each in found if each not in needed)
    assert {datum.name for datum in inputs.keys() - set(needed)} == set()


def test_every_table_that_is_followed_is_read() -> None:
    read = {
        datum
        for node in NODES
        for datum in ((*node.follows, *node.inputs) if isinstance(node, Node) else (node.of,))
    }
    for tables in graph.find_tables(HALVES).values():
        assert set(tables.values()) <= read
