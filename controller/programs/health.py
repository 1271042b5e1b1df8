"""When a program is asked whether it is well, and when it has failed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ...services.api.program import Health

_FIRST_INTERVAL_MS = 50
_MAX_FIRST_INTERVAL_MS = 1000
# Programs that were started together must not all be asked together.
_JITTER = 0.1


@dataclass(slots=True)
class Condition:
    """What is known of one life of a program; 'well' None: not asked successfully yet.

    Until its first good answer it is asked often, and has Health:start_ms.
    'ask_at_ms' is when it is asked next.
    """

    health: Health
    started_ms: int
    ask_at_ms: int = 0
    well: bool | None = None
    problem: str | None = None
    _failures: int = 0
    _interval_ms: int = _FIRST_INTERVAL_MS
    _random: random.Random = field(default_factory=random.Random)

    def note_answer(self, problem: str | None, now_ms: int) -> None:
        """Notes an answer: 'problem' says in words what is wrong, None if nothing."""
        if problem is None:
            self.well, self.problem, self._failures = True, None, 0
        else:
            self._failures += 1
            self.problem = problem
        if self.well is None:
            self.ask_at_ms = now_ms + self._interval_ms
            self._interval_ms = min(2 * self._interval_ms, _MAX_FIRST_INTERVAL_MS)
            return
        share = self._random.uniform(1 - _JITTER, 1 + _JITTER)
        self.ask_at_ms = now_ms + round(self.health.interval_ms * share)

    def find_failure(self, now_ms: int) -> str | None:
        """Returns in words why the program is to be ended, None if it is not."""
        if self.problem is None:
            return None
        if self.well is None:
            late = now_ms - self.started_ms >= self.health.start_ms
            return f"was not well in time: {self.problem}" if late else None
        failed = self._failures >= self.health.failures
        return f"was not well {self._failures} times: {self.problem}" if failed else None
