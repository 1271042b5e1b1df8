"""What OVN_Southbound tells of the networks outside: whose an address is, and who gets there."""

from __future__ import annotations

from typing import Any

import pytest

from .cloud import Cloud
from .ovn_south import Ports
from .ovsdb import Database

ADDRESS = "1.0.0.100"
USED = f"external address {ADDRESS} is used by port guest of a switch outside"
CONTESTED = f"external address {ADDRESS} is contested by port guest of a switch outside"


class Outside:
    """The switch of the provider network and the router that is on it."""

    def __init__(self, cloud: Cloud, database: Database) -> None:
        self.cloud = cloud
        self.database = database
        self.gateway = cloud.find(cloud.ovn, "Logical_Router_Port", networks="1.0.0.2/24")["name"]
        self.switch = Ports(database, 2)
        self.switch.lead("provider-localnet", "localnet", network_name="physnet1")
        self.switch.lead("joint", "patch", peer=self.gateway)
        self.router = Ports(database, 3)
        self.bind_gateway("hv1")
        self.map_network("hv1", "physnet1:br-ex,other:br-x")

    def bind_gateway(self, chassis: str | None) -> None:
        """Has a chassis take the gateway port, or none."""
        name = self.gateway
        self.router.lead(f"cr-{name}", "chassisredirect", chassis, distributed_port=name)

    def map_network(self, chassis: str, mappings: str, column: str = "other_config") -> None:
        """Says which provider networks a chassis has."""
        value = ["map", [["ovn-bridge-mappings", mappings]]]
        self.database.update("Chassis", [["name", "==", chassis]], **{column: value})

    def add_guest(self, *macs: str, switch: Ports | None = None, kind: str = "") -> None:
        """Adds a port with addresses to the switch outside, or to another one."""
        (switch or self.switch).bind("guest", "hv2", type=kind, mac=["set", list(macs)])

    def start(self) -> None:
        """Starts a svc-northd that reads OVN_Southbound."""
        self.cloud.northd.close()
        self.cloud.ovn_sb_remote = self.database.remote
        self.cloud.northd = self.cloud.start_northd()

    def add_vpn(self) -> str:
        """Adds the VPN; returns the UUID of its connection."""
        vpn = self.cloud.add_vpn("mercury", "tenant-router", external_ips=ADDRESS)
        return self.cloud.add_connection(vpn, "to-venus")

    def wait_told(self, words: str, table: str = "VPN_Service") -> tuple[str, str]:
        """Returns status and message once the message has some words."""
        cloud = self.cloud

        def read() -> Any:
            row = cloud.find(cloud.nb, table)
            found = row["status"], row["status_message"] or ""
            return found if words in found[1] else None

        return tuple(cloud.wait_for(read, words))


@pytest.fixture
def outside(router_cloud: Cloud, ovn_sb: Database) -> Outside:
    return Outside(router_cloud, ovn_sb)


@pytest.mark.parametrize(
    "macs", [(f"0a:00:00:00:00:01 9.9.9.9 {ADDRESS}",), ("x", f"dynamic {ADDRESS}")]
)
def test_the_address_of_a_guest_there_is_refused(outside: Outside, macs: tuple[str, ...]) -> None:
    """Also by a svc-northd that is started when both are there already."""
    outside.add_guest(*macs)
    outside.add_vpn()
    outside.start()
    assert outside.wait_told(USED) == ("error", USED)
    outside.cloud.settle()
    assert outside.cloud.sb.rows("Container_Binding") == []
    outside.database.delete("Port_Binding", [["logical_port", "==", "guest"]])
    cloud = outside.cloud
    cloud.wait_for(lambda: cloud.sb.rows("Container_Binding"), "the container to be placed")


def test_a_guest_that_comes_later_takes_nothing_away(outside: Outside) -> None:
    outside.start()
    connection = outside.add_vpn()
    outside.cloud.settle()
    before = outside.cloud.find(outside.cloud.sb, "Container_Binding")
    outside.add_guest(f"0a:00:00:00:00:01 {ADDRESS}")
    _status, message = outside.wait_told(CONTESTED)
    assert "as configured before" not in message
    outside.cloud.settle()
    assert outside.cloud.find(outside.cloud.sb, "Container_Binding") == before
    # What is changed meanwhile reaches the container.
    where = [["_uuid", "==", ["uuid", connection]]]
    outside.cloud.nb.update("IPsec_Connection", where, peer_address="1.0.0.4")
    outside.cloud.settle()
    after = outside.cloud.find(outside.cloud.sb, "Container_Binding")
    assert "1.0.0.4" in after["configuration"]


