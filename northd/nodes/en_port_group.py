"""Node 'port_group': on which chassis the ports of each Port_Group are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from ...lib import nb
from ...services.api.node import AnyNode, Datum, Node, Read
from .tables import (
    KNOWN_PORTS,
    ONLY,
    OVN_CHASSIS,
    OVN_PORT_BINDING,
    OVN_PORT_BY_NAME,
    PORT_GROUP,
    find_rows,
)


@dataclass(frozen=True, slots=True)
class Holders:
    """The chassis to which a port of a group is bound, and those on which one is up."""

    bound: frozenset[str]
    up: frozenset[str]


HOLDERS: Datum[UUID, Holders] = Datum("port_group")


def find_ports(
    container_groups: Mapping[UUID, nb.ContainerGroup], port_groups: Mapping[UUID, nb.PortGroup]
) -> frozenset[str] | None:
    """Returns the ports of the groups that some Container_Group names, None if none does."""
    named = {row.port_group for row in container_groups.values()} & port_groups.keys()
    if not named:
        return None
    return frozenset(port for uuid in named if uuid for port in port_groups[uuid].ports)


def run(read: Read, uuid: UUID) -> Holders | None:
    """Returns on which chassis the ports of a group are, by name.

    None for one whose ports are not all known: where they are has yet to be
    read from OVN_Southbound.
    """
    group, known = read(PORT_GROUP, uuid), read(KNOWN_PORTS, ONLY)
    if group is None or known is None or not known.issuperset(group.ports):
        return None
    places = [place for port in group.ports for place in _find_places(read, port)]
    return Holders(
        frozenset(chassis for chassis, _ in places),
        frozenset(chassis for chassis, up in places if up),
    )


def _find_places(read: Read, port: str) -> Iterable[tuple[str, bool]]:
    """Yields the chassis that holds a port, and whether it is up there."""
    for row in find_rows(read, OVN_PORT_BINDING, read(OVN_PORT_BY_NAME, port)):
        chassis = read(OVN_CHASSIS, row.chassis) if row.chassis else None
        if chassis is not None:
            yield chassis.name, row.up is not False


NODES: tuple[AnyNode, ...] = (
    Node(
        HOLDERS,
        run,
        (PORT_GROUP,),
        (KNOWN_PORTS, OVN_PORT_BY_NAME, OVN_PORT_BINDING, OVN_CHASSIS),
    ),
)
