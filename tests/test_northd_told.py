"""What a VPN's rows say: the true cause, and no error where nothing is wrong yet."""

from __future__ import annotations

import pytest

from ..lib import dirs
from .cloud import Cloud


@pytest.fixture
def cloud(router_cloud: Cloud) -> Cloud:
    return router_cloud


def test_what_is_not_finished_is_down_and_no_error(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router", local_subnets=["set", []])
    cloud.settle()
    service = cloud.find(cloud.nb, "VPN_Service")
    assert (service["status"], service["status_message"]) == ("down", "no local subnet is given")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "down"
    cloud.nb.update("VPN_Service", [], address_mode="shared")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "error"
    cloud.nb.update("VPN_Service", [], address_mode="routed", local_subnets="192.168.1.0/24")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "down"
    cloud.nb.delete("VPN_Service")


def test_a_local_subnet_that_is_not_behind_the_router_is_told(cloud: Cloud) -> None:
    """The router has 192.168.1.0/24, and a default route."""
    vpn = cloud.add_vpn("mercury", "tenant-router", local_subnets="192.168.77.0/24")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    chassis = cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]]
    chassis.report_tunnel(connection, "down", "traffic selectors refused: 1.0.0.3 has others")
    cloud.settle()
    words = "local subnet 192.168.77.0/24 is not behind router tenant-router: no network or route"
    for table in ("VPN_Service", "IPsec_Connection"):
        assert words in cloud.find(cloud.nb, table)["status_message"]
    chassis.report_tunnel(connection, "up")
    cloud.settle()
    assert words not in cloud.find(cloud.nb, "IPsec_Connection")["status_message"]
    assert words in cloud.find(cloud.nb, "VPN_Service")["status_message"]
    route = {"ip_prefix": "192.168.0.0/16", "nexthop": "192.168.1.9"}
    mutation = ["static_routes", "insert", ["set", [["named-uuid", "new"]]]]
    where = [["name", "==", "tenant-router"]]
    cloud.ovn.transact(
        {
            "op": "insert",
            "table": "Logical_Router_Static_Route",
            "uuid-name": "new",
            "row": route,
        },
        {"op": "mutate", "table": "Logical_Router", "where": where, "mutations": [mutation]},
    )
    cloud.settle()
    assert words not in cloud.find(cloud.nb, "VPN_Service")["status_message"]


def test_both_of_two_that_contend_say_so(cloud: Cloud) -> None:
    """Who is served keeps what it has, whatever the newcomer is called."""
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    before = cloud.find(cloud.sb, "Container_Binding")["configuration"]
    cloud.add_connection(vpn, "a", peer_address="1.0.0.4", peer_subnets="192.168.2.0/25")
    cloud.add_router("another-router", gateway="1.0.0.7/24")
    cloud.add_vpn("a", "another-router")
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["configuration"] == before

    def look(table: str, name: str) -> tuple[str, str]:
        row = cloud.find(cloud.nb, table, name=name)
        return row["status"], row["status_message"]

    status, message = look("IPsec_Connection", "a")
    assert status == "error"
    assert "overlaps peer subnet 192.168.2.0/24 of connection to-venus" in message
    assert look("IPsec_Connection", "to-venus")[1].endswith("; contested by connection a")
    status, message = look("VPN_Service", "a")
    assert status == "error"
    assert message.endswith("is already used by VPN service mercury on another router")
    words = "; external address 1.0.0.100 is contested by VPN service a"
    assert look("VPN_Service", "mercury")[1].endswith(words)
    where = [["name", "==", "a"]]
    cloud.nb.delete("VPN_Service", where)
    mutation = ["connections", "delete", ["set", [["uuid", _find_connection(cloud, "a")]]]]
    cloud.nb.transact(
        {"op": "mutate", "table": "VPN_Service", "where": [], "mutations": [mutation]}
    )
    cloud.settle()
    assert "contested" not in look("IPsec_Connection", "to-venus")[1]
    assert "contested" not in look("VPN_Service", "mercury")[1]


def _find_connection(cloud: Cloud, name: str) -> str:
    uuid: str = cloud.find(cloud.nb, "IPsec_Connection", name=name)["_uuid"][1]
    return uuid


def test_an_address_that_others_may_not_find_is_told_while_it_is_not_up(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router", external_ips="9.9.9.9")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    words = "external address 9.9.9.9 is in no network of a gateway port of router tenant-router"
    assert words in cloud.find(cloud.nb, "VPN_Service")["status_message"]
    chassis = cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]]
    chassis.report_tunnel(connection, "up")
    cloud.settle()
    assert words not in cloud.find(cloud.nb, "VPN_Service")["status_message"]


def test_a_chassis_is_waited_for_unless_it_is_dead(cloud: Cloud) -> None:
    """Where its ovn-controller does not follow its guests send as before."""
    for words in ("is unfit", "is dead"):
        cloud.logs.allow(words)
    cloud.settle()
    behind = cloud.chassis["hv2"]
    behind.follows = False
    behind.tell(ovn_problem="no ovn-controller")
    cloud.nb.update("SVC_Global", [], nb_cfg=9)
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["sb_cfg"] == 9, "sb_cfg")
    cloud.settle()
    assert cloud.nb.rows("SVC_Global")[0]["hv_cfg"] < 9
    behind.alive = False
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["hv_cfg"] == 9, "its death")
    behind.alive, behind.follows = True, True
    behind.tell(ovn_problem="")


def test_a_full_file_system_of_central_is_told(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.settle()
    cloud.northd.close()
    # A file system that has no blocks at all.
    monkeypatch.setattr(dirs, "DBDIR", "/proc")
    cloud.northd = cloud.start_northd()
    sentence = "file system /proc is full (less than 1 MB left)"
    cloud.logs.allow("file system /proc is full")
    cloud.wait_for(lambda: cloud.sb.rows("Northd")[0]["problem"] == sentence, sentence)
    assert cloud.logs.count(sentence) == 1
    cloud.northd.close()
    monkeypatch.undo()
    cloud.northd = cloud.start_northd()
    cloud.wait_for(lambda: cloud.sb.rows("Northd")[0]["problem"] == "", "its end")
