"""Writes to the southbound how containers are, by container: those of which something changed.

One transaction at a time, of many containers.  One that the server refuses is
halved until the container is found that cannot be written, which holds up no
other; that one is tried again with a growing pause.  Where one after the other is
refused since the chassis may not write that at all, everything waits for as long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import ovs.poller
import ovs.vlog

from ..lib.delta import Change
from ..lib.failures import describe
from ..lib.idl import Session
from ..lib.refusal import is_forbidden
from ..lib.suspects import Suspects
from .status import METRICS_INTERVAL_MS, is_of_figures
from .timers import Timers

vlog = ovs.vlog.Vlog("status_writer")

MOST_CONTAINERS = 200
_FIRST_PAUSE_MS = 1000
_LONGEST_PAUSE_MS = 60_000
# One of them may have lost a race with svc-northd, which gave its row to somebody else.
_MOST_FORBIDDEN = 3


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be written of a container, and whether it is as far as it can be.

    'pending' is whether there are metrics that it is too early to write; 'gone'
    whether nothing is left to tell.
    """

    changes: Sequence[Change]
    settled: bool
    pending: bool = False
    gone: bool = False


Find = Callable[[str, bool], Telling]
"""Returns what is to be written of a container; the flag is whether metrics may be."""


@dataclass(slots=True)
class StatusWriter:
    """What is not written yet; 'unsettled' are containers that are not as far as they can be,
    or of which that is not written.  'warning' is that nothing may be written."""

    unsettled: set[str] = field(default_factory=set)
    warning: str = ""
    _forbidden: int = 0
    _held_until_ms: int = 0
    _dirty: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _suspects: Suspects[str] = field(default_factory=Suspects)
    _sent: dict[str, None] = field(default_factory=dict)
    _pauses: dict[str, int] = field(default_factory=dict)
    _figures_ms: dict[str, int] = field(default_factory=dict)
    _timers: Timers = field(default_factory=Timers)

    def touch(self, names: Iterable[str]) -> None:
        """Notes that something may have changed that is told of containers."""
        self._dirty.update(dict.fromkeys(names))

    @property
    def settled(self) -> bool:
        """Whether every container is as far as it can be, and the southbound says so."""
        return not (self._dirty or self._suspects or self.unsettled)

    def run(self, session: Session, find: Find, comment: str, now_ms: int) -> None:
        """Starts a transaction with what is to be written, if none is under way."""
        self._finish(session, now_ms)
        self.touch(self._timers.take_due(now_ms))
        if self._sent or session.committing or not session.connected:
            return
        if now_ms < self._held_until_ms:
            return
        changes: list[Change] = []
        while not self._sent and (self._suspects or self._dirty):
            for name in self._take_names():
                changes.extend(self._tell(name, find, now_ms))
        if changes:
            session.commit(changes, comment)

    def wait(self, poller: ovs.poller.Poller, now_ms: int) -> None:
        """Arms 'poller' for what is to be written later."""
        next_ms = self._timers.find_next_ms()
        if now_ms < self._held_until_ms:
            poller.timer_wait(self._held_until_ms - now_ms)
        elif next_ms is not None:
            poller.timer_wait(max(0, next_ms - now_ms))

    # -- helpers -----------------------------------------------------------

    def _finish(self, session: Session, now_ms: int) -> None:
        if not self._sent:
            return
        refusal = session.take_outcome()
        if refusal is None and session.committing:
            return
        # What came of it is seen in the rows, whether it succeeded or lost a race.
        sent, self._sent = self._sent, {}
        if refusal is not None:
            self._note_forbidden(refusal, now_ms)
        if not refusal or self.warning:
            self.touch(sent)
        elif len(sent) > 1:
            self._suspects.add(tuple(sent))
        else:
            (name,) = sent
            self._postpone(name, f"what is told of it is refused: {refusal}", now_ms)

    def _note_forbidden(self, refusal: str, now_ms: int) -> None:
        """Holds everything where nothing may be written, more and more seldom tried."""
        self._forbidden = self._forbidden + 1 if is_forbidden(refusal) else 0
        more = self._forbidden - _MOST_FORBIDDEN
        self.warning = f"what is told of containers is refused: {refusal}" if more >= 0 else ""
        if more >= 0:
            pause_ms = _FIRST_PAUSE_MS << min(more, 10)
            self._held_until_ms = now_ms + min(pause_ms, _LONGEST_PAUSE_MS)

    def _postpone(self, name: str, sentence: str, now_ms: int) -> None:
        before = self._pauses.get(name)
        pause_ms = min(2 * before, _LONGEST_PAUSE_MS) if before else _FIRST_PAUSE_MS
        self._pauses[name] = pause_ms
        self._timers.put(name, now_ms + pause_ms)
        self.unsettled.add(name)
        vlog.warn(f"{name}: {sentence}")

    def _take_names(self) -> Sequence[str]:
        """Returns some that may be what was refused, or many of the others."""
        if self._suspects:
            return self._suspects.take()
        count = min(len(self._dirty), MOST_CONTAINERS)
        return [self._dirty.popitem(last=False)[0] for _ in range(count)]

    def _tell(self, name: str, find: Find, now_ms: int) -> Sequence[Change]:
        written_ms = self._figures_ms.get(name)
        figures = written_ms is None or now_ms >= written_ms + METRICS_INTERVAL_MS
        try:
            telling = find(name, figures)
        except Exception as error:  # a mistake in telling of one container stays with it
            self._postpone(name, f"nothing can be told of it: {describe(error)}", now_ms)
            return ()
        hard = telling.changes and not is_of_figures(telling.changes)
        (self.unsettled.discard if telling.settled and not hard else self.unsettled.add)(name)
        if telling.changes:
            self._sent[name] = None
            if figures:
                self._figures_ms[name] = now_ms
        else:
            self._pauses.pop(name, None)
        if telling.gone:
            self._figures_ms.pop(name, None)
        if telling.pending and written_ms is not None:
            self._timers.put(name, written_ms + METRICS_INTERVAL_MS)
        return telling.changes
