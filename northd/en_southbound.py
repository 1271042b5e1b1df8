"""Node 'southbound': the rows of SVC_Southbound that should be there."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from uuid import UUID

from ..lib import sb, sealing
from ..lib.delta import Desired
from .en_container import Container, Containers
from .en_health import Health
from .en_options import Options
from .en_redirect import Redirect
from .en_transit import Transit
from .scheduler.filters import find_exclusion, find_loss
from .patience import Spot
from .scheduler.model import ACTIVE, STANDBY, Avoidance, Candidate, Schedule


def run(
    containers: Containers,
    transits: Mapping[str, Transit],
    plan: Schedule,
    health: Health,
    chassis: tuple[Candidate, ...],
    registered: Mapping[UUID, sb.Chassis],
    options: Options,
) -> tuple[Desired, ...]:
    """Returns bindings, failures and weights: all rows but the redirects."""
    keys = {row.name: row.public_key or "" for row in registered.values()}
    rows: list[Desired] = []
    scheduled: Counter[str] = Counter()
    for name, container in sorted(containers.by_name.items()):
        transit = transits.get(name)
        for where, role in find_places(plan, name):
            scheduled[where] += 1
            if transit is None or options.seal_seed is None:
                continue
            rows.append(_make_port(name, where, transit, options))
            row = _make_container(container, where, role, keys.get(where, ""), options.seal_seed)
            rows.append(_with_health(row, health.unwell.get((name, where))))
    rows.extend(_make_avoided(spot, each) for spot, each in health.avoided.items())
    rows.extend(_make_weight(each, scheduled[each.name]) for each in chassis)
    return tuple(rows)


def find_places(plan: Schedule, container: str) -> list[tuple[str, str]]:
    """Returns the chassis of 'container' with their roles."""
    active = plan.chassis.get(container)
    if active is None:
        return []
    return [(active, ACTIVE), *((each, STANDBY) for each in plan.standby.get(container, ()))]


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
    container: Container, chassis: str, role: str, public_key: str, seed: str
) -> Desired:
    secrets = {
        secret.name: _seal(secret.value, public_key, seed, secret.name)
        for secret in container.secrets
    }
    columns = {
        "container": container.name,
        "chassis": chassis,
        "service_type": container.request.service_type,
        "role": role,
        "configuration": container.configuration,
        "secrets": secrets,
    }
    return Desired(sb.ContainerBinding.TABLE, (container.name, chassis), columns)


def _with_health(row: Desired, unwell_since: int | None) -> Desired:
    """Returns a Container_Binding with since when it is unwell; sync_sb gives it to new ones."""
    return replace(row, columns={**row.columns, "unwell_since": unwell_since})


def _make_avoided(spot: Spot, each: Avoidance) -> Desired:
    columns = {"container": spot[0], "chassis": spot[1], **asdict(each)}
    return Desired(sb.AvoidedChassis.TABLE, spot, columns)


def _make_weight(each: Candidate, scheduled: int) -> Desired:
    columns = {
        "chassis": each.name,
        "weight": each.weight,
        "limit": each.limit,
        "drain": each.drain,
        "scheduled": scheduled,
        "alive": each.alive,
        "overloaded": each.overloaded,
        "problem": _find_problem(each, scheduled),
    }
    return Desired(sb.ChassisWeight.TABLE, each.name, columns)


def _find_problem(each: Candidate, scheduled: int) -> str:
    """Returns why 'each' takes no new container, whichever it is; "" if it does."""
    if not each.has_key:
        return "without a usable public key"
    full = f"full (limit {each.limit})" if 0 <= each.limit <= scheduled else ""
    return find_loss(each) or find_exclusion(each) or full


# Sealing is a pure function but costs an X25519 operation.
_seal = functools.lru_cache(maxsize=65536)(sealing.seal)
