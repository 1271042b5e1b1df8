"""Deaths: of our daemons, of charon, of a container, of databases, of a chassis.

Guest vm1 on hv1 pings through a container on hv2, while another tenant's traffic, all on hv3, must
not lose a packet.
"""

from __future__ import annotations

import signal

import pytest

from ...utilities.lab import cloud, traffic
from .scene import Scene
from .site import SITE_LAN, VM2, Operator


def test_daemons_die_and_no_packet_is_lost(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    operator = scene.operator
    charon = operator.find_charon("hv2")
    host = operator.host("hv2")
    cloud.kill_process(*scene.find_northd())
    cloud.kill_process(host, "svc-controller")
    # Of what is not of an IKE SA, which would be made anew: that takes some tenths of a second.
    operator.svcctl("conn-set", "mercury", "to-venus", "--mtu=1300")
    cloud.start_process(host, "svc-controller")
    operator.svcctl("--wait=hv", "sync")
    assert scene.end().lost == 0
    assert operator.find_charon("hv2") == charon
    assert scene.list_places() == ["hv2"]


def test_charon_dies_and_is_back_where_it_was(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    operator = scene.operator
    before = operator.find_charon("hv2")
    cloud.kill_process(operator.host("hv2"), f"charon@{scene.container}")
    operator.wait(lambda: operator.find_charon("hv2") not in ([], before), "another charon")
    where = ["name", "==", scene.container]
    operator.wait(
        lambda: (
            "signal 9"
            in operator.rows("SVC_Northbound", "Service_Container", where)[0]["status_message"]
        ),
        "the reason",
    )
    told = f"{scene.container}: restarted on hv2: charon was killed by signal 9; restarted"
    operator.wait(lambda: told in operator.svcctl("events", "mercury"), "its event")
    scene.end()
    assert scene.list_places() == ["hv2"]


def test_namespace_deleted_by_hand_is_built_again(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    scene.operator.host("hv2").run("ip", "netns", "delete", scene.container)
    scene.end()
    assert scene.list_places() == ["hv2"]


def test_switch_that_aborts_is_started_again(operator: Operator) -> None:
    operator.add_vpn_and_wait()
    host = operator.host("hv1")
    before = host.find_processes("ovs-vswitchd")
    cloud.kill_process(host, "ovs-vswitchd", signal.SIGABRT)
    operator.wait(lambda: host.find_processes("ovs-vswitchd") not in ([], before), "another one")
    operator.wait_tunnel()


@pytest.mark.parametrize("name", ["svc-controller", "ovn-controller"])
def test_controller_dies_and_its_containers_move(scene: Scene, name: str) -> None:
    scene.begin("hv2", "vm1")
    cloud.kill_process(scene.operator.host("hv2"), name)
    place = scene.wait_moved("hv2")
    scene.wait_traffic()
    assert "hv2" not in scene.operator.alive_chassis() or name == "ovn-controller"
    state = "unfit: ovn-controller" if name == "ovn-controller" else "dead"
    assert f"hv2: {state}" in scene.operator.svcctl("events", "hv2")
    scene.end()
    assert scene.list_places() == [place]


def test_chassis_dies_and_traffic_returns_on_another(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    scene.operator.host("hv2").kill()
    place = scene.wait_moved("hv2")
    scene.end()
    assert scene.list_places() == [place]
    traffic.wait_reachable(scene.lab, SITE_LAN, VM2, 10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_northd_fails_in_the_middle_of_a_failover(scene: Scene, number: signal.Signals) -> None:
    scene.begin("hv2", "vm1")
    central, active = scene.find_northd()
    scene.operator.host("hv2").kill()
    cloud.kill_process(central, active, number)
    place = scene.wait_moved("hv2")
    assert scene.find_northd()[1] != active
    scene.end()
    assert scene.list_places() == [place]


@pytest.mark.parametrize("name", ["svcsb_db", "svcnb_db", "ovnnb_db"])
def test_database_server_restarts_and_no_packet_is_lost(scene: Scene, name: str) -> None:
    scene.begin("hv2", "vm1")
    operator = scene.operator
    charon = operator.find_charon("hv2")
    central = operator.host("central")
    cloud.kill_process(central, name)
    cloud.start_process(central, name)
    operator.svcctl("--wait=hv", "sync")
    assert scene.end().lost == 0
    assert operator.find_charon("hv2") == charon
    assert scene.list_places() == ["hv2"]


def test_every_chassis_dies_and_the_vpn_waits_for_one(operator: Operator) -> None:
    operator.add_vpn_and_wait()
    for host in operator.lab.list_chassis():
        host.kill()
    operator.wait(lambda: not operator.alive_chassis(), "every chassis to be dead")
    operator.wait_whole()
    operator.wait_tunnel()
