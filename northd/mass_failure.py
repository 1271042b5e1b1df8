"""Whether many chassis went silent at once: what is lost on them gets no new place for a while.

Of many chassis that fall silent within seconds most are not dead: a network is
cut, or power comes back in a minute.  To place all that they have elsewhere
would overload those that are left, for nothing.  So when more than a share of
the chassis goes silent at once, and no fewer than LEAST_SILENT, whatever the
size of the cloud, their containers are *held*: they stay bound where they are.
What ends that is time, an operator's word, or that the others are heard again.
From then on they are *paced*: they get new places one after the other
(turns.py), until each has had its turn.

A chassis that is dead for longer than "at once" counts neither among the silent
nor among all.  One that dies later, while others are held, is held with them
only if it is one of as many once more.  When the first is found dead, those count
as silent as well of which nothing was heard for half of their time, since of those
that end together the last is found dead about a heartbeat later.

All times are monotonic, in ms.  Time in which this process was stopped or had no
connection does not count, and what has passed before it does.  Each svc-northd
finds this out for itself; one that is started meanwhile goes by Chassis_Weight, and
gives the whole time again.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..lib.sequence import count_on, has_reached
from .options import Options

# One chassis of two or three, or two of four, are no mass.
LEAST_SILENT = 3
# So long after a death another one was "at once", or for as long as a chassis may be silent.
AT_ONCE_MS = 5000
# A longer step is one in which this process did not watch.
_LONGEST_STEP_MS = 5000
# Between two looks at all chassis while new places are held.
_LOOK_MS = 1000
# The moment that is told is told anew if it is off by more.
_SAME_MOMENT_MS = 2000
# Chassis_Weight:mass_failure.
HELD = "held"
PACED = "paced"


@dataclass(frozen=True, slots=True)
class Numbers:
    """SVC_Global:failover_cfg, and mass_failure_cfg as it stands there."""

    failover_cfg: int = 0
    mass_failure_cfg: int | None = None


@dataclass(frozen=True, slots=True)
class Now:
    """A pass: both clocks in ms, and what is known of the chassis.

    'alive' is how many are not dead; 'count_silent' counts those of them of which
    nothing was heard for half of their time.
    """

    monotonic_ms: int
    wall_ms: int
    alive: int
    count_silent: Callable[[], int]


class MassFailure:
    """'state' is HELD, PACED, or "" while there is none; 'members' are the chassis of it.

    Each pass: note what changed, restore() what Chassis_Weight says, run().
    """

    def __init__(self) -> None:
        self.state = ""
        self.members: set[str] = set()
        # Number of what is held, which failover_cfg is to reach.
        self.number: int | None = None
        # When the hold is over, by the wall clock.
        self.until_wall_ms = 0
        # How many went silent, of how many, when it began.
        self.silent = self.total = 0
        # Why it is not held any more, in words, once after each hold.
        self.ended = ""
        self._deaths: dict[str, int] = {}
        self._fresh: set[str] = set()
        self._begun_ms: int | None = None
        self._calm_ms: int | None = None
        # When it was last found out whether so many are silent still, and that.
        self._looked_ms: int | None = None
        self._lasts = True
        self._ran_ms: int | None = None
        self._interrupted = False
        # Whether an earlier svc-northd found it.
        self._taken_over = False
        self._restored: set[str] = set()

    def note_death(self, chassis: str) -> None:
        """Notes that a chassis that was alive is dead."""
        self._fresh.add(chassis)

    def note_life(self, chassis: str) -> None:
        """Notes that a chassis is heard again, or is gone."""
        self._fresh.discard(chassis)
        self._deaths.pop(chassis, None)
        if chassis in self.members:
            self.members.discard(chassis)
            # Each of the others has its time anew.
            self._calm_ms = None

    def restore(self, chassis: str, state: str) -> None:
        """Takes what an earlier svc-northd found of a chassis that is there, and dead."""
        if state in (HELD, PACED) and chassis not in self.members:
            self._restored.add(state)
            self.members.add(chassis)

    def interrupt(self) -> None:
        """Notes that there is no connection: the time from the last pass to the next is left out.

        Who is heard again has no time then, since after it each chassis has its time anew.
        """
        self._interrupted = True
        self._calm_ms = None

    def run(self, now: Now, options: Options, numbers: Numbers) -> None:
        """Begins a hold, or ends one."""
        self._take_restored(numbers)
        self._take_step(now)
        self._take_deaths(now, options, numbers)
        if self.state == HELD:
            self.ended = self._find_end(now, options, numbers)
            if self.ended:
                self.state, self.number = PACED, None
        if self.state and not self.members:
            self.finish()

    def finish(self) -> None:
        """Notes that nobody of it waits for a new place any more."""
        self.state, self.number = "", None
        self.members.clear()

    # -- how it begins -----------------------------------------------------

    def _take_restored(self, numbers: Numbers) -> None:
        if self._restored and self.state != HELD:
            self.state = HELD if HELD in self._restored else PACED
            self._begun_ms = self._calm_ms = None
            self._taken_over = True
            self.silent, self.total = len(self.members), 0
            if self.state == HELD:
                self.number = numbers.mass_failure_cfg or count_on(numbers.failover_cfg)
        self._restored = set()

    def _take_step(self, now: Now) -> None:
        if self._begun_ms is None:
            self._begun_ms = now.monotonic_ms
        elif self._ran_ms is not None:
            counted_ms = 0 if self._interrupted else _LONGEST_STEP_MS
            self._begun_ms += max(0, now.monotonic_ms - self._ran_ms - counted_ms)
        self._ran_ms, self._interrupted = now.monotonic_ms, False

    def _take_deaths(self, now: Now, options: Options, numbers: Numbers) -> None:
        fresh, self._fresh = self._fresh, set()
        if not fresh:
            return
        dead_after_ms = options.chassis_dead_after_ms
        at_once_ms = max(AT_ONCE_MS, dead_after_ms)
        # One that has just been started finds those out that much later.
        begins_ms = at_once_ms + (dead_after_ms if self._taken_over else 0)
        assert self._begun_ms is not None
        if self.state and now.monotonic_ms < self._begun_ms + begins_ms:
            self.members |= fresh
            return
        self._deaths.update(dict.fromkeys(fresh, now.monotonic_ms))
        self._deaths = {
            name: died_ms
            for name, died_ms in self._deaths.items()
            if died_ms + at_once_ms > now.monotonic_ms
        }
        silent, total = _count(self._deaths, now)
        if not is_mass(silent, total, options.mass_failure_share):
            return
        if self.state != HELD:
            self.state, self.number = HELD, count_on(numbers.failover_cfg)
            self.silent, self.total = silent, total
            self._begun_ms, self._taken_over = now.monotonic_ms, False
        self._calm_ms = self._looked_ms = None
        self.members |= self._deaths.keys()
        self._deaths = {}

    # -- how it ends -------------------------------------------------------

    def _find_end(self, now: Now, options: Options, numbers: Numbers) -> str:
        """Returns why nothing is held any more, "" while it is."""
        if not self.members:
            return "all of them are heard again"
        assert self.number is not None
        if has_reached(numbers.failover_cfg, self.number):
            return "the operator said failover-now"
        assert self._begun_ms is not None
        until_ms = self._begun_ms + options.mass_failure_hold_ms
        if now.monotonic_ms >= until_ms:
            return f"{options.mass_failure_hold_ms} ms are over"
        until_wall_ms = now.wall_ms + until_ms - now.monotonic_ms
        if abs(until_wall_ms - self.until_wall_ms) > _SAME_MOMENT_MS:
            self.until_wall_ms = until_wall_ms
        if self._looked_ms is None or now.monotonic_ms >= self._looked_ms + _LOOK_MS:
            self._looked_ms = now.monotonic_ms
            self._lasts = is_mass(*_count(self.members, now), options.mass_failure_share)
        if self._lasts:
            self._calm_ms = None
            return ""
        if self._calm_ms is None:
            self._calm_ms = now.monotonic_ms
        calm = now.monotonic_ms >= self._calm_ms + options.chassis_dead_after_ms
        return "most of them are heard again" if calm else ""


def is_mass(silent: int, total: int, share: int) -> bool:
    """Returns whether 'silent' of 'total' chassis are more than 'share' percent, and not few."""
    return silent >= LEAST_SILENT and 100 * silent > share * total


def _count(dead: Iterable[str], now: Now) -> tuple[int, int]:
    """Returns how many chassis are silent, those that are 'dead' of it among them, and of all."""
    count = len(set(dead))
    return count + now.count_silent(), count + now.alive
