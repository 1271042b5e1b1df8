"""Rules on routers that OVN_Northbound has of late, until ovn-northd has compiled them.

A rule that is not compiled takes no traffic: what it is for goes where it went before.

A rule has the nb_cfg that stood beside it when it was first seen.  OVN has compiled it
once sb_cfg is more, whoever raised nb_cfg.  It is late once such a raise waits for
longer than OVN takes: twice the time of its last answer, since an answer may take two
passes of ovn-northd, within LATE_MS and LATEST_MS.  svc-northd raises only where nobody
has done so.

This is the memory of one process: what stood there when it began is taken for compiled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from uuid import UUID

# From a rule to a raise for it, while nobody else raises.
DOUBT_MS = 2000
# From a raise of ours to the next one.
REST_MS = 10_000
LATE_MS = 5000
LATEST_MS = 30_000


@dataclass(frozen=True, slots=True)
class _Rule:
    container: str
    subject: str
    nb_cfg: int


@dataclass(frozen=True, slots=True)
class _Raise:
    nb_cfg: int
    seen_ms: int


class Uncompiled:
    """The rules by the UUID of their row, in the order in which they came.

    Each pass: read() the root row, note() and forget() rules, take_changed(); the
    active svc-northd calls run() as well, and raises nb_cfg while 'asks'.
    """

    def __init__(self) -> None:
        self._fresh: dict[UUID, _Rule] = {}
        self._late: dict[UUID, _Rule] = {}
        # By container, of those that are late.
        self._subjects: dict[str, dict[UUID, str]] = {}
        self._changed: set[str] = set()
        self._nb_cfg = 0
        self._own: int | None = None
        self._beside = 0
        # Those that OVN has not answered, the oldest first.
        self._raises: deque[_Raise] = deque()
        self._answer_ms = 0
        # Since when a rule waits that nobody has raised nb_cfg for.
        self._unasked_ms: int | None = None
        self._rest_until_ms = 0
        self._now_ms = 0
        self.asks = False

    # -- the numbers -------------------------------------------------------

    def note_own_raise(self, nb_cfg: int | None) -> None:
        """Takes to what a transaction of ours that is under way raises nb_cfg, None for none."""
        self._own = nb_cfg

    def read(self, nb_cfg: int, sb_cfg: int, now_ms: int) -> None:
        """Takes the two numbers of NB_Global."""
        self._now_ms = now_ms
        if nb_cfg < self._nb_cfg:
            self._lower(nb_cfg, now_ms)
        elif nb_cfg > self._nb_cfg:
            self._raises.append(_Raise(nb_cfg, now_ms))
            self._unasked_ms, self.asks = None, False
        self._nb_cfg = self._beside = nb_cfg
        if self._own is not None and nb_cfg >= self._own:
            # What came with this raise is compiled with it.
            self._beside, self._own = self._own - 1, None
        self._take_answer(sb_cfg, now_ms)
        self._find_late(now_ms)

    def interrupt(self, now_ms: int) -> None:
        """Takes that nothing is seen of OVN_Northbound: an answer may have come."""
        self._raises = deque(_Raise(each.nb_cfg, now_ms) for each in self._raises)

    def run(self, now_ms: int) -> None:
        """Asks where a rule has waited for a while, and nobody has asked."""
        due_ms = self._find_due_ms()
        if not self.asks and due_ms is not None and now_ms >= due_ms:
            self.asks = True
            self._rest_until_ms = now_ms + REST_MS

    def find_next_ms(self) -> int | None:
        """Returns when there is something to do though nothing was written."""
        moments = [each.seen_ms + self._limit_ms for each in self._raises] if self._fresh else []
        due_ms = self._find_due_ms()
        if due_ms is not None and not self.asks:
            moments.append(due_ms)
        return min((each for each in moments if each > self._now_ms), default=None)

    # -- the rules ---------------------------------------------------------

    def note(self, uuid: UUID, container: str, subject: str, now_ms: int) -> None:
        """Takes a rule that is new, or another one than it was."""
        self.forget(uuid)
        self._fresh[uuid] = _Rule(container, subject, self._beside)
        if self._unasked_ms is None and self._beside == self._nb_cfg:
            self._unasked_ms = now_ms

    def forget(self, uuid: UUID) -> None:
        """Takes that a rule is away, or compiled."""
        self._fresh.pop(uuid, None)
        rule = self._late.pop(uuid, None)
        if rule is None:
            return
        subjects = self._subjects[rule.container]
        del subjects[uuid]
        if not subjects:
            del self._subjects[rule.container]
        self._changed.add(rule.container)

    @property
    def waits(self) -> bool:
        """Whether OVN is yet to compile any."""
        return bool(self._fresh or self._late)

    @property
    def has_changed(self) -> bool:
        """Whether take_changed() has something."""
        return bool(self._changed)

    def take_changed(self) -> Mapping[str, frozenset[str] | None]:
        """Returns the subjects whose rules OVN is late with, by container, None for none."""
        changed, self._changed = self._changed, set()
        found = {name: self._subjects.get(name) for name in changed}
        return {name: frozenset(each.values()) if each else None for name, each in found.items()}

    # -- helpers -----------------------------------------------------------

    @property
    def _limit_ms(self) -> int:
        return min(max(LATE_MS, 2 * self._answer_ms), LATEST_MS)

    def _find_due_ms(self) -> int | None:
        if self._unasked_ms is None or not self.waits:
            return None
        return max(self._unasked_ms + DOUBT_MS, self._rest_until_ms)

    def _lower(self, nb_cfg: int, now_ms: int) -> None:
        """Takes that OVN_Northbound counts from less, as one that was restored."""
        self._raises.clear()
        self._unasked_ms = now_ms if self.waits else None
        for rules in (self._fresh, self._late):
            for uuid, rule in rules.items():
                if rule.nb_cfg > nb_cfg:
                    rules[uuid] = replace(rule, nb_cfg=nb_cfg)

    def _take_answer(self, sb_cfg: int, now_ms: int) -> None:
        if self._raises and self._raises[0].nb_cfg <= sb_cfg:
            self._answer_ms = now_ms - self._raises[0].seen_ms
        while self._raises and self._raises[0].nb_cfg <= sb_cfg:
            self._raises.popleft()
        for rules in (self._late, self._fresh):
            while (first := _find_first(rules)) is not None and rules[first].nb_cfg < sb_cfg:
                self.forget(first)

    def _find_late(self, now_ms: int) -> None:
        """Notes which rules are late: those of before a raise that waits for long."""
        seen_ms = now_ms - self._limit_ms
        if not self._raises or self._raises[0].seen_ms > seen_ms:
            return
        while len(self._raises) > 1 and self._raises[1].seen_ms <= seen_ms:
            self._raises.popleft()
        below = self._raises[0].nb_cfg
        while (first := _find_first(self._fresh)) is not None and self._fresh[first].nb_cfg < below:
            rule = self._late[first] = self._fresh.pop(first)
            self._subjects.setdefault(rule.container, {})[first] = rule.subject
            self._changed.add(rule.container)


def _find_first(rules: Mapping[UUID, _Rule]) -> UUID | None:
    return next(islice(rules, 1), None)
