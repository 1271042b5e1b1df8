"""Times svc-northd's full recompute in this process, on real databases of its own.

The chassis are rows that say that they did as told, so nothing but svc-northd
is measured.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ...tests.cloud import Cloud
from ...tests.logs import Logs
from ...tests.ovsdb import Databases

CHASSIS = ("hv1", "hv2", "hv3")


def measure(services: int, runs: int) -> list[float]:
    """Returns the time in ms of each of 'runs' full recomputes with that many VPN services."""
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as directory:
        databases = Databases(Path(directory))
        try:
            return _measure(Cloud(databases, Logs()), services, runs)
        finally:
            databases.stop()


def _measure(cloud: Cloud, services: int, runs: int) -> list[float]:
    cloud.add_chassis(*CHASSIS)
    cloud.settle()
    for number in range(services):
        network = f"1.{number // 250}.{number % 250}"
        cloud.add_router(f"router{number}", gateway=f"{network}.2/24")
        vpn = cloud.add_vpn(f"vpn{number}", f"router{number}", external_ips=f"{network}.100")
        cloud.add_connection(vpn, "to-venus")
    _run_until_settled(cloud)
    for chassis in cloud.chassis.values():
        chassis.step()
    _run_until_settled(cloud)
    return [_time_recompute(cloud) for _ in range(runs)]


def _run_until_settled(cloud: Cloud) -> None:
    deadline = time.monotonic() + 120
    quiet = 0
    while quiet < 20:
        cloud.northd.run()
        busy = any(session.committing for session in cloud.northd.sessions.values())
        quiet = quiet + 1 if cloud.northd.settled and not busy else 0
        assert time.monotonic() < deadline, "svc-northd does not settle"
        time.sleep(0.005)


def _time_recompute(cloud: Cloud) -> float:
    cloud.northd.recover()
    started = time.perf_counter()
    cloud.northd.run()
    taken_ms = (time.perf_counter() - started) * 1000
    assert cloud.northd.settled, "the recompute changed something"
    return taken_ms
