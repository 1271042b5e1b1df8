"""What operators ask for in the northbound, also where that went back to older content.

Each change that the active svc-northd has read is counted in SVC_Global:content_cfg.
What comes with a lower number, with another 'seal_seed', or after an outage with no
root row, is content that went back, as of a file that was restored: nobody ordered
what is missing or otherwise in it.  Such rows count as they were (kept_rows.py).

While they do, SVC_Global:lost_content_cfg has the number that there was.  It tells a
svc-northd that stands by and reconnects later; to empty it is an operator's word that
what is there is meant, which reaches all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import ovs.vlog

from ...lib import nb
from ...lib.addresses import quote
from ...lib.delta import Desired
from ...lib.rows import Row
from ..engine.ledger import Owned
from .kept_rows import FindOwn, FindRow, KeptRows, Key, find_differing

vlog = ovs.vlog.Vlog("content")

# What the columns hold.
_MOST = 2**53 - 1

_ACCEPT = "'svcctl clear SVC_Global . lost_content_cfg' if what is there is meant"
_INHERITED = (
    "SVC_Northbound lost content before this svc-northd was started, and it counts no more;"
    f" restore it, or {_ACCEPT}"
)

_Changed = Mapping[str, Mapping[UUID, tuple[Any, Any]]]


class Content:
    """The operators' rows as they count, of the tables for which take() is called."""

    def __init__(self, find_own: FindOwn, find_row: FindRow) -> None:
        self._find_own = find_own
        self._find_row = find_row
        self._kept = KeptRows(find_own, find_row)
        self._connection: int | None = None
        self._root: nb.SVCGlobal | None = None
        self._lost_cfg = 0
        # What was lost before this process was started.
        self._inherited: int | None = None
        self._changes = 0
        self._planned_changes = 0
        self._planned_cfg = 0
        self._sentence = ""

    def take(
        self, connection: int | None, root: nb.SVCGlobal | None, changed: _Changed
    ) -> dict[Key, Row | None]:
        """Takes what changed by table and UUID; returns what counts in place of what is there."""
        before = self._root
        went_back = self._follow_root(connection, root)
        self._follow_count(before)
        pairs = dict(self._list_pairs(changed))
        accepted = not went_back and _is_accepted(root, before)
        counted = self._kept.accept() if accepted else {}
        if pairs and (went_back or self._kept.rows):
            counted |= self._kept.take(pairs, went_back)
        self._follow_lost(before)
        if counted:
            self._tell()
        return counted

    def accept(self) -> dict[Key, Row | None]:
        """Takes what is there for what is meant; returns what counts from now on."""
        counted = self._kept.accept()
        self._inherited = None
        self._tell()
        return counted

    def make_owned(self, root: nb.SVCGlobal) -> Owned:
        """Returns the columns of the root row as they are to be."""
        columns = {
            "content_cfg": self._plan_cfg(root.content_cfg),
            "lost_content_cfg": self._lost_cfg if self._kept.rows else self._inherited,
        }
        return Owned(updates=(Desired(root.TABLE, root.uuid, columns),))

    def format_kept(self) -> str:
        """Returns each row that counts as it was, in a line."""
        lines = (
            f"{table} {quote(_find_name(row))} ({uuid}):"
            f" {'otherwise' if self._find_row(table, uuid) is not None else 'gone'}"
            for (table, uuid), row in self._kept.rows.items()
        )
        return "\n".join(sorted(lines))

    @property
    def sentences(self) -> list[str]:
        """A sentence if anything counts that is not there so, or may have been lost."""
        inherited = [_INHERITED] if self._inherited is not None and not self._sentence else []
        return [self._sentence] if self._sentence else inherited

    # -- helpers, in the order they are called ------------------------------

    def _follow_root(self, connection: int | None, root: nb.SVCGlobal | None) -> bool:
        """Returns whether the content is older than what was there before."""
        before, anew = self._root, connection != self._connection
        self._connection, self._root = connection or self._connection, root or before
        if before is None:
            self._inherited = root.lost_content_cfg if root is not None else None
            return False
        if root is None:
            went_back = anew
        else:
            anew = anew or root.uuid != before.uuid
            went_back = anew and (_is_older(root, before) or self._is_told(root, before))
        if went_back:
            self._lost_cfg = max(before.content_cfg, before.lost_content_cfg or 0)
        return went_back

    def _is_told(self, root: nb.SVCGlobal, before: nb.SVCGlobal) -> bool:
        """Returns whether another svc-northd has found that the content went back."""
        known = (None, before.lost_content_cfg, *([self._lost_cfg] if self._kept.rows else []))
        return root.lost_content_cfg not in known

    def _follow_count(self, before: nb.SVCGlobal | None) -> None:
        """Notes that another svc-northd has counted what was read until now."""
        root = self._root
        if root is None or before is None or root.content_cfg == before.content_cfg:
            return
        if root.content_cfg != self._planned_cfg:
            self._planned_changes = self._changes

    def _follow_lost(self, before: nb.SVCGlobal | None) -> None:
        """Takes over what another one says to be lost, of which nothing is known here."""
        root = self._root
        if root is None or before is None or root.lost_content_cfg == before.lost_content_cfg:
            return
        lost = root.lost_content_cfg
        if lost is None:
            self._inherited = None
        elif not self._kept.rows and lost != self._lost_cfg:
            self._inherited = lost

    def _list_pairs(self, changed: _Changed) -> Iterator[tuple[Key, tuple[Any, Any]]]:
        """Yields the rows of operators that changed, and counts it where an operator did it."""
        orders = False
        for table, pairs in changed.items():
            for uuid, (old, new) in pairs.items():
                own = self._find_own(new or old)
                if own is None:
                    continue
                differs = bool(find_differing(old, new, own))
                orders = orders or differs
                if differs or (table, uuid) in self._kept.rows:
                    yield (table, uuid), (old, new)
        self._changes += orders

    def _plan_cfg(self, present: int) -> int:
        """Returns the number to write where 'present' is there: another one after a change.

        While anything is kept it is above the one that was lost, so that any older
        content, also a newer one than there is, has a lower one.
        """
        least = min(self._lost_cfg + 1, _MOST) if self._kept.rows else 0
        if self._changes == self._planned_changes and present >= max(self._planned_cfg, least):
            return present
        self._planned_changes = self._changes
        self._planned_cfg = max(present + 1, least) if present < _MOST else 0
        return self._planned_cfg

    def _tell(self) -> None:
        """Logs what counts though it is not there, where that is something else."""
        sentence = _describe(self._kept.rows) if self._kept.rows else ""
        if sentence != self._sentence:
            self._sentence = sentence
            if sentence:
                vlog.warn(sentence)
            else:
                vlog.info("all of the northbound counts as it is there")


