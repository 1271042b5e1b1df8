"""What a VPN's rows say: the true cause, and no error where nothing is wrong yet."""

from __future__ import annotations

import pytest

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
