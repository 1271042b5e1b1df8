"""A cloud of many chassis and containers, and how long it takes to leave chassis that died.

The chassis are in memory, databases and svc-northd are real.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from ..lib import loop
from ..northd.liveness import PASS_INTERVAL_MS
from .logs import Logs
from .ovsdb import Databases, wait_until
from .scenario import Scenario

_TICK_MS = PASS_INTERVAL_MS
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
    # Computing everything twice in each pass is what this is not about.
    cloud.checking = cloud.northd.checking = False
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
    # Seen from beside, as a chassis would: a pass takes longer than its transaction.
    with ThreadPoolExecutor(1) as observer:
        written = observer.submit(_wait_unbound, cloud, names)
        while not written.done():
            cloud.northd.run()
    return (written.result() - known) * 1000


def _run(cloud: Scenario, names: list[str]) -> float:
    """Runs svc-northd while the server owes it answers; returns when it found the chassis dead."""
    while True:
        started = time.perf_counter()
        cloud.northd.run()
        verdicts = cloud.northd.liveness.verdicts
        if not any(verdicts[name].alive for name in names):
            return started
        if cloud.northd.sb.answered:
            return 0.0


def _wait_unbound(cloud: Scenario, names: list[str]) -> float:
    """Returns when the southbound has no binding to these chassis any more."""

    def is_bound(name: str) -> bool:
        where = [["chassis", "==", name]]
        return bool(cloud.sb.rows("Container_Binding", where, ["container"]))

    # Others go in the same transaction, so while one is there no more is asked.
    wait_until(lambda: not any(map(is_bound, names)), "other bindings", _PATIENCE_S)
    return time.perf_counter()
