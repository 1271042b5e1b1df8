"""An external address that a load balancer of OVN answers for is none for a container."""

from __future__ import annotations

from typing import Any

import pytest

from .cloud import Cloud

ADDRESS = "1.0.0.100"


@pytest.fixture
def cloud(router_cloud: Cloud) -> Cloud:
    return router_cloud


def add_balancer(cloud: Cloud, table: str, name: str, vips: dict[str, str], group: bool) -> str:
    """Hangs a load balancer on a router or a switch, by way of a group or not."""
    balancer = cloud.ovn.insert("Load_Balancer", vips=["map", list(vips.items())])
    column, uuid = "load_balancer", balancer
    if group:
        column = "load_balancer_group"
        uuid = cloud.ovn.insert("Load_Balancer_Group", name="all", load_balancer=["uuid", balancer])
    mutation = [column, "insert", ["set", [["uuid", uuid]]]]
    where = [["name", "==", name]]
    cloud.ovn.transact({"op": "mutate", "table": table, "where": where, "mutations": [mutation]})
    return balancer


def read_service(cloud: Cloud) -> tuple[str, str]:
    row = cloud.find(cloud.nb, "VPN_Service")
    return row["status"], row["status_message"]


def add_vpn(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router", external_ips=ADDRESS)
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("router", ["tenant-router", "other"])
@pytest.mark.parametrize("vip", [ADDRESS, f"{ADDRESS}:80"])
def test_one_on_a_network_outside_is_in_the_way(
    cloud: Cloud, router: str, vip: str, group: bool
) -> None:
    cloud.add_router("other", gateway="1.0.0.12/24")
    balancer = add_balancer(cloud, "Logical_Router", router, {vip: "", "junk": "x"}, group)
    add_vpn(cloud)
    sentence = f"external address {ADDRESS} is used by a load balancer of router {router}"
    assert read_service(cloud) == ("error", sentence)
    assert cloud.sb.rows("Container_Binding") == []
    cloud.ovn.update("Load_Balancer", [["_uuid", "==", ["uuid", balancer]]], vips=["map", []])
    cloud.wait_for(lambda: read_service(cloud)[0] == "down", "the address to be free")


@pytest.mark.parametrize("vip", ["1.0.0.101", "[fd00::1]:80", f"{ADDRESS}:0", f"x{ADDRESS}"])
def test_another_address_is_not(cloud: Cloud, vip: str) -> None:
    add_balancer(cloud, "Logical_Router", "tenant-router", {vip: ""}, group=False)
    add_vpn(cloud)
    assert read_service(cloud)[0] == "down"


def test_one_of_a_router_on_another_network_is_not(cloud: Cloud) -> None:
    cloud.add_router("other", gateway="2.0.0.2/24")
    add_balancer(cloud, "Logical_Router", "other", {ADDRESS: ""}, group=False)
    add_vpn(cloud)
    assert read_service(cloud)[0] == "down"


def test_one_of_a_switch_behind_the_router_is_not(cloud: Cloud) -> None:
    """Only what is on a router itself does that answer for."""
    gateway = next(iter(cloud.ovn.rows("Logical_Router_Port")))["name"]
    joint = {"name": "joint", "type": "router", "options": ["map", [["router-port", gateway]]]}
    cloud.ovn.transact(
        {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": "p", "row": joint},
        {
            "op": "insert",
            "table": "Logical_Switch",
            "row": {"name": "provider", "ports": ["named-uuid", "p"]},
        },
    )
    add_balancer(cloud, "Logical_Switch", "provider", {ADDRESS: ""}, group=False)
    add_vpn(cloud)
    assert read_service(cloud)[0] == "down"


def test_one_that_comes_later_takes_nothing_away(cloud: Cloud) -> None:
    add_vpn(cloud)
    before: Any = cloud.ovn.rows("Logical_Router_Policy", columns=("match", "action"))
    add_balancer(cloud, "Logical_Router", "tenant-router", {ADDRESS: ""}, group=False)
    sentence = f"external address {ADDRESS} is contested by a load balancer of router tenant-router"
    cloud.wait_for(lambda: sentence in read_service(cloud)[1], "the sentence")
    assert "still as configured before" not in read_service(cloud)[1]
    after: Any = cloud.ovn.rows("Logical_Router_Policy", columns=("match", "action"))
    assert sorted(map(str, after)) == sorted(map(str, before))
    assert len(cloud.sb.rows("Container_Binding")) == 1
