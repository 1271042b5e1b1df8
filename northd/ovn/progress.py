"""Whether OVN follows: ovn-northd compiles what was written, and counts it (ovn-nb(5)).

Any client may raise NB_Global:nb_cfg; ovn-northd sets sb_cfg to it once OVN_Southbound
has all that stood beside it.  While that is not so, what a container waits for is
ovn-northd or OVN's southbound, and its chassis is not to blame.

Each raise is a transaction of every chassis of OVN.  So nobody is asked before a
container has waited for longer than it should, and one question at a time is under
way for all.  It covers those that waited when it was asked.  Rules on routers are
asked for as well (uncompiled.py).

This is the memory of one process, by the monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from ..scheduler.ovn_wait import Wait, Word
from .uncompiled import Uncompiled

# A port is installed within a second where all is well.
DOUBT_MS = 2000
# From then on the time of those that wait is OVN's.
PUNCTUAL_MS = 1000
# From then on OVN is said not to follow; ovn-northd takes seconds for a big cloud.
LATE_MS = 5000

PROBLEM = (
    "OVN does not follow: NB_Global:sb_cfg stays behind nb_cfg; "
    "ovn-northd is paused, dead or slow, or OVN's southbound is"
)
# The highest number that the column takes (ovsdb-server(7)).
MOST = 2**63 - 1
EXHAUSTED = (
    "OVN cannot be asked whether it follows: NB_Global:nb_cfg is as high as it can be; set it to 1"
)


@dataclass(slots=True)
class _Question:
    """OVN is to count more than 'number'."""

    number: int
    asked_ms: int
    late: bool = False


class Progress:
    """Keeps who waits for OVN since when, and whether OVN has compiled it.

    Each pass: read() the root row, note() what changed, run(), take_words().
    """

    def __init__(self) -> None:
        self._nb_cfg = self._sb_cfg = 0
        self._waits: dict[str, Wait] = {}
        # Those that OVN has not answered for, in the order in which they began to wait.
        self._open: OrderedDict[str, int] = OrderedDict()
        self._words: dict[str, Word | None] = {}
        self._question: _Question | None = None
        self._behind_ms: int | None = None
        self._now_ms = 0
        self.rules = Uncompiled()

    def begin(self, now_ms: int) -> None:
        """Forgets what it knew: svc-northd begins to watch."""
        self._question = None
        self._behind_ms = now_ms if self._behind_ms is not None else None
        self._open = OrderedDict.fromkeys(self._waits, now_ms)
        self._words.update(dict.fromkeys(self._waits))

    def read(self, nb_cfg: int, sb_cfg: int, now_ms: int) -> None:
        """Takes the two numbers of NB_Global."""
        moved, self._nb_cfg, self._sb_cfg = sb_cfg != self._sb_cfg, nb_cfg, sb_cfg
        if sb_cfg >= nb_cfg:
            self._behind_ms = None
        elif self._behind_ms is None or moved:
            self._behind_ms = now_ms
        question = self._question
        if question is None:
            return
        # A database that was restored counts from less.
        question.number = min(question.number, nb_cfg)
        if question.number < sb_cfg <= nb_cfg:
            self._take_answer(question.asked_ms)

    def note(self, container: str, wait: Wait | None, now_ms: int) -> None:
        """Takes that 'container' waits for OVN, or that it does no more."""
        self._open.pop(container, None)
        if self._waits.pop(container, None) is not None:
            self._words[container] = None
        if wait is not None:
            self._waits[container] = wait
            self._open[container] = now_ms
            if self._question is not None and self._question.late:
                self._words[container] = Word(wait, late=True)

    def run(self, now_ms: int) -> None:
        """Asks when somebody has waited for long, and notes that an answer is late."""
        self._now_ms = now_ms
        if self._nb_cfg >= MOST:
            return
        self.rules.run(now_ms)
        first_ms = next(iter(self._open.values()), None)
        if self._question is None and first_ms is not None and now_ms >= first_ms + DOUBT_MS:
            self._question = _Question(self._nb_cfg, now_ms)
        question = self._question
        if question and not question.late and now_ms >= question.asked_ms + PUNCTUAL_MS:
            question.late = True
            self._words.update({name: Word(self._waits[name], late=True) for name in self._open})

    @property
    def asks(self) -> bool:
        """Whether nb_cfg is to be raised."""
        waits = self._question is not None and self._nb_cfg <= self._question.number
        return waits or self.rules.asks

    @property
    def problem(self) -> str | None:
        """A sentence while OVN does not follow."""
        behind = self._behind_ms is not None and self._now_ms >= self._behind_ms + LATE_MS
        return PROBLEM if behind else None

    @property
    def exhausted(self) -> str | None:
        """A sentence while OVN cannot be asked."""
        return EXHAUSTED if self._nb_cfg >= MOST else None

    @property
    def has_words(self) -> bool:
        """Whether take_words() has something, or there is news of rules."""
        return bool(self._words) or self.rules.has_changed

    def take_words(self) -> Mapping[str, Word | None]:
        """Returns what is new by container, None where nothing is known."""
        words, self._words = self._words, {}
        return words

    def find_next_ms(self) -> int | None:
        """Returns when run() has something to do though nothing was written."""
        moments = [each for each in (self.rules.find_next_ms(),) if each is not None]
        if self._behind_ms is not None:
            moments.append(self._behind_ms + LATE_MS)
        if self._question is not None:
            moments.append(self._question.asked_ms + PUNCTUAL_MS)
        elif self._open:
            moments.append(next(iter(self._open.values())) + DOUBT_MS)
        return min((each for each in moments if each > self._now_ms), default=None)

    def _take_answer(self, asked_ms: int) -> None:
        self._question = None
        for name, since_ms in list(self._open.items()):
            if since_ms > asked_ms:
                return
            del self._open[name]
            self._words[name] = Word(self._waits[name], late=False)
