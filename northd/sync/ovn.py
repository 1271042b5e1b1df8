"""OVN_Northbound: whose the rows are that carry our mark, and the number that OVN counts.

The root row of OVN is shared: svc-northd raises its nb_cfg, as any client may,
when its own nb_cfg moved, and notes both numbers beside it, so that a chassis
can tell when OVN, too, has reached what the number stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...lib.delta import Change, SetKeys, Update, Verify
from ...lib.idl import Session
from ...lib.numbers import parse_number
from ...lib.rows import Row
from ..engine.ledger import Mark
from ..ovn import rows as ovn
from ..ovn.progress import MOST

DROP = "drop"
CONTAINER = "container"
REROUTE = "reroute"
ORDER = (DROP, CONTAINER, REROUTE)

NB_CFG_KEY = "ovnsvc-nb-cfg"
OVN_NB_CFG_KEY = "ovnsvc-ovn-nb-cfg"
RAISE_KEY = "ovnsvc-raise"


def find_mark(row: Row) -> Mark | None:
    """Returns whose a row is, None for one without our mark.

    Drops have an owner of their own, so that no refusal of anything else holds
    up what fails closed.
    """
    key = ovn.find_key(getattr(row, ovn.MARKED_COLUMN, {}))
    if key is None or isinstance(row, ovn.NBGlobal):
        return None
    kind, subject = CONTAINER, ""
    if isinstance(row, ovn.RouterPolicy):
        kind = DROP if row.action == DROP else REROUTE
        subject = ovn.find_subject(key)
    return Mark((kind, key.partition("/")[0]), key, subject)


def rank(owner: Any) -> tuple[int, str]:
    """Returns the order in which owners are written."""
    kind, name = owner
    return ORDER.index(kind), name


def plan_nb_cfg(session: Session, nb_cfg: int, asks: bool) -> list[Change]:
    """Returns what makes OVN count 'nb_cfg'; nothing if it does already, and 'asks' nothing.

    A count that is as high as it can be stays as it is (ovn/progress.py tells of it).
    """
    for row in session.rows(ovn.NBGlobal).values():
        if row.nb_cfg >= MOST:
            return []
        if read_nb_cfg(session)[0] == nb_cfg:
            return _raise(row, {}) if asks else []
        return _raise(row, {NB_CFG_KEY: str(nb_cfg), OVN_NB_CFG_KEY: str(_find_next(row))})
    return []


def _raise(row: ovn.NBGlobal, marks: Mapping[str, str]) -> list[Change]:
    """Returns what makes OVN say when it has compiled what stands now."""
    number = _find_next(row)
    told = {**marks, RAISE_KEY: str(number)}
    return [
        Verify(row.TABLE, row.uuid, "nb_cfg"),
        Update(row.TABLE, row.uuid, {"nb_cfg": number}),
        SetKeys(row.TABLE, row.uuid, "external_ids", told),
    ]


def _find_next(row: ovn.NBGlobal) -> int:
    # To 0 ovn-northd gives no answer (northd/northd.c).
    return max(row.nb_cfg + 1, 1)


def is_raised_by_us(row: ovn.NBGlobal) -> bool:
    """Returns whether a svc-northd raised OVN's nb_cfg to what it is."""
    return row.external_ids.get(RAISE_KEY) == str(row.nb_cfg)


def read_nb_cfg(session: Session) -> tuple[int, int]:
    """Returns the nb_cfg of ours that OVN counts, and OVN's own number for it."""
    for row in session.rows(ovn.NBGlobal).values():
        ours = parse_number(row.external_ids.get(NB_CFG_KEY, ""), 0, MOST)
        noted = row.external_ids.get(OVN_NB_CFG_KEY, "")
        # OVN's own number may be below 0, whoever set it so.
        theirs = parse_number(noted.removeprefix("-"), 0, MOST)
        theirs = -theirs if theirs is not None and noted.startswith("-") else theirs
        if ours is not None and theirs is not None:
            return ours, theirs
    return 0, 0
