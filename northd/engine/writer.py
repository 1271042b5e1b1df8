"""Writes what a ledger lacks: some owners at a time, bounded in rows.

A transaction that is refused is halved by its owners until the one is found
whose rows the server does not take; that one is tried again with a growing
pause, and 'refusals' has a sentence for its row, with the pause before the next try.
Nobody else waits for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import ovs.vlog

from ...lib.delta import Change
from ...lib.failures import describe, format_trace
from ...lib.idl import Session
from ...lib.moment import add_retry
from ...lib.suspects import Suspects
from .ledger import Ledger, Owner

FIRST_PAUSE_MS = 1000
LONGEST_PAUSE_MS = 30_000
# A chassis or ovn-northd can begin with the first of them while the others are planned.
MOST_CHANGES = 4000
# In a pass of one that stands by.
MOST_COMPARED = 500
_LONGEST_SENTENCE = 200

vlog = ovs.vlog.Vlog("writer")

Conclude = Callable[[], Sequence[Change]]


@dataclass(frozen=True, slots=True)
class _Refusal:
    sentence: str
    changes: Sequence[Change]
    pause_ms: int
    retry_ms: int


class Writer:
    """Brings one database to what its ledger says.

    'rank' orders owners, 'conclude' says what to change of the root row once
    nobody else's changes are left.  'tell_mended' is called with an owner and a
    sentence when what somebody else did to its rows was undone.
    """

    def __init__(
        self,
        session: Session,
        ledger: Ledger,
        rank: Callable[[Owner], Any],
        conclude: Conclude,
        tell_mended: Callable[[Owner, str], None] = lambda _owner, _sentence: None,
    ) -> None:
        self.ledger = ledger
        self._session = session
        self._rank = rank
        self._conclude = conclude
        self._tell_mended = tell_mended
        self._sent: Sequence[Change] = ()
        self._mended: dict[Owner, str] = {}
        self._committing: tuple[Owner, ...] | None = None
        self._suspects: Suspects[Owner] = Suspects()
        self._refused: dict[Owner, _Refusal] = {}
        self._concluded = False
        self._conclude_at_ms = 0
        # Whether the root row is in the transaction, and whether it is to be in one of its own.
        self._with_root = False
        self._root_apart = False
        self._told: set[Owner] = set()
        self._differing: set[Owner] = set()

    @property
    def settled(self) -> bool:
        """Whether every row is as it should be, but for what the server refuses."""
        return self.written and self._concluded

    @property
    def written(self) -> bool:
        """As 'settled', the root row aside."""
        under_way = self._session.committing or self._committing is not None
        return not (self.ledger.dirty or self._suspects or under_way)

    def take_refusals(self) -> dict[Owner, str | None]:
        """Returns the sentence on each owner whose rows are refused since the last call.

        None for one whose rows are refused no more.
        """
        told, self._told = self._told, set()
        return {
            owner: self._refused[owner].sentence if owner in self._refused else None
            for owner in told
        }

    def reconsider(self) -> None:
        """Notes that the root row may have to be changed."""
        self._concluded = False

    def recover(self) -> None:
        """Makes everything be compared again."""
        self.ledger.mark_all()
        self._concluded = False

    def find_next_ms(self) -> int | None:
        """Returns when something refused is to be tried again, None while an outcome is awaited."""
        if self._session.committing:
            return None
        moments = [each.retry_ms for each in self._refused.values()]
        if self._conclude_at_ms and not self._concluded:
            moments.append(self._conclude_at_ms)
        return min(moments, default=None)

    def run(self, now_ms: int, only: Owner | None = None) -> None:
        """Notes how the last transaction ended and starts the next one, if there is anything.

        With 'only' nothing is written but what that owner lacks.
        """
        self._take_outcome(now_ms)
        if now_ms >= self._conclude_at_ms:
            self._conclude_at_ms = 0
        if self._session.committing:
            return
        if not self.ledger.dirty:
            # A set keeps the room of the most that it ever had, and each look walks through it.
            self.ledger.dirty.clear()
        self._review()
        for owners in self._choose(now_ms):
            chosen = owners if only is None else tuple(each for each in owners if each == only)
            if self._commit(chosen, now_ms, with_root=only is None):
                return

    def compare(self) -> None:
        """Finds out of some owners who is as it should be, without writing.

        So one that stands by has little to compare when it takes over.
        """
        self.ledger.drop_planned()
        for owner in list(islice(self.ledger.dirty, MOST_COMPARED)):
            self.ledger.dirty.discard(owner)
            if self._plan(owner, 0) == []:
                self._differing.discard(owner)
            else:
                self._differing.add(owner)

    def resume(self) -> None:
        """Begins to write, after compare()."""
        self.ledger.dirty |= self._differing
        self._differing.clear()
        self._concluded = False

    # -- helpers -----------------------------------------------------------

    def _take_outcome(self, now_ms: int) -> None:
        if self._session.committing:
            return
        owners, self._committing = self._committing, None
        outcome = self._session.take_outcome()
        sent, self._sent = self._sent, ()
        if owners is None:
            return
        if outcome == "":
            self._note_committed(owners, sent)
            self._forgive(owners)
            self._root_apart = self._root_apart and not self._with_root
        elif outcome is None:  # it lost a race, or the connection
            self.ledger.dirty.update(owners)
            self._concluded = False
        else:
            self._fail(owners, format_refusal(outcome), now_ms)

    def _note_committed(self, owners: Iterable[Owner], changes: Iterable[Change]) -> None:
        self.ledger.note_committed(changes)
        for owner in owners:
            mended = self._mended.pop(owner, None)
            if mended is not None:
                self._tell_mended(owner, mended)

    def _forgive(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            if self._refused.pop(owner, None) is not None:
                self._told.add(owner)

    def _fail(self, owners: Sequence[Owner], sentence: str, now_ms: int) -> None:
        """Notes that the changes of 'owners' together were refused, with those of the root row."""
        self._concluded = False
        if owners and self._with_root:
            # It may be the root row: then nobody else is to suffer for it.
            self._root_apart = True
            self.ledger.dirty.update(owners)
        elif len(owners) == 1:
            self._refuse(owners[0], sentence, now_ms)
        elif owners:
            self._suspects.add(owners)
            self.ledger.dirty.update(owners)
        else:
            self._conclude_at_ms = now_ms + FIRST_PAUSE_MS

    def _refuse(self, owner: Owner, sentence: str, now_ms: int) -> None:
        before = self._refused.get(owner)
        pause_ms = min(before.pause_ms * 2, LONGEST_PAUSE_MS) if before else FIRST_PAUSE_MS
        told = add_retry(sentence, pause_ms)
        changes = self.ledger.plan(owner)
        self._refused[owner] = _Refusal(told, changes, pause_ms, now_ms + pause_ms)
        self.ledger.dirty.discard(owner)
        self._told.add(owner)

    def _review(self) -> None:
        """Looks at what was refused and has changed since: it is tried at once if it is another."""
        for owner in self.ledger.dirty & self._refused.keys():
            if self._is_as_refused(owner):
                self.ledger.dirty.discard(owner)
            else:
                self._forgive((owner,))

    def _is_as_refused(self, owner: Owner) -> bool:
        try:
            return self.ledger.plan(owner) == self._refused[owner].changes
        except Exception:  # _plan() tells
            return False

    def _choose(self, now_ms: int) -> Iterable[tuple[Owner, ...]]:
        """Yields the owners of the next transaction; further ones if those need none."""
        others = self.ledger.dirty - self._suspects.find_members()
        yield tuple(sorted(others, key=self._rank))
        while self._suspects:
            yield self._suspects.take()
        for owner, refusal in list(self._refused.items()):
            if refusal.retry_ms <= now_ms:
                yield (owner,)

    def _commit(self, owners: Sequence[Owner], now_ms: int, *, with_root: bool) -> bool:
        """Commits what the first of 'owners' lack; returns whether that is anything."""
        changes: list[Change] = []
        chosen: list[Owner] = []
        self.ledger.drop_planned()
        for owner in owners:
            if len(changes) >= MOST_CHANGES:
                break
            self.ledger.dirty.discard(owner)
            planned = self._plan(owner, now_ms)
            if planned:
                chosen.append(owner)
                changes += planned
            elif planned is not None:
                self._forgive((owner,))
        root = self._plan_root(bool(changes)) if with_root else ()
        self._with_root = bool(root)
        if changes or root:
            self._send([*changes, *root], chosen, now_ms)
        return bool(changes or root)

    def _plan_root(self, beside_others: bool) -> Sequence[Change]:
        """Returns what to change of the root row, if it is its turn."""
        waits = self._suspects or self.ledger.dirty or self._conclude_at_ms
        if self._concluded or waits or (beside_others and self._root_apart):
            return ()
        self._concluded = True
        return self._conclude()

    def _plan(self, owner: Owner, now_ms: int) -> list[Change] | None:
        """Returns the changes of one owner, None if a mistake of ours hides them."""
        try:
            planned = self.ledger.plan(owner)
            self._note_mended(owner, planned)
            return self.ledger.finish(owner, planned)
        except Exception as error:  # it stays with this owner
            _log(f"{self._session.database}: {owner} cannot be planned", error)
            self._refused[owner] = _Refusal(
                f"svc-northd cannot plan its rows: {describe(error)}",
                (),
                LONGEST_PAUSE_MS,
                now_ms + LONGEST_PAUSE_MS,
            )
            self._told.add(owner)
            return None

    def _note_mended(self, owner: Owner, planned: Sequence[Change]) -> None:
        mended = self.ledger.find_mended(owner, planned) if planned else None
        if mended is None:
            self._mended.pop(owner, None)
        else:
            self._mended[owner] = mended

    def _send(self, changes: list[Change], owners: list[Owner], now_ms: int) -> None:
        try:
            self._session.commit(changes, f"svc-northd: {len(changes)} changes")
        except Exception as error:  # what cannot be put into a transaction, as if it were refused
            _log(f"{self._session.database}: {len(changes)} changes cannot be written", error)
            self._fail(owners, f"svc-northd cannot write its rows: {describe(error)}", now_ms)
        else:
            self._committing = tuple(owners)
            self._sent = changes


def _log(sentence: str, error: Exception) -> None:
    vlog.err(f"{sentence}\n{format_trace(error)}")


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
