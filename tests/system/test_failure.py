"""Deaths: of our daemons, of charon, of a chassis."""

from __future__ import annotations

import time

from ...utilities.lab import cloud, traffic
from .site import SITE_LAN, VM2, Operator


def test_daemons_die_and_no_packet_is_lost(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    charon = operator.find_charon(chassis)
    ping = operator.ping("vm2")
    ping.wait_answers(5)
    central, host = operator.host("central"), operator.host(chassis)
    cloud.kill_process(central, "svc-northd")
    cloud.kill_process(host, "svc-controller")
    operator.svcctl(
        *("conn-add", "mercury", "to-mars", "1.0.0.4", "192.168.4.0/24"),
        f"--psk-file={operator.psk_file}",
    )
    cloud.start_process(host, "svc-controller")
    cloud.start_process(central, "svc-northd")
    operator.svcctl("--wait=hv", "sync")
    operator.wait(
        lambda: len(operator.rows("SVC_Southbound", "IPsec_Tunnel")) == 2, "the new connection"
    )
    ping.wait_answers(20)
    answers = ping.stop()
    assert answers.sent > 25
    assert answers.lost == 0
    assert operator.find_charon(chassis) == charon
    assert operator.find_chassis() == chassis


def test_charon_is_back_within_three_seconds(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    before = operator.find_charon(chassis)
    cloud.kill_process(operator.host(chassis), "charon")
    killed = time.monotonic()
    row = operator.wait(
        lambda: (row := operator.row("Service_Container"))["status_code"] == "running"
        and operator.find_charon(chassis) not in ([], before)
        and "signal 9" in row["status_message"]
        and row,
        "charon to be back",
        3,
    )
    assert time.monotonic() - killed < 3
    assert row["chassis"] == chassis
    operator.wait_tunnel()


def test_chassis_dies_and_traffic_returns_on_another(operator: Operator) -> None:
    first = operator.add_vpn_and_wait()
    operator.host(first).kill()
    operator.wait(lambda: operator.find_chassis() not in ([], first), "the move")
    operator.wait_tunnel()
    second = operator.find_chassis()
    operator.wait_whole()
    operator.wait(lambda: not operator.find_charon(first), "the old place to be empty")
    assert operator.find_chassis() == second
    traffic.wait_reachable(operator.lab, SITE_LAN, VM2, 10)


def test_namespace_deleted_by_hand_is_built_again(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    name = operator.row("Service_Container")["name"]
    operator.host(chassis).run("ip", "netns", "delete", name)
    operator.wait(
        lambda: name in operator.host(chassis).run("ip", "netns", "list"), "the namespace", 60
    )
    operator.wait_tunnel()


def test_southbound_server_dies_and_nothing_moves(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    charon = operator.find_charon(chassis)
    ping = operator.ping("vm2")
    central = operator.host("central")
    cloud.kill_process(central, "svcsb_db")
    cloud.start_process(central, "svcsb_db")
    operator.svcctl("--wait=hv", "sync")
    ping.wait_answers(20)
    answers = ping.stop()
    assert answers.lost == 0
    assert operator.find_charon(chassis) == charon
