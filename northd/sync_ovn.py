"""Desired rows of OVN_Northbound against those there that carry our mark.

The root row of OVN is shared: svc-northd raises its nb_cfg, as any client may,
when its own nb_cfg moved, and notes both numbers beside it, so that a chassis
can tell when OVN, too, has reached what the number stands for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from ..lib.delta import (
    Actual,
    Change,
    Desired,
    Parent,
    SetKeys,
    Update,
    Verify,
    plan,
)
from ..lib.idl import Session
from ..lib.numbers import parse_number
from ..lib.rows import Row
from . import ovn

NB_CFG_KEY = "ovnsvc-nb-cfg"
OVN_NB_CFG_KEY = "ovnsvc-ovn-nb-cfg"
_MOST = 2**63 - 1


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
        ours = parse_number(row.external_ids.get(NB_CFG_KEY, ""), 0, _MOST)
        theirs = parse_number(row.external_ids.get(OVN_NB_CFG_KEY, ""), 0, _MOST)
        if ours is not None and theirs is not None:
            return ours, theirs
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
