"""A mistake beside a VPN that runs: it goes on as it was and says why; nothing gets around it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..lib import sealing
from . import fakechassis
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Databases

KEPT = "still as configured before: "


@pytest.fixture
def cloud(served_cloud: Cloud) -> Cloud:
    """A cloud with a VPN that runs."""
    return served_cloud


MISTAKES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "the router is renamed": ("ovn", "Logical_Router", {"name": "other"}),
    "a local subnet overlaps the peer's": (
        "nb",
        "VPN_Service",
        {"local_subnets": ["set", ["192.168.1.0/24", "192.168.0.0/16"]]},
    ),
    "a local subnet cannot be read": ("nb", "VPN_Service", {"local_subnets": "192.168.1.0/33"}),
    "a peer subnet cannot be read": ("nb", "IPsec_Connection", {"peer_subnets": "192.168.2.0/33"}),
    "one of two cannot be read": (
        "nb",
        "IPsec_Connection",
        {"peer_subnets": ["set", ["192.168.2.0/33", "192.168.7.0/24"]]},
    ),
    "the peer is ours": ("nb", "IPsec_Connection", {"peer_subnets": "192.168.1.0/24"}),
    "the router gets a network of the peer's": (
        "ovn",
        "Logical_Router_Port",
        {"networks": "192.168.2.1/28"},
    ),
    "the router loses its gateway port": (
        "ovn",
        "Logical_Router_Port",
        {"gateway_chassis": ["set", []]},
    ),
    "no external address": ("nb", "VPN_Service", {"external_ips": ["set", []]}),
    "another router is named": ("nb", "VPN_Service", {"router": "nowhere"}),
}


def _make_mistake(cloud: Cloud, mistake: str) -> dict[str, Any]:
    """Makes a mistake; returns the row as it was."""
    database, table, columns = MISTAKES[mistake]
    where: list[Any] = []
    if table == "Logical_Router_Port":
        name = "tenant-router-in" if "networks" in columns else "tenant-router-out"
        where = [["name", "==", name]]
    before: dict[str, Any] = getattr(cloud, database).rows(table, where)[0]
    getattr(cloud, database).update(table, where, **columns)
    cloud.settle()
    return before


def _mend(cloud: Cloud, mistake: str, before: dict[str, Any]) -> None:
    database, table, columns = MISTAKES[mistake]
    mended = {name: before[name] for name in columns}
    if "gateway_chassis" in columns:  # the row went with what referred to it
        row = {"name": "tenant-router-hv1", "chassis_name": "hv1", "priority": 1}
        cloud.ovn.transact(
            {"op": "insert", "table": "Gateway_Chassis", "uuid-name": "gc", "row": row},
            {
                "op": "update",
                "table": table,
                "where": [["name", "==", before["name"]]],
                "row": {"gateway_chassis": ["named-uuid", "gc"]},
            },
        )
        return
    where = [["_uuid", "==", before["_uuid"]]]
    getattr(cloud, database).update(table, where, **mended)


def _look(cloud: Cloud) -> tuple[dict[str, Any], list[str]]:
    """Returns what a container was given, by chassis aside, and the statuses of its rows."""
    row = cloud.find(cloud.sb, "Container_Binding")
    given = {name: row[name] for name in ("service_type", "role", "configuration")}
    rows = [cloud.find(cloud.nb, name) for name in ("VPN_Service", "IPsec_Connection")]
    return given, [row["status_message"] for row in rows]


def _has_kept(cloud: Cloud) -> bool:
    """Whether a row says that what runs goes on with what was before."""
    return any(each.startswith(KEPT) for each in _look(cloud)[1])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_runs_goes_on_as_it_was(cloud: Cloud, mistake: str) -> None:
    router = cloud.find(cloud.ovn, "Logical_Router")["_uuid"][1]
    drops = cloud.find_policies(router, "drop")
    reroutes = cloud.find_policies(router, "reroute")
    assert (len(drops), len(reroutes)) == (4, 1)
    given, told = _look(cloud)
    binding = cloud.find(cloud.sb, "Container_Binding")
    row = _make_mistake(cloud, mistake)
    assert drops <= cloud.find_policies(router, "drop")
    assert cloud.find_policies(router, "reroute") == reroutes
    assert _look(cloud)[0] == given
    assert cloud.find(cloud.sb, "Container_Binding")["secrets"] == binding["secrets"]
    assert _has_kept(cloud), _look(cloud)[1]
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "down"
    _mend(cloud, mistake, row)
    cloud.settle()
    assert _look(cloud) == (given, told)
    assert cloud.find_policies(router, "drop") == drops


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_chassis_may_die_while_a_mistake_stands(cloud: Cloud, mistake: str) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    given, _ = _look(cloud)
    _make_mistake(cloud, mistake)
    before = cloud.find(cloud.sb, "Container_Binding")
    cloud.chassis[before["chassis"]].alive = False
    cloud.pass_time(6000)
    after = cloud.find(cloud.sb, "Container_Binding")
    host = cloud.chassis[after["chassis"]]
    assert host.alive
    assert _look(cloud)[0] == given
    connection = cloud.find(cloud.nb, "IPsec_Connection")
    secrets = dict(after["secrets"][1])
    assert list(secrets) == [connection["_uuid"][1]]
    assert sealing.unseal(secrets[connection["_uuid"][1]], host.private_key) == connection["psk"]
    requested = fakechassis.read_requested(cloud.ovn)
    assert requested[after["container"]] == after["chassis"]
    assert _has_kept(cloud)
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    assert cloud.sb.rows("Container_Binding") == []
    assert cloud.ovn.rows("Logical_Router_Policy") == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_goes_on_as_it_was_goes_with_its_row(cloud: Cloud, mistake: str) -> None:
    _make_mistake(cloud, mistake)
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    for table in ("Container_Binding", "Port_Binding", "Redirect_Flow"):
        assert cloud.sb.rows(table) == []
    for table in ("Logical_Router_Policy", "Logical_Switch", "Logical_Switch_Port"):
        assert cloud.ovn.rows(table) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_never_ran_does_not_begin_with_a_mistake(
    databases: Databases, logs: Logs, mistake: str
) -> None:
    cloud = Cloud(databases, logs)
    cloud.add_chassis("hv1", "hv2")
    cloud.add_router("tenant-router")
    cloud.add_connection(cloud.add_vpn("mercury", "tenant-router"), "to-venus")
    database, table, columns = MISTAKES[mistake]
    where: list[Any] = []
    if table == "Logical_Router_Port":
        name = "tenant-router-in" if "networks" in columns else "tenant-router-out"
        where = [["name", "==", name]]
    getattr(cloud, database).update(table, where, **columns)
    cloud.settle()
    connection = cloud.find(cloud.nb, "IPsec_Connection")
    assert connection["status"] == "error"
    assert connection["status_message"]
    assert KEPT not in connection["status_message"]
    # A service is served without a connection, and without one that is wrong.
    for row in cloud.sb.rows("Container_Binding"):
        assert json.loads(row["configuration"])["connections"] == []
    assert "reroute" not in {row["action"] for row in cloud.ovn.rows("Logical_Router_Policy")}
    cloud.laws()
    cloud.northd.close()


def test_a_newcomer_that_contends_with_one_that_runs_loses(cloud: Cloud) -> None:
    given, told = _look(cloud)
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "a-newcomer", peer_address="1.0.0.4", peer_subnets="192.168.0.0/16")
    other = cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.4")
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["configuration"] == given["configuration"]
    ours = cloud.find(cloud.nb, "IPsec_Connection", name="to-venus")
    assert ours["status_message"] == f"{told[1]}; contested by connection to-mars"
    row = cloud.find(cloud.nb, "IPsec_Connection", name="to-mars")
    assert (row["status"], row["status_message"]) == (
        "error",
        "peer subnet 192.168.2.0/24 overlaps peer subnet 192.168.2.0/24 of connection to-venus",
    )
    # One that runs and comes to contend goes on as it was.
    where = [["_uuid", "==", ["uuid", other]]]
    cloud.nb.update("IPsec_Connection", where, peer_subnets="192.168.7.0/24")
    cloud.settle()
    cloud.nb.update("IPsec_Connection", where, peer_subnets="192.168.2.0/25")
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection", name="to-mars")
    assert row["status_message"].startswith(KEPT + "peer subnet 192.168.2.0/25 overlaps")
    entries = json.loads(cloud.find(cloud.sb, "Container_Binding")["configuration"])["connections"]
    assert sorted(each["peer_subnets"] for each in entries) == [
        ["192.168.2.0/24"],
        ["192.168.7.0/24"],
    ]
