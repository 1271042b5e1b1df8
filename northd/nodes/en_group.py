"""Node 'group': what each Container_Group asks of the chassis of its containers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ...lib import nb
from ...lib.group import DEFAULT_POLICY, POLICIES, find_remark, find_standby
from ...services.api.node import AnyNode, Datum, Node, Read
from .en_chassis import CHASSIS_BY_LABEL
from .en_port_group import HOLDERS
from .tables import CHASSIS_GROUP, CONTAINER_GROUP, PORT_GROUP


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the scheduler sees it; without a row, what counts for a container of none.

    'chassis_group' are the chassis that it allows, 'port_chassis' those that
    hold a port of its port group that is up, 'bound_chassis' also those whose
    port is not; None for any.  With 'standby' None each container has as many
    standbys as it had.  With a 'problem' its containers get no new place;
    a 'remark' is on what of it does not count.
    """

    name: str = ""
    policy: str = DEFAULT_POLICY
    chassis_group: frozenset[str] | None = None
    port_chassis: frozenset[str] | None = None
    bound_chassis: frozenset[str] | None = None
    spread: str | None = None
    standby: int | None = 0
    problem: str | None = None
    remark: str | None = None


GROUP: Datum[UUID, Group] = Datum("group")


def run(read: Read, uuid: UUID) -> Group | None:
    """Returns the group of a row."""
    row = read(CONTAINER_GROUP, uuid)
    if row is None:
        return None
    allowed = read(CHASSIS_GROUP, row.chassis_group) if row.chassis_group else None
    ports = read(PORT_GROUP, row.port_group) if row.port_group else None
    holders = read(HOLDERS, ports.uuid) if ports else None
    spread = row.spread or None
    labelled = read(CHASSIS_BY_LABEL, spread) if spread is not None else None
    return Group(
        name=row.name,
        policy=row.policy if row.policy in POLICIES and row.policy else DEFAULT_POLICY,
        chassis_group=frozenset(allowed.chassis) if allowed else None,
        port_chassis=holders.up if holders else None,
        bound_chassis=holders.bound if holders else None,
        spread=spread,
        standby=find_standby(row.options),
        problem=_find_problem(row, ports if holders is None else None),
        remark=find_remark(row.name, row.options, None if labelled else spread),
    )


def _find_problem(row: nb.ContainerGroup, unknown_ports: nb.PortGroup | None) -> str | None:
    if row.policy is not None and row.policy not in POLICIES:
        return f"policy {row.policy} of group {row.name} is not known"
    if unknown_ports is not None:
        return (
            "OVN_Southbound has not told yet on which chassis the ports of port group"
            f" {unknown_ports.name} are"
        )
    return None


NODES: tuple[AnyNode, ...] = (
    Node(GROUP, run, (CONTAINER_GROUP,), (CHASSIS_GROUP, PORT_GROUP, HOLDERS, CHASSIS_BY_LABEL)),
)
