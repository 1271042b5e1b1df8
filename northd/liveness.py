"""Which chassis are alive, by svc-northd's own clock and what the server is known to have told.

A chassis is alive while its heartbeat moves.  Clocks of chassis are not
trusted: what counts is when this process last read a change of the number.  That
memory is lost with the process, so a new svc-northd begins with the verdict
that stands in Chassis_Weight and gives each chassis the full time again: it
moves nothing that is fine.

That nothing was read proves nothing: the server may be stopped, or its updates
may wait to be read.  So the server is probed, and its answer comes after all
that it had to tell.  When that to a probe sent at P has come, a chassis is
overdue whose last change was read more than chassis-dead-after before P.  A
server that was stopped may answer before it gets to the heartbeats that wait
for it, so it is probed again at once: it reads a message of each connection in
turn, so whoever is overdue still when it has answered is dead.  A svc-northd
with long passes finds the dead a few passes late, and nobody else.

What delays the server may delay the chassis as well: a host that is stopped, a
network that stalls.  So a late answer is forgiven: every chassis gets as much
longer; and so is time in which this process was stopped.  Time in which it
computed is not.  After a reconnection each chassis gets the full time again,
and when the first is heard after all of them were silent.

What else a chassis says of its fitness is handed on, without what changes with
each heartbeat, so that a verdict changes only when it matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..lib import sb
from ..lib.numbers import parse_number
from .en_options import Options

# Between two probes, and the longest time for which the caller waits for events.
PASS_INTERVAL_MS = 500
# Of chassis-dead-after: how late an answer may be and not count as late.
_PUNCTUAL_PART = 4


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
    row: sb.ChassisPrivate
    seen_ms: int
    alive: bool
    death_ms: int | None


class Liveness:
    """Keeps when each heartbeat was last read to move; all times are monotonic, in ms.

    Each pass: tick(), read() what changed, judge().
    """

    def __init__(self) -> None:
        # By chassis, of those with a heartbeat.  It is another mapping whenever one changes.
        self.verdicts: Mapping[str, Verdict] = {}
        self._options = Options()
        self._pulses: dict[str, _Pulse] = {}
        self._weights: dict[str, sb.ChassisWeight] = {}
        self._now_ms: int | None = None
        self._busy_ms = 0
        self._asked_ms: int | None = None
        self._due_ms = 0
        # For how long this process waited for the answer that is due.
        self._waited_ms = 0
        # Those read last before this were overdue when the probe before was answered.
        self._overdue_ms: int | None = None

    def tick(self, now_ms: int, busy_ms: int) -> None:
        """Begins a pass; 'busy_ms' is for how long this process has computed in its life.

        The time between two passes in which it did not is the server's, or nobody's.
        """
        if self._now_ms is None:
            for pulse in self._pulses.values():
                pulse.seen_ms = now_ms
            idle_ms = 0
        else:
            idle_ms = max(0, now_ms - self._now_ms - (busy_ms - self._busy_ms))
        self._now_ms, self._busy_ms = now_ms, busy_ms
        if self._asked_ms is None:
            self._forgive(now_ms, idle_ms - PASS_INTERVAL_MS)
        else:
            self._waited_ms += idle_ms

    def interrupt(self) -> None:
        """Notes that there is no connection; each chassis gets the full time from the next pass."""
        self._now_ms = self._asked_ms = self._overdue_ms = None

    def read(
        self,
        options: Options,
        beats: Iterable[tuple[sb.ChassisPrivate | None, sb.ChassisPrivate | None]],
        weights: Iterable[tuple[sb.ChassisWeight | None, sb.ChassisWeight | None]],
    ) -> None:
        """Takes the rows that changed, each as it was (or None) and as it is (or None)."""
        beats, weights = list(beats), list(weights)
        for old_weight, _ in weights:
            if old_weight is not None:
                self._weights.pop(old_weight.chassis, None)
        self._weights.update({weight.chassis: weight for _, weight in weights if weight})
        rows = {row.name: row for _, row in beats if row is not None}
        gone = {old.name for old, _ in beats if old is not None} - rows.keys()
        for name in gone:
            self._pulses.pop(name, None)
        for row in rows.values():
            self._beat(row)
        touched = {weight.chassis for pair in weights for weight in pair if weight is not None}
        for name in touched & self._pulses.keys():
            self._take_over(name)
        if options != self._options:
            self._options, touched = options, set(self._pulses)
        self._tell(gone | rows.keys() | touched)

    def judge(self, answered: bool) -> bool:
        """Declares chassis dead if the last probe was 'answered'; returns whether to probe now."""
        assert self._now_ms is not None
        if self._asked_ms is not None:
            if not answered:
                return False
            self._take_answer(self._now_ms, self._asked_ms)
            self._asked_ms = None
        if self._now_ms < self._due_ms:
            return False
        self._asked_ms, self._waited_ms = self._now_ms, 0
        self._due_ms = self._now_ms + PASS_INTERVAL_MS
        return True

    def find_wait_ms(self, now_ms: int) -> int:
        """Returns for how long nothing is to be done, if nothing arrives."""
        if self._now_ms is None or self._asked_ms is not None:
            return PASS_INTERVAL_MS
        return min(max(0, self._due_ms - now_ms), PASS_INTERVAL_MS)

    # -- helpers -----------------------------------------------------------

    def _beat(self, row: sb.ChassisPrivate) -> None:
        assert self._now_ms is not None
        pulse = self._pulses.get(row.name)
        if pulse is None:
            death_ms = self._find_death(row.name)
            self._pulses[row.name] = _Pulse(row, self._now_ms, death_ms is None, death_ms)
            return
        before, pulse.row = pulse.row, row
        if (before.incarnation, before.heartbeat) != (row.incarnation, row.heartbeat):
            if not any(each.alive for each in self._pulses.values()):
                self._revive()
            pulse.seen_ms, pulse.alive = self._now_ms, True
            pulse.death_ms = self._find_death(row.name)

    def _revive(self) -> None:
        """Gives each chassis the full time again.

        That of all chassis nothing was heard says that this side was cut off,
        and the first that is heard again must not get all containers.
        """
        assert self._now_ms is not None
        for pulse in self._pulses.values():
            pulse.seen_ms, pulse.alive = self._now_ms, True
        self._tell(self._pulses)

    def _take_over(self, name: str) -> None:
        """Takes over a verdict of death of the active one, as one that stands by."""
        pulse, death_ms = self._pulses[name], self._find_death(name)
        if pulse.death_ms != death_ms:
            pulse.alive = pulse.alive and death_ms is None
            pulse.death_ms = death_ms

    def _find_death(self, name: str) -> int | None:
        """Returns when Chassis_Weight says that a chassis died, None if it does not."""
        weight = self._weights.get(name)
        return None if weight is None or weight.alive else weight.since

    def _take_answer(self, now_ms: int, asked_ms: int) -> None:
        dead_after_ms = self._options.chassis_dead_after_ms
        punctual_ms = min(PASS_INTERVAL_MS, dead_after_ms // _PUNCTUAL_PART)
        self._forgive(now_ms, self._waited_ms - punctual_ms)
        if self._overdue_ms is not None:
            self._bury(self._overdue_ms)
        self._overdue_ms = None
        overdue_ms = asked_ms - dead_after_ms
        if any(pulse.alive and pulse.seen_ms < overdue_ms for pulse in self._pulses.values()):
            self._overdue_ms, self._due_ms = overdue_ms, now_ms

    def _forgive(self, now_ms: int, late_ms: int) -> None:
        if late_ms > 0:
            for pulse in self._pulses.values():
                pulse.seen_ms = min(now_ms, pulse.seen_ms + late_ms)

    def _bury(self, before_ms: int) -> None:
        """Declares those dead of whom nothing was read since 'before_ms'."""
        dead = [
            name
            for name, pulse in self._pulses.items()
            if pulse.alive and pulse.seen_ms < before_ms
        ]
        for name in dead:
            self._pulses[name].alive = False
        self._tell(dead)

    def _tell(self, names: Iterable[str]) -> None:
        """Makes the verdicts on some chassis anew."""
        changed = {}
        for name in names:
            verdict = self._find_verdict(name) if name in self._pulses else None
            if verdict != self.verdicts.get(name):
                changed[name] = verdict
        if changed:
            verdicts = {**self.verdicts, **changed}
            self.verdicts = {name: each for name, each in sorted(verdicts.items()) if each}

    def _find_verdict(self, name: str) -> Verdict:
        pulse = self._pulses[name]
        return Verdict(
            alive=pulse.alive,
            incarnation=pulse.row.incarnation,
            stopping=bool(pulse.row.stopping),
            ovn_problem=pulse.row.ovn_problem or "",
            overloaded=_is_overloaded(pulse.row, self._weights.get(name), self._options),
        )


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
