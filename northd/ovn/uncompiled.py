"""Rules on routers that OVN_Northbound has of late, until ovn-northd has compiled them.

A rule that is not compiled takes no traffic: what it is for goes where it went before.
Nobody is told of the seconds that ovn-northd takes where all is well; progress.py says
when OVN is late.

This is the memory of one process: what stood there when it began is taken for compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class _Rule:
    container: str
    subject: str
    since_ms: int


class Uncompiled:
    """The rules by the UUID of their row, in the order in which they came."""

    def __init__(self) -> None:
        self._rules: dict[UUID, _Rule] = {}
        self._by_container: dict[str, dict[UUID, str]] = {}
        self._changed: set[str] = set()
        self._late = False

    def begin(self, now_ms: int) -> None:
        """Counts the time of each from now on: svc-northd begins to watch."""
        rules = self._rules.items()
        self._rules = {uuid: _Rule(rule.container, rule.subject, now_ms) for uuid, rule in rules}

    def note(self, uuid: UUID, container: str, subject: str, now_ms: int) -> None:
        """Takes a rule that is new, or another one than it was."""
        self.forget(uuid)
        self._rules[uuid] = _Rule(container, subject, now_ms)
        self._by_container.setdefault(container, {})[uuid] = subject
        self._changed.add(container)

    def forget(self, uuid: UUID) -> None:
        """Takes that a rule is away, or compiled."""
        rule = self._rules.pop(uuid, None)
        if rule is None:
            return
        subjects = self._by_container[rule.container]
        del subjects[uuid]
        if not subjects:
            del self._by_container[rule.container]
        self._changed.add(rule.container)

    def take_answer(self, asked_ms: int) -> None:
        """Takes that OVN has compiled what was there before it was asked."""
        for uuid, rule in list(self._rules.items()):
            if rule.since_ms >= asked_ms:
                return
            self.forget(uuid)

    def set_late(self, late: bool) -> None:
        """Takes whether OVN is late with an answer."""
        if late != self._late:
            self._late = late
            self._changed.update(self._by_container)

    @property
    def first_ms(self) -> int | None:
        """Since when the oldest waits, None while there is none."""
        rule = next(iter(self._rules.values()), None)
        return rule.since_ms if rule is not None else None

    @property
    def has_changed(self) -> bool:
        """Whether take_changed() has something."""
        return bool(self._changed)

    def take_changed(self) -> Mapping[str, frozenset[str] | None]:
        """Returns the subjects whose rules OVN is late with, by container, None for none."""
        changed, self._changed = self._changed, set()
        return {name: self._find_subjects(name) for name in changed}

    def _find_subjects(self, container: str) -> frozenset[str] | None:
        rules = self._by_container.get(container) if self._late else None
        return frozenset(rules.values()) if rules else None
