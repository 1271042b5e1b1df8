"""Node 'status': what the northbound says of services, connections and containers.

Every status has its reason beside it, in words.  The way back north is thin:
what a chassis reported is handed on, what the scheduler refused is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ..lib import nb, sb
from ..lib.delta import Desired, Keys
from ..lib.router import make_container_name
from ..lib.rows import Row
from .en_container import Containers
from .en_transit import Transit
from .en_vpn import VPN, Service
from .ovn import make_mark
from .scheduler.model import Schedule


def run_containers(
    containers: Containers,
    transits: Mapping[str, Transit],
    plan: Schedule,
    refused: Mapping[str, str],
    bindings: Mapping[UUID, sb.ContainerBinding],
    placements: Mapping[UUID, sb.Placement],
    rows: Mapping[UUID, nb.ServiceContainer],
) -> tuple[Desired, ...]:
    """Returns the Service_Container rows: ours whole, the operator's status columns."""
    asked = {row.name: row for row in rows.values()}
    placed = _find_last(placements)
    by_place = {(row.container, row.chassis): row for row in bindings.values()}
    desired = []
    for name, container in sorted(containers.by_name.items()):
        where = plan.chassis.get(name)
        binding = by_place.get((name, where or ""))
        status = _container_status(where, binding, plan.reasons.get(name), name in plan.lost)
        if status["since"] is not None and name in placed:
            # A standby may be ready for long before it serves.
            status["since"] = max(status["since"], placed[name])
        if name not in transits:
            status = _error("no free /30 of 169.254.0.0/16 is left on the router")
        elif name in refused:
            status = _error(f"OVN_Northbound refused its rows: {refused[name]}")
        identity = {
            "service_type": container.request.service_type,
            "group": container.group,
            "port": name,
            "configuration": {"router": str(container.router)},
            "external_ids": Keys(make_mark(name)),
        }
        columns = {"name": name, **identity, **status, **_end_migration(plan, name, asked)}
        desired.append(Desired(nb.ServiceContainer.TABLE, name, columns))
    for uuid, problem in containers.problems.items():
        columns = _error(problem)
        desired.append(Desired(nb.ServiceContainer.TABLE, rows[uuid].name, columns))
    return tuple(desired)


def run_services(
    verdict: VPN,
    services: Mapping[UUID, nb.VPNService],
    connections: Mapping[UUID, nb.IPsecConnection],
    tunnels: Mapping[UUID, sb.IPsecTunnel],
    plan: Schedule,
    container_rows: tuple[Desired, ...],
) -> tuple[Desired, ...]:
    """Returns status and message of each VPN_Service and IPsec_Connection."""
    containers = {str(row.key): row.columns for row in container_rows}
    served = {service.row.uuid: service for service in verdict.services}
    seen = {
        tunnel.connection: tunnel
        for tunnel in tunnels.values()
        if plan.chassis.get(tunnel.container) == tunnel.chassis
    }
    desired: list[Desired] = []
    told: set[UUID] = set()
    # The first by name speaks for a connection that two of them have.
    for row in sorted(services.values(), key=lambda row: (row.name, row.uuid)):
        service = served.get(row.uuid)
        container = containers.get(make_container_name(service.router)) if service else None
        members = [connections[uuid] for uuid in row.connections if uuid in connections]
        states: list[tuple[nb.IPsecConnection, str, str]] = []
        for member in members:
            problem = verdict.problems.get(member.uuid)
            if problem is None and row.uuid in verdict.problems:
                problem = f"its VPN service has a problem: {verdict.problems[row.uuid]}"
            state = _connection_status(row, member, problem, container, seen.get(str(member.uuid)))
            states.append((member, *state))
            if member.uuid not in told:
                told.add(member.uuid)
                desired.append(_status(nb.IPsecConnection, member.uuid, *state))
        status, message = _service_status(row, service, verdict.problems.get(row.uuid), states)
        if container and row.group and row.group != container["group"]:
            message += "; its group is passed over, another service's of this router counts"
        desired.append(_status(nb.VPNService, row.uuid, status, message))
    return tuple(desired)


