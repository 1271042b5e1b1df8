"""For how long each container has been unwell where it is bound.

Time in which it is unwell adds up until it has been well for STEADY_MS without
a break, so that a program that runs for a second now and then does not count as
one that runs.  'error' has a shorter time than the rest, so the two add up
each by itself.  One that waits for OVN, which does not follow, is given the
whole time again once OVN does.

    absent ──unwell──> starting <──> error
      ^                   │ ^          │ ^
      │                 well│unwell  well│unwell
      │                   v │          v │
      └──── STEADY_MS ──── recovering ───┘

This is the memory of one process, by the monotonic clock.  After an outage, or
with another svc-northd, everybody has the whole time again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

WELL = "well"
STARTING = "starting"
# OVN does not follow (ovn_wait.py): nobody's time.
WAITING = "waiting"
ERROR = "error"

# Longer than a program runs that ends over and over, whose chassis starts it again after a fraction
# of a second; shorter than the first pause of a chassis that is avoided, so that what has recovered
# is well again before anybody comes back to it.
STEADY_MS = 10_000


@dataclass(frozen=True, slots=True)
class Condition:
    """How a container is on a chassis: WELL, STARTING, WAITING or ERROR.

    With another 'life' it is judged anew: its role, and who runs it.
    """

    kind: str
    life: object = None


@dataclass(frozen=True, slots=True)
class Spell:
    """The condition since 'since_ms' (monotonic), and how long it was unwell before that.

    'starting_ms' and 'error_ms' are what adds up, 'count' how often it became
    unwell since it was steady.
    """

    condition: Condition
    since_ms: int
    starting_ms: int = 0
    error_ms: int = 0
    count: int = 1

    @property
    def spent_ms(self) -> int:
        """How long it was in this kind of unwell before it came to be so again."""
        return self.error_ms if self.condition.kind == ERROR else self.starting_ms

    def end(self, now_ms: int) -> Spell:
        """Returns this spell with its own time added to what was before."""
        passed_ms = max(0, now_ms - self.since_ms)
        match self.condition.kind:
            case "error":
                return replace(self, error_ms=self.error_ms + passed_ms)
            case "starting":
                return replace(self, starting_ms=self.starting_ms + passed_ms)
            case "waiting":
                return replace(self, starting_ms=0)
        return self


class Spells:
    """Keeps the spells of containers that are unwell, or were a moment ago."""

    def __init__(self) -> None:
        self._spells: dict[str, dict[str, Spell]] = {}

    def begin(self) -> None:
        """Forgets everything: svc-northd begins to watch."""
        self._spells.clear()

    def note(
        self, container: str, now_ms: int, conditions: Mapping[str, Condition]
    ) -> Mapping[str, Spell]:
        """Takes how 'container' is on each chassis that can be judged; returns the spells.

        To tell the same again changes nothing.  A chassis without a spell is
        one where the container has long been well.
        """
        before = self._spells.pop(container, {})
        spells = {}
        for chassis, condition in conditions.items():
            spell = _follow(before.get(chassis), condition, now_ms)
            if spell is not None:
                spells[chassis] = spell
        if spells:
            self._spells[container] = spells
        return spells


def _follow(before: Spell | None, condition: Condition, now_ms: int) -> Spell | None:
    """Returns the spell after 'before'; None if the container is well and has long been."""
    well = condition.kind == WELL
    if before is None or before.condition.life != condition.life or _is_steady(before, now_ms):
        return None if well else Spell(condition, now_ms)
    if before.condition == condition:
        return before
    relapsed = before.condition.kind == WELL
    return replace(
        before.end(now_ms),
        condition=condition,
        since_ms=now_ms,
        count=before.count + relapsed,
    )


def _is_steady(spell: Spell, now_ms: int) -> bool:
    return spell.condition.kind == WELL and now_ms >= spell.since_ms + STEADY_MS
