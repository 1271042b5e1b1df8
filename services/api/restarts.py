"""When a program that ended is started again, and when that is a failure. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ...lib.moment import add_retry

STABLE_MS = 60_000
ERROR_AFTER_DEATHS = 4
_FIRST_DELAY_MS = 250
_MAX_DELAY_MS = 30_000


@dataclass(slots=True)
class Restarts:
    """The lives of one program; 'count' is how often it was started again.

    The first start after an end is at once; the next ones come after a delay
    that doubles from 0.5 s to 30 s until the program has run for a minute.
    'problem' says what is wrong and what comes next; it stands still while that goes on.
    """

    count: int = 0
    start_at_ms: int = 0
    problem: str | None = None
    _started_ms: int = 0
    _deaths: int = 0
    _sentence: str = ""

    def note_start(self, now_ms: int) -> None:
        """Notes that the program was started, or taken over."""
        self._started_ms = now_ms
        if self.problem is not None:
            self.problem = f"{self._sentence}; it runs, and is well if it does so for a minute"

    def note_running(self, now_ms: int) -> None:
        """Notes that the program runs: what was is forgotten once it has for long enough."""
        if now_ms - self._started_ms > STABLE_MS:
            self._deaths = 0
            self.problem = None

    def note_end(self, sentence: str, now_ms: int) -> None:
        """Notes that the program ended by itself; 'sentence' says how."""
        self.count += 1
        self._deaths = self._deaths + 1 if now_ms - self._started_ms <= STABLE_MS else 1
        quick = self._deaths - 1
        delay_ms = min(_FIRST_DELAY_MS << min(quick, 10), _MAX_DELAY_MS) if quick else 0
        self.start_at_ms = now_ms + delay_ms
        if self._deaths >= ERROR_AFTER_DEATHS:
            more = "more than " if self._deaths > ERROR_AFTER_DEATHS else ""
            times = f"{more}{ERROR_AFTER_DEATHS} times"
            self._sentence = f"{sentence}, {times} within a minute of its start"
            self.problem = add_retry(self._sentence, delay_ms)

    def find_age_ms(self, now_ms: int) -> int:
        """Returns for how long the program has run."""
        return now_ms - self._started_ms