def _status(row_class: type[Row], uuid: UUID, status: str, message: str) -> Desired:
    return Desired(row_class.TABLE, uuid, {"status": status, "status_message": message})


def _error(message: str) -> dict[str, Any]:
    return {
        "status_code": "error",
        "status_message": message,
        "chassis": None,
        "namespace_name": None,
        "interface_name": None,
        "since": None,
    }


def _find_last(placements: Mapping[UUID, sb.Placement]) -> dict[str, int]:
    """Returns when each container was placed where it is."""
    rows = sorted(placements.values(), key=lambda row: row.number)
    return {row.container: row.since for row in rows}


def _end_migration(
    plan: Schedule, name: str, rows: Mapping[str, nb.ServiceContainer]
) -> dict[str, Any]:
    """Returns what is written of a request to migrate that is over."""
    if name not in plan.migrations or name not in rows:
        return {}
    return {"migrated_cfg": rows[name].migrate_cfg, "migrate_status": plan.migrations[name]}


def _container_status(
    where: str | None,
    binding: sb.ContainerBinding | None,
    reason: str | None,
    lost: bool,
) -> dict[str, Any]:
    """Returns the status columns of a container that wants to run."""
    if where is None:
        return _error(reason or "waiting for a chassis")
    status: dict[str, Any] = {
        "status_code": "starting",
        "status_message": f"chassis {where} was asked to start it",
        "chassis": where,
        "namespace_name": None,
        "interface_name": None,
        "since": None,
    }
    if binding is not None and binding.status_code is not None:
        status["status_code"] = binding.status_code
        status["status_message"] = binding.status_message
        status["namespace_name"] = binding.namespace_name
        status["interface_name"] = binding.interface_name
        status["since"] = binding.since
    if lost:
        status["status_code"], status["status_message"] = "error", reason
    elif reason is not None:
        said = status["status_message"]
        status["status_message"] = f"{said}; {reason}" if said and said not in reason else reason
    return status


def _connection_status(
    service: nb.VPNService,
    row: nb.IPsecConnection,
    problem: str | None,
    container: Mapping[str, Any] | None,
    tunnel: sb.IPsecTunnel | None,
) -> tuple[str, str]:
    if problem is not None:
        return "error", problem
    if row.enabled is False or service.enabled is False:
        who = "the connection" if row.enabled is False else "its VPN service"
        return "disabled", f"{who} is disabled; traffic to its peer subnets is dropped"
    if container is None:
        return "down", "no container runs yet"
    if container["status_code"] != "running":
        return "down", f"container {container['status_code']}: {container['status_message']}"
    return _tunnel_status(container["chassis"], tunnel)


def _tunnel_status(chassis: str, tunnel: sb.IPsecTunnel | None) -> tuple[str, str]:
    if tunnel is None:
        return "down", f"chassis {chassis} has not reported on the tunnel yet"
    if tunnel.state == "up":
        return "up", f"{tunnel.ike_algorithms}; {tunnel.esp_algorithms}".strip("; ")
    return "down", tunnel.last_error or f"{tunnel.state}: no reason is known yet"


def _service_status(
    row: nb.VPNService,
    service: Service | None,
    problem: str | None,
    states: Iterable[tuple[nb.IPsecConnection, str, str]],
) -> tuple[str, str]:
    if problem is not None or service is None:
        return "error", problem or "not compiled yet"
    if row.enabled is False:
        return "disabled", "the VPN service is disabled"
    wanted = [each for each in states if each[1] != "disabled"]
    if not wanted:
        return "down", "no enabled connection"
    up = [each for each in wanted if each[1] == "up"]
    message = f"{len(up)} of {len(wanted)} tunnels up"
    waiting = sorted((each for each in wanted if each[1] != "up"), key=lambda each: each[0].name)
    if waiting:
        connection, _, reason = waiting[0]
        message += f"; {connection.name}: {reason}"
    status = "up" if not waiting else "partial" if up else "down"
    return status, message
