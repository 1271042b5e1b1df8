"""svc-controller costs what changed, not what is there."""

from __future__ import annotations

import time

import ovs.poller
import pytest

from .bench import Bench
from .rig import to_map

CONTAINERS = 300


@pytest.fixture
def crowd(chassis: Bench) -> Bench:
    """A chassis with many containers that are idle."""
    chassis.host.interval_ms = None
    chassis.bind_all(f"c{number}" for number in range(CONTAINERS))
    chassis.settle(60)
    forget(chassis)
    return chassis


def forget(chassis: Bench) -> None:
    """Forgets what was asked for so far."""
    for each in (chassis.host.reads, chassis.host.plans, chassis.host.runs):
        each.clear()


def find_read(chassis: Bench) -> set[str]:
    return {name for _kind, name in chassis.host.reads}


@pytest.mark.timeout(120)
def test_one_change_is_the_work_of_one(crowd: Bench) -> None:
    crowd.controller.containers._sweep._round_at_ms += 10**6
    crowd.bind("c7", {"addresses": ["1.0.0.7/32"]})
    crowd.settle()
    assert (find_read(crowd), set(crowd.host.runs)) == ({"c7"}, {"c7"})
    assert len(crowd.host.plans) == 1
    forget(crowd)
    crowd.ovs.update("Interface", [["name", "==", "c8"]], external_ids=to_map({"ovnsvc": "c8"}))
    crowd.until(lambda: "iface-id" in crowd.ports()["c8"], "the port mended")
    assert find_read(crowd) | set(crowd.host.runs) <= {"c8"}
    forget(crowd)
    crowd.unbind("c9")
    crowd.until(lambda: "c9" not in crowd.host.find_names(), "c9 to go")
    assert find_read(crowd) | set(crowd.host.runs) == {"c9"}
    assert crowd.host.plans == []
    forget(crowd)
    crowd.until_beats(3)
    assert (crowd.host.reads, crowd.host.plans, crowd.host.runs) == ([], [], [])


@pytest.mark.timeout(120)
def test_everything_is_looked_at_in_turn(crowd: Bench) -> None:
    crowd.controller.containers._sweep.hasten()
    names = {f"c{number}" for number in range(CONTAINERS)}
    crowd.until(lambda: find_read(crowd) == names, "the looks", 60)
    assert crowd.host.plans == []
    crowd.check_laws()


def test_an_idle_pass_costs_little(crowd: Bench) -> None:
    """A pass of a crowd at rest takes no longer than a few milliseconds, beats aside."""
    durations: list[float] = []
    while len(durations) < 20:
        poller = ovs.poller.Poller()
        started = time.process_time()
        crowd.controller.run()
        crowd.controller.wait(poller)
        durations.append(time.process_time() - started)
        poller.timer_wait(20)
        poller.block()
    assert sorted(durations)[10] < 0.01
