"""Desired southbound rows against the replica: the changes of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from ..lib import sb
from ..lib.delta import Actual, Change, Delete, Desired, Insert, Update, plan
from ..lib.idl import Session
from . import ovn
from .en_container import Containers
from .en_options import Options
from .scheduler.model import Schedule

# What a chassis needs a new generation for.
_GENERATION_COLUMNS = frozenset({"service_type", "role", "configuration", "secrets"})


def plan_rows(
    desired: Iterable[Desired],
    session: Session,
    installed: Mapping[str, str],
    now_ms: int,
) -> list[Change]:
    """Returns what to change; 'installed' has the match of each policy OVN holds, by name."""
    wanted = [_with_state(row, installed) for row in desired]
    changes = plan(wanted, _find_actual(session))
    bindings = session.rows(sb.ContainerBinding)
    finished = [_finish(change, bindings, now_ms) for change in changes]
    return finished + _drop_tunnels(wanted, session)


def plan_history(
    changes: Sequence[Change],
    session: Session,
    containers: Containers,
    placements: Schedule,
    now_ms: int,
) -> list[Change]:
    """Returns what to add to the history of 'containers' along with 'changes', and to take off."""
    rows = session.rows(sb.Placement).values()
    bindings = session.rows(sb.ContainerBinding)
    recorded = history.record(changes, bindings, rows, placements.causes, now_ms)
    return recorded + history.forget(rows, containers.by_name)


def plan_global(
    session: Session, nb_cfg: int, options: Options, now_ms: int, ovn_nb_cfg: int
) -> list[Change]:
    """Returns what to change on the root row, which is made if there is none."""
    columns: dict[str, Any] = {
        "nb_cfg": nb_cfg,
        "ovn_nb_cfg": ovn_nb_cfg,
        "options": {
            "heartbeat-interval": str(options.heartbeat_interval_ms),
            "chassis-dead-after": str(options.chassis_dead_after_ms),
        },
    }
    rows = list(session.rows(sb.SBGlobal).values())
    if not rows or rows[0].nb_cfg != nb_cfg:
        columns["nb_cfg_timestamp"] = now_ms
    return plan([Desired(sb.SBGlobal.TABLE, "", columns)], [Actual("", row) for row in rows])


def _find_actual(session: Session) -> Iterator[Actual]:
    for port in session.rows(sb.PortBinding).values():
        yield Actual((port.logical_port, port.chassis), port)
    for binding in session.rows(sb.ContainerBinding).values():
        yield Actual((binding.container, binding.chassis), binding)
    for flow in session.rows(sb.RedirectFlow).values():
        yield Actual(flow.name, flow)
    for avoided in session.rows(sb.AvoidedChassis).values():
        yield Actual((avoided.container, avoided.chassis), avoided)
    for weight in session.rows(sb.ChassisWeight).values():
        yield Actual(weight.chassis, weight)


def _with_state(row: Desired, installed: Mapping[str, str]) -> Desired:
    """Returns a redirect with its state: installed once OVN holds the policy as it is."""
    if row.table != sb.RedirectFlow.TABLE:
        return row
    there = installed.get(row.columns["name"]) == row.columns["match"]
    return replace(row, columns={**row.columns, "state": "installed" if there else "pending"})


def _finish(change: Change, bindings: Mapping[UUID, sb.ContainerBinding], now_ms: int) -> Change:
    """Returns 'change' with the columns that follow from the change itself."""
    if not isinstance(change, Insert | Update):
        return change
    columns = dict(change.columns)
    if change.table == sb.ContainerBinding.TABLE and _GENERATION_COLUMNS & columns.keys():
        before = bindings[change.uuid].generation if isinstance(change, Update) else 0
        columns["generation"] = before + 1
        if isinstance(change, Insert):
            columns["unwell_since"] = now_ms
    if change.table == sb.ChassisWeight.TABLE and "alive" in columns:
        columns["since"] = now_ms
    return replace(change, columns=columns)


def _drop_tunnels(wanted: Sequence[Desired], session: Session) -> list[Change]:
    """Returns deletions of tunnels whose container is not bound there any more.

    The chassis makes and removes its tunnel rows; this is for one that is gone.
    """
    bound = {row.key for row in wanted if row.table == sb.ContainerBinding.TABLE}
    return [
        Delete(row.TABLE, row.uuid, None)
        for row in session.rows(sb.IPsecTunnel).values()
        if (row.container, row.chassis) not in bound
    ]


def find_installed(session: Session) -> dict[str, str]:
    """Returns the match of each router policy of ours that OVN_Northbound holds."""
    return {
        key: policy.match
        for policy in session.rows(ovn.RouterPolicy).values()
        if (key := ovn.find_key(policy.external_ids))
    }
