"""Times how svc-northd leaves chassis that die, in a cloud of many; on databases of its own.

The chassis are in memory, and nothing but svc-northd and the databases is
measured: from the pass that finds the chassis dead until the southbound has
another binding for each of their containers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...tests import scale
from ...tests.logs import Logs
from ...tests.ovsdb import Databases

CHASSIS = 100
CONTAINERS = 2000
DEATHS = 10
_MOST_RUNS = CHASSIS // DEATHS - 1


def measure(runs: int) -> list[float]:
    """Returns the time in ms of each of 'runs' times that another tenth of the chassis dies."""
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as directory:
        databases = Databases(Path(directory))
        try:
            with scale.long_lived_rows():
                return _measure(databases, min(runs, _MOST_RUNS))
        finally:
            databases.stop()


def _measure(databases: Databases, runs: int) -> list[float]:
    cloud = scale.build(databases, Logs(), CHASSIS, CONTAINERS)
    names = sorted(cloud.chassis)
    taken_ms = []
    for first in range(0, runs * DEATHS, DEATHS):
        taken_ms.append(scale.kill(cloud, names[first : first + DEATHS]))
        cloud.settle()
    return taken_ms
