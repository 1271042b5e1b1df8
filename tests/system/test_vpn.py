"""The scenario: from two commands to traffic, and what is seen of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ...utilities.lab import tenant, traffic
from .site import (
    EXTERNAL,
    PSK,
    SITE,
    SITE_ADDRESS,
    SITE_HOST,
    SITE_LAN,
    SITE_SUBNET,
    VM1,
    VM2,
    Operator,
)


def test_guests_on_every_chassis_reach_the_site_and_back(
    operator: Operator, tmp_path: Path
) -> None:
    lab = operator.lab
    capture = traffic.Capture(lab, tmp_path / "provider.pcap")
    try:
        operator.add_vpn_and_wait()
        for guest, address in (("vm1", VM1), ("vm2", VM2)):
            traffic.wait_reachable(lab, SITE_LAN, address, 5)
            traffic.transfer(lab, guest, SITE_LAN, SITE_HOST, 4)
            traffic.transfer(lab, SITE_LAN, guest, address, 4)
        operator.svcctl("vpn-del", "mercury")
    finally:
        capture.stop()
    assert capture.count(traffic.format_clear(tenant.SUBNET, SITE_SUBNET)) == 0
    assert capture.count(traffic.format_encrypted(EXTERNAL, SITE_ADDRESS)) > 1000


def test_nothing_leaves_in_clear_while_there_is_no_tunnel(
    operator: Operator, tmp_path: Path
) -> None:
    operator.psk_file.write_text("not what venus has\n")
    operator.add_vpn()
    capture = traffic.Capture(operator.lab, tmp_path / "provider.pcap")
    try:
        for _ in range(3):
            assert not traffic.is_reachable(operator.lab, "vm1", SITE_HOST)
            assert not traffic.is_reachable(operator.lab, "vm2", SITE_HOST)
    finally:
        capture.stop()
    assert capture.count(f"net {SITE_SUBNET}") == 0


def test_tunnel_comes_up_from_the_other_side(operator: Operator) -> None:
    operator.add_vpn()
    operator.wait_tunnel()
    operator.svcctl("set", "IPsec_Connection", "to-venus", "initiator=response-only", "--", "sync")
    operator.host(SITE).run("swanctl", "--terminate", "--ike", "site", "--force")
    operator.wait(lambda: operator.row("VPN_Service")["status"] == "down", "status down")
    operator.host(SITE).run("swanctl", "--initiate", "--child", "site", "--timeout", "10")
    operator.wait_tunnel()


def test_columns_of_the_container(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    row = operator.row("Service_Container")
    name = row["name"]
    assert row["service_type"] == "ipsec"
    assert row["group"] == operator.row("Container_Group")["_uuid"]
    assert row["ports"] == name
    assert (row["namespace_name"], row["interface_name"]) == (name, name)
    assert (row["status_code"], row["chassis"]) == ("running", chassis)
    assert row["status_message"]
    assert name in operator.host(chassis).run("ip", "netns", "list")
    shown = operator.svcctl("list", "Service_Container")
    for column in ("service_type", "group", "ports", "configuration", "status_code"):
        assert column in shown
    assert "up" in operator.svcctl("--wide", "vpn-list")
    assert "to-venus" in operator.svcctl("--wide", "conn-list", "mercury")


def test_monitor_shows_starting_then_running(operator: Operator) -> None:
    remote = operator.environment["SVC_NB_DB"]
    argv = ["ovsdb-client", "monitor", remote, "SVC_Northbound", "Service_Container"]
    columns = ["status_code", "--format=csv", "--no-headings"]
    with subprocess.Popen([*argv, *columns], stdout=subprocess.PIPE, text=True) as monitor:
        try:
            operator.add_vpn()
            operator.wait(
                lambda: operator.row("Service_Container")["status_code"] == "running", "running"
            )
        finally:
            monitor.terminate()
        assert monitor.stdout is not None
        seen = monitor.stdout.read()
    assert -1 < seen.find("starting") < seen.find("running")


def test_wrong_key_says_authentication(operator: Operator) -> None:
    operator.psk_file.write_text("not what venus has\n")
    operator.add_vpn()
    row = operator.wait(
        lambda: (
            (row := operator.row("IPsec_Connection"))
            and "authentication" in row["status_message"].lower()
            and row
        ),
        "a reason",
    )
    assert row["status"] == "down"
    assert "authentication" in operator.svcctl("--wide", "conn-list", "mercury").lower()
    operator.svcctl("set", "IPsec_Connection", "to-venus", f'psk="{PSK}"')
    operator.wait_tunnel()


def test_absent_peer_says_no_answer(operator: Operator) -> None:
    operator.host(SITE).kill()
    operator.add_vpn()
    operator.wait(
        lambda: "no answer" in operator.row("IPsec_Connection")["status_message"], "a reason"
    )
    assert "no answer" in operator.svcctl("--wide", "vpn-list")
    operator.wait_whole()
    operator.wait_tunnel()


def test_secret_is_nowhere_in_clear(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    seen = operator.read_everything(chassis)
    assert b"charon" in seen
    assert PSK.encode() not in seen
    sb = operator.lab.get_host("central").directory / "var/lib/ovnsvc/svcsb_db.db"
    assert PSK.encode() not in sb.read_bytes()
    assert PSK not in operator.svcctl("list", "IPsec_Connection")
