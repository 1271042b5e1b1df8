"""This chassis' southbound rows -> desired state of this host. Pure.

A row that makes no sense yields the container as it was before, or a problem
in its place if it was none; the others are not concerned.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..lib import sb
from ..lib.errors import ConfigError
from ..services.api.host import HostHalf, Port, Site, Workload
from .identity import Identity
from .name import is_name
from .order import Kind, Link, Namespace, Resource, StateDirectory, SwitchPort
from .record import Record, make_record

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Container:
    """What a container consists of, by kind, made from 'record'.

    'problem' says why it is not made from what its rows are at 'generation'.
    """

    name: str
    generation: int
    resources: Mapping[Kind, Resource]
    record: Record
    problem: str | None = None

    @property
    def link(self) -> Link:
        """The link among the resources."""
        link = self.resources[Link]
        assert isinstance(link, Link)
        return link


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a binding cannot be made true, in a sentence for its row.

    'up' is whether what is there of its link may be up.
    """

    name: str
    generation: int
    sentence: str
    up: bool = True


Wanted = Container | Problem


def run(
    bindings: Iterable[sb.ContainerBinding],
    ports: Iterable[sb.PortBinding],
    types: Mapping[str, HostHalf],
    identity: Identity,
    fenced: bool = False,
    records: Mapping[str, Record] | None = None,
) -> dict[str, Wanted]:
    """Returns what is wanted on this chassis by container; no link is up while 'fenced'.

    'records' are what containers are made from while their rows make no sense.
    """
    records = records or {}
    ports_by_container = {row.container: row for row in ports if row.chassis == identity.chassis}
    wanted: dict[str, Wanted] = {}
    for binding in bindings:
        if binding.chassis != identity.chassis:
            continue
        port = ports_by_container.get(binding.container)
        try:
            wanted[binding.container] = _make_container(binding, port, types, identity)
        except Exception as error:  # a mistake in one type must not reach the others
            record = records.get(binding.container)
            wanted[binding.container] = _fall_back(binding, record, error, types, identity)
    return set_up(wanted, not fenced)


def set_up(wanted: Mapping[str, Wanted], up: bool) -> dict[str, Wanted]:
    """Returns 'wanted' with every link up, or down as in a container that is fenced."""
    return {name: _set_up(each, up) for name, each in wanted.items()}


def _set_up(wanted: Wanted, up: bool) -> Wanted:
    if isinstance(wanted, Problem):
        return replace(wanted, up=up)
    return replace(wanted, resources={**wanted.resources, Link: replace(wanted.link, up=up)})


def _fall_back(
    binding: sb.ContainerBinding,
    record: Record | None,
    error: Exception,
    types: Mapping[str, HostHalf],
    identity: Identity,
) -> Wanted:
    """Returns the container made from 'record', in its role of now; a problem without one."""
    sentence = str(error)
    if not isinstance(error, ConfigError):
        sentence = f"the configuration cannot be understood: {error!r}"
    if record is not None:
        with contextlib.suppress(Exception):  # as above
            resources = _make_resources(record, binding.role, types, identity)
            return Container(
                binding.container, binding.generation, resources, record, problem=sentence
            )
    return Problem(binding.container, binding.generation, sentence)


def _make_container(
    binding: sb.ContainerBinding,
    port: sb.PortBinding | None,
    types: Mapping[str, HostHalf],
    identity: Identity,
) -> Container:
    name = binding.container
    if not is_name(name):
        raise ConfigError(f"container name {name!r} cannot be an interface name")
    if port is None:
        raise ConfigError(f"container {name} has no port on this chassis")
    record = make_record(binding, port)
    resources = _make_resources(record, binding.role, types, identity)
    return Container(name, binding.generation, resources, record)


def _make_resources(
    record: Record, role: str, types: Mapping[str, HostHalf], identity: Identity
) -> dict[Kind, Resource]:
    service_type = types.get(record.service_type)
    if service_type is None:
        raise ConfigError(f"service type {record.service_type} is not installed on this chassis")
    site = _make_site(record)
    plan = service_type.plan(record.configuration, site)
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
        Link(record.mac, record.mtu, identity.offload),
        SwitchPort(identity.bridge, record.iface_id, record.mac),
        plan.network,
        workload,
    )
    return {type(each): each for each in resources}


def _make_site(port: Record) -> Site:
    if _MAC.fullmatch(port.mac) is None:
        raise ConfigError(f"port {port.logical_port}: {port.mac!r} is not a MAC in lower case")
    if not 576 <= port.mtu <= 65535:
        raise ConfigError(f"port {port.logical_port}: MTU {port.mtu} is not in 576..65535")
    if not port.addresses:
        raise ConfigError(f"port {port.logical_port} has no address")
    try:
        addresses = tuple(sorted(str(ipaddress.ip_interface(each)) for each in port.addresses))
        gateways = tuple(sorted(str(ipaddress.ip_address(each)) for each in port.gateways))
    except ValueError as error:
        raise ConfigError(f"port {port.logical_port}: {error}") from error
    return Site((Port(addresses, gateways, port.mtu),))