@pytest.mark.parametrize("kind", ["patch", "chassisredirect", "localnet"])
def test_ports_that_are_no_guests_have_no_address(outside: Outside, kind: str) -> None:
    outside.start()
    outside.add_guest(f"0a:00:00:00:00:01 {ADDRESS}", kind=kind)
    outside.add_vpn()
    outside.cloud.settle()
    assert outside.cloud.find(outside.cloud.nb, "VPN_Service")["status"] == "down"


def test_a_guest_on_another_switch_is_not_in_the_way(outside: Outside) -> None:
    """Be it outside as well, or behind a router."""
    for key, kind in ((4, "localnet"), (5, "")):
        switch = Ports(outside.database, key)
        switch.lead(f"port-{key}", kind, network_name="physnet2")
        outside.add_guest(f"0a:00:00:00:00:01 {ADDRESS}", switch=switch)
        outside.database.update(
            "Port_Binding", [["logical_port", "==", "guest"]], logical_port=f"guest-{key}"
        )
    outside.start()
    outside.add_vpn()
    outside.cloud.settle()
    assert outside.cloud.find(outside.cloud.nb, "VPN_Service")["status"] == "down"


def test_what_keeps_a_gateway_port_from_leading_anywhere_is_told(outside: Outside) -> None:
    outside.start()
    connection = outside.add_vpn()
    cloud = outside.cloud
    cloud.settle()
    chassis = cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]]
    chassis.report_tunnel(connection, "down", "no answer from 1.0.0.3")
    subject = f"gateway port {outside.gateway} of router tenant-router"

    def wait_told(words: str) -> None:
        for table in ("VPN_Service", "IPsec_Connection"):
            status, message = outside.wait_told(words, table)
            assert status == "down"
            assert message.index(words) < message.index("no answer from 1.0.0.3")

    outside.bind_gateway(None)
    wait_told(f"{subject} is on no chassis: none that may have it is there")
    outside.bind_gateway("hv2")
    wait_told(
        f"{subject} leads nowhere: chassis hv2, where it is, does not map network physnet1"
        " (ovn-bridge-mappings)"
    )
    outside.map_network("hv1", "junk,,:,physnet10:br-ex")
    wait_told(f"{subject} leads nowhere: no chassis maps network physnet1 (ovn-bridge-mappings)")
    outside.map_network("hv2", "physnet1:br-ex", "external_ids")
    cloud.wait_for(
        lambda: subject not in cloud.find(cloud.nb, "VPN_Service")["status_message"], "the end"
    )
    cloud.logs.allow("is unfit")
    cloud.chassis["hv2"].tell(ovn_problem="ovn-controller is not running")
    wait_told(
        f"{subject} is on chassis hv2 (ovn-controller is not running): what has moved is not"
        " reached from outside"
    )
    cloud.chassis["hv2"].tell(ovn_problem="")
    cloud.wait_for(
        lambda: subject not in cloud.find(cloud.nb, "VPN_Service")["status_message"], "the end"
    )
    chassis.report_tunnel(connection, "up")
    outside.bind_gateway(None)
    cloud.settle()
    assert subject not in cloud.find(cloud.nb, "IPsec_Connection")["status_message"]


def test_a_southbound_that_is_away_stops_nothing(outside: Outside) -> None:
    """What was read last counts."""
    outside.start()
    outside.add_guest(f"0a:00:00:00:00:01 {ADDRESS}")
    outside.add_vpn()
    outside.wait_told(USED)
    cloud = outside.cloud
    cloud.logs.allow("connection attempt failed|connection dropped")
    outside.database.stop()
    cloud.add_router("other", gateway="1.0.0.9/24")
    vpn = cloud.add_vpn("venus", "other", external_ips="1.0.0.101")
    cloud.add_connection(vpn, "to-mars", local_id="b", peer_id="c")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service", name="mercury")["status_message"] == USED
    assert cloud.find(cloud.nb, "VPN_Service", name="venus")["status"] == "down"


def test_of_several_segments_a_chassis_has_one(outside: Outside) -> None:
    """As a routed provider network has them, one for each rack."""
    outside.switch.lead("second-localnet", "localnet", network_name="physnet2")
    outside.start()
    connection = outside.add_vpn()
    cloud = outside.cloud
    cloud.settle()
    chassis = cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]]
    chassis.report_tunnel(connection, "down", "no answer from 1.0.0.3")
    outside.wait_told("no answer from 1.0.0.3")
    assert "leads nowhere" not in cloud.find(cloud.nb, "VPN_Service")["status_message"]
    outside.map_network("hv1", "")
    outside.wait_told("leads nowhere: no chassis maps network physnet1 or physnet2")
