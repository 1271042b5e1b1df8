"""The southbound rows of one container -> its desired state on this host. Pure.

Rows that make no sense yield the container as it was before, or a problem in
its place if it was none.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...lib import sb
from ...lib.container import is_name
from ...lib.errors import ConfigError
from ...lib.failures import describe
from ...services.api import FIRST_INTERFACE
from ...services.api.host import HostHalf, Network, Plan, Port, Site, Workload
from ..identity import Identity
from .kinds import (
    Kind,
    Link,
    Links,
    Namespace,
    Resource,
    StateDirectory,
    SwitchPort,
    SwitchPorts,
    name_outside,
    sort_network,
)
from .record import PortRecord, Record, make_record

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_INTERFACE = re.compile(r"[a-z][a-z0-9_-]{0,14}")
_LOOPBACK = "lo"
MOST_PORTS = 64
_NESTED, _VLAN = "nested", "vlan"


@dataclass(frozen=True, slots=True)
class Container:
    """What a container consists of, by kind, made from 'record'.

    'problem' says why it is not made from what its rows are at 'generation';
    'up' is whether its links may be up.
    """

    name: str
    generation: int
    resources: Mapping[Kind, Resource]
    record: Record
    problem: str | None = None
    up: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a binding cannot be made true, in a sentence for its row.

    'up' is whether what is there of its links may be up.
    """

    name: str
    generation: int
    sentence: str
    up: bool = True


Wanted = Container | Problem


@dataclass(frozen=True, slots=True)
class Chassis:
    """What containers are made for: who this is, and the service types that it has."""

    identity: Identity
    types: Mapping[str, HostHalf]


def make_wanted(
    binding: sb.ContainerBinding,
    ports: Sequence[sb.PortBinding],
    chassis: Chassis,
    record: Record | None = None,
) -> Wanted:
    """Returns what is wanted of a container.

    'record' is what it is made from while its rows make no sense.
    """
    try:
        return _make_container(binding, ports, chassis)
    except Exception as error:  # a mistake in one type must not reach the others
        return _fall_back(binding, record, error, chassis)


def set_up(wanted: Wanted, up: bool) -> Wanted:
    """Returns 'wanted' with every link up, or down as in a container that is fenced."""
    if isinstance(wanted, Problem):
        return replace(wanted, up=up)
    links = wanted.resources[Links]
    assert isinstance(links, Links)
    down = Links(tuple(replace(each, up=up) for each in links.links))
    return replace(wanted, resources={**wanted.resources, Links: down}, up=up)


def _fall_back(
    binding: sb.ContainerBinding, record: Record | None, error: Exception, chassis: Chassis
) -> Wanted:
    """Returns the container made from 'record', in its role of now; a problem without one."""
    sentence = str(error)
    if not isinstance(error, ConfigError):
        sentence = f"the configuration cannot be understood: {describe(error)}"
    if record is not None:
        with contextlib.suppress(Exception):  # as above
            resources = _make_resources(binding.container, record, binding.role, chassis)
            return Container(
                binding.container, binding.generation, resources, record, problem=sentence
            )
    return Problem(binding.container, binding.generation, sentence)


def _make_container(
    binding: sb.ContainerBinding, ports: Sequence[sb.PortBinding], chassis: Chassis
) -> Container:
    name = binding.container
    if not is_name(name):
        raise ConfigError(f"container name {name!r} cannot be an interface name")
    if not ports:
        raise ConfigError(f"container {name} has no port on this chassis")
    record = make_record(binding, ports)
    resources = _make_resources(name, record, binding.role, chassis)
    return Container(name, binding.generation, resources, record)


def _make_resources(name: str, record: Record, role: str, chassis: Chassis) -> dict[Kind, Resource]:
    service_type = chassis.types.get(record.service_type)
    if service_type is None:
        raise ConfigError(f"service type {record.service_type} is not installed on this chassis")
    _check_ports(name, record.ports)
    plan = service_type.plan(record.configuration, _make_site(record.ports))
    if not isinstance(plan, Plan) or not isinstance(plan.network, Network):
        raise TypeError(f"plan() returned {plan!r}")
    workload = Workload(
        service_type=record.service_type,
        settings=plan.settings,
        secrets=record.secrets,
        active=role == "active",
        generation=record.generation,
        programs=plan.programs,
    )
    resources = (
        StateDirectory(),
        Namespace(),
        Links(tuple(_make_link(name, each, chassis.identity) for each in record.ports)),
        SwitchPorts(_make_switch_ports(name, record.ports, chassis.identity)),
        sort_network(plan.network),
        workload,
    )
    return {type(each): each for each in resources}


def _make_link(name: str, port: PortRecord, identity: Identity) -> Link:
    outside = name_outside(name, port.interface)
    return Link(port.interface, outside, port.mac, port.mtu, identity.offload)


def _make_switch_ports(
    name: str, ports: Sequence[PortRecord], identity: Identity
) -> tuple[SwitchPort, ...]:
    made = (
        SwitchPort(
            name_outside(name, each.interface), identity.bridge, each.iface_id, each.mac, each.tag
        )
        for each in ports
    )
    return tuple(sorted(made, key=lambda port: port.name))


def _check_ports(container: str, ports: Sequence[PortRecord]) -> None:
    """Raises ConfigError for ports that cannot be in one namespace."""
    if len(ports) > MOST_PORTS:
        raise ConfigError(f"container {container} has {len(ports)} ports, more than {MOST_PORTS}")
    for each in ports:
        _check_port(each)
    for what in ("interface", "iface_id"):
        values = [getattr(each, what) for each in ports]
        twice = sorted({each for each in values if values.count(each) > 1})
        if twice:
            raise ConfigError(f"two ports of container {container} have {what} {twice[0]}")
    if FIRST_INTERFACE not in [each.interface for each in ports]:
        raise ConfigError(f"container {container} has no port {FIRST_INTERFACE} on this chassis")


def _check_port(port: PortRecord) -> None:
    where = f"port {port.logical_port}"
    if _INTERFACE.fullmatch(port.interface) is None or port.interface == _LOOPBACK:
        raise ConfigError(f"{where}: {port.interface!r} cannot be the name of an interface")
    if _MAC.fullmatch(port.mac) is None:
        raise ConfigError(f"{where}: {port.mac!r} is not a MAC in lower case")
    if not 576 <= port.mtu <= 65535:
        raise ConfigError(f"{where}: MTU {port.mtu} is not in 576..65535")
    if not port.addresses:
        raise ConfigError(f"{where} has no address")
    nested = port.kind == _NESTED or port.parent_port is not None
    if port.tag is None and (nested or port.kind == _VLAN):
        raise ConfigError(f"{where} is {'nested' if nested else 'of a VLAN'} and has no tag")
    if port.parent_port is None and port.kind == _NESTED:
        raise ConfigError(f"{where} is nested and has no parent port")


def _make_site(ports: Sequence[PortRecord]) -> Site:
    first = [each for each in ports if each.interface == FIRST_INTERFACE]
    others = [each for each in ports if each.interface != FIRST_INTERFACE]
    return Site(tuple(map(_make_port, first + others)))


def _make_port(port: PortRecord) -> Port:
    try:
        addresses = tuple(sorted(str(ipaddress.ip_interface(each)) for each in port.addresses))
        gateways = tuple(sorted(str(ipaddress.ip_address(each)) for each in port.gateways))
    except ValueError as error:
        raise ConfigError(f"port {port.logical_port}: {error}") from error
    return Port(addresses, gateways, port.mtu, port.interface)
