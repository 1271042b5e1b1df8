"""Node 'container': the containers that should run, and what is in them.

One container serves all VPN services of a router.  It is there as soon as one
of them can be served and is enabled, and goes with the last.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ..lib import nb, vpn
from ..lib.router import make_container_name
from .en_group import Group
from .en_vpn import VPN, Connection, Service
from .scheduler.model import Request

IPSEC = "ipsec"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that the chassis of the container needs; never printed."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Container:
    """A container for 'router', before it has a place."""

    name: str
    router: UUID
    request: Request
    group: UUID | None
    outer_addresses: tuple[str, ...]
    configuration: str
    secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers by name, and sentences on rows with a problem."""

    by_name: Mapping[str, Container] = field(default_factory=dict)
    problems: Mapping[UUID, str] = field(default_factory=dict)


def run(
    verdict: VPN,
    rows: Mapping[UUID, nb.ServiceContainer],
    groups: Mapping[UUID, Group],
) -> Containers:
    """Returns the containers; 'rows' give the operator's pins and requests to migrate."""
    by_router: dict[UUID, list[Service]] = {}
    for service in verdict.services:
        if service.enabled:
            by_router.setdefault(service.router, []).append(service)
    wishes = {row.name: row for row in rows.values()}
    containers: dict[str, Container] = {}
    for router, services in by_router.items():
        name = make_container_name(router)
        request, group = _make_request(name, services, wishes.get(name), groups)
        containers[name] = _make(name, router, services, request, group)
    problems = {
        row.uuid: f"service type {row.service_type or 'of no name'} is not served by a row"
        " of its own; an ipsec container comes with its VPN service"
        for row in rows.values()
        if row.name not in containers and "ovnsvc" not in row.external_ids
    }
    return Containers(containers, problems)


def _make_request(
    name: str,
    services: Iterable[Service],
    wish: nb.ServiceContainer | None,
    groups: Mapping[UUID, Group],
) -> tuple[Request, UUID | None]:
    """Returns the request; the first service that names a group decides."""
    uuid = next((service.row.group for service in services if service.row.group), None)
    group = (groups.get(uuid) if uuid else None) or Group()
    asked = wish is not None and wish.migrate_cfg > wish.migrated_cfg
    request = Request(
        name=name,
        service_type=IPSEC,
        group=group.name,
        policy=group.policy,
        problem=group.problem,
        chassis_group=group.chassis_group,
        port_chassis=group.port_chassis,
        bound_chassis=group.bound_chassis,
        requested_chassis=wish.requested_chassis if wish else None,
        migrate_chassis=(wish.migrate_chassis or "") if wish and asked else None,
        spread=group.spread,
        standby=group.standby,
    )
    return request, uuid


def _make(
    name: str,
    router: UUID,
    services: list[Service],
    request: Request,
    group: UUID | None,
) -> Container:
    active = [(service, each) for service in services for each in service.connections]
    active = [pair for pair in active if pair[1].enabled]
    addresses = sorted({ip for service in services for ip in service.row.external_ips})
    configuration = {
        "outer_addresses": addresses,
        "connections": [_make_connection(service.row, each) for service, each in active],
    }
    secrets = [Secret(str(each.row.uuid), each.row.psk or "") for _, each in active]
    return Container(
        name=name,
        router=router,
        request=request,
        group=group,
        outer_addresses=tuple(addresses),
        configuration=json.dumps(configuration, sort_keys=True, separators=(",", ":")),
        secrets=tuple(secrets),
    )


@functools.lru_cache(maxsize=65536)
def _make_connection(service: nb.VPNService, connection: Connection) -> dict[str, Any]:
    """Returns one connection of the configuration; schemas/svc-sb.rst documents the keys."""
    row = connection.row
    local_address = service.external_ips[0]
    return {
        "id": str(row.uuid),
        "name": f"{service.name}/{row.name}",
        "local_address": local_address,
        "peer_address": row.peer_address,
        "local_id": row.local_id or local_address,
        "peer_id": row.peer_id or row.peer_address,
        "local_subnets": [str(each) for each in vpn.parse_subnets(service.local_subnets)],
        "peer_subnets": [str(each) for each in vpn.parse_subnets(row.peer_subnets)],
        "ike_version": _ike_version(connection.ike_policy),
        "ike_proposal": vpn.ike_proposal(connection.ike_policy),
        "ike_lifetime_s": _lifetime_s(connection.ike_policy, vpn.DEFAULT_IKE_LIFETIME_S),
        "esp_proposal": vpn.esp_proposal(connection.ipsec_policy),
        "esp_lifetime_s": _lifetime_s(connection.ipsec_policy, vpn.DEFAULT_IPSEC_LIFETIME_S),
        "initiate": row.initiator != "response-only",
        "dpd_action": row.dpd_action or vpn.DEFAULT_DPD_ACTION,
        "dpd_interval_s": row.dpd_interval or vpn.DEFAULT_DPD_INTERVAL_S,
        "dpd_timeout_s": row.dpd_timeout or vpn.DEFAULT_DPD_TIMEOUT_S,
        "mtu": row.mtu,
    }


def _ike_version(policy: nb.IKEPolicy | None) -> int:
    version = (policy and policy.ike_version) or vpn.DEFAULT_IKE_VERSION
    return int(version.removeprefix("v"))


def _lifetime_s(policy: nb.IKEPolicy | nb.IPsecPolicy | None, default: int) -> int:
    return (policy and policy.lifetime) or default
