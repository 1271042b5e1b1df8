"""The way back north: status columns, rows of our own containers, the three numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..lib import nb, sb, sealing
from ..lib.delta import Actual, Change, Desired, plan
from ..lib.idl import Session
from ..lib.router import OWNER, OWNER_KEY
from .liveness import Verdict


def plan_rows(desired: Iterable[Desired], session: Session) -> list[Change]:
    """Returns what to change; of the operator's rows only status columns are in 'desired'."""
    wanted = list(desired)
    return plan(wanted, _find_actual(session, {(row.table, row.key) for row in wanted}))


def plan_global(session: Session, southbound: Session, hv_cfg: int, now_ms: int) -> list[Change]:
    """Returns what to change on the root row, which is made if there is none."""
    rows = list(session.rows(nb.SVCGlobal).values())
    before = rows[0] if rows else None
    compiled = next(iter(southbound.rows(sb.SBGlobal).values()), None)
    columns: dict[str, Any] = {}
    if before is None or not sealing.is_seed(before.seal_seed):
        columns["seal_seed"] = sealing.make_seed()
    if compiled is not None:
        columns.update(nb_cfg_timestamp=compiled.nb_cfg_timestamp, sb_cfg=compiled.nb_cfg)
        columns["hv_cfg"] = hv_cfg
        for number in ("sb_cfg", "hv_cfg"):
            if before is None or getattr(before, number) != columns[number]:
                columns[f"{number}_timestamp"] = now_ms
    return plan([Desired(nb.SVCGlobal.TABLE, "", columns)], [Actual("", row) for row in rows])


def find_hv_cfg(southbound: Session, verdicts: Mapping[str, Verdict]) -> int:
    """Returns the nb_cfg that every chassis that is alive and fit has reached.

    With none alive it is the southbound's own, as ovn-northd has it.
    """
    compiled = [row.nb_cfg for row in southbound.rows(sb.SBGlobal).values()]
    reached = [
        row.nb_cfg
        for row in southbound.rows(sb.ChassisPrivate).values()
        if (verdict := verdicts.get(row.name)) and verdict.alive and not verdict.ovn_problem
    ]
    return min(compiled + reached, default=0)


def _find_actual(session: Session, wanted: set[tuple[str, Any]]) -> Iterator[Actual]:
    """Yields the rows to compare: all wanted ones, and containers of ours that are not."""
    for row_class in (nb.VPNService, nb.IPsecConnection):
        for row in session.rows(row_class).values():
            if (row.TABLE, row.uuid) in wanted:
                yield Actual(row.uuid, row)
    for container in session.rows(nb.ServiceContainer).values():
        ours = container.external_ids.get(OWNER_KEY) == OWNER
        if ours or (container.TABLE, container.name) in wanted:
            yield Actual(container.name, container)
