"""svc-northd from VPN rows to the southbound and OVN: the main scenario, and bad rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..lib import sealing
from .cloud import Cloud


@pytest.fixture
def cloud(router_cloud: Cloud) -> Cloud:
    return router_cloud


def _policies(cloud: Cloud) -> dict[str, dict[str, Any]]:
    return {
        dict(row["external_ids"][1])["ovnsvc-key"].split("/")[1]: row
        for row in cloud.ovn.rows("Logical_Router_Policy")
    }


def test_vpn_and_connection_become_everything(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    container, chassis = binding["container"], binding["chassis"]
    assert container.startswith("vpn-")
    configuration = json.loads(binding["configuration"])
    assert configuration["outer_addresses"] == ["1.0.0.100"]
    assert configuration["connections"][0]["peer_subnets"] == ["192.168.2.0/24"]
    sealed = dict(binding["secrets"][1])[connection]
    assert sealing.unseal(sealed, cloud.chassis[chassis].private_key) == "a secret of two"
    assert "a secret" not in json.dumps(cloud.sb.dump())
    port = cloud.find(cloud.ovn, "Logical_Switch_Port", name=container)
    assert dict(port["options"][1]) == {"requested-chassis": chassis}
    policies = _policies(cloud)
    assert policies["reroute"]["nexthops"] == "169.254.0.2"
    assert policies["drop-out"]["match"] == (
        "ip4.src == 192.168.1.0/24 && ip4.dst == 192.168.2.0/24"
    )
    assert policies["drop-in"]["action"] == "drop"
    # What comes out of the tunnel goes inside, whatever routes and policies there are.
    inner = f'inport == "{container}-lrp"'
    out = "ip4.src == 192.168.2.0/24 && ip4.dst == 192.168.1.0/24"
    assert policies["drop-back"]["match"] == f'{inner} && outport == "tenant-router-out" && {out}'
    assert policies["allow-in"]["match"] == f"{inner} && {out}"
    assert (policies["drop-back"]["priority"], policies["allow-in"]["priority"]) == (32767, 32766)
    nat = cloud.find(cloud.ovn, "NAT", external_ip="1.0.0.100")
    assert nat["options"] == ["map", [["stateless", "true"]]]
    row = cloud.find(cloud.nb, "Service_Container")
    assert (row["status_code"], row["chassis"]) == ("running", chassis)
    assert (row["namespace_name"], row["interface_name"]) == (container, container)


def test_policies_of_a_connection_reach_the_container(cloud: Cloud) -> None:
    ike = cloud.nb.insert("IKE_Policy", name="ike", ike_version="v1", pfs="group19")
    groups, ciphers = ["set", ["group19", "none"]], ["set", ["aes-256", "aes-256-gcm-16"]]
    esp = cloud.nb.insert(
        "IPsec_Policy", name="esp", pfs=groups, encryption_algorithm=ciphers, lifetime_bytes=10**9
    )
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(
        vpn,
        "to-venus",
        ike_policy=["uuid", ike],
        ipsec_policy=["uuid", esp],
        force_udp_encapsulation=True,
    )
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection")
    assert (row["status"], row["status_message"]) == (
        "error",
        "policy esp: IKE v1 takes one pfs, not 2",
    )
    cloud.nb.update("IKE_Policy", [], ike_version="v2")
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    (entry,) = json.loads(binding["configuration"])["connections"]
    assert entry["ike_proposals"] == ["aes256-sha256-ecp256"]
    assert entry["esp_proposals"] == [
        *("aes256gcm16-ecp256", "aes256-sha256-ecp256"),
        *("aes256gcm16", "aes256-sha256"),
    ]
    assert (entry["esp_lifetime_bytes"], entry["force_udp_encapsulation"]) == (10**9, True)


def test_ike_v1_with_another_key_for_the_same_addresses_is_refused(cloud: Cloud) -> None:
    """IKE v1 beside v2 works; the one that is served goes on when both become v1."""
    policies = [
        ["uuid", cloud.nb.insert("IKE_Policy", name=name, ike_version="v1")] for name in "ab"
    ]
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "c1", ike_policy=policies[0])
    cloud.settle()
    other = {"peer_subnets": "10.2.0.0/24", "peer_id": "two", "psk": "another"}
    cloud.add_connection(vpn, "c2", ike_policy=policies[1], **other)
    sentence = (
        "connection c1 has the same addresses with another pre-shared key,"
        " and IKE v1 finds the key by them"
    )
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection", name="c2")
    assert (row["status"], row["status_message"]) == ("error", sentence)
    cloud.nb.update("IKE_Policy", [["name", "==", "b"]], ike_version="v2")
    cloud.settle()
    assert {row["status"] for row in cloud.nb.rows("IPsec_Connection")} == {"down"}
    cloud.nb.update("IKE_Policy", [["name", "==", "b"]], ike_version="v1")
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection", name="c2")
    assert row["status"] == "down"
    assert row["status_message"].startswith(f"still as configured before: {sentence};")


def test_redirect_waits_for_the_container_but_the_drop_does_not(cloud: Cloud) -> None:
    for chassis in cloud.chassis.values():
        chassis.obeys = False
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    assert set(_policies(cloud)) == {"drop-out", "drop-in", "drop-loop", "drop-back"}
    assert cloud.find(cloud.nb, "Service_Container")["status_code"] == "starting"
    for chassis in cloud.chassis.values():
        chassis.obeys = True
    cloud.settle()
    assert "reroute" in _policies(cloud)


def test_deleting_the_vpn_leaves_nothing(cloud: Cloud) -> None:
    before = cloud.dump()
    vpn = cloud.add_vpn("mercury", "tenant-router")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]].report_tunnel(connection)
    cloud.settle()
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    assert _without_versions(cloud.dump()) == _without_versions(before)


def test_status_and_reasons_come_north(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    connection = cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "down"
    chassis = cloud.chassis[cloud.find(cloud.sb, "Container_Binding")["chassis"]]
    chassis.report_tunnel(connection, "down", "authentication failed: the pre-shared keys differ")
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection")
    assert row["status_message"] == "authentication failed: the pre-shared keys differ"
    assert "authentication failed" in cloud.find(cloud.nb, "VPN_Service")["status_message"]
    chassis.report_tunnel(connection, "partial", "1 of 2 pairs of subnets not taken")
    cloud.settle()
    row = cloud.find(cloud.nb, "IPsec_Connection")
    assert (row["status"], row["status_message"]) == (
        "partial",
        "1 of 2 pairs of subnets not taken",
    )
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "partial"
    chassis.report_tunnel(connection, "up")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "up"
    assert cloud.find(cloud.nb, "VPN_Service")["status_message"] == "1 of 1 tunnels up"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"local_subnets": "192.168.1.5/24"}, "did you mean 192.168.1.0/24"),
        ({"router": "nowhere"}, "router nowhere not found in OVN_Northbound"),
        ({"external_ips": "1.0.0.2"}, "is used by router tenant-router itself"),
        ({"external_ips": "rubbish"}, "is not an IP address"),
        ({"local_subnets": ["set", ["10.0.0.0/8", "10.1.0.0/16"]]}, "overlaps"),
        ({"external_ips": ["set", []]}, "no external address is given"),
        ({"address_mode": "dedicated"}, "not yet served"),
    ],
)
def test_bad_service_harms_only_itself(
    cloud: Cloud, columns: dict[str, Any], sentence: str
) -> None:
    good = cloud.add_vpn("good", "tenant-router")
    cloud.add_connection(good, "to-venus")
    settings = {"router": "tenant-router", "external_ips": "1.0.0.101"}
    bad = cloud.add_vpn("bad", **{**settings, **columns})
    cloud.settle()
    row = cloud.find(cloud.nb, "VPN_Service", name="bad")
    assert row["status"] == "error"
    assert sentence in row["status_message"]
    assert cloud.find(cloud.nb, "Service_Container")["status_code"] == "running"
    where = [["_uuid", "==", ["uuid", bad]]]
    mended = {**settings, "address_mode": "routed", "local_subnets": "10.9.0.0/24"}
    cloud.nb.update("VPN_Service", where, **mended)
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service", name="bad")["status"] == "down"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"peer_subnets": "192.168.1.0/24"}, "overlaps local subnet 192.168.1.0/24"),
        ({"peer_subnets": "300.0.0.0/8"}, "is not a subnet"),
        ({"psk": ["set", []]}, "no pre-shared key is given"),
        ({"peer_address": "venus"}, "is not an IP address"),
        ({"name": "to-venus", "peer_subnets": "10.2.0.0/24"}, "already exists"),
        ({"peer_subnets": "192.168.2.128/25"}, "overlaps peer subnet 192.168.2.0/24"),
        ({"dpd_interval": 60, "dpd_timeout": 60}, "must be greater"),
    ],
)
def test_bad_connection_harms_only_itself(
    cloud: Cloud, columns: dict[str, Any], sentence: str
) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    good = cloud.add_connection(vpn, "to-venus")
    settings = {"name": "zz", "peer_address": "1.0.0.4", "peer_subnets": "192.168.3.0/24"}
    bad = cloud.add_connection(vpn, **{**settings, **columns})
    cloud.settle()
    rows = {row["_uuid"][1]: row for row in cloud.nb.rows("IPsec_Connection")}
    wrong = [row for row in rows.values() if row["status"] == "error"]
    assert len(wrong) == 1
    assert sentence in wrong[0]["status_message"]
    configuration = json.loads(cloud.find(cloud.sb, "Container_Binding")["configuration"])
    assert len(configuration["connections"]) == 1
    where = [["_uuid", "==", ["uuid", bad]]]
    cloud.nb.update("IPsec_Connection", where, psk="x", dpd_interval=["set", []], **settings)
    cloud.settle()
    assert {row["status"] for row in cloud.nb.rows("IPsec_Connection")} == {"down"}
    assert good in rows


def test_router_that_appears_later_and_goes_again(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "late-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "error"
    cloud.add_router("late-router")
    cloud.settle()
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "down"
    assert len(cloud.sb.rows("Container_Binding")) == 1
    cloud.ovn.delete("Logical_Router", [["name", "==", "late-router"]])
    cloud.settle()
    row = cloud.find(cloud.nb, "VPN_Service")
    assert row["status_message"] == "router late-router not found in OVN_Northbound"
    assert cloud.sb.rows("Container_Binding") == []
    assert cloud.ovn.rows("Logical_Switch") == []


def test_disabled_connection_stays_guarded(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus", enabled=False)
    cloud.settle()
    assert set(_policies(cloud)) == {"drop-out", "drop-in", "drop-loop", "drop-back"}
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "disabled"


def test_router_without_default_route_gets_one_to_the_peer(cloud: Cloud) -> None:
    cloud.ovn.update("Logical_Router", [], static_routes=["set", []])
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    prefixes = {row["ip_prefix"] for row in cloud.ovn.rows("Logical_Router_Static_Route")}
    assert prefixes == {"1.0.0.100/32", "192.168.2.0/24"}


def test_transit_avoids_what_the_router_has(cloud: Cloud) -> None:
    cloud.add_router("odd", gateway="2.0.0.2/24", inside="169.254.0.1/24")
    vpn = cloud.add_vpn("mercury", "odd", external_ips="2.0.0.100")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    port = cloud.find(cloud.sb, "Port_Binding")
    assert port["addresses"] == "169.254.1.2/30"


def test_router_with_no_room_for_a_transit_says_so(cloud: Cloud) -> None:
    cloud.add_router("full", gateway="2.0.0.2/24", inside="169.254.0.1/16")
    cloud.add_vpn("mercury", "full", external_ips="2.0.0.100")
    cloud.settle()
    assert "no free /30" in cloud.find(cloud.nb, "Service_Container")["status_message"]


def test_dead_chassis_is_left_for_another(cloud: Cloud) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    options = [["chassis-dead-after", "600"], ["heartbeat-interval", "200"]]
    cloud.nb.update("SVC_Global", [], options=["map", options])
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    first = cloud.find(cloud.sb, "Container_Binding")["chassis"]
    cloud.chassis[first].alive = False
    cloud.wait_for(
        lambda: [row["chassis"] for row in cloud.sb.rows("Container_Binding")] not in ([], [first]),
        "the container to move",
    )
    cloud.settle()
    assert cloud.find(cloud.sb, "Chassis_Weight", chassis=first)["alive"] is False
    assert cloud.find(cloud.nb, "Service_Container")["status_code"] == "running"
    cloud.chassis[first].alive = True
    cloud.wait_for(
        lambda: cloud.find(cloud.sb, "Chassis_Weight", chassis=first)["alive"], "its return"
    )
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] != first


def test_refusals_are_counted_in_words(cloud: Cloud) -> None:
    problems = ["map", [["ipsec", "charon-systemd is not installed"]]]
    cloud.sb.update("Chassis", [], service_types=["set", []], service_problems=problems)
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    row = cloud.find(cloud.nb, "Service_Container")
    assert row["status_code"] == "error"
    assert row["status_message"] == (
        "no chassis can run it: all 3 chassis are"
        " without service type ipsec (charon-systemd is not installed)"
    )
    cloud.sb.update("Chassis", [["name", "==", "hv2"]], service_types="ipsec")
    cloud.settle()
    assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == "hv2"


def test_chassis_with_a_bad_key_gets_nothing(cloud: Cloud) -> None:
    for key in ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "rubbish", ""):
        cloud.sb.update("Chassis", [["name", "!=", "hv3"]], public_key=key)
        for name in ("mercury", "mars"):
            cloud.add_vpn(name, "tenant-router")
        cloud.settle()
        assert cloud.find(cloud.sb, "Container_Binding")["chassis"] == "hv3"
        cloud.nb.delete("VPN_Service")
        cloud.settle()


def test_rows_that_ovn_refuses_harm_their_container_only(cloud: Cloud) -> None:
    cloud.logs.allow("OVN_Northbound: transaction refused")
    other = cloud.add_router("other", gateway="2.0.0.2/24")
    taken = f"vpn-{other.replace('-', '')[:11]}-lrp"
    for name in ("mercury", "mars"):
        router = {"mercury": "tenant-router", "mars": "other"}[name]
        address = {"mercury": "1.0.0.100", "mars": "2.0.0.100"}[name]
        vpn = cloud.add_vpn(name, router, external_ips=address)
        cloud.add_connection(vpn, "to-venus")

    def statuses() -> set[str]:
        return {str(row["status_code"]) for row in cloud.nb.rows("Service_Container")}

    cloud.ovn.transact(
        {
            "op": "insert",
            "table": "Logical_Router",
            "uuid-name": "r",
            "row": {"name": "cms", "ports": ["named-uuid", "p"]},
        },
        {
            "op": "insert",
            "table": "Logical_Router_Port",
            "uuid-name": "p",
            "row": {"name": taken, "networks": "9.9.9.1/24", "mac": "0a:00:00:00:00:09"},
        },
    )
    cloud.wait_for(lambda: statuses() == {"running", "error"}, "one error, one running")
    bad = cloud.find(cloud.nb, "Service_Container", status_code="error")
    assert "OVN_Northbound refused its rows: " in bad["status_message"]
    assert "Logical_Router_Port" in bad["status_message"]
    cloud.ovn.delete("Logical_Router", [["name", "==", "cms"]])
    cloud.wait_for(lambda: statuses() == {"running"}, "both running")


def test_rubbish_in_the_root_row_is_mended_or_passed_over(cloud: Cloud) -> None:
    cloud.logs.allow("is 'soon', not a number|is '-4', not a number")
    options = ["map", [["heartbeat-interval", "soon"], ["container-mtu", "-4"]]]
    cloud.nb.update("SVC_Global", [], seal_seed="rubbish", options=options)
    cloud.add_vpn("mercury", "tenant-router")
    cloud.settle()
    assert cloud.find(cloud.sb, "Port_Binding")["mtu"] == 1442
    assert sealing.is_seed(cloud.nb.rows("SVC_Global")[0]["seal_seed"])


def test_numbers_follow_nb_cfg(cloud: Cloud) -> None:
    cloud.nb.update("SVC_Global", [], nb_cfg=7)
    cloud.wait_for(lambda: cloud.nb.rows("SVC_Global")[0]["hv_cfg"] == 7, "hv_cfg 7")
    root = cloud.nb.rows("SVC_Global")[0]
    assert (root["sb_cfg"], root["hv_cfg"]) == (7, 7)
    ovn = cloud.ovn.rows("NB_Global")[0]
    assert ovn["nb_cfg"] == cloud.sb.rows("SB_Global")[0]["ovn_nb_cfg"]


def test_new_northd_moves_nothing(cloud: Cloud) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "to-venus")
    cloud.settle()
    before = cloud.dump()
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    assert not second.settled
    cloud.northd.close()
    cloud.northd = second
    cloud.settle()
    assert _without_versions(cloud.dump()) == _without_versions(before)


def _without_versions(content: dict[str, Any]) -> dict[str, Any]:
    """Returns a dump without what counts writes rather than says something, and what is history."""
    return {
        database: {
            table: [
                {
                    column: value
                    for column, value in row.items()
                    if column not in ("_version", "content_cfg")
                    and not column.endswith(("_timestamp", "heartbeat"))
                }
                for row in rows
            ]
            for table, rows in tables.items()
            if table != "Event"
        }
        for database, tables in content.items()
    }


@pytest.mark.parametrize("changed", ["c1", "c2"])
def test_connections_of_one_ike_sa_have_one_key(cloud: Cloud, changed: str) -> None:
    vpn = cloud.add_vpn("mercury", "tenant-router")
    cloud.add_connection(vpn, "c1")
    cloud.add_connection(vpn, "c2", peer_subnets="10.2.0.0/24")
    cloud.settle()
    cloud.nb.update("IPsec_Connection", [["name", "==", changed]], psk="another one")
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    private_key = cloud.chassis[binding["chassis"]].private_key
    keys = {sealing.unseal(sealed, private_key) for _, sealed in binding["secrets"][1]}
    assert len(keys) == 1