def _is_older(root: nb.SVCGlobal, before: nb.SVCGlobal) -> bool:
    if root.uuid != before.uuid and root.seal_seed == before.seal_seed is not None:
        return True  # all is written anew, as by 'ovsdb-client restore'
    # An operator may empty it, to have all sealed anew.
    seeds = {root.seal_seed, before.seal_seed} - {None}
    # The highest number is followed by 0.
    lower = root.content_cfg < before.content_cfg and (before.content_cfg, root.content_cfg) != (
        _MOST,
        0,
    )
    return len(seeds) > 1 or lower


def _is_accepted(root: nb.SVCGlobal | None, before: nb.SVCGlobal | None) -> bool:
    """Returns whether 'lost_content_cfg' was emptied."""
    if root is None or before is None:
        return False
    return root.lost_content_cfg is None and before.lost_content_cfg is not None


def _describe(rows: Mapping[Key, Row]) -> str:
    table, uuid = min(rows, key=lambda key: (key[0], key[1].int))
    name = quote(_find_name(rows[table, uuid]))
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return (
        f"SVC_Northbound lost content: {table} {name}{more} goes on as it was; restore it, or"
        f" {_ACCEPT}"
    )


def _find_name(row: Row) -> str:
    return str(getattr(row, "name", "") or row.uuid)
