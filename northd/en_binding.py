"""Node 'binding': the chassis of each container; and node 'ready': which of them may get traffic.

The bindings in the southbound are the memory of the scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from ..lib import nb, sb
from .en_container import Containers
from .scheduler import Candidate, Plan, schedule


def run(
    containers: Containers,
    chassis: tuple[Candidate, ...],
    rows: Mapping[UUID, sb.ContainerBinding],
    reported: Mapping[UUID, nb.ServiceContainer],
) -> Plan:
    """Returns where each container runs from now on.

    Where the southbound knows nothing of a container, as when its file was
    lost, the northbound's last word on the place counts.
    """
    present = {row.name: row.chassis for row in reported.values() if row.chassis}
    present.update(
        (row.container, row.chassis)
        for row in sorted(rows.values(), key=lambda row: row.chassis)
        if row.role == "active"
    )
    requests = [container.request for container in containers.by_name.values()]
    return schedule(requests, chassis, present)


def find_ready(
    plan: Plan,
    bindings: Mapping[UUID, sb.ContainerBinding],
    ports: Mapping[UUID, sb.PortBinding],
) -> frozenset[str]:
    """Returns the containers that are built where they belong and whose port OVN installed.

    A container whose program is being restarted in place stays ready: what is
    sent to it meanwhile is lost either way, and turning the redirects twice
    would only make it longer.
    """
    built = {
        (row.container, row.chassis) for row in bindings.values() if row.reached_generation > 0
    }
    up = {(row.container, row.chassis) for row in ports.values() if row.up}
    return frozenset(name for name, where in plan.chassis.items() if (name, where) in built & up)
