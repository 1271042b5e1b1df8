"""The host half: a service that runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ovnsvc.services.api.host import (
    RUNNING,
    Address,
    Item,
    Network,
    Plan,
    Probe,
    Sandbox,
    Site,
    Status,
    Workload,
)

from . import fail_at


class BrokenHost:
    """A services.api ServiceMaker."""

    def probe(self) -> Probe:
        fail_at("host.probe")
        return Probe()

    def plan(self, configuration: str, site: Site) -> Plan:
        fail_at("host.plan")
        return Plan(Network(tuple(Address(each) for each in site.ports[0].addresses)))

    def create(self, sandbox: Sandbox, restarts: int) -> BrokenService:
        fail_at("host.create")
        return BrokenService(restarts)


class BrokenService:
    """A services.api Service."""

    def __init__(self, restarts: int) -> None:
        self._restarts = restarts
        self._reached = 0

    def apply(self, wanted: Workload) -> None:
        fail_at("service.apply")
        self._reached = wanted.generation

    def set_installed(self, installed: bool) -> None:
        fail_at("service.set_installed")

    def run(self, now_ms: int) -> None:
        fail_at("service.run")

    def wait(self, poller: Any, now_ms: int) -> None:
        fail_at("service.wait")

    def status(self) -> Status:
        fail_at("service.status")
        return Status(RUNNING, "runs nothing", self._reached, self._restarts)

    def items(self) -> Sequence[Item]:
        fail_at("service.items")
        return (Item("nothing", "one", "there"),)

    def metrics(self) -> Mapping[str, float]:
        fail_at("service.metrics")
        return {"nothing": 0.0}

    def check(self) -> None:
        fail_at("service.check")

    def stop(self) -> bool:
        fail_at("service.stop")
        return True

    def release(self) -> None:
        fail_at("service.release")


HALF = BrokenHost()
