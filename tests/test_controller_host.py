"""How svc-controller sees its host: load, ovn-controller, labels, heartbeats."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.heartbeat import Heartbeat
from ..controller.identity import parse_labels
from ..controller.linux.load import LoadMeter, Times, find_percent, parse_times
from .bench import Bench
from .ovsdb import wait_until
from .rig import to_map

_PROBLEM = "ovn-controller is not running"

# -- load ------------------------------------------------------------------------


def test_times_of_proc_stat() -> None:
    text = "cpu  10 2 3 100 5 1 1 4 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert parse_times(text) == Times(21, 126)


@pytest.mark.parametrize(
    "text", ["", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"]
)
def test_what_is_no_proc_stat(text: str) -> None:
    assert parse_times(text) is None


@given(*[st.integers(0, 10**9)] * 4)
def test_percent_is_a_share(used: int, total: int, more_used: int, more: int) -> None:
    percent = find_percent(Times(used, total), Times(more_used, more))
    assert percent is None or 0 <= percent <= 100
    assert find_percent(Times(used, total), Times(used + more, total + more)) == (
        100 if more else None
    )
    assert find_percent(Times(used, total), Times(used, total + more)) == (0 if more else None)


def test_load_is_that_of_the_last_seconds(tmp_path: Path) -> None:
    path = tmp_path / "stat"
    meter = LoadMeter(str(path))

    def read(now_ms: int, used: int, idle: int) -> dict[str, str]:
        path.write_text(f"cpu {used} 0 0 {idle} 0 0 0 0 0 0\n")
        return meter.read(now_ms)

    assert read(0, 0, 0) == {}
    assert read(1000, 100, 0) == {"cpu": "100"}
    assert read(2000, 100, 100) == {"cpu": "50"}
    assert read(7000, 100, 200) == {"cpu": "0"}
    path.unlink()
    assert meter.read(8000) == {}


def test_load_of_this_host() -> None:
    meter = LoadMeter()
    meter.read(0)
    assert wait_until(lambda: meter.read(1), "a tick").keys() == {"cpu"}


# -- ovn-controller -----------------------------------------------------------------


def test_ovn_controller_is_expected_where_it_has_a_southbound(bench: Bench) -> None:
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis_Private"), "the chassis to register")
    assert not bench.host.ovn_expected
    ids = bench.ids | {"ovn-remote": "tcp:127.0.0.1:6642"}
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(ids))
    bench.until(lambda: bench.host.ovn_expected, "the word of it")
    bench.check_laws()


# -- labels ---------------------------------------------------------------------------


def test_labels() -> None:
    labels, problems = parse_labels(" rack=r1, zone=z2,,rack=r2,nonsense,=x,a b=c,k=")
    assert labels == {"rack": "r1", "zone": "z2"}
    assert problems == [
        "'rack=r2' is the second value of rack",
        "'nonsense' is not KEY=VALUE",
        "'=x' is not KEY=VALUE",
        "'a b=c' is not KEY=VALUE",
        "'k=' is not KEY=VALUE",
    ]
    assert parse_labels("") == ({}, [])


def test_labels_are_told(bench: Bench) -> None:
    bench.logs.allow("external_ids:svc-labels of the local Open_vSwitch: 'oops' is not")
    bench.open_switch(**{"svc-labels": "rack=r1,oops"})
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    assert bench.sb.rows("Chassis")[0]["other_config"] == to_map({"rack": "r1"})
    bench.ovs.update(
        "Open_vSwitch", [], external_ids=to_map(bench.ids | {"svc-labels": "rack=r2,oops"})
    )

    def told() -> Any:
        return bench.sb.rows("Chassis")[0]["other_config"] == to_map({"rack": "r2"})

    bench.until(told, "the other label")
    assert sum("svc-labels" in text for _level, _module, text in bench.logs.messages) == 1
    bench.check_laws()


# -- heartbeats --------------------------------------------------------------------------


def test_heartbeats_spread() -> None:
    heartbeat = Heartbeat()
    beats = [now_ms for now_ms in range(100_000) if heartbeat.run(now_ms, 0, 1000)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    assert 900 <= min(gaps) < 950
    assert 1050 < max(gaps) <= 1100


def test_load_goes_with_the_heartbeat(chassis: Bench) -> None:
    seen: set[tuple[int, str]] = set()

    def beats() -> bool:
        (row,) = chassis.sb.rows("Chassis_Private")
        seen.update({(row["heartbeat"], str(row["load"]))})
        return len(seen) > 3

    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    chassis.until(beats, "heartbeats")
    assert len({beat for beat, _load in seen}) == len(seen)
    chassis.check_laws()


def test_a_problem_of_ovn_is_told_at_once(chassis: Bench) -> None:
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100000000"}))
    chassis.settle()
    chassis.until_beats(0)
    chassis.host.ovn_problem = _PROBLEM

    def told() -> Any:
        return chassis.sb.rows("Chassis_Private")[0]["ovn_problem"] == _PROBLEM

    chassis.until(told, "the problem")
    chassis.host.ovn_problem = ""
    chassis.until(lambda: not told(), "the end of it")
    chassis.check_laws()
