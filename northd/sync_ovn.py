"""Desired rows of OVN_Northbound against those there that carry our mark.

The root row of OVN is shared: svc-northd raises its nb_cfg, as any client may,
when its own nb_cfg moved, and notes both numbers beside it, so that a chassis
can tell when OVN, too, has reached what the number stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from ..lib.delta import (
    Actual,
    Change,
    Desired,
    Insert,
    Parent,
    SetKeys,
    Update,
    Verify,
    plan,
)
from ..lib.idl import Session
from ..lib.rows import Row
from . import ovn

NB_CFG_KEY = "ovnsvc-nb-cfg"
OVN_NB_CFG_KEY = "ovnsvc-ovn-nb-cfg"


def plan_rows(desired: Iterable[Desired], session: Session) -> list[Change]:
    """Returns what to change among the rows that carry our mark."""
    return plan(desired, _find_actual(session))


def plan_nb_cfg(session: Session, nb_cfg: int) -> list[Change]:
    """Returns what makes OVN count 'nb_cfg', nothing if it does already."""
    for row in session.rows(ovn.NBGlobal).values():
        if read_nb_cfg(session)[0] == nb_cfg:
            return []
        marks = {NB_CFG_KEY: str(nb_cfg), OVN_NB_CFG_KEY: str(row.nb_cfg + 1)}
        return [
            Verify(row.TABLE, row.uuid, "nb_cfg"),
            Update(row.TABLE, row.uuid, {"nb_cfg": row.nb_cfg + 1}),
            SetKeys(row.TABLE, row.uuid, "external_ids", marks),
        ]
    return []


def read_nb_cfg(session: Session) -> tuple[int, int]:
    """Returns the nb_cfg of ours that OVN counts, and OVN's own number for it."""
    for row in session.rows(ovn.NBGlobal).values():
        ours = row.external_ids.get(NB_CFG_KEY, "")
        theirs = row.external_ids.get(OVN_NB_CFG_KEY, "")
        if ours.isdigit() and theirs.isdigit():
            return int(ours), int(theirs)
    return 0, 0


def _find_actual(session: Session) -> Iterator[Actual]:
    for row_class in (
        ovn.LogicalSwitch,
        ovn.LogicalSwitchPort,
        ovn.LogicalRouterPort,
        ovn.StaticRoute,
        ovn.RouterPolicy,
        ovn.NAT,
    ):
        parents = _find_parents(row_class, session)
        for row in session.rows(row_class).values():
            key = ovn.find_key(getattr(row, ovn.MARKED_COLUMN))
            if key is not None:
                yield Actual(key, row, _make_parent(row, parents))


def _make_parent(row: Row, parents: Mapping[UUID, UUID]) -> Parent | None:
    if row.uuid not in parents:
        return None
    parent_class, column = ovn.PARENT_COLUMNS[row.TABLE]
    return Parent(parent_class.TABLE, parents[row.uuid], column)


def _find_parents(row_class: type[Row], session: Session) -> dict[UUID, UUID]:
    """Returns the row that holds each row of a table that is not a root."""
    if row_class.TABLE not in ovn.PARENT_COLUMNS:
        return {}
    parent_class, column = ovn.PARENT_COLUMNS[row_class.TABLE]
    return {
        child: parent.uuid
        for parent in session.rows(parent_class).values()
        for child in getattr(parent, column)
    }


class Writer:
    """Commits changes to OVN_Northbound, all together as long as it takes them so.

    After a refusal they go container by container, so that rows that cannot
    stand beside somebody else's harm that container only.  'refusals' has the
    server's words on each container that was refused.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._isolating = False
        self._owner: str | None = None
        self.refusals: dict[str, str] = {}

    def take_outcome(self) -> bool:
        """Notes how the last transaction ended; returns whether 'refusals' changed."""
        outcome = self._session.take_outcome()
        if outcome is None:
            return False
        if self._owner is None:
            self._isolating = outcome != ""
            return False
        before = self.refusals.pop(self._owner, None)
        if outcome:
            self.refusals[self._owner] = outcome
        return before != (outcome or None)

    def commit(self, changes: Sequence[Change], comment: str) -> None:
        """Starts the next transaction that brings 'changes' nearer."""
        if not changes:
            self._isolating = False
            self._owner = None
            return
        if self._isolating:
            changes = self._choose(changes)
        self._session.commit(changes, comment)

    def _choose(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Returns the changes of the next container in turn."""
        groups: dict[str, list[Change]] = {}
        for change in changes:
            groups.setdefault(self._find_owner(change), []).append(change)
        later = [owner for owner in groups if owner > (self._owner or "")]
        self._owner = min(later, default=min(groups))
        return groups[self._owner]

    def _find_owner(self, change: Change) -> str:
        """Returns the container that a row of ours is there for; "" for the root row."""
        if isinstance(change, Insert):
            return str(change.key).partition("/")[0]
        row = self._session.tables[change.table].get(change.uuid)
        external_ids = getattr(row, ovn.MARKED_COLUMN, {})
        return (ovn.find_key(external_ids) or "").partition("/")[0]
