"""Which chassis are alive, by svc-northd's own clock.

A chassis is alive while its heartbeat moves.  Clocks of chassis are not
trusted: what counts is when this process last saw the number change.  That
memory is lost with the process, so a new svc-northd begins with the verdict
that stands in Chassis_Weight and gives each chassis the full time again: it
moves nothing that is fine.

Time in which this process itself did not run, or had no southbound, is not
held against a chassis: such a stall counts as one pass, so that a process that
is slow all the time finds the dead too.

What else a chassis says of its fitness is handed on, without what changes with
each heartbeat, so that a verdict changes only when it matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..lib import sb
from ..lib.numbers import parse_number
from .en_options import Options

PASS_INTERVAL_MS = 500
_STALL_MS = 3 * PASS_INTERVAL_MS


@dataclass(frozen=True, slots=True)
class Verdict:
    """What svc-northd thinks of a chassis.

    'ovn_problem' says why it cannot serve a port of OVN; 'overloaded' is for
    the policy 'load', with hysteresis.
    """

    alive: bool
    incarnation: str = ""
    stopping: bool = False
    ovn_problem: str = ""
    overloaded: bool = False


@dataclass(slots=True)
class _Pulse:
    mark: tuple[str, int]
    seen_ms: int
    alive: bool
    death_ms: int | None


class Liveness:
    """Keeps when each heartbeat was last seen to move."""

    def __init__(self) -> None:
        self._pulses: dict[str, _Pulse] = {}
        self._last_pass_ms: int | None = None

    def update(
        self,
        now_ms: int,
        options: Options,
        heartbeats: Iterable[sb.ChassisPrivate],
        weights: Iterable[sb.ChassisWeight],
    ) -> Mapping[str, Verdict]:
        """Returns the verdict on each chassis with a heartbeat at 'now_ms' (monotonic)."""
        self._forgive_stall(now_ms)
        known = {weight.chassis: weight for weight in weights}
        rows = {row.name: row for row in heartbeats}
        for name in self._pulses.keys() - rows.keys():
            del self._pulses[name]
        for name, row in rows.items():
            weight = known.get(name)
            death_ms = weight.since if weight is not None and not weight.alive else None
            self._beat(name, (row.incarnation, row.heartbeat), now_ms, death_ms)
        for pulse in self._pulses.values():
            if now_ms - pulse.seen_ms > options.chassis_dead_after_ms:
                pulse.alive = False
        return {
            name: Verdict(
                alive=self._pulses[name].alive,
                incarnation=row.incarnation,
                stopping=bool(row.stopping),
                ovn_problem=row.ovn_problem or "",
                overloaded=_is_overloaded(row, known.get(name), options),
            )
            for name, row in sorted(rows.items())
        }

    def _beat(self, name: str, mark: tuple[str, int], now_ms: int, death_ms: int | None) -> None:
        """Notes a look at a chassis; 'death_ms' is when Chassis_Weight says that it died."""
        pulse = self._pulses.get(name)
        if pulse is None:
            self._pulses[name] = _Pulse(mark, now_ms, death_ms is None, death_ms)
        elif pulse.mark != mark:
            self._pulses[name] = _Pulse(mark, now_ms, True, death_ms)
        elif pulse.death_ms != death_ms:
            # One that stands by takes over the verdict of the active one.
            pulse.alive = pulse.alive and death_ms is None
            pulse.death_ms = death_ms

    def _forgive_stall(self, now_ms: int) -> None:
        last, self._last_pass_ms = self._last_pass_ms, now_ms
        if last is None or now_ms - last <= _STALL_MS:
            return
        for pulse in self._pulses.values():
            pulse.seen_ms += now_ms - last - PASS_INTERVAL_MS


def _is_overloaded(
    row: sb.ChassisPrivate, weight: sb.ChassisWeight | None, options: Options
) -> bool:
    """Returns whether the load is too high; Chassis_Weight remembers, for the hysteresis."""
    load = parse_number((row.load or {}).get("cpu", "0"), 0, 2**31 - 1) or 0
    limit = options.load_threshold
    if weight is not None and weight.overloaded:
        # One that is idle is not overloaded, however far the load must fall.
        limit = max(1, limit - options.load_hysteresis)
    return load >= limit
