"""Node 'binding': where each container is; and node 'ready': which of them may get traffic.

The bindings in the southbound are the memory of the scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from ..lib import sb
from . import ovn
from .en_container import Containers
from .en_health import Health
from .en_options import Options
from .en_redirect import find_reroutes
from .scheduler.model import Candidate, Schedule, MoveRules
from .scheduler.schedule import schedule


def run(
    containers: Containers,
    chassis: tuple[Candidate, ...],
    health: Health,
    options: Options,
    clock: int | None,
) -> Schedule:
    """Returns where each container is from here on."""
    requests = [container.request for container in containers.by_name.values()]
    avoided = {spot: each for spot, each in health.avoided.items() if (clock or 0) < each.retry_at}
    settings = MoveRules(options.enforce_container_limit, options.drain_moves)
    plan = schedule(requests, chassis, health.places, avoided, settings)
    return replace(plan)


def find_ready(
    plan: Schedule,
    bindings: Mapping[UUID, sb.ContainerBinding],
    ports: Mapping[UUID, sb.PortBinding],
    policies: Mapping[UUID, ovn.RouterPolicy],
) -> frozenset[str]:
    """Returns the containers that get traffic.

    That is one that is built where it serves and whose port OVN installed.  It
    stays so while it moves or is restarted: the next hop is the same wherever
    it is, what is sent there meanwhile is lost either way, and turning the
    redirects twice would only make it longer.
    """
    built = {
        (row.container, row.chassis) for row in bindings.values() if row.reached_generation > 0
    }
    up = {(row.container, row.chassis) for row in ports.values() if row.up}
    redirected = find_reroutes(policies)
    return frozenset(
        name
        for name, where in plan.chassis.items()
        if name in redirected or (name, where) in built & up
    )
