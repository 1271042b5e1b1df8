"""What a service tells: items and metrics; and one that raises harms its container only."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.programs.told import (
    LONGEST_NAME,
    MOST_KEYS,
    ask,
    check_items,
    check_metrics,
    clean,
)
from ..controller.status import METRICS_INTERVAL_MS, differ
from ..lib import loop
from ..lib.delta import Update
from ..lib.items import MOST_ITEMS, MOST_TEXT, weigh
from ..services.api import host as api
from ..services.api.item import Item
from .bench import ME, Bench
from .rig import to_map

# -- items ---------------------------------------------------------------------


def find_items(bench: Bench) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in bench.sb.rows("Container_Item")}


def test_items_come_change_and_go(chassis: Bench) -> None:
    chassis.host.items["c1"] = [
        Item("member", "m1", "up", "u1", "fine", 5, {"address": "1.2.3.4"}, {"bytes": 7}),
        Item("peer", "p1", "idle"),
    ]
    chassis.bind("c1")
    chassis.settle()
    rows = find_items(chassis)
    member = rows["m1"]
    assert (member["container"], member["chassis"], member["kind"]) == ("c1", ME, "member")
    assert (member["subject"], member["state"], member["message"]) == ("u1", "up", "fine")
    assert (member["since"], member["detail"]) == (5, to_map({"address": "1.2.3.4"}))
    assert member["counters"] == ["map", [["bytes", 7]]]
    seen = rows["p1"]["since"]
    assert seen > 0
    chassis.host.items["c1"] = [Item("peer", "p1", "idle", message="still")]
    chassis.until(lambda: find_items(chassis).keys() == {"p1"}, "m1 to go")
    assert find_items(chassis)["p1"]["since"] == seen
    chassis.host.items["c1"] = [Item("peer", "p1", "up", since=9)]
    chassis.until(lambda: find_items(chassis)["p1"]["state"] == "up", "the other state")
    assert find_items(chassis)["p1"]["since"] == 9
    chassis.check_laws()
    chassis.unbind("c1")
    chassis.until(lambda: not find_items(chassis), "the items to go")
    chassis.check_laws()


def test_items_that_a_dead_controller_left_go(chassis: Bench) -> None:
    chassis.host.items["c1"] = [Item("peer", "p1", "up")]
    chassis.bind("c1")
    chassis.settle()
    chassis.controller.close()
    chassis.unbind("c1")
    chassis.controller = chassis.make_controller()
    chassis.until(lambda: not find_items(chassis), "the items to go")
    chassis.check_laws()


BAD = [
    None,
    "text",
    Item("", "n", "up"),
    Item("k", "", "up"),
    Item("k", "since", "up", since=-1),
    Item("k", "state", 3),  # type: ignore[arg-type]
    Item("k", "detail", "up", detail={"a": 1}),  # type: ignore[dict-item]
    Item("k", "counters", "up", counters={"a": -1}),
]


def test_a_bad_item_harms_itself(chassis: Bench) -> None:
    chassis.host.items["c1"] = [*BAD, Item("k", "good\0\ud800", "up")]
    chassis.bind("c1")
    chassis.bind("c2")
    chassis.until_status("c1", "running", "items cannot be told: None is no Item; ")
    assert " and 5 more" in chassis.binding("c1")["status_message"]
    assert find_items(chassis).keys() == {"good\ufffd?"}
    chassis.until(lambda: is_well(chassis, "c2"), "c2")
    chassis.check_laws()


def test_items_are_bounded() -> None:
    items, problems = check_items(Item("k", f"n{number}", "up") for number in range(10**6))
    assert len(items) == MOST_ITEMS
    assert problems == [f"items cannot be told: there are more than {MOST_ITEMS}"]
    detail = {f"k{number}": "x" * 10**4 for number in range(1000)}
    (item,), _ = check_items([Item("k", "n" * 10**4, "up", detail=detail)])
    assert (len(item.name), len(item.detail)) == (LONGEST_NAME, MOST_KEYS)
    _, problems = check_items([item, item])
    assert "is there twice" in problems[0]
    items, problems = check_items(
        Item("k", f"n{number}", "up", detail=detail) for number in range(MOST_ITEMS)
    )
    assert problems == [f"items cannot be told: they are more than {MOST_TEXT} characters together"]
    assert MOST_TEXT * 0.9 < sum(map(weigh, items)) <= MOST_TEXT


# -- metrics ------------------------------------------------------------------------


def read_metrics(bench: Bench) -> dict[str, float]:
    return dict(bench.binding("c1")["metrics"][1])


def test_metrics_are_written_at_intervals(chassis: Bench) -> None:
    chassis.host.metrics["c1"] = {"sessions": 100, "rate": 1.5}
    chassis.bind("c1")
    chassis.until(lambda: read_metrics(chassis) == {"sessions": 100, "rate": 1.5}, "the metrics")
    chassis.host.metrics["c1"] = {"sessions": 104, "rate": 1.5}
    loop.warp(METRICS_INTERVAL_MS)
    chassis.until_beats(2)
    assert read_metrics(chassis) == {"sessions": 100, "rate": 1.5}
    chassis.host.metrics["c1"] = {"sessions": 200, "rate": 1.5}
    chassis.until(lambda: read_metrics(chassis)["sessions"] == 200, "another figure")
    chassis.host.metrics["c1"] = {"sessions": 300, "rate": 1.5}
    chassis.until_beats(2)
    assert read_metrics(chassis)["sessions"] == 200
    loop.warp(METRICS_INTERVAL_MS)
    chassis.until(lambda: read_metrics(chassis)["sessions"] == 300, "the next figure")
    chassis.host.metrics["c1"] = {}
    loop.warp(METRICS_INTERVAL_MS)
    chassis.until(lambda: read_metrics(chassis) == {}, "no figures")
    chassis.check_laws()


def test_bad_metrics_harm_themselves() -> None:
    values = {"": 1, "a": "x", "b": math.nan, "c": math.inf, "d": True, "e": 10**400, 5: 1}
    found, problems = check_metrics({**values, "good": 3})
    assert found == {"good": 3.0}
    assert problems == ["metrics cannot be told: '' is 1; 'a' is 'x'; 'b' is nan and 4 more"]


NUMBERS = st.dictionaries(st.sampled_from("abc"), st.floats(-1e9, 1e9))


@given(NUMBERS, NUMBERS)
def test_what_is_another_figure(before: dict[str, float], after: dict[str, float]) -> None:
    assert not differ(before, before)
    assert differ(before, after) or all(
        abs(after[name] - value) <= 0.05 * abs(value) for name, value in before.items()
    )


@given(st.text(), st.integers(2, 50))
def test_clean_text_can_be_sent(text: str, most: int) -> None:
    found = clean(text, most)
    assert len(found) <= most
    assert "\0" not in found.encode().decode()


# -- a service of somebody else --------------------------------------------------------

ERRORS = [OSError("no space left"), RecursionError("too deep"), TypeError("of None")]
SERVICE = ("apply", "set_installed", "run", "wait", "status", "check")


def is_well(bench: Bench, name: str) -> bool:
    row = bench.binding(name)
    return bool(row["status_code"] == "running" and not row["status_message"])


@pytest.mark.parametrize("method", [*SERVICE, "create", "items", "metrics"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_method_that_raises_harms_its_container(
    chassis: Bench, method: str, error: Exception
) -> None:
    chassis.logs.allow("c1: |where it happened")
    chassis.host.broken["c1", method] = error
    chassis.bind("c1")
    chassis.bind("c2")
    if method == "check":
        chassis.until(lambda: {"c1", "c2"} <= chassis.host.programs.keys(), "the programs")
        chassis.controller.check_all()
    code = "running" if method in ("items", "metrics") else "error"
    chassis.until_status("c1", code, str(error))
    chassis.until(lambda: is_well(chassis, "c2"), "c2")
    chassis.settle()
    chassis.host.broken.clear()
    chassis.controller.check_all()
    chassis.until(lambda: is_well(chassis, "c1"), "c1")
    chassis.check_laws()


@pytest.mark.parametrize("method", ["stop", "release"])
def test_an_end_that_raises_harms_its_container(chassis: Bench, method: str) -> None:
    chassis.logs.allow("c1: |where it happened")
    chassis.bind("c1")
    chassis.bind("c2")
    chassis.settle()
    chassis.host.broken["c1", method] = RecursionError("too deep")
    chassis.unbind("c1")
    chassis.unbind("c2")
    chassis.until(lambda: "c2" not in chassis.host.find_names(), "c2 to go")
    chassis.settle()
    chassis.host.broken.clear()
    chassis.until(lambda: not chassis.host.find_names(), "c1 to go")
    chassis.check_laws()


def test_a_release_that_raises_ends_nothing(chassis: Bench) -> None:
    chassis.logs.allow("c1: ")
    chassis.bind("c1")
    chassis.settle()
    chassis.host.broken["c1", "release"] = RecursionError("too deep")
    chassis.restart()
    chassis.settle()
    assert chassis.host.programs["c1"].starts == 1


@pytest.mark.parametrize("probe", [None, "text", api.Probe("x\0y", {"a": 1})])  # type: ignore[dict-item]
def test_a_probe_that_is_none_is_told(bench: Bench, probe: Any) -> None:
    bench.host.probe = probe
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    (row,) = bench.sb.rows("Chassis")
    assert row["service_types"] == ["set", []]
    assert dict(row["service_problems"][1])["fake"]


class Strange:
    """A service that returns what is none of what it should."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        return lambda: self._value


