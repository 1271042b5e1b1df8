"""Active and standby with a real charon: what a peer sees of a change of roles."""

from __future__ import annotations

import re

import pytest

from .ovsdb import wait_until
from .rig import A, B, Rig, connect, ping

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]


def read_charon_log(rig: Rig, name: str = A.name) -> str:
    return (rig.directory / "log/containers" / f"{name}.log").read_text()


def count_sas(rig: Rig, name: str = A.name) -> int:
    """Returns how many IKE_SAs a charon has."""
    socket = rig.directory / "containers" / name / "charon.vici"
    shown = rig.run("swanctl", "--list-sas", "--raw", "--uri", f"unix://{socket}")
    return shown.count("list-sa event")


def count_attempts(rig: Rig) -> int:
    return len(re.findall(r"initiating IKE_SA", read_charon_log(rig)))


def count_loads(rig: Rig) -> int:
    return len(re.findall(r"added vici connection|loaded IKE shared", read_charon_log(rig)))


def test_standby_is_ready_and_silent(rig: Rig) -> None:
    rig.bind(B, connect(B, A, initiate=False))
    rig.bind(A, connect(A, B), role="standby")
    for side in (A, B):
        rig.wait_running(side)
    assert rig.binding(A)["status_message"] == "ready; stands by"
    assert rig.tunnel(A) == {}
    assert rig.sb.rows("Port_Binding", [["container", "==", A.name]])[0]["up"] is False
    asked = rig.sb.rows("SB_Global")[0]["nb_cfg"] + 1
    rig.sb.update("SB_Global", [], nb_cfg=asked)
    wait_until(lambda: rig.sb.rows("Chassis_Private")[0]["nb_cfg"] == asked, "the number")
    assert count_attempts(rig) == 0


def test_active_waits_for_its_port(rig: Rig) -> None:
    for side, peer in ((B, A), (A, B)):
        rig.bind(side, connect(side, peer, initiate=side is A))
        rig.wait_running(side)
    rig.plug(B)
    rig.wait_tunnel(A, "down", "waiting for OVN to install the port")
    assert count_attempts(rig) == 0
    rig.plug(A)
    rig.wait_tunnel(A, "up")
    assert "retransmit" not in read_charon_log(rig)


def test_port_that_goes_and_comes_back_ends_nothing(tunnel: Rig) -> None:
    since = tunnel.tunnel(A)["since"]
    tunnel.set_installed(A, False)
    where = [["container", "==", A.name]]
    wait_until(lambda: tunnel.sb.rows("Port_Binding", where)[0]["up"] is False, "up=false")
    assert " 0% packet loss" in ping(tunnel)
    tunnel.set_installed(A, True)
    wait_until(lambda: tunnel.sb.rows("Port_Binding", where)[0]["up"] is True, "up=true")
    assert tunnel.tunnel(A)["since"] == since
    assert count_attempts(tunnel) == 1


def test_change_of_roles(tunnel: Rig) -> None:
    """Standby keeps its SAs while it has the port; then drops them, and begins none."""
    charons, loads = tunnel.find_charons(), count_loads(tunnel)
    lost = read_charon_log(tunnel).count("retransmit")
    tunnel.set_role(A, "standby")
    tunnel.wait_running(A)
    wait_until(lambda: tunnel.tunnel(A) == {}, "the row to go")
    assert " 0% packet loss" in ping(tunnel)
    tunnel.set_installed(A, False)
    wait_until(lambda: count_sas(tunnel) == 0, "the SAs to go")
    assert tunnel.binding(A)["status_message"] == "ready; stands by"
    tunnel.set_role(A, "active")
    tunnel.wait_running(A)
    assert count_attempts(tunnel) == 1
    tunnel.set_installed(A, True)
    tunnel.wait_tunnel(A, "up")
    assert " 0% packet loss" in ping(tunnel)
    assert count_attempts(tunnel) == 2
    assert read_charon_log(tunnel).count("retransmit") == lost
    assert (tunnel.find_charons(), count_loads(tunnel)) == (charons, loads)


def test_roles_flip_back_at_once(tunnel: Rig) -> None:
    tunnel.set_role(A, "standby")
    tunnel.set_installed(A, False)
    tunnel.set_role(A, "active")
    tunnel.set_installed(A, True)
    tunnel.wait_running(A)
    tunnel.wait_tunnel(A, "up")
    wait_until(lambda: " 0% packet loss" in ping(tunnel), "packets again")
    assert tunnel.binding(A)["restarts"] == 0


def test_dead_peer_is_not_tried_by_a_standby(rig: Rig) -> None:
    """dpd_action restart begins anew on an active container only."""
    rig.bind(B, connect(B, A, initiate=False))
    rig.bind(A, connect(A, B, dpd_interval_s=1))
    for side in (A, B):
        rig.plug(side)
    rig.wait_tunnel(A, "up")
    rig.run("ip", "link", "set", B.name, "down")
    wait_until(lambda: "sending DPD request" in read_charon_log(rig), "a request")
    wait_until(lambda: "retransmit 3" in read_charon_log(rig), "the retransmission")
    rig.set_role(A, "standby")
    rig.set_installed(A, False)
    wait_until(lambda: count_sas(rig) == 0, "the SAs to go")
    attempts = count_attempts(rig)
    rig.set_role(A, "active")
    rig.wait_running(A)
    rig.run("ip", "link", "set", B.name, "up")
    rig.plug(B)
    assert count_attempts(rig) == attempts
    rig.set_installed(A, True)
    rig.wait_tunnel(A, "up")


def test_standby_taken_over_by_another_controller_drops_its_sas(tunnel: Rig) -> None:
    tunnel.end_controller()
    tunnel.set_role(A, "standby")
    tunnel.set_installed(A, False)
    assert count_sas(tunnel) == 1
    tunnel.start_controller()
    wait_until(lambda: count_sas(tunnel) == 0, "the SAs to go")
    tunnel.wait_running(A)
    assert count_attempts(tunnel) == 1
