"""Rules on routers that OVN_Northbound has of late, until ovn-northd has compiled them.

A rule that is not compiled takes no traffic: what it is for goes where it went before.

A rule has the nb_cfg that stood beside it when it was first seen.  OVN has compiled it
once sb_cfg is more, whoever raised nb_cfg.  It is late once such a raise waits for
longer than OVN takes: twice the time of its last answer, since an answer may take two
passes of ovn-northd, within LATE_MS and LATEST_MS.  svc-northd raises only where nobody
has done so.  What is late stays so until OVN has compiled all that came for its subject,
also rules that took the place of others meanwhile.

This is the memory of one process: what stood there when it began is taken for compiled.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

# From a rule to a raise for it, while nobody else raises.
DOUBT_MS = 2000
# From a raise of ours to the next one.
REST_MS = 10_000
LATE_MS = 5000
LATEST_MS = 30_000


# A container, and a subject of it.
_Subject = tuple[str, str]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Rule:
    subject: _Subject
    nb_cfg: int


@dataclass(frozen=True, slots=True)
class _Raise:
    nb_cfg: int
    seen_ms: int


class Uncompiled:
    """The rules by the UUID of their row, in the order in which they came.

    Each pass: read() the root row, judge() if what is known is of this moment, note()
    and forget() rules, take_changed(); the active svc-northd calls run() as well, and
    raises nb_cfg while 'asks'.
    """

    def __init__(self) -> None:
        # Not a dict: to find the first of one from which many went takes as long as for all.
        self._fresh: OrderedDict[UUID, _Rule] = OrderedDict()
        # By container and subject, those that are late: the last nb_cfg beside a rule of it.
        self._late: OrderedDict[_Subject, int] = OrderedDict()
        self._subjects: dict[str, set[str]] = {}
        self._changed: set[str] = set()
        self._nb_cfg = 0
        self._beside = 0
        # An sb_cfg that is of a higher count.
        self._stale: int | None = None
        # Those that OVN has not answered, the oldest first.
        self._raises: deque[_Raise] = deque()
        self._answer_ms = 0
        # Since when a rule waits that nobody has raised nb_cfg for.
        self._unasked_ms: int | None = None
        self._rest_until_ms = 0
        self._now_ms = 0
        self.asks = False

    # -- the numbers -------------------------------------------------------

    def read(self, nb_cfg: int, sb_cfg: int, now_ms: int, *, ours: bool = False) -> None:
        """Takes the two numbers of NB_Global, and whether a svc-northd made it this nb_cfg.

        It raises in one transaction with rules, if there are any.
        """
        self._now_ms = now_ms
        self._beside = nb_cfg
        if nb_cfg < self._nb_cfg:
            self._lower(nb_cfg, now_ms)
        elif nb_cfg > self._nb_cfg:
            self._raises.append(_Raise(nb_cfg, now_ms))
            self._unasked_ms, self.asks = None, False
            self._beside -= ours
        self._nb_cfg = nb_cfg
        if sb_cfg > nb_cfg:
            # Of a count that was higher: ovn-northd puts its own number back (northd/northd.c).
            self._stale = sb_cfg
        elif sb_cfg != self._stale:
            self._stale = None
            self._take_answer(sb_cfg, now_ms)

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
        late = container, subject
        if self._late.pop(late, None) is not None:
            self._late[late] = self._beside
        else:
            self._fresh[uuid] = _Rule(late, self._beside)
        if self._unasked_ms is None and self._beside == self._nb_cfg:
            self._unasked_ms = now_ms

    def forget(self, uuid: UUID) -> None:
        """Takes that a rule is away."""
        self._fresh.pop(uuid, None)

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
        return {name: frozenset(each) if each else None for name, each in found.items()}

    # -- what is late ------------------------------------------------------

    @property
    def is_overdue(self) -> bool:
        """Whether judge() would find some that are late."""
        return bool(self._fresh) and bool(self._raises) and self._is_long_ago(self._raises[0])

    def judge(self) -> None:
        """Notes which rules are late: those of before a raise that waits for long."""
        while len(self._raises) > 1 and self._is_long_ago(self._raises[1]):
            self._raises.popleft()
        while (first := _find_first(self._fresh)) is not None:
            rule = self._fresh[first]
            if rule.nb_cfg >= self._raises[0].nb_cfg:
                return
            del self._fresh[first]
            self._late.pop(rule.subject, None)
            self._late[rule.subject] = rule.nb_cfg
            container, subject = rule.subject
            self._subjects.setdefault(container, set()).add(subject)
            self._changed.add(container)

    # -- helpers -----------------------------------------------------------

    @property
    def _limit_ms(self) -> int:
        return min(max(LATE_MS, 2 * self._answer_ms), LATEST_MS)

    def _is_long_ago(self, each: _Raise) -> bool:
        return self._now_ms >= each.seen_ms + self._limit_ms

    def _find_due_ms(self) -> int | None:
        if self._unasked_ms is None or not self.waits:
            return None
        return max(self._unasked_ms + DOUBT_MS, self._rest_until_ms)

    def _lower(self, nb_cfg: int, now_ms: int) -> None:
        """Takes that OVN_Northbound counts from less, as one that was restored."""
        self._raises.clear()
        self._unasked_ms = now_ms if self.waits else None
        for uuid, rule in self._fresh.items():
            self._fresh[uuid] = replace(rule, nb_cfg=nb_cfg)
        self._late = OrderedDict.fromkeys(self._late, nb_cfg)

    def _take_answer(self, sb_cfg: int, now_ms: int) -> None:
        if self._raises and self._raises[0].nb_cfg <= sb_cfg:
            self._answer_ms = now_ms - self._raises[0].seen_ms
        while self._raises and self._raises[0].nb_cfg <= sb_cfg:
            self._raises.popleft()
        while (rule := _find_first(self._fresh)) is not None and self._fresh[rule].nb_cfg < sb_cfg:
            del self._fresh[rule]
        while (late := _find_first(self._late)) is not None and self._late[late] < sb_cfg:
            del self._late[late]
            container, subject = late
            self._subjects[container].discard(subject)
            if not self._subjects[container]:
                del self._subjects[container]
            self._changed.add(container)


def _find_first(keys: Mapping[K, object]) -> K | None:
    return next(iter(keys), None)
