"""Load balancers on a router and behind it: svc-northd gives those in reach to the container."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..services.ipsec.balancing import MOST_PAIRS
from ..services.ipsec.host import connections
from .cloud import Cloud

VIRTUAL = "192.168.1.50"
ONE, TWO = "192.168.1.11", "192.168.1.12"
WEB = {f"{VIRTUAL}:80": f"{ONE}:8080,{TWO}:8080"}
WEB_ENTRY = {
    "address": VIRTUAL,
    "port": 80,
    "protocol": "tcp",
    "members": [f"{ONE}:8080", f"{TWO}:8080"],
}


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    return vpn_cloud


def _map(values: dict[str, str]) -> list[Any]:
    return ["map", list(values.items())]


def _add(cloud: Cloud, vips: dict[str, str], **columns: Any) -> list[str]:
    """Adds a load balancer that hangs nowhere; returns the reference to it."""
    return ["uuid", cloud.ovn.insert("Load_Balancer", vips=_map(vips), **columns)]


def _hang(cloud: Cloud, table: str, name: str, **columns: Any) -> None:
    cloud.ovn.update(table, [["name", "==", name]], **columns)
    cloud.settle()


def _add_switch(cloud: Cloud, name: str, router_port: str) -> None:
    options = _map({"router-port": router_port})
    port = {"name": f"{name}-to-router", "type": "router", "options": options}
    row = {"name": name, "ports": ["named-uuid", "port"]}
    cloud.ovn.transact(
        {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": "port", "row": port},
        {"op": "insert", "table": "Logical_Switch", "row": row},
    )


def _find(cloud: Cloud) -> list[dict[str, Any]]:
    """Returns the load balancers of the container's configuration, which a chassis can read."""
    binding = cloud.find(cloud.sb, "Container_Binding")
    found: list[dict[str, Any]] = json.loads(binding["configuration"]).get("balancers", [])
    parsed = connections.parse(binding["configuration"]).balancers
    assert [str(each.at.address) for each in parsed] == [each["address"] for each in found]
    return found


def test_on_a_router(cloud: Cloud) -> None:
    assert _find(cloud) == []
    web = _add(cloud, WEB)
    cloud.settle()
    assert _find(cloud) == [], "it hangs nowhere"
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=web)
    assert _find(cloud) == [WEB_ENTRY]
    cloud.ovn.update("Load_Balancer", [], vips=_map({f"{VIRTUAL}:53": f"{TWO}:53"}), protocol="udp")
    cloud.settle()
    entry = {"address": VIRTUAL, "port": 53, "protocol": "udp", "members": [f"{TWO}:53"]}
    assert _find(cloud) == [entry]
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=["set", []])
    assert _find(cloud) == []


def test_in_a_group(cloud: Cloud) -> None:
    web = _add(cloud, WEB)
    group = cloud.ovn.insert("Load_Balancer_Group", name="all", load_balancer=web)
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer_group=["uuid", group])
    assert _find(cloud) == [WEB_ENTRY]
    _hang(cloud, "Load_Balancer_Group", "all", load_balancer=["set", []])
    assert _find(cloud) == []


@pytest.mark.parametrize("column", ["load_balancer", "load_balancer_group"])
def test_on_a_switch_behind_it(cloud: Cloud, column: str) -> None:
    _add_switch(cloud, "tenant", "tenant-router-in")
    _add_switch(cloud, "elsewhere", "other-router-in")
    web = _add(cloud, WEB)
    group = cloud.ovn.insert("Load_Balancer_Group", name="all", load_balancer=web)
    hung = web if column == "load_balancer" else ["uuid", group]
    _hang(cloud, "Logical_Switch", "elsewhere", **{column: hung})
    assert _find(cloud) == []
    _hang(cloud, "Logical_Switch", "tenant", **{column: hung})
    assert _find(cloud) == [WEB_ENTRY]
    # Twice the same one is one.
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=web)
    assert _find(cloud) == [WEB_ENTRY]
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=["set", []])
    _hang(cloud, "Logical_Switch", "tenant", ports=["set", []])
    assert _find(cloud) == []


