"""Two clocks: what is decided goes by the monotonic one, what is written by the wall clock.

A moment in a row is a stamp of some svc-northd's wall clock, which may be hours
off, or may have been set since.  So the time that is left of it is found out
once, when this process first sees the stamp, and never taken for longer than
its meaning allows; from then on only the monotonic clock counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

IsPast = Callable[[int], bool]
"""Whether a moment of the monotonic clock has come; the caller is asked again when it comes."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by both clocks, in ms; 'wall_ms' is what is to be written for it."""

    monotonic_ms: int
    wall_ms: int


_Stamps = dict[tuple[int, int], Deadline]


class Clock:
    """Both clocks as they are in this pass, and the deadlines of the stamps that are in use."""

    def __init__(self) -> None:
        self.wall_ms = 0
        self.monotonic_ms = 0
        self._stamps: dict[str, _Stamps] = {}

    def tick(self, wall_ms: int, monotonic_ms: int) -> None:
        """Begins a pass, in which the clocks stand still."""
        self.wall_ms = wall_ms
        self.monotonic_ms = monotonic_ms

    def read(self, container: str) -> Reading:
        """Returns the clocks for one look at 'container'.

        Of its stamps those are remembered that this look asks for.
        """
        seen = self._stamps.pop(container, {})
        return Reading(
            self.wall_ms,
            self.monotonic_ms,
            seen,
            lambda: self._stamps.setdefault(container, {}),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """The clocks during one look at a container."""

    wall_ms: int
    monotonic_ms: int
    _seen: _Stamps = field(default_factory=dict, repr=False)
    _keep: Callable[[], _Stamps] = field(default=dict, repr=False)

    def find_deadline(self, stamp_ms: int, most_ms: int) -> Deadline:
        """Returns the moment that 'stamp_ms' of a wall clock means, at most 'most_ms' ahead.

        A stamp that lies further ahead was written by a clock that was ahead of
        this one, or is a mistake: the deadline says what is to stand there.
        """
        found = self._seen.get((stamp_ms, most_ms)) or self._fix(stamp_ms, most_ms)
        kept = self._keep()
        # What replaces the stamp means the same moment once it is read back.
        kept[stamp_ms, most_ms] = kept[found.wall_ms, most_ms] = found
        return found

    def _fix(self, stamp_ms: int, most_ms: int) -> Deadline:
        ahead_ms = stamp_ms - self.wall_ms
        left_ms = max(0, min(ahead_ms, most_ms))
        return Deadline(
            monotonic_ms=self.monotonic_ms + left_ms,
            wall_ms=stamp_ms if ahead_ms <= most_ms else self.wall_ms + most_ms,
        )
