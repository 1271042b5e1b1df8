"""Fail closed: whatever else is wrong with rows, their traffic is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .cloud import Cloud
from .logs import Logs
from .ovsdb import Databases

PEER = "192.168.2.0/24"


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2")
    made.add_router("tenant-router")
    made.add_router("second", gateway="1.0.0.7/24", inside="192.168.9.1/24")
    made.settle()
    yield made
    made.laws()
    made.northd.close()


def _find_dropped(cloud: Cloud) -> set[tuple[str, str]]:
    """Returns by name of the router the local subnets whose traffic to the peer is dropped."""
    routers = {row["_uuid"][1]: row for row in cloud.ovn.rows("Logical_Router")}
    policies = {row["_uuid"][1]: row for row in cloud.ovn.rows("Logical_Router_Policy")}
    dropped = set()
    for router in routers.values():
        for uuid in _members(router["policies"]):
            match, action = policies[uuid]["match"], policies[uuid]["action"]
            if action == "drop" and match.startswith("ip4.src") and match.endswith(PEER):
                sources = match.removeprefix("ip4.src == ").partition(" &&")[0]
                dropped |= {(router["name"], each) for each in sources.strip("{}").split(", ")}
    return dropped


def _members(value: Any) -> list[str]:
    values = value[1] if value[0] == "set" else [value]
    return [each[1] for each in values]


@pytest.mark.parametrize("router", ["tenant-router", "second"])
@pytest.mark.parametrize("name", ["pluto", "ares"])
def test_a_connection_of_two_services_is_guarded_for_both(
    cloud: Cloud, router: str, name: str
) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    cloud.add_vpn(
        name,
        router,
        external_ips="1.0.0.101",
        local_subnets="192.168.9.0/24",
        connections=["uuid", connection],
    )
    cloud.settle()
    assert {("tenant-router", "192.168.1.0/24"), (router, "192.168.9.0/24")} <= _find_dropped(cloud)
    # Who is served keeps, whatever the other's name.
    first, second = "mercury", name
    row = cloud.find(cloud.nb, "VPN_Service", name=second)
    assert row["status"] == "error"
    assert row["status_message"] == f"a connection of it belongs to VPN service {first} already"
    assert cloud.find(cloud.nb, "VPN_Service", name=first)["status"] == "down"
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "down"
    assert len(cloud.sb.rows("Container_Binding")) == 1
    cloud.nb.update("VPN_Service", [["name", "==", second]], connections=["set", []])
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service", name=second)["status"] == "down"


@pytest.mark.parametrize(
    "columns",
    [{"enabled": False}, {"psk": ["set", []]}, {"peer_address": "venus"}, {"dpd_interval": 200}],
)
def test_a_connection_with_a_problem_is_guarded(cloud: Cloud, columns: dict[str, Any]) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus", **columns)
    cloud.settle()
    assert _find_dropped(cloud) == {("tenant-router", "192.168.1.0/24")}


@pytest.mark.parametrize(
    "columns",
    [{"enabled": False}, {"external_ips": "rubbish"}, {"address_mode": "shared"}, {"name": ""}],
)
def test_a_service_with_a_problem_is_guarded(cloud: Cloud, columns: dict[str, Any]) -> None:
    vpn = cloud.add_vpn(**{"name": "mercury", "router": "tenant-router", **columns})
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    assert _find_dropped(cloud) == {("tenant-router", "192.168.1.0/24")}
