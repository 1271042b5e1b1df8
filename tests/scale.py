"""A cloud of many chassis and containers, and how long it takes to leave chassis that died.

The chassis are in memory, databases and svc-northd are real.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..lib import loop
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario

_TICK_MS = 900
_PATIENCE_S = 120.0


@contextmanager
def long_lived_rows() -> Iterator[None]:
    """Collects garbage as seldom as the daemons do (lib/loop.py)."""
    before = gc.get_threshold()
    gc.set_threshold(*loop.GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def build(databases: Databases, logs: Logs, chassis: int, services: int) -> Scenario:
    """Returns a cloud in which every container serves."""
    cloud = Scenario(databases, logs)
    cloud.add_chassis(*(f"hv{number:03}" for number in range(chassis)))
    cloud.settle()
    # The chassis wait for their turn in this process, which is no failure of theirs.
    cloud.set_options(container_start_timeout="600000")
    # One that begins with all of it does it in one go.
    cloud.northd.close()
    cloud.add_services(services)
    cloud.northd = cloud.start_northd()
    cloud.settle()
    return cloud


def kill(cloud: Scenario, names: list[str]) -> float:
    """Ends chassis; returns the ms from the pass that finds them dead to rows without them."""
    for name in names:
        cloud.chassis[name].alive = False
    while not (known := _run(cloud, names)):
        # What the others beat must be read before the next look at the clock.
        cloud.step_chassis()
        cloud.drain()
        loop.warp(_TICK_MS)
    deadline = known + _PATIENCE_S
    while _is_bound(cloud, names):
        assert time.perf_counter() < deadline, "containers stay on chassis that are dead"
        cloud.northd.run()
    return (time.perf_counter() - known) * 1000


def _run(cloud: Scenario, names: list[str]) -> float:
    """Runs svc-northd once; returns when, if it found the chassis dead then."""
    started = time.perf_counter()
    cloud.northd.run()
    verdicts = cloud.northd.engine.get("alive")
    return 0.0 if any(verdicts[name].alive for name in names) else started


def _is_bound(cloud: Scenario, names: list[str]) -> bool:
    """Whether the southbound has a binding to one of these chassis."""
    selects = (
        {
            "op": "select",
            "table": "Container_Binding",
            "where": [["chassis", "==", name]],
            "columns": ["container"],
        }
        for name in names
    )
    return any(result["rows"] for result in cloud.sb.transact(*selects))
