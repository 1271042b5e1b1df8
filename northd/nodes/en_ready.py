"""Node 'ready': the containers that get traffic.

That is one that is built where it serves and whose ports OVN installed.  It
stays so while it moves or is restarted: the next hop is the same wherever it
is, what is sent there meanwhile is lost either way, and turning the redirects
twice would only make it longer.
"""

from __future__ import annotations

from ...services.api.node import AnyNode, Datum, Node, Read
from .en_placement import PLACEMENT
from .tables import (
    BINDINGS_BY_CONTAINER,
    CONTAINER_BINDING,
    PORT_BINDING,
    PORTS_BY_CONTAINER,
    REROUTE_BY_CONTAINER,
    find_rows,
)

READY: Datum[str, bool] = Datum("ready")


def run(read: Read, name: str) -> bool | None:
    """Returns whether a container gets traffic, None if it does not."""
    placement = read(PLACEMENT, name)
    if placement is None or placement.active is None:
        return None
    if read(REROUTE_BY_CONTAINER, name):
        return True
    where = placement.active
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    ports = find_rows(read, PORT_BINDING, read(PORTS_BY_CONTAINER, name))
    here = [row for row in ports if row.chassis == where]
    built = any(row.chassis == where and row.reached_generation > 0 for row in bindings)
    return (built and bool(here) and all(row.up for row in here)) or None


NODES: tuple[AnyNode, ...] = (
    Node(
        READY,
        run,
        # What was never bound or rerouted to is not ready: most are not when all are new.
        (REROUTE_BY_CONTAINER, BINDINGS_BY_CONTAINER),
        (
            PLACEMENT,
            CONTAINER_BINDING,
            PORTS_BY_CONTAINER,
            PORT_BINDING,
        ),
    ),
)
