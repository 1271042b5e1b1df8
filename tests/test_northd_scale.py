"""A hundred chassis and thousands of containers; a tenth of the chassis die at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .logs import Logs
from .ovsdb import Databases
from .scale import build, kill, long_lived_rows
from .scenario import Scenario, count

CHASSIS = 100
# Of the bigger one the building takes half a minute; it is left to the system tests.
SERVICES = (400, pytest.param(2000, marks=pytest.mark.system))
# The aim is 2 s (utilities/bench --only=scale); this only tells that something is badly wrong.
MOST_MS = 20_000


@pytest.fixture(params=SERVICES)
def services(request: pytest.FixtureRequest) -> int:
    """How many containers there are."""
    return int(request.param)


@pytest.fixture
def cloud(databases: Databases, logs: Logs, services: int) -> Iterator[Scenario]:
    """A cloud in which every container serves, held to the laws at the end."""
    with long_lived_rows():
        made = build(databases, logs, CHASSIS, services)
        yield made
        made.laws()
        made.northd.close()


@pytest.mark.timeout(300)
def test_containers_of_dead_chassis_are_bound_elsewhere_and_nothing_else_moves(
    cloud: Scenario, services: int
) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    before = cloud.list_places()
    assert count(before) == dict.fromkeys(sorted(cloud.chassis), services // CHASSIS)
    dead = sorted(cloud.chassis)[:10]
    assert kill(cloud, dead) < MOST_MS
    after = cloud.list_places()
    assert after.keys() == before.keys()
    moved = {name for name in before if after[name] != before[name]}
    assert moved == {name for name in before if before[name] in dead}
    assert not {after[name] for name in moved} & set(dead)
    cloud.settle()
    assert cloud.list_places() == after
    statuses = {row["status_code"] for row in cloud.nb.rows("Service_Container")}
    assert statuses == {"running"}
