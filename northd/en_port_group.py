"""Node 'port_group': on which chassis the ports of each Port_Group are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ..lib import nb
from . import ovn_sb


@dataclass(frozen=True, slots=True)
class Holders:
    """The chassis to which a port of a group is bound, and those on which one is up."""

    bound: frozenset[str]
    up: frozenset[str]


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
) -> Mapping[UUID, Holders]:
    """Returns on which chassis the ports of each group are, by name.

    A group whose ports are not all in 'known' is left out: where they are has
    yet to be read from OVN_Southbound.
    """
    if known is None:
        return {}
    names = {row.uuid: row.name for row in (chassis or {}).values()}
    bound = {
        row.logical_port: (names[row.chassis], row.up is not False)
        for row in (ports or {}).values()
        if row.chassis in names
    }
    return {
        uuid: _find_holders([bound[port] for port in group.ports if port in bound])
        for uuid, group in sorted(groups.items())
        if known.issuperset(group.ports)
    }


def _find_holders(places: Sequence[tuple[str, bool]]) -> Holders:
    return Holders(
        frozenset(chassis for chassis, _ in places),
        frozenset(chassis for chassis, up in places if up),
    )
