"""What the health of containers is looked at in: rows, chassis, and the clocks of a svc-northd."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..lib import sb
from ..northd.scheduler.build_queue import Spot
from ..northd.scheduler.clock import Clock, IsPast
from ..northd.scheduler.failures import FIRST_PAUSE_MS, ChassisLife
from ..northd.scheduler.health import Evidence, Health, Memory, judge
from ..northd.scheduler.model import ACTIVE, Avoidance, Place
from ..northd.scheduler.ovn_wait import Wait, Word

NOW = 1_700_000_000_000
TIMEOUT_MS = 15_000
HEALED_AFTER_MS = 60_000
HERE = ("vpn-1", "hv1")
NAMES = ("hv1", "hv2", "hv3")


def make_uuid(*parts: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(parts))


def make_binding(
    container: str = "vpn-1", chassis: str = "hv1", **columns: Any
) -> sb.ContainerBinding:
    row = sb.ContainerBinding(
        uuid=make_uuid(container, chassis),
        container=container,
        chassis=chassis,
        service_type="ipsec",
        role=ACTIVE,
        configuration="{}",
        secrets={},
        generation=1,
        status_code="running",
        status_message="",
        reached_generation=1,
        namespace_name=None,
        interface_name=None,
        restarts=0,
        since=None,
        incarnation="1",
        unwell_since=None,
    )
    return replace(row, **columns)


def make_avoided(spot: Spot = HERE, **columns: Any) -> sb.AvoidedChassis:
    values: dict[str, Any] = {
        "reason": "no charon",
        "failures": 1,
        "since": NOW,
        "retry_at": NOW + FIRST_PAUSE_MS,
        "incarnation": "1",
        "weight": 1,
        "orders": (),
    }
    container, chassis = spot
    return sb.AvoidedChassis(make_uuid(*spot), container, chassis, **{**values, **columns})


@dataclass(frozen=True)
class Seen:
    """What was found out of all containers; 'next_ms' is when it may change though no row does."""

    places: Mapping[str, tuple[Place, ...]]
    unwell: Mapping[Spot, int]
    avoided: Mapping[Spot, Avoidance]
    pending: frozenset[Spot]
    next_ms: int | None


class World:
    """What is looked at; 'write' puts what is found into the rows, as svc-northd does.

    The monotonic clock shows the moments that tests name, and the wall clock
    'ahead_ms' more.
    """

    def __init__(self, *bindings: sb.ContainerBinding) -> None:
        self.bindings: list[sb.ContainerBinding] = list(bindings)
        self.up: set[Spot] = set()
        self.avoided: list[sb.AvoidedChassis] = []
        self.reported: dict[str, str] = {}
        self.chassis = {name: ChassisLife(True, "1", 1) for name in NAMES}
        self.wanted = {"vpn-1", "vpn-2"}
        self.queue_start: dict[Spot, int] = {}
        self.wait: Wait | None = None
        self.word: Word | None = None
        self.orders: dict[Spot, frozenset[str]] = {}
        self.ahead_ms = 0
        self.take_over()

    def take_over(self) -> None:
        """Makes another svc-northd look from here on."""
        self.clock = Clock()
        self.memory = Memory(self.clock)

    def look(self, now_ms: int = NOW) -> Seen:
        """Returns what is found out at 'now_ms'."""
        moments: set[int] = set()

        def is_past(moment_ms: int) -> bool:
            if moment_ms > now_ms:
                moments.add(moment_ms)
            return moment_ms <= now_ms

        self.clock.tick(now_ms + self.ahead_ms, now_ms)
        health = {name: self._judge(name, is_past) for name in sorted(self.wanted)}
        return Seen(
            {name: each.places for name, each in health.items() if each.places},
            {(name, at): since for name, h in health.items() for at, since in h.unwell.items()},
            {(name, at): each for name, h in health.items() for at, each in h.avoided.items()},
            frozenset((name, at) for name, h in health.items() for at in h.pending),
            min(moments, default=None),
        )

    def _judge(self, name: str, is_past: IsPast) -> Health:
        evidence = Evidence(
            [row for row in self.bindings if row.container == name],
            {chassis for container, chassis in self.up if container == name},
            [row for row in self.avoided if row.container == name],
            {at: since for (container, at), since in self.queue_start.items() if container == name},
            self.reported.get(name),
            self.wait,
            self.word,
            lambda chassis: self.orders.get((name, chassis), frozenset()),
        )
        return judge(name, evidence, self._find_chassis, TIMEOUT_MS, self.memory, is_past)

    def _find_chassis(self, name: str) -> ChassisLife:
        return self.chassis.get(name, ChassisLife())

    def write(self, seen: Seen) -> None:
        self.bindings = [
            replace(row, unwell_since=seen.unwell.get((row.container, row.chassis)))
            for row in self.bindings
        ]
        self.avoided = [make_avoided(spot, **asdict(each)) for spot, each in seen.avoided.items()]

    def turn(self, now_ms: int, **columns: Any) -> Seen:
        """Changes the columns of the only binding at 'now_ms', looks, and writes."""
        self.bindings = [replace(self.bindings[0], **columns)]
        seen = self.look(now_ms)
        self.write(seen)
        return seen


def find_place(seen: Seen, chassis: str = "hv1") -> Place:
    return next(each for each in seen.places["vpn-1"] if each.chassis == chassis)


def find_failure(seen: Seen) -> str | None:
    return find_place(seen).failure
