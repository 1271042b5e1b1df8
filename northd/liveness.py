"""Which chassis are alive, by svc-northd's own clock and what the server is known to have told.

A chassis is alive while its heartbeat moves.  Clocks of chassis are not
trusted: what counts is when this process last read a change of the number.  That
memory is lost with the process, so a new svc-northd begins with the verdict
that stands in Chassis_Weight and gives each chassis the full time again: it
moves nothing that is fine.

That nothing was read proves nothing: the server may be stopped, or its updates
may wait to be read.  So the server is probed, and its answer comes after all
that it had to tell.  When that to a probe sent at P has come, a chassis is
overdue whose last change was read more than its time before P: chassis-dead-after,
or longer for one that does not know of it yet (pulse.py).  A
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

A pass costs what was read in it: chassis wait for their deadlines in a heap, and
a heartbeat moves none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..lib import sb
from .deadlines import Deadlines
from .options import Options
from .pulse import Pulse, find_first_interval, is_overloaded, read_interval

# The least time between two passes: heartbeats are collected for so long.
READ_INTERVAL_MS = 100
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


class Liveness:
    """Keeps when each heartbeat was last read to move; all times are monotonic, in ms.

    Each pass for which is_due(): tick(), read() what changed, judge(), take_changed().
    """

    def __init__(self) -> None:
        self._options = Options()
        self._pulses: dict[str, Pulse] = {}
        self._weights: dict[str, sb.ChassisWeight] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._changed: dict[str, Verdict | None] = {}
        # Those that are alive, by when they are overdue.
        self._deadlines = Deadlines()
        self._alive = 0
        self._now_ms: int | None = None
        self._busy_ms = 0
        self._asked_ms: int | None = None
        self._due_ms = 0
        # For how long this process waited for the answer that is due.
        self._waited_ms = 0
        # Those that were overdue when the probe before was answered, which was sent then.
        self._suspects: list[str] = []
        self._suspected_ms = 0

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdict on each chassis with a heartbeat; it must not be changed."""
        return self._verdicts

    @property
    def alive(self) -> int:
        """How many chassis are alive."""
        return self._alive

    def count_silent(self, is_counted: Callable[[str], bool]) -> int:
        """Returns of how many that are alive nothing was heard for half of their time.

        It looks at each chassis: it is for the moment at which one is found dead, and for
        once in a second while many are.
        """
        if self._now_ms is None:
            return 0
        now_ms, options = self._now_ms, self._options
        return sum(
            pulse.alive and pulse.is_silent(now_ms, options) and is_counted(name)
            for name, pulse in self._pulses.items()
        )

    def take_changed(self) -> Mapping[str, Verdict | None]:
        """Returns the verdicts that changed since the last call, None for a chassis that went."""
        changed, self._changed = self._changed, {}
        return changed

    @property
    def asking(self) -> bool:
        """Whether judge() waits for the answer to a probe."""
        return self._asked_ms is not None

    def is_due(self, now_ms: int) -> bool:
        """Returns whether the next pass may be: heartbeats of many chassis are taken together."""
        return self._now_ms is None or now_ms - self._now_ms >= READ_INTERVAL_MS

    def find_wait_ms(self, now_ms: int, unread: bool = False) -> int:
        """Returns for how long nothing is to be done, if nothing arrives.

        'unread' is whether rows, or the answer to the probe, wait to be taken.
        """
        if self._now_ms is None:
            return PASS_INTERVAL_MS
        if unread:
            next_ms = self._now_ms + READ_INTERVAL_MS
        elif self._asked_ms is not None:
            return PASS_INTERVAL_MS
        else:
            next_ms = max(self._due_ms, self._now_ms + READ_INTERVAL_MS)
        return min(max(0, next_ms - now_ms), PASS_INTERVAL_MS)

    def tick(self, now_ms: int, busy_ms: int) -> None:
        """Begins a pass; 'busy_ms' is for how long this process has computed in its life.

        The time between two passes in which it did not is the server's, or nobody's.
        """
        if self._now_ms is None:
            for name, pulse in self._pulses.items():
                pulse.seen_ms = now_ms
                self._schedule(name, pulse)
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
        self._now_ms = self._asked_ms = None
        self._suspects = []

    def read(
        self,
        options: Options,
        beats: Iterable[tuple[sb.ChassisPrivate | None, sb.ChassisPrivate | None]],
        weights: Iterable[tuple[sb.ChassisWeight | None, sb.ChassisWeight | None]],
    ) -> None:
        """Takes the rows that changed, each as it was (or None) and as it is (or None)."""
        beats, weights = list(beats), list(weights)
        touched = self._change_options(options)
        for old_weight, _ in weights:
            if old_weight is not None:
                self._weights.pop(old_weight.chassis, None)
        self._weights.update({weight.chassis: weight for _, weight in weights if weight})
        rows = {row.name: row for _, row in beats if row is not None}
        gone = {old.name for old, _ in beats if old is not None} - rows.keys()
        for name in gone:
            self._forget(name)
        for row in rows.values():
            self._beat(row)
        weighed = {weight.chassis for pair in weights for weight in pair if weight is not None}
        for name in weighed & self._pulses.keys():
            self._take_over(name)
            touched.add(name)
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

    # -- what was read -----------------------------------------------------

    def _change_options(self, options: Options) -> set[str]:
        """Takes the options; returns the chassis on which the verdict may be another one."""
        before, self._options = self._options, options
        if options == before:
            return set()
        for name, pulse in self._pulses.items():
            pulse.change_options(before, options)
            self._schedule(name, pulse)
        return set(self._pulses)

    def _forget(self, name: str) -> None:
        pulse = self._pulses.pop(name, None)
        if pulse is not None:
            self._alive -= pulse.alive
            self._deadlines.drop(name)

    def _beat(self, row: sb.ChassisPrivate) -> None:
        assert self._now_ms is not None
        pulse = self._pulses.get(row.name)
        if pulse is None:
            death_ms = self._find_death(row.name)
            interval_ms = read_interval(row) or find_first_interval(self._options)
            pulse = Pulse(row, self._now_ms, False, death_ms, interval_ms)
            self._pulses[row.name] = pulse
            self._set_alive(row.name, pulse, death_ms is None)
        elif pulse.read(row):
            if not self._alive:
                self._revive()
            pulse.seen_ms = self._now_ms
            pulse.death_ms = self._find_death(row.name)
            self._set_alive(row.name, pulse, True)

    def _revive(self) -> None:
        """Gives each chassis the full time again.

        That of all chassis nothing was heard says that this side was cut off,
        and the first that is heard again must not get all containers.
        """
        assert self._now_ms is not None
        for name, pulse in self._pulses.items():
            pulse.seen_ms = self._now_ms
            self._set_alive(name, pulse, True)
        self._tell(self._pulses)

    def _take_over(self, name: str) -> None:
        """Takes over a verdict of death of the active one, as one that stands by."""
        pulse, death_ms = self._pulses[name], self._find_death(name)
        if pulse.death_ms != death_ms:
            pulse.death_ms = death_ms
            self._set_alive(name, pulse, pulse.alive and death_ms is None)

    def _find_death(self, name: str) -> int | None:
        """Returns when Chassis_Weight says that a chassis died, None if it does not."""
        weight = self._weights.get(name)
        return None if weight is None or weight.alive else weight.since

    def _set_alive(self, name: str, pulse: Pulse, alive: bool) -> None:
        self._alive += alive - pulse.alive
        pulse.alive = alive
        self._schedule(name, pulse)

    def _schedule(self, name: str, pulse: Pulse) -> None:
        if pulse.alive:
            self._deadlines.set(name, pulse.find_deadline(self._options))

    # -- who is overdue ----------------------------------------------------

    def _take_answer(self, now_ms: int, asked_ms: int) -> None:
        dead_after_ms = self._options.chassis_dead_after_ms
        punctual_ms = min(PASS_INTERVAL_MS, dead_after_ms // _PUNCTUAL_PART)
        self._forgive(now_ms, self._waited_ms - punctual_ms)
        dead = self._find_overdue(self._suspects, self._suspected_ms)
        for name in dead:
            self._set_alive(name, self._pulses[name], False)
        self._tell(dead)
        self._suspects = self._find_overdue(self._deadlines.take_before(asked_ms), asked_ms)
        if self._suspects:
            self._suspected_ms, self._due_ms = asked_ms, now_ms

    def _find_overdue(self, names: Iterable[str], asked_ms: int) -> list[str]:
        """Returns those of whom nothing was read in time; the others wait for their deadlines."""
        overdue = []
        for name in names:
            pulse = self._pulses.get(name)
            if pulse is None or not pulse.alive:
                continue
            if pulse.find_deadline(self._options) < asked_ms:
                overdue.append(name)
            else:
                self._schedule(name, pulse)
        return overdue

    def _forgive(self, now_ms: int, late_ms: int) -> None:
        if late_ms > 0:
            for pulse in self._pulses.values():
                pulse.seen_ms = min(now_ms, pulse.seen_ms + late_ms)

    # -- verdicts ----------------------------------------------------------

    def _tell(self, names: Iterable[str]) -> None:
        """Makes the verdicts on some chassis anew."""
        for name in names:
            verdict = self._find_verdict(name)
            if verdict == self._verdicts.get(name):
                continue
            self._changed[name] = verdict
            if verdict is None:
                del self._verdicts[name]
            else:
                self._verdicts[name] = verdict

    def _find_verdict(self, name: str) -> Verdict | None:
        pulse = self._pulses.get(name)
        if pulse is None:
            return None
        return Verdict(
            alive=pulse.alive,
            incarnation=pulse.row.incarnation,
            stopping=bool(pulse.row.stopping),
            ovn_problem=pulse.row.ovn_problem or "",
            overloaded=is_overloaded(pulse.row, self._weights.get(name), self._options),
        )
