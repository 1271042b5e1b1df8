"""Heartbeats of chassis, and a Liveness that is stepped through time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TypeVar

from ..lib import sb
from ..northd.liveness import PASS_INTERVAL_MS, Liveness, Verdict
from ..northd.options import Options

RowT = TypeVar("RowT")
Change = tuple[RowT | None, RowT | None]
DEAD_AFTER_MS = 4000
OPTIONS = Options(chassis_dead_after_ms=DEAD_AFTER_MS, load_threshold=80, load_hysteresis=10)


def make_beat(
    name: str,
    heartbeat: int,
    incarnation: str = "1",
    load: dict[str, str] | None = None,
    interval_ms: int = 1000,
) -> sb.ChassisPrivate:
    return sb.ChassisPrivate(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, name),
        name=name,
        incarnation=incarnation,
        heartbeat=heartbeat,
        heartbeat_timestamp=0,
        heartbeat_interval=interval_ms,
        nb_cfg=0,
        nb_cfg_timestamp=0,
        stopping=False,
        ovn_problem="",
        load=load or {},
    )


def make_weight(name: str, alive: bool = True, overloaded: bool = False) -> sb.ChassisWeight:
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
        mass_failure=None,
        problem="",
    )


class Clock:
    """Steps a Liveness through time, a pass every PASS_INTERVAL_MS; the server answers at once."""

    def __init__(self, *weights: sb.ChassisWeight, options: Options = OPTIONS) -> None:
        self.liveness = Liveness()
        self.options = options
        self.now_ms = 1_000_000
        self.busy_ms = 0
        self.weights = weights
        self._known: tuple[dict[str, sb.ChassisPrivate], dict[str, sb.ChassisWeight]] = ({}, {})

    def show(self, *beats: sb.ChassisPrivate, answers: bool = True) -> Mapping[str, bool]:
        """One pass with these rows, and others at once while the server answers."""
        rows = {row.name: row for row in beats}
        weights = {row.chassis: row for row in self.weights}
        self.liveness.tick(self.now_ms, self.busy_ms)
        before, self._known = self._known, (rows, weights)
        self.liveness.read(self.options, pair(before[0], rows), pair(before[1], weights))
        asked = self.liveness.judge(answers)
        while asked and answers:
            self.liveness.tick(self.now_ms, self.busy_ms)
            asked = self.liveness.judge(answered=True)
        return self.alive

    def run(self, duration_ms: int, *beats: sb.ChassisPrivate) -> Mapping[str, bool]:
        for _ in range(duration_ms // PASS_INTERVAL_MS):
            self.now_ms += PASS_INTERVAL_MS
            self.show(*beats)
        return self.alive

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        return self.liveness.verdicts

    @property
    def alive(self) -> Mapping[str, bool]:
        return {name: verdict.alive for name, verdict in self.verdicts.items()}


def pair(before: Mapping[str, RowT], after: Mapping[str, RowT]) -> list[Change[RowT]]:
    """Returns the rows that differ, as Session.take_rows() does."""
    names = before.keys() | after.keys()
    pairs = [(before.get(name), after.get(name)) for name in sorted(names)]
    return [(old, new) for old, new in pairs if old != new]
