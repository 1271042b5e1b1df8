"""The wall clock is set while containers start, fail and are avoided: nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..lib import loop
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, run_scenario

HOUR_MS = 3_600_000


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


@pytest.fixture(params=[-HOUR_MS, HOUR_MS])
def step_ms(request: pytest.FixtureRequest) -> Iterator[int]:
    """By how much the wall clock is set; it is set back at the end."""
    yield int(request.param)
    loop.warp_wall(-int(request.param))


def test_what_is_starting_has_its_time_and_no_more(cloud: Scenario, step_ms: int) -> None:
    cloud.chassis["hv1"].slow = {""}
    (container,) = cloud.add_services(1)
    cloud.settle()
    loop.warp_wall(step_ms)
    cloud.settle()
    assert cloud.look(container).active == "hv1"
    cloud.warp(16_000)
    assert cloud.look(container).active == "hv2"


def test_a_pause_lasts_as_long_as_it_was_to(cloud: Scenario, step_ms: int) -> None:
    for chassis in ("hv2", "hv3"):
        cloud.set_chassis(chassis, container_weight=0)
    cloud.chassis["hv1"].failing = {"": "no memory"}
    (container,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(2100)
    assert cloud.list_avoided(container)["hv1"]["failures"] == 1
    loop.warp_wall(step_ms)
    cloud.settle()
    assert cloud.list_avoided(container)["hv1"]["failures"] == 1
    cloud.warp(15_100)
    assert cloud.list_avoided(container)["hv1"]["failures"] == 2


def test_one_that_takes_over_with_another_clock_waits_no_longer(
    cloud: Scenario, step_ms: int
) -> None:
    for chassis in ("hv2", "hv3"):
        cloud.set_chassis(chassis, container_weight=0)
    cloud.chassis["hv1"].failing = {"": "no memory"}
    (container,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(2100)
    cloud.northd.close()
    loop.warp_wall(step_ms)
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert cloud.list_avoided(container)["hv1"]["failures"] == 1
    # The pause of one failure, and the time in error anew.
    cloud.warp(17_500)
    assert cloud.list_avoided(container)["hv1"]["failures"] == 2