STRANGE = st.sampled_from(
    [None, 3, "x", [3], {"a": None}, object(), api.Status("other", ""), api.Status("running", None)]  # type: ignore[arg-type]
)


@given(STRANGE)
def test_whatever_is_told_can_be_taken(value: Any) -> None:
    told = ask(Strange(value))
    assert told.failure is not None
    assert told.status is None


def test_a_refused_row_holds_up_no_other(chassis: Bench) -> None:
    """A row that the server refuses for a reason that nobody thought of."""
    chassis.logs.allow("transaction refused|c1: what is told of it is refused")
    find = chassis.controller._find_telling

    def find_other(name: str, figures: bool) -> Any:
        telling = find(name, figures)
        for each in telling.changes if name == "c1" else ():
            if isinstance(each, Update) and "status_code" in each.columns:
                cast("dict[str, Any]", each.columns)["restarts"] = -1
        return telling

    chassis.controller._find_telling = find_other  # type: ignore[method-assign]
    chassis.bind_all(["c0", "c1", "c2"])
    chassis.until(lambda: is_well(chassis, "c0") and is_well(chassis, "c2"), "the others")
    assert chassis.binding("c1")["status_code"] != "running"
    chassis.controller._find_telling = find  # type: ignore[method-assign]
    chassis.until(lambda: is_well(chassis, "c1"), "c1")


def test_a_restarted_controller_says_whose_word_it_is(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    for _ in range(2):
        (private,) = chassis.sb.rows("Chassis_Private")
        assert chassis.binding("c1")["incarnation"] == private["incarnation"]
        chassis.restart()
        chassis.until_beats(1)
        chassis.settle()
