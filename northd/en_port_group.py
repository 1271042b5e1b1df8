"""Node 'port_group': on which chassis the ports of each Port_Group are."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ..lib import nb
from . import ovn_sb


def find_ports(
    container_groups: Mapping[UUID, nb.ContainerGroup], port_groups: Mapping[UUID, nb.PortGroup]
) -> frozenset[str] | None:
    """Returns the ports of the groups that some Container_Group names, None if none does."""
    named = {row.port_group for row in container_groups.values()} & port_groups.keys()
    if not named:
        return None
    return frozenset(port for uuid in named if uuid for port in port_groups[uuid].ports)


def run(
    groups: Mapping[UUID, nb.PortGroup],
    known: frozenset[str] | None,
    ports: Mapping[UUID, ovn_sb.PortBinding] | None,
    chassis: Mapping[UUID, ovn_sb.Chassis] | None,
) -> Mapping[UUID, frozenset[str]]:
    """Returns the names of the chassis on which a port of each group is bound and up.

    A group whose ports are not all in 'known' is left out: where they are has
    yet to be read from OVN_Southbound.
    """
    if known is None:
        return {}
    names = {row.uuid: row.name for row in (chassis or {}).values()}
    where = {
        row.logical_port: names[row.chassis]
        for row in (ports or {}).values()
        if row.chassis in names and row.up is not False
    }
    return {
        uuid: frozenset(where[port] for port in group.ports if port in where)
        for uuid, group in sorted(groups.items())
        if known.issuperset(group.ports)
    }
