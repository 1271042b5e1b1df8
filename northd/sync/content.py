"""What operators ask for in the northbound, also where its file was restored from an older one.

Each change that svc-northd reads is counted in SVC_Global:content_cfg.  What comes
with a lower number, with another 'seal_seed', or after an outage with no root row,
is content that went back: nobody deleted or changed what is missing or otherwise
in it.  Such rows count as they were, and each change that is made afterwards
counts upon them, until the database has them again or an operator takes what is
there for what is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import ovs.vlog

from ...lib import nb
from ...lib.rows import Row

vlog = ovs.vlog.Vlog("content")

# What the column holds.
_MOST = 2**53 - 1


class Content:
    """The operators' rows as they count.

    'find_own' says which columns of a row we write; None for a row that is ours as a whole.
    """

    def __init__(self, find_own: Callable[[Row], AbstractSet[str] | None]) -> None:
        self._find_own = find_own
        self._connection: int | None = None
        self._root: nb.SVCGlobal | None = None
        self._went_back = False
        # What counts in place of what is there, by table and UUID.
        self._kept: dict[tuple[str, UUID], Row] = {}
        self._changes = 0
        self._planned_changes = 0
        self._planned_cfg = 0
        self._told = ""

    def begin(self, connection: int | None, root: nb.SVCGlobal | None) -> None:
        """Takes the root row, before take() is called for what changed over 'connection'."""
        if connection is None:
            return
        anew = self._connection not in (None, connection)
        self._went_back = self._root is not None and _is_older(root, self._root, anew)
        self._connection = connection
        self._root = root or self._root

    def take(self, table: str, old: Row | None, new: Row | None) -> Row | None:
        """Returns the row that counts, of one that changed."""
        there = new or old
        assert there is not None
        own = self._find_own(there)
        if own is None:
            return new
        differs = _find_differing(old, new, own)
        self._changes += bool(differs)
        key = (table, there.uuid)
        counted = self._kept.pop(key, None)
        if self._went_back:
            counted = counted or old
        elif counted is None or old is None or new is None:
            return new
        else:
            counted = _apply(counted, old, new, differs)
        if counted is None or (new is not None and not _find_differing(counted, new, own)):
            return new
        self._kept[key] = counted
        return counted

    @property
    def is_due(self) -> bool:
        """Whether changes are to be counted."""
        return self._changes != self._planned_changes

    def plan_cfg(self, present: int) -> int:
        """Returns the 'content_cfg' to write where 'present' is there: more after a change."""
        if not self.is_due and present >= self._planned_cfg:
            return present
        self._planned_changes = self._changes
        self._planned_cfg = present + 1 if present < _MOST else 0
        return self._planned_cfg

    def accept(self) -> Iterable[tuple[str, UUID]]:
        """Takes what is there for what is meant; returns the rows that did not count."""
        kept, self._kept = self._kept, {}
        return tuple(kept)

    def tell(self) -> list[str]:
        """Returns a sentence if anything counts that is not there; logs a change of it."""
        sentence = self._describe() if self._kept else ""
        if sentence != self._told:
            self._told = sentence
            if sentence:
                vlog.warn(sentence)
            else:
                vlog.info("all of the northbound counts as it is there")
        return [sentence] if sentence else []

    def _describe(self) -> str:
        (table, _), row = min(self._kept.items(), key=lambda each: (each[0][0], str(each[0][1])))
        name = getattr(row, "name", "") or row.uuid
        more = f" (and {len(self._kept) - 1} more)" if len(self._kept) > 1 else ""
        return (
            f"SVC_Northbound lost content: {table} {name}{more} goes on as it was; restore it, or"
            " run 'content/accept' on svc-northd if what is there is meant"
        )


def _is_older(root: nb.SVCGlobal | None, before: nb.SVCGlobal, anew: bool) -> bool:
    if root is None:
        return anew
    # An operator may empty it, to have all sealed anew.
    other = None not in (root.seal_seed, before.seal_seed) and root.seal_seed != before.seal_seed
    return other or root.content_cfg < before.content_cfg


def _find_differing(old: Row | None, new: Row | None, own: AbstractSet[str]) -> AbstractSet[str]:
    """Returns the columns of an operator in which a row changed."""
    row = new or old
    assert row is not None
    names = {each.name for each in fields(row)} - own
    if old is None or new is None:
        return names
    return {name for name in names if getattr(old, name) != getattr(new, name)}


def _apply(counted: Row, old: Row, new: Row, columns: AbstractSet[str]) -> Row:
    """Returns 'counted' with what changed of 'columns' from 'old' to 'new'."""
    changed: dict[str, Any] = {}
    for name in columns:
        was, now, is_counted = (getattr(each, name) for each in (old, new, counted))
        if isinstance(now, tuple):
            added, taken = set(now) - set(was), set(was) - set(now)
            changed[name] = tuple(sorted((set(is_counted) | added) - taken))
        elif isinstance(now, Mapping):
            kept = {key: value for key, value in is_counted.items() if key in now or key not in was}
            news = {key: value for key, value in now.items() if was.get(key) != value}
            changed[name] = kept | news
        else:
            changed[name] = now
    return replace(counted, **changed)
