"""Nodes 'sb_container', 'sb_redirect' and 'sb_chassis': what should be in SVC_Southbound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from ...lib import sb
from ...lib.delta import Desired
from ...lib.errors import ConfigError
from ...services.api.compile import CORE_DATA, LAST
from ...services.api.node import AnyNode, Datum, Node, Read
from ..attach.port import Port
from ..engine.ledger import Owned
from ..ovn import rows as ovn
from ..scheduler.filters import find_exclusion, find_loss, format_full
from ..scheduler.health import Health
from ..scheduler.model import Candidate
from .en_address_wait import ADDRESS_WAIT
from .en_chassis import CANDIDATE, PUBLIC_KEY
from .en_container import CONTAINER, Container
from .en_health import HEALTH
from .en_link import LINK
from .en_options import CONTAINER_MTU, SEAL_SEED
from .en_placement import PLACEMENT, SCHEDULED
from .en_redirect import REDIRECT, Redirect
from .en_sealed import SEALED, seal_all
from .tables import (
    BINDINGS_BY_CONTAINER,
    CONTAINER_BINDING,
    MASS_FAILURE,
    ONLY,
    OWN_POLICIES,
    PORT_BINDING,
    PORTS_BY_CONTAINER,
    ROUTER_POLICY,
    find_rows,
)
from .type_data import TypeData

SB_CONTAINER: Datum[str, Owned] = Datum("sb_container")
SB_REDIRECT: Datum[str, Owned] = Datum("sb_redirect")
SB_CHASSIS: Datum[str, Owned] = Datum("sb_chassis")

# What a binding is copied from that goes on as it was, and the key of each row.
_COPIED = ("service_type", "configuration")
_PORT_COLUMNS = (
    "logical_port",
    "interface",
    "kind",
    "mac",
    "addresses",
    "gateways",
    "mtu",
    "parent_port",
    "tag",
    "iface_id",
)


# -- containers ------------------------------------------------------------------


def make_nodes(types: Sequence[TypeData]) -> tuple[AnyNode, ...]:
    """Returns the nodes."""
    secrets = dict.fromkeys(datum for each in types for datum in each.half.inputs)
    return (
        Node(
            SB_CONTAINER,
            _make_run(types),
            (CONTAINER,),
            (
                LINK,
                PLACEMENT,
                ADDRESS_WAIT,
                HEALTH,
                SEALED,
                CONTAINER_MTU,
                SEAL_SEED,
                PUBLIC_KEY,
                BINDINGS_BY_CONTAINER,
                CONTAINER_BINDING,
                PORTS_BY_CONTAINER,
                PORT_BINDING,
                *secrets,
                *CORE_DATA,
            ),
        ),
        Node(SB_REDIRECT, make_redirects, (REDIRECT,), (OWN_POLICIES, ROUTER_POLICY)),
        Node(SB_CHASSIS, make_weight, (CANDIDATE,), (SCHEDULED, MASS_FAILURE)),
    )


def _make_run(types: Sequence[TypeData]) -> Callable[[Read, str], Owned | None]:
    halves = {each.name: each.half for each in types}

    def run(read: Read, name: str) -> Owned | None:
        container, health = read(CONTAINER, name), read(HEALTH, name)
        if container is None or health is None:
            return None
        # One that waits for an address, and that is bound, runs with what it has until then.
        waits = read(ADDRESS_WAIT, name) is not None and read(LAST, name) is not None
        if container.spec is not None and not waits:
            rows = _make_rows(read, container, health)
        else:
            half = halves.get(container.service_type)
            rows = _copy_rows(read, container, health, half)
        return Owned((*rows, *_make_avoided(name, health)))

    return run


def _make_rows(read: Read, container: Container, health: Health) -> Iterator[Desired]:
    """Yields the bindings of a container where it is placed."""
    assert container.spec is not None
    ports, placement = read(LINK, container.name) or (), read(PLACEMENT, container.name)
    attached = [each for each in ports if isinstance(each, Port)]
    if placement is None or len(attached) < len(ports):
        return
    for chassis, role in placement.list_places():
        columns = _find_columns(read, container, chassis)
        if columns is None:
            continue
        for port in attached:
            yield _make_port(read, container.name, chassis, port)
        yield _make_binding(container.name, chassis, {**columns, "role": role}, health)


def _find_columns(read: Read, container: Container, chassis: str) -> Mapping[str, Any] | None:
    """Returns what a binding gives to a chassis; None if nothing can be sealed for it.

    A binding that is there then stays as it is: what runs needs no new secret.
    """
    assert container.spec is not None
    sealed = read(SEALED, (container.name, chassis))
    if sealed is not None and not container.spec.kept_secrets:
        here = None
    else:
        rows = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, container.name))
        here = next((row for row in rows if row.chassis == chassis), None)
    if sealed is None:
        copied = (*_COPIED, "secrets")
        return None if here is None else {column: getattr(here, column) for column in copied}
    before = here.secrets if here is not None else {}
    kept = {name: before[name] for name in container.spec.kept_secrets if name in before}
    return {
        "service_type": container.service_type,
        "configuration": container.spec.configuration,
        "secrets": {**kept, **sealed},
    }


def _copy_rows(read: Read, container: Container, health: Health, half: Any) -> Iterator[Desired]:
    """Yields the bindings of a container that goes on as it was, wherever it is placed.

    Its secrets are sealed anew for a chassis that it comes to.  Raises ConfigError if that
    can be done for none, so that its rows stay: they are all that is known of it.
    """
    name = container.name
    placement, seed = read(PLACEMENT, name), read(SEAL_SEED, ONLY)
    bindings = find_rows(read, CONTAINER_BINDING, read(BINDINGS_BY_CONTAINER, name))
    ports = find_rows(read, PORT_BINDING, read(PORTS_BY_CONTAINER, name))
    model = min(bindings, key=lambda row: (row.role != "active", row.chassis), default=None)
    if placement is None or model is None:
        return
    by_chassis = {row.chassis: row for row in bindings}
    bound = not placement.list_places()
    for chassis, role in placement.list_places():
        here = by_chassis.get(chassis)
        secrets: Mapping[str, str] | None = here.secrets if here is not None else {}
        key = read(PUBLIC_KEY, chassis)
        if here is None and model.secrets:
            found = _find_secrets(read, container, sorted(model.secrets), half)
            secrets = None
            if found and key is not None and seed is not None:
                secrets = seal_all(found, key, seed)
        if secrets is None:
            continue
        bound = True
        source = here.chassis if here is not None else model.chassis
        for port in (row for row in ports if row.chassis == source):
            columns = {column: getattr(port, column) for column in _PORT_COLUMNS}
            yield _make_port_row(name, chassis, port.logical_port, columns)
        copied = {column: getattr(here or model, column) for column in _COPIED}
        yield _make_binding(name, chassis, {**copied, "role": role, "secrets": secrets}, health)
    if not bound:
        raise ConfigError("the secrets that it was given cannot be found")


def _find_secrets(
    read: Read, container: Container, names: Sequence[str], half: Any
) -> Mapping[str, str]:
    if half is None or container.unit is None:
        return {}
    found: Mapping[str, str] = half.find_secrets(read, container.unit, names)
    return found


def _make_port(read: Read, name: str, chassis: str, port: Port) -> Desired:
    columns = {
        "logical_port": port.logical_port,
        "interface": port.interface,
        "kind": port.kind,
        "mac": port.mac,
        "addresses": port.addresses,
        "gateways": port.gateways,
        "mtu": read(CONTAINER_MTU, ONLY),
        "parent_port": None,
        "tag": None,
        "iface_id": port.logical_port,
    }
    return _make_port_row(name, chassis, port.logical_port, columns)


def _make_port_row(
    name: str, chassis: str, logical_port: str, columns: Mapping[str, Any]
) -> Desired:
    whole = {**columns, "container": name, "chassis": chassis}
    return Desired(sb.PortBinding.TABLE, (logical_port, chassis), whole)


def _make_binding(name: str, chassis: str, columns: Mapping[str, Any], health: Health) -> Desired:
    whole = {
        **columns,
        "container": name,
        "chassis": chassis,
        "unwell_since": health.unwell.get(chassis),
    }
    return Desired(sb.ContainerBinding.TABLE, (name, chassis), whole)


def _make_avoided(name: str, health: Health) -> Iterator[Desired]:
    for chassis, each in health.avoided.items():
        columns = {"container": name, "chassis": chassis, **asdict(each)}
        yield Desired(sb.AvoidedChassis.TABLE, (name, chassis), columns)


# -- redirects ---------------------------------------------------------------------


def make_redirects(read: Read, name: str) -> Owned | None:
    """Returns the Redirect_Flow rows of a container."""
    redirects = read(REDIRECT, name)
    if redirects is None:
        return None
    policies = find_rows(read, ROUTER_POLICY, read(OWN_POLICIES, name))
    present = {(ovn.find_key(row.external_ids), row.match) for row in policies}
    rows: list[Desired] = []
    where: UUID | None = None
    for rule in redirects.rules:
        if rule.router is not where:  # mostly all are on one
            where = rule.router
            router = str(where)
        rows.append(_make_redirect(rule, router, (rule.name, rule.match) in present))
    return Owned(tuple(rows), keeps_all=redirects.keeps_others)


def _make_redirect(rule: Redirect, router: str, installed: bool) -> Desired:
    """Returns the row; it is installed once OVN holds the policy as it is."""
    columns = {
        "name": rule.name,
        "container": rule.container,
        "subject": rule.subject,
        "router": router,
        "network": None,
        "priority": rule.priority,
        "ip_version": rule.ip_version,
        "sources": rule.sources,
        "destinations": rule.destinations,
        "protocol": rule.protocol,
        "ports": rule.ports,
        "in_ports": rule.in_ports,
        "out_ports": rule.out_ports,
        "action": rule.action,
        "next_hop": rule.next_hop,
        "state": "installed" if installed else "pending",
    }
    return Desired(sb.RedirectFlow.TABLE, rule.name, columns)


# -- chassis -----------------------------------------------------------------------


def make_weight(read: Read, name: str) -> Owned | None:
    """Returns the Chassis_Weight row of a chassis."""
    each = read(CANDIDATE, name)
    if each is None:
        return None
    scheduled = read(SCHEDULED, name) or 0
    mass_failure = read(MASS_FAILURE, name)
    problem = _find_problem(each, scheduled)
    if mass_failure is not None:
        problem = f"{problem}, and many others with it"
    columns = {
        "chassis": name,
        "weight": each.weight,
        "limit": each.limit,
        "drain": each.drain,
        "scheduled": scheduled,
        "alive": each.alive,
        "overloaded": each.overloaded,
        "mass_failure": mass_failure,
        "problem": problem,
    }
    return Owned((Desired(sb.ChassisWeight.TABLE, name, columns),))


def _find_problem(each: Candidate, scheduled: int) -> str:
    """Returns why a chassis takes no new container, whichever it is; "" if it does."""
    if not each.has_key:
        return "without a usable public key"
    full = format_full(each.limit) if 0 <= each.limit <= scheduled else ""
    return find_loss(each) or find_exclusion(each) or full