def test_only_what_is_in_the_local_subnets_is_given(cloud: Cloud) -> None:
    vips = {
        **WEB,
        "192.168.1.51:80": "9.9.9.9:80",
        "192.168.1.52:80": f"9.9.9.9:80,{ONE}:80",
        "192.168.1.53": f"{ONE},{TWO}:80",
        "192.168.7.50:80": f"{ONE}:80",
        "[fd00::1]:80": "[fd00::2]:80",
        "1.0.0.101:500": f"{ONE}:500",
    }
    web = _add(cloud, vips)
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=web)
    assert [(each["address"], each["port"], each["members"]) for each in _find(cloud)] == [
        (VIRTUAL, 80, WEB_ENTRY["members"]),
        ("192.168.1.51", 80, []),
        ("192.168.1.52", 80, [f"{ONE}:80"]),
        ("192.168.1.53", None, [ONE]),
    ]
    # Another local subnet has another one in reach.
    cloud.nb.update("VPN_Service", [], local_subnets="192.168.7.0/24")
    cloud.settle()
    assert [(each["address"], each["members"]) for each in _find(cloud)] == [("192.168.7.50", [])]


def test_hostile_rows_harm_nobody(cloud: Cloud) -> None:
    before = cloud.find(cloud.nb, "VPN_Service")["status_message"]
    hostile = {
        f"{VIRTUAL}:81; flush ruleset": f"{ONE}:80",
        f"{VIRTUAL}:82": f"{ONE}:80 }} accept,\n{TWO}:80,{ONE}:٣,{ONE}:82",
        f"{VIRTUAL}:0": f"{ONE}:80",
        "": "",
        "^template": "^members",
        "x" * 10_000: "," * 10_000,
    }
    both = ["set", [_add(cloud, hostile), _add(cloud, WEB)]]
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=both)
    members = [f"{ONE}:82", f"{TWO}:80"]
    other = {"address": VIRTUAL, "port": 82, "protocol": "tcp", "members": members}
    assert _find(cloud) == [WEB_ENTRY, other]
    assert cloud.find(cloud.nb, "VPN_Service")["status_message"] == before


def test_what_is_too_much_is_left_out_in_words(cloud: Cloud) -> None:
    before = cloud.find(cloud.nb, "VPN_Service")["status_message"]
    many = {f"{VIRTUAL}:{number}": f"{ONE}:80,{TWO}:80" for number in range(1, MOST_PAIRS // 2 + 3)}
    web = _add(cloud, many)
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=web)
    assert sum(len(each["members"]) for each in _find(cloud)) == MOST_PAIRS
    sentence = (
        "2 virtual addresses of load balancers are not reached through the VPN;"
        f" {MOST_PAIRS} pairs of virtual address and member are the most for a router"
    )
    assert cloud.find(cloud.nb, "VPN_Service")["status_message"] == f"{before}; {sentence}"
    cloud.ovn.update("Load_Balancer", [], vips=_map(WEB))
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status_message"] == before


def test_a_load_balancer_of_others_costs_nothing(cloud: Cloud) -> None:
    names = [f"lb{number}" for number in range(500)]
    inserts = [
        {"op": "insert", "table": "Load_Balancer", "row": {"name": name, "vips": _map(WEB)}}
        for name in names
    ]
    web = _add(cloud, WEB)
    cloud.add_router("other-router")
    _hang(cloud, "Logical_Router", "other-router", load_balancer=web)
    before = _count_runs(cloud)
    cloud.ovn.transact(*inserts)
    cloud.ovn.update("Load_Balancer", [], vips=_map({"192.168.1.60:80": f"{ONE}:80"}))
    cloud.settle()
    assert _find(cloud) == []
    assert _count_runs(cloud) == before
    # One of a router that is served costs what goes by it: no connection is looked at again.
    _hang(cloud, "Logical_Router", "tenant-router", load_balancer=web)
    before = _count_runs(cloud)
    cloud.ovn.update("Load_Balancer", [["_uuid", "==", web]], vips=_map(WEB))
    cloud.settle()
    assert _find(cloud) == [WEB_ENTRY]
    after = _count_runs(cloud)
    assert after["balanced"] == before["balanced"] + 1
    same = ("router", "checked", "gateway")
    assert [after[name] for name in same] == [before[name] for name in same]


def _count_runs(cloud: Cloud) -> dict[str, int]:
    """Returns how often those nodes were computed that may have to do with it."""
    stats = cloud.northd.engine.stats()
    names = ("router", "attached_balancers", "balanced", "checked", "gateway", "ipsec compiled")
    return {name: stats[name].compute for name in names}
