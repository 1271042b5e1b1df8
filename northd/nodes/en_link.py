"""Node 'link': the ports of each container, as the attachments have them (northd/attach)."""

from __future__ import annotations

from ...services.api import FIRST_INTERFACE
from ...services.api.compile import ROUTER, PortSpec
from ...services.api.node import AnyNode, Datum, Node, Read
from ..attach import transit
from ..attach.port import Port, Unattached
from .en_container import CONTAINER
from .tables import LOGICAL_ROUTER_PORT, OWN_PORT_BY_NAME, find_rows

LINK: Datum[str, tuple[Port | Unattached, ...]] = Datum("link")


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
    router = read(ROUTER, port.attachment.router)
    if router is None:
        return Unattached(port.interface, "its router is gone")
    logical_port = find_logical_port(name, port.interface)
    own = read(OWN_PORT_BY_NAME, transit.make_router_port_name(logical_port))
    rows = find_rows(read, LOGICAL_ROUTER_PORT, own)
    present = (network for row in rows for network in row.networks)
    return transit.attach(router, logical_port, port.interface, present)


NODES: tuple[AnyNode, ...] = (
    Node(LINK, run, (CONTAINER,), (ROUTER, OWN_PORT_BY_NAME, LOGICAL_ROUTER_PORT)),
)
