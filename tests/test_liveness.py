"""Which chassis are alive: by a clock that the test holds, and through an outage."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib import sb
from ..northd.en_options import Options
from ..northd.liveness import PASS_INTERVAL_MS, Liveness, Verdict
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Databases, wait_until

DEAD_AFTER_MS = 4000
OPTIONS = Options(chassis_dead_after_ms=DEAD_AFTER_MS, load_threshold=80, load_hysteresis=10)


def _beat(
    name: str, heartbeat: int, incarnation: str = "1", load: dict[str, str] | None = None
) -> sb.ChassisPrivate:
    return sb.ChassisPrivate(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name),
        name=name,
        incarnation=incarnation,
        heartbeat=heartbeat,
        heartbeat_timestamp=0,
        nb_cfg=0,
        nb_cfg_timestamp=0,
        stopping=False,
        ovn_problem="",
        load=load or {},
    )


def _weight(name: str, alive: bool = True, overloaded: bool = False) -> sb.ChassisWeight:
    return sb.ChassisWeight(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name),
        chassis=name,
        weight=1,
        limit=-1,
        drain=False,
        scheduled=0,
        alive=alive,
        since=0,
        overloaded=overloaded,
        problem="",
    )


class _Clock:
    """Steps a Liveness through time, a pass every PASS_INTERVAL_MS."""

    def __init__(self, *weights: sb.ChassisWeight) -> None:
        self.liveness = Liveness()
        self.now_ms = 1_000_000
        self.weights = weights
        self.verdicts: Mapping[str, Verdict] = {}
        self.alive: Mapping[str, bool] = {}

    def show(self, *beats: sb.ChassisPrivate) -> Mapping[str, bool]:
        self.verdicts = self.liveness.update(self.now_ms, OPTIONS, beats, self.weights)
        self.alive = {name: verdict.alive for name, verdict in self.verdicts.items()}
        return self.alive

    def run(self, duration_ms: int, *beats: sb.ChassisPrivate) -> Mapping[str, bool]:
        for _ in range(duration_ms // PASS_INTERVAL_MS):
            self.now_ms += PASS_INTERVAL_MS
            self.show(*beats)
        return self.alive


def test_a_heartbeat_that_stops_is_a_death_after_its_time() -> None:
    clock = _Clock()
    assert clock.show(_beat("hv1", 1)) == {"hv1": True}
    assert clock.run(DEAD_AFTER_MS, _beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}
    assert clock.run(10 * DEAD_AFTER_MS, _beat("hv1", 1)) == {"hv1": False}


def test_any_change_is_a_sign_of_life() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 7))
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 7))
    assert clock.show(_beat("hv1", 8)) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 8))
    # A chassis that started again begins to count anew.
    assert clock.show(_beat("hv1", 8, incarnation="2")) == {"hv1": True}
    clock.run(2 * DEAD_AFTER_MS, _beat("hv1", 8, incarnation="2"))
    assert clock.show(_beat("hv1", 1, incarnation="2")) == {"hv1": True}


def test_a_chassis_without_a_row_is_forgotten() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1), _beat("hv2", 1))
    assert clock.run(PASS_INTERVAL_MS, _beat("hv2", 2)) == {"hv2": True}
    clock.run(10 * DEAD_AFTER_MS, _beat("hv2", 2))
    assert clock.show(_beat("hv1", 1), _beat("hv2", 2)) == {"hv1": True, "hv2": False}


def test_a_new_northd_keeps_the_verdicts_and_gives_the_full_time() -> None:
    clock = _Clock(_weight("hv1", alive=True), _weight("hv2", alive=False))
    beats = (_beat("hv1", 5), _beat("hv2", 5))
    assert clock.show(*beats) == {"hv1": True, "hv2": False}
    assert clock.run(DEAD_AFTER_MS, *beats) == {"hv1": True, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, *beats) == {"hv1": False, "hv2": False}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 5), _beat("hv2", 6))["hv2"]


def test_one_that_stands_by_takes_over_a_verdict_of_death() -> None:
    clock = _Clock(_weight("hv1"))
    clock.show(_beat("hv1", 1))
    clock.weights = (replace(_weight("hv1", alive=False), since=7),)
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 2)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 2)) == {"hv1": True}


def test_a_stall_of_northd_is_not_held_against_a_chassis() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    clock.run(PASS_INTERVAL_MS, _beat("hv1", 1))
    clock.now_ms += 60_000
    assert clock.show(_beat("hv1", 1)) == {"hv1": True}
    # What it had left before the stall it still has, less the one pass.
    assert clock.run(DEAD_AFTER_MS - 2 * PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": True}
    assert clock.run(PASS_INTERVAL_MS, _beat("hv1", 1)) == {"hv1": False}


def test_a_northd_that_is_always_slow_finds_the_dead_too() -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    for _ in range(2 * DEAD_AFTER_MS // PASS_INTERVAL_MS):
        clock.now_ms += 10 * PASS_INTERVAL_MS
        clock.show(_beat("hv1", 1))
    assert clock.alive == {"hv1": False}


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=60))
def test_a_chassis_that_beats_at_every_pass_is_alive_whatever_the_gaps(
    passes: list[tuple[int, bool]],
) -> None:
    clock = _Clock()
    for number, (gap_ms, restarted) in enumerate(passes):
        clock.now_ms += gap_ms
        beat = _beat("hv1", number, incarnation=str(restarted))
        assert clock.show(beat) == {"hv1": True}


@given(st.lists(st.integers(1, 2 * PASS_INTERVAL_MS), min_size=1, max_size=60))
def test_without_stalls_the_verdict_is_the_time_since_the_last_beat(gaps_ms: list[int]) -> None:
    clock = _Clock()
    clock.show(_beat("hv1", 1))
    started_ms = clock.now_ms
    for gap_ms in gaps_ms:
        clock.now_ms += gap_ms
        alive = clock.show(_beat("hv1", 1))["hv1"]
        assert alive == (clock.now_ms - started_ms <= DEAD_AFTER_MS)


# -- what else a chassis says ------------------------------------------------


def test_what_a_chassis_says_of_itself_is_handed_on() -> None:
    beat = replace(_beat("hv1", 1, "7"), stopping=True, ovn_problem="ovn-controller is dead")
    clock = _Clock()
    clock.show(beat)
    before = clock.verdicts
    assert before == {"hv1": Verdict(True, "7", True, "ovn-controller is dead")}
    # What changes with each heartbeat is no part of a verdict.
    clock.show(replace(beat, heartbeat=2, heartbeat_timestamp=5, load={"cpu": "3"}))
    assert clock.verdicts == before


@pytest.mark.parametrize(
    ("overloaded", "cpu", "expected"),
    [
        (False, "79", False),
        (False, "80", True),
        (True, "80", True),
        (True, "70", True),
        (True, "69", False),
        (True, "0", False),
        (False, "2147483647", True),
        (True, "-5", False),
        (True, "many", False),
        (True, "7" * 400, False),
    ],
)
def test_overload_ends_well_below_where_it_begins(
    overloaded: bool, cpu: str, expected: bool
) -> None:
    clock = _Clock(_weight("hv1", overloaded=overloaded))
    clock.show(_beat("hv1", 1, load={"cpu": cpu}))
    assert clock.verdicts["hv1"].overloaded == expected


def test_a_chassis_that_reports_no_load_is_idle() -> None:
    clock = _Clock(_weight("hv1", overloaded=True))
    clock.show(_beat("hv1", 1))
    assert not clock.verdicts["hv1"].overloaded


@given(
    st.integers(1, 100),
    st.integers(0, 100),
    st.lists(st.integers(0, 110), min_size=1, max_size=30),
)
def test_hysteresis_turns_at_its_two_ends_only(
    threshold: int, hysteresis: int, loads: list[int]
) -> None:
    options = Options(load_threshold=threshold, load_hysteresis=hysteresis)
    liveness, overloaded = Liveness(), False
    for number, load in enumerate(loads):
        beat = _beat("hv1", number, load={"cpu": str(load)})
        before = overloaded
        weight = _weight("hv1", overloaded=before)
        overloaded = liveness.update(number, options, [beat], [weight])["hv1"].overloaded
        if overloaded != before:
            assert load >= threshold if overloaded else load < max(1, threshold - hysteresis)
        assert overloaded or load < threshold
        assert not overloaded or load > 0


# -- with databases ------------------------------------------------------------


def test_an_outage_of_the_southbound_kills_no_chassis(databases: Databases, logs: Logs) -> None:
    cloud = Cloud(databases, logs)
    cloud.add_chassis("hv1", "hv2")
    cloud.add_router("tenant-router")
    cloud.nb.insert("SVC_Global", options=["map", [["chassis-dead-after", "600"]]])
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    before = cloud.nb.dump(), cloud.ovn.dump(), _find_verdicts(cloud)
    assert all("True" in verdict for verdict in before[2])
    logs.allow(rf"{databases.sb.socket}: connection (attempt failed|closed by peer)")
    databases.sb.stop()
    end = time.monotonic() + 1.5

    def passed() -> bool:
        cloud.northd.run()
        return time.monotonic() > end

    wait_until(passed, "more than chassis-dead-after to pass")
    assert not cloud.northd.settled, "without a southbound it cannot know that all is well"
    databases.sb.start()
    cloud.settle()
    assert (cloud.nb.dump(), cloud.ovn.dump(), _find_verdicts(cloud)) == before
    cloud.laws()
    cloud.northd.close()


def _find_verdicts(cloud: Cloud) -> list[str]:
    columns = ("chassis", "scheduled", "alive", "since")
    rows = cloud.sb.rows("Chassis_Weight", (), columns)
    return sorted(" ".join(str(row[column]) for column in columns) for row in rows)
