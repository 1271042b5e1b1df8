"""Node 'link': the ports of each container, as the attachments have them (northd/attach)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from ipaddress import IPv4Network
from uuid import UUID

from ...services.api import FIRST_INTERFACE
from ...services.api.compile import ROUTER, PortSpec
from ...services.api.node import AnyNode, Datum, Index, Node, Read
from ..attach import transit
from ..attach.port import Port, Unattached
from ..ovn import rows as ovn
from .en_container import CONTAINER
from .tables import LOGICAL_ROUTER, LOGICAL_ROUTER_PORT

LINK: Datum[str, tuple[Port | Unattached, ...]] = Datum("link")
# By router: the networks of the links that containers have on it, by the router's port.
LINK_NETWORKS: Datum[UUID, Mapping[str, IPv4Network]] = Datum("link_networks")
# Of rows only what links depend on, since everything else of them changes far more often.
_WANTED: Datum[str, tuple[tuple[UUID, str], ...]] = Datum("links_wanted")
_WANTED_BY_ROUTER: Datum[UUID, AbstractSet[str]] = Datum("links_wanted by router")
_ROUTER_PORTS: Datum[UUID, tuple[UUID, ...]] = Datum("router_ports")
_OWN_PORTS: Datum[UUID, AbstractSet[UUID]] = Datum("own_router_ports")
_PRESENT: Datum[UUID, tuple[str, str]] = Datum("link_present")


def allocate(read: Read, uuid: UUID) -> Mapping[str, IPv4Network] | None:
    """Returns the networks of the links on a router."""
    router, ports = read(ROUTER, uuid), read(_ROUTER_PORTS, uuid)
    if router is None or ports is None:
        return None
    present = dict(found for each in ports if (found := read(_PRESENT, each)))
    wanted = [
        port
        for container in read(_WANTED_BY_ROUTER, uuid) or ()
        for where, port in read(_WANTED, container) or ()
        if where == uuid
    ]
    return transit.allocate(router, present, wanted)


def find_wanted(read: Read, name: str) -> tuple[tuple[UUID, str], ...] | None:
    """Returns the routers on which a container is to have links, with the router's ports."""
    container = read(CONTAINER, name)
    if container is None or container.spec is None:
        return None
    return tuple(
        (
            port.attachment.router,
            transit.make_router_port_name(find_logical_port(name, port.interface)),
        )
        for port in container.spec.ports
    )


def find_router_ports(read: Read, uuid: UUID) -> tuple[UUID, ...] | None:
    """Returns the ports of a router."""
    row = read(LOGICAL_ROUTER, uuid)
    return tuple(sorted(row.ports)) if row is not None else None


def find_present(read: Read, uuid: UUID) -> tuple[str, str] | None:
    """Returns the name that a router's port of ours is to have, and its network."""
    row = read(LOGICAL_ROUTER_PORT, uuid)
    key = ovn.find_key(row.external_ids) if row is not None else None
    if row is None or key is None:
        return None
    # Not by its own name, which somebody may have changed.
    container, *others = key.split("/")
    interface = others[0] if len(others) > 1 else FIRST_INTERFACE
    logical_port = find_logical_port(container, interface)
    return transit.make_router_port_name(logical_port), next(iter(row.networks), "")


def run(read: Read, name: str) -> tuple[Port | Unattached, ...] | None:
    """Returns the ports of a container, None for one that goes on as it was."""
    container = read(CONTAINER, name)
    if container is None or container.spec is None:
        return None
    # What could not be computed of it is in nobody's allocation; then its link is not known.
    read(_WANTED, name)
    return tuple(_attach(read, name, port) for port in container.spec.ports)


def find_logical_port(container: str, interface: str) -> str:
    """Returns the name of a port in OVN: that of the first is the container's."""
    return container if interface == FIRST_INTERFACE else f"{container}.{interface}"


def find_problem(ports: tuple[Port | Unattached, ...]) -> str | None:
    """Returns why a container cannot have its ports."""
    return next((each.problem for each in ports if isinstance(each, Unattached)), None)


def _attach(read: Read, name: str, port: PortSpec) -> Port | Unattached:
    router = port.attachment.router
    networks = read(LINK_NETWORKS, router)
    if networks is None:
        return Unattached(port.interface, "its router is gone")
    logical_port = find_logical_port(name, port.interface)
    network = networks.get(transit.make_router_port_name(logical_port))
    return transit.attach(router, logical_port, port.interface, network)


def _find_routers(_name: str, wanted: Iterable[tuple[UUID, str]]) -> Iterable[UUID]:
    return {router for router, _ in wanted}


def _find_own(uuid: UUID, row: ovn.LogicalRouterPort) -> Iterable[UUID]:
    return () if ovn.find_key(row.external_ids) is None else (uuid,)


NODES: tuple[AnyNode, ...] = (
    Node(_WANTED, find_wanted, (CONTAINER,)),
    Index(_WANTED_BY_ROUTER, _WANTED, _find_routers),
    Node(_ROUTER_PORTS, find_router_ports, (LOGICAL_ROUTER,)),
    Index(_OWN_PORTS, LOGICAL_ROUTER_PORT, _find_own),
    Node(_PRESENT, find_present, (_OWN_PORTS,), (LOGICAL_ROUTER_PORT,)),
    Node(LINK_NETWORKS, allocate, (ROUTER,), (_ROUTER_PORTS, _PRESENT, _WANTED_BY_ROUTER, _WANTED)),
    Node(LINK, run, (CONTAINER,), (LINK_NETWORKS, _WANTED)),
)
