"""Rows with which everything once stood still, each beside a VPN that runs, in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..lib import nb, sb
from ..lib.rows import Row
from ..services.ipsec.rows import IPsecConnection, VPNService
from .memory_cloud import MemoryCloud
from .population import Site, add_chassis, add_router, add_site
from .random_rows import find_types

HEALTHY = ("good-hv1", "good-hv2")
_ODD: tuple[Any, ...] = (
    None,
    7,
    True,
    "",
    "x",
    "fd00::1",
    [],
    {},
    [None],
    [[]],
    {"a": {}},
    ["x"],
    [7],
    -1e99,
)


@pytest.fixture
def site() -> tuple[MemoryCloud, Site]:
    """A VPN that runs, its service beside its connection with a problem."""
    cloud = MemoryCloud()
    for name in HEALTHY:
        add_chassis(cloud, name)
    made = add_site(cloud, "mercury", "203.0.1")
    cloud.settle(HEALTHY)
    return cloud, made


_PARTS = (
    "outer_addresses",
    "connections",
    "id",
    "local_address",
    "local_id",
    "peer_id",
    "local_subnets",
    "peer_subnets",
)


@pytest.mark.parametrize("part", _PARTS)
@pytest.mark.parametrize("odd", _ODD, ids=repr)
def test_any_last_configuration(site: tuple[MemoryCloud, Site], part: str, odd: Any) -> None:
    cloud, made = site
    binding = cloud.rows(sb.ContainerBinding)[0]
    document = json.loads(binding.configuration)
    for where in (document, *document["connections"]):
        if part in where:
            where[part] = odd
    cloud.change(sb.ContainerBinding, binding.uuid, configuration=json.dumps(document))
    # A connection and its service in turn, so that both go on as they were.
    cloud.change(IPsecConnection, made.connections[0], peer_subnets=("x", "fd00::/64"))
    cloud.run()
    assert not cloud.engine.faults, cloud.engine.faults
    cloud.change(VPNService, made.service, external_ips=("x",))
    cloud.run()
    assert not cloud.engine.faults, cloud.engine.faults
    cloud.write()


@pytest.mark.parametrize("table", [sb.Placement, sb.ContainerBinding, sb.AvoidedChassis])
@pytest.mark.parametrize("end", ["minInteger", "maxInteger"])
def test_numbers_at_their_bounds(
    site: tuple[MemoryCloud, Site], table: type[Row], end: str
) -> None:
    cloud, made = site
    binding = cloud.rows(sb.ContainerBinding)[0]
    if table is sb.AvoidedChassis:
        cloud.add(sb.AvoidedChassis, container=made.container, chassis=binding.chassis)
    bounds = {
        name: each["key"][end]
        for name, each in find_types(table).items()
        if isinstance(each["key"], dict) and end in each["key"]
    }
    for row in cloud.rows(table):
        cloud.change(table, row.uuid, **bounds)
    for name in HEALTHY:
        cloud.set_verdict(name, alive=name != binding.chassis)
    cloud.settle(set(HEALTHY) - {binding.chassis})
    assert not cloud.engine.faults
    [after] = cloud.rows(sb.ContainerBinding)
    assert after.chassis != binding.chassis
    cloud.change(IPsecConnection, made.connections[0], psk="another")
    cloud.settle(set(HEALTHY) - {binding.chassis})
    [last] = cloud.rows(sb.Placement)[-1:]
    assert last.chassis == after.chassis


def test_ipv6_beside_ipv4_on_a_router_whose_container_is_there(
    site: tuple[MemoryCloud, Site],
) -> None:
    cloud, made = site
    before = cloud.rows(sb.ContainerBinding)[0]
    subnets = ("10.200.1.0/24", "fd00::/64")
    cloud.change(IPsecConnection, made.connections[0], peer_subnets=subnets)
    cloud.settle(HEALTHY)
    assert not cloud.engine.faults
    assert cloud.rows(sb.ContainerBinding)[0].configuration == before.configuration
    told = cloud.tables[IPsecConnection][made.connections[0]].status_message
    assert told.startswith("still as configured before: peer subnet fd00::/64: IPv6 is not yet")
    for name in HEALTHY:
        cloud.set_verdict(name, alive=name != before.chassis)
    cloud.settle(set(HEALTHY) - {before.chassis})
    [after] = cloud.rows(sb.ContainerBinding)
    assert (after.chassis != before.chassis, after.configuration) == (True, before.configuration)


@pytest.mark.parametrize("key", [None, "", "bad", "A" * 44, "\u0663" * 44])
def test_a_chassis_whose_key_goes_bad_keeps_what_runs(
    site: tuple[MemoryCloud, Site], key: str | None
) -> None:
    cloud, made = site
    before = cloud.rows(sb.ContainerBinding)[0]
    for row in cloud.rows(sb.Chassis):
        cloud.change(sb.Chassis, row.uuid, public_key=key)
    cloud.settle(HEALTHY)
    assert not cloud.engine.faults
    [after] = cloud.rows(sb.ContainerBinding)
    assert (after.chassis, after.secrets) == (before.chassis, before.secrets)
    [status] = cloud.rows(nb.ServiceContainer)
    assert status.status_code == "running"
    assert "public key" in status.status_message
    # Nobody can read a new secret there, and the others go on.
    cloud.change(IPsecConnection, made.connections[0], psk="another")
    cloud.settle(HEALTHY)
    [after] = cloud.rows(sb.ContainerBinding)
    assert after.chassis == before.chassis


def test_a_router_named_like_anothers_uuid(site: tuple[MemoryCloud, Site]) -> None:
    cloud, made = site
    cloud.change(VPNService, made.service, router=str(made.router))
    cloud.settle(HEALTHY)
    before = cloud.see((made.container,))
    add_router(cloud, str(made.router), "198.18.0")
    cloud.settle(HEALTHY)
    assert cloud.see((made.container,)) == before
