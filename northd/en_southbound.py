"""Node 'southbound': the rows of SVC_Southbound that should be there."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from ..lib import sb, sealing
from ..lib.delta import Desired
from .en_container import Container, Containers
from .en_options import Options
from .en_redirect import Redirect
from .en_transit import Transit
from .scheduler import Candidate, Plan


def run(
    containers: Containers,
    transits: Mapping[str, Transit],
    plan: Plan,
    chassis: tuple[Candidate, ...],
    registered: Mapping[UUID, sb.Chassis],
    options: Options,
) -> tuple[Desired, ...]:
    """Returns bindings of containers and ports, and the weights; all but the redirects."""
    keys = {row.name: row.public_key or "" for row in registered.values()}
    rows: list[Desired] = []
    for name, container in sorted(containers.by_name.items()):
        where = plan.chassis.get(name)
        transit = transits.get(name)
        if where is None or transit is None or options.seal_seed is None:
            continue
        rows.append(_make_port(name, where, transit, options))
        rows.append(_make_container(container, where, keys.get(where, ""), options.seal_seed))
    scheduled = Counter(plan.chassis.values())
    rows.extend(_make_weight(each, scheduled[each.name]) for each in chassis)
    return tuple(rows)


def make_redirects(redirects: tuple[Redirect, ...]) -> tuple[Desired, ...]:
    """Returns the Redirect_Flow rows; sync_sb adds their state."""
    return tuple(
        Desired(
            sb.RedirectFlow.TABLE,
            rule.name,
            {
                "name": rule.name,
                "container": rule.container,
                "datapath": str(rule.router),
                "priority": rule.priority,
                "match": rule.match,
                "action": rule.action,
                "next_hop": rule.next_hop,
            },
        )
        for rule in redirects
    )


def _make_port(name: str, chassis: str, transit: Transit, options: Options) -> Desired:
    columns = {
        "logical_port": name,
        "container": name,
        "chassis": chassis,
        "mac": transit.container_mac,
        "addresses": (transit.container_interface,),
        "gateways": (transit.router_address,),
        "mtu": options.container_mtu,
        "iface_id": name,
    }
    return Desired(sb.PortBinding.TABLE, (name, chassis), columns)


def _make_container(
    container: Container, chassis: str, public_key: str, seed: str
) -> Desired:
    secrets = {
        secret.name: _seal(secret.value, public_key, seed, secret.name)
        for secret in container.secrets
    }
    columns = {
        "container": container.name,
        "chassis": chassis,
        "service_type": container.request.service_type,
        "role": "active",
        "configuration": container.configuration,
        "secrets": secrets,
    }
    return Desired(sb.ContainerBinding.TABLE, (container.name, chassis), columns)


def _make_weight(each: Candidate, scheduled: int) -> Desired:
    columns = {
        "chassis": each.name,
        "weight": each.weight,
        "limit": each.limit,
        "drain": each.drain,
        "scheduled": scheduled,
        "alive": each.alive,
    }
    return Desired(sb.ChassisWeight.TABLE, each.name, columns)


# Sealing is a pure function but costs an X25519 operation.
_seal = functools.lru_cache(maxsize=65536)(sealing.seal)
