"""Commits changes to OVN_Northbound so that rows it refuses harm their container only.

The changes of every container go together in one transaction.  When that is
refused, its containers are suspects and go one by one; one that is refused by
itself is tried again with a growing pause, and 'refusals' has a sentence for
its row, with the time of the next try.  The drops of all containers, and the
root row, belong to no container and go first: no refusal may hold up what fails
closed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..lib.delta import Change, Insert
from ..lib.idl import Session
from ..lib.loop import now_ms as wall_clock_ms
from ..lib.moment import add_retry
from . import ovn

FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 30_000
NOBODY = ""
_LONGEST_SENTENCE = 200


@dataclass(frozen=True, slots=True)
class _Refusal:
    sentence: str
    pause_ms: int
    retry_ms: int


class Writer:
    """What was refused, and the owners of the transaction under way."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._committing: tuple[str, ...] = ()
        self._suspects: set[str] = set()
        self._refused: dict[str, _Refusal] = {}

    @property
    def refusals(self) -> dict[str, str]:
        """The sentence on each container whose rows are refused."""
        return {owner: refusal.sentence for owner, refusal in self._refused.items()}

    def is_due(self, now_ms: int) -> bool:
        """Returns whether something refused is to be tried again."""
        return any(refusal.retry_ms <= now_ms for refusal in self._refused.values())

    def find_pending(self, changes: Iterable[Change]) -> list[Change]:
        """Returns the changes that no refusal holds up."""
        return [each for each in changes if self._find_owner(each) not in self._refused]

    def take_outcome(self, now_ms: int) -> None:
        """Notes how the last transaction ended."""
        outcome = self._session.take_outcome()
        if outcome is None:
            return
        owners, self._committing = self._committing, ()
        if not outcome:
            self._suspects.difference_update(owners)
            for owner in owners:
                self._refused.pop(owner, None)
        elif len(owners) == 1:
            before = self._refused.get(owners[0])
            pause_ms = min(before.pause_ms * 2, LONGEST_PAUSE_MS) if before else FIRST_PAUSE_MS
            sentence = add_retry(format_refusal(outcome), pause_ms, wall_clock_ms())
            refusal = _Refusal(sentence, pause_ms, now_ms + pause_ms)
            self._refused[owners[0]] = refusal
            self._suspects.discard(owners[0])
        else:
            self._suspects.update(owners)

    def commit(self, changes: Sequence[Change], comment: str, now_ms: int) -> None:
        """Starts the next transaction that brings 'changes' nearer, if one is due."""
        groups = self._group(changes)
        self._suspects &= groups.keys()
        self._refused = {owner: self._refused[owner] for owner in self._refused if owner in groups}
        owners = self._choose(groups, now_ms)
        if owners:
            self._committing = owners
            chosen = [change for owner in owners for change in groups[owner]]
            self._session.commit(chosen, comment)

    def _choose(self, groups: Mapping[str, Sequence[Change]], now_ms: int) -> tuple[str, ...]:
        """Returns the owners whose changes go now."""
        if NOBODY in groups and (self._suspects or self._refused):
            return (NOBODY,)
        trusted = [each for each in groups if each not in self._suspects | self._refused.keys()]
        if trusted:
            return tuple(sorted(trusted))
        due = [each for each, refusal in self._refused.items() if refusal.retry_ms <= now_ms]
        return tuple(sorted(self._suspects) or sorted(due))[:1]

    def _group(self, changes: Sequence[Change]) -> dict[str, list[Change]]:
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._find_owner(change), []).append(change)
        return groups

    def _find_owner(self, change: Change) -> str:
        """Returns the container that a row of ours is there for; NOBODY for what goes first."""
        if isinstance(change, Insert):
            dropping = change.columns.get("action") == "drop"
            return NOBODY if dropping else str(change.key).partition("/")[0]
        row = self._session.tables[change.table].get(change.uuid)
        if isinstance(row, ovn.RouterPolicy) and row.action == "drop":
            return NOBODY
        external_ids = getattr(row, ovn.MARKED_COLUMN, {})
        return (ovn.find_key(external_ids) or NOBODY).partition("/")[0]


def format_refusal(error: str) -> str:
    """Returns what the server said as a short sentence that is the same at every try."""
    try:
        words = json.loads(error)
        sentence = f"{words['error']}: {words['details']}"
    except (ValueError, TypeError, KeyError):
        sentence = error
    sentence = re.sub(r",? with UUID [0-9a-f-]{36}", "", sentence)
    sentence = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "a row", sentence)
    return sentence.partition(".  ")[0][:_LONGEST_SENTENCE]
