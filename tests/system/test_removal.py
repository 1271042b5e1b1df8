"""After vpn-del everything is as before vpn-add."""

from __future__ import annotations

from typing import Any

from ...utilities.lab import cloud
from .site import Operator


def test_nothing_is_left(operator: Operator) -> None:
    before = operator.snapshot()
    operator.add_vpn_and_wait()
    assert operator.snapshot() != before
    operator.svcctl("--wait=hv", "vpn-del", "mercury")
    _wait_same(operator, before)


def test_nothing_is_left_on_a_chassis_that_was_down(operator: Operator) -> None:
    before = operator.snapshot()
    chassis = operator.add_vpn_and_wait()
    operator.host(chassis).kill()
    operator.svcctl("--wait=sb", "vpn-del", "mercury")
    operator.wait_whole()
    _wait_same(operator, before)


def test_a_chassis_that_is_deleted_registers_anew(operator: Operator) -> None:
    chassis = operator.add_vpn_and_wait()
    everyone = operator.alive_chassis()
    operator.host(chassis).kill()
    assert "is alive" in operator.try_svcctl("chassis-del", chassis).stderr
    operator.wait(lambda: chassis not in operator.alive_chassis(), "its death")
    said = operator.svcctl("-t", "30", "chassis-del", chassis, "--wait")
    assert said == f"{chassis} is deleted\n"
    assert operator.list_registered() == [each for each in everyone if each != chassis]
    operator.wait_tunnel()
    operator.wait_whole()
    assert operator.list_registered() == everyone
    operator.svcctl("--wait=hv", "sync")


def test_chassis_without_strongswan_gets_no_container(operator: Operator) -> None:
    hidden = [host for host in operator.lab.list_chassis() if host.name != "hv3"]
    for host in hidden:
        host.run("mount", "--bind", "/dev/null", "/usr/sbin/charon-systemd")
        _restart_controller(operator, host.name)
    operator.wait(lambda: _offering(operator) == ["hv3"], "only hv3 to offer ipsec")
    assert operator.add_vpn_and_wait() == "hv3"
    host = operator.host("hv3")
    host.run("mount", "--bind", "/dev/null", "/usr/sbin/charon-systemd")
    operator.svcctl("vpn-del", "mercury")
    _restart_controller(operator, "hv3")
    operator.wait(lambda: _offering(operator) == [], "no chassis to offer ipsec")
    operator.svcctl("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
    operator.wait(
        lambda: (
            (rows := operator.rows("SVC_Northbound", "Service_Container"))
            and rows[0]["status_code"] == "error"
        ),
        "the refusal",
    )
    message = operator.row("Service_Container")["status_message"]
    assert "all 3 chassis are without service type ipsec" in message
    assert "charon-systemd" in message
    for host in operator.lab.list_chassis():
        host.run("umount", "/usr/sbin/charon-systemd")
        _restart_controller(operator, host.name)
    operator.wait(
        lambda: operator.row("Service_Container")["status_code"] == "running", "a chassis"
    )


def _wait_same(operator: Operator, before: dict[str, Any]) -> None:
    """Waits until everything is as before; tells the difference if it never is."""
    try:
        operator.wait(lambda: operator.snapshot() == before, "everything as before", 15)
    except AssertionError:
        after = operator.snapshot()
        for what, was in before.items():
            for part, there in was.items():
                assert (what, part, after[what][part]) == (what, part, there)


def _restart_controller(operator: Operator, name: str) -> None:
    cloud.kill_process(operator.host(name), "svc-controller")
    cloud.start_process(operator.host(name), "svc-controller")


def _offering(operator: Operator) -> list[str]:
    rows = operator.rows("SVC_Southbound", "Chassis")
    return sorted(row["name"] for row in rows if "ipsec" in str(row["service_types"]))
