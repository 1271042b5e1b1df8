"""Node 'group': what each Container_Group asks of the chassis of its containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ..lib import nb
from ..lib.numbers import parse_number
from .en_port_group import Holders
from .scheduler.policies import POLICIES

DEFAULT_POLICY = "weighted"
MOST_STANDBYS = 8
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the scheduler sees it; without a row, what counts for a container of none.

    'chassis_group' are the chassis that it allows, 'port_chassis' those that
    hold a port of its port group that is up, 'bound_chassis' also those whose
    port is not; None for any.  With a 'problem' its
    containers get no new place.
    """

    name: str = ""
    policy: str = DEFAULT_POLICY
    chassis_group: frozenset[str] | None = None
    port_chassis: frozenset[str] | None = None
    bound_chassis: frozenset[str] | None = None
    spread: str | None = None
    standby: int = 0
    problem: str | None = None


def run(
    rows: Mapping[UUID, nb.ContainerGroup],
    chassis_groups: Mapping[UUID, nb.ChassisGroup],
    port_groups: Mapping[UUID, nb.PortGroup],
    port_chassis: Mapping[UUID, Holders] | None,
) -> Mapping[UUID, Group]:
    """Returns the groups.

    'port_chassis' are the chassis that hold a port of each port group, None
    while OVN_Southbound has not told yet.
    """
    return {
        uuid: _make(row, chassis_groups, port_groups, port_chassis) for uuid, row in rows.items()
    }


def _make(
    row: nb.ContainerGroup,
    chassis_groups: Mapping[UUID, nb.ChassisGroup],
    port_groups: Mapping[UUID, nb.PortGroup],
    port_chassis: Mapping[UUID, Holders] | None,
) -> Group:
    allowed = chassis_groups.get(row.chassis_group) if row.chassis_group else None
    ports = port_groups.get(row.port_group) if row.port_group else None
    holders = port_chassis.get(ports.uuid) if ports and port_chassis is not None else None
    text = row.options.get("standby", "0")
    standby = parse_number(text, 0, MOST_STANDBYS)
    problem = None
    if row.policy is not None and row.policy not in POLICIES:
        problem = f"policy {row.policy} of group {row.name} is not known"
    elif standby is None:
        shown = text[:_LONGEST_SHOWN]
        problem = f"options:standby of group {row.name} is {shown!r}, not 0 to {MOST_STANDBYS}"
    elif ports is not None and holders is None:
        problem = (
            "OVN_Southbound has not told yet on which chassis the ports of port group"
            f" {ports.name} are"
        )
    return Group(
        name=row.name,
        policy=row.policy if row.policy and row.policy in POLICIES else DEFAULT_POLICY,
        chassis_group=frozenset(allowed.chassis) if allowed else None,
        port_chassis=holders.up if holders else None,
        bound_chassis=holders.bound if holders else None,
        spread=row.spread or None,
        standby=standby or 0,
        problem=problem,
    )
