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
from .en_container import CONTAINER, Container
from .tables import LOGICAL_ROUTER, LOGICAL_ROUTER_PORT

LINK: Datum[str, tuple[Port | Unattached, ...]] = Datum("link")
# By router: the networks of the links that containers have on it, by the router's port.
LINK_NETWORKS: Datum[UUID, Mapping[str, IPv4Network]] = Datum("link_networks")
_CONTAINERS_BY_ROUTER: Datum[UUID, AbstractSet[str]] = Datum("containers by router")


def allocate(read: Read, uuid: UUID) -> Mapping[str, IPv4Network] | None:
    """Returns the networks of the links on a router."""
    router, row = read(ROUTER, uuid), read(LOGICAL_ROUTER, uuid)
    if router is None or row is None:
        return None
    ports = [port for each in row.ports if (port := read(LOGICAL_ROUTER_PORT, each))]
    own = [port for port in ports if ovn.find_key(port.external_ids) is not None]
    present = {port.name: next(iter(port.networks), "") for port in own}
    names = read(_CONTAINERS_BY_ROUTER, uuid) or ()
    wanted = [
        transit.make_router_port_name(find_logical_port(name, port.interface))
        for name in names
        for port in _list_ports(read(CONTAINER, name))
        if port.attachment.router == uuid
    ]
    return transit.allocate(router, present, wanted)


def run(read: Read, name: str) -> tuple[Port | Unattached, ...] | None:
    """Returns the ports of a container, None for one that goes on as it was."""
    container = read(CONTAINER, name)
    if container is None or container.spec is None:
        return None
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


def _list_ports(container: Container | None) -> tuple[PortSpec, ...]:
    return container.spec.ports if container is not None and container.spec is not None else ()


def _find_routers(_name: str, container: Container) -> Iterable[UUID]:
    return {port.attachment.router for port in _list_ports(container)}


NODES: tuple[AnyNode, ...] = (
    Index(_CONTAINERS_BY_ROUTER, CONTAINER, _find_routers),
    Node(
        LINK_NETWORKS,
        allocate,
        (ROUTER,),
        (LOGICAL_ROUTER, LOGICAL_ROUTER_PORT, _CONTAINERS_BY_ROUTER, CONTAINER),
    ),
    Node(LINK, run, (CONTAINER,), (LINK_NETWORKS,)),
)
