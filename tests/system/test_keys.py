"""Keys under traffic: all of them replaced, one that is wrong mended; TCP and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...utilities.lab import chassis, transport
from ...utilities.lab.host import Host
from ...utilities.lab.state import Lab
from .scene import Scene
from .site import Operator

ENOUGH_ANSWERS = 20


def list_nodes(lab: Lab) -> list[Host]:
    """Returns the hosts that have keys, the server first."""
    return [lab.get_host("central"), *lab.list_chassis()]


def read_serial(operator: Operator, trust: str) -> str:
    """Returns the number of the certificate that the southbound shows to a chassis now."""
    host = operator.host("hv1")
    place = transport.PLACE
    keys = f"-key {place}/privkey.pem -cert {place}/cert.pem -CAfile {place}/{trust}"
    server = f"{host.settings['central']}:{transport.SVC_SB_PORT}"
    ask = f"openssl s_client -connect {server} {keys} -verify_return_error </dev/null 2>/dev/null"
    return host.run("sh", "-c", f"{ask} | openssl x509 -noout -serial").strip()


def drop_connections(operator: Operator) -> None:
    """Has the southbound's server begin every session anew, with the keys of now."""
    central = operator.host("central")
    central.run("ovs-appctl", "-t", "/run/ovnsvc/svcsb_db.ctl", "ovsdb-server/reconnect")


def reconnect(operator: Operator) -> None:
    """Drops every session of a chassis and waits until all have come back."""
    drop_connections(operator)
    hosts = operator.lab.list_chassis()
    operator.wait(lambda: all(transport.is_connected(host) for host in hosts), "every chassis")
    operator.svcctl("--wait=hv", "sync")


def test_everything_is_replaced_and_no_packet_is_lost(scene: Scene) -> None:
    """Both authorities and every key, in the steps of README.rst; nobody is restarted."""
    scene.begin("hv2", "vm1")
    operator, lab = scene.operator, scene.lab
    nodes = list_nodes(lab)
    processes = [host.find_processes("svc-controller") for host in nodes]
    before = read_serial(operator, "cacert.pem")
    transport.run_svc_pki(lab, "--renew", "init")
    for host in nodes:
        transport.copy_keys(lab, host)
    reconnect(operator)
    for host in nodes:
        transport.renew(lab, host)
        reconnect(operator)
    transport.run_svc_pki(lab, "--renew", "client", "ops")
    transport.run_svc_pki(lab, "retire")
    for host in nodes:
        transport.copy_keys(lab, host)
    reconnect(operator)
    assert read_serial(operator, "cacert.pem") != before
    assert "former" not in transport.run_svc_pki(lab, "show")
    scene.ping.wait_answers(ENOUGH_ANSWERS)
    assert scene.end().lost == 0
    assert [host.find_processes("svc-controller") for host in nodes] == processes
    assert scene.list_places() == ["hv2"]


@pytest.fixture
def wrong(operator: Operator) -> Iterator[Host]:
    """A chassis with the certificate of another one; it has its own again afterwards."""
    host = operator.host("hv1")
    place = transport.PLACE.removeprefix("/")
    mine, other = (operator.host(name).directory / place for name in ("hv1", "hv3"))
    for name in ("privkey.pem", "cert.pem"):
        (mine / name).write_bytes((other / name).read_bytes())
    yield host
    transport.copy_keys(operator.lab, host)
    operator.wait_whole()


def test_a_certificate_of_another_is_told_and_mended(operator: Operator, wrong: Host) -> None:
    drop_connections(operator)
    operator.wait(lambda: operator.alive_chassis() == ["hv2", "hv3"], "hv1 dead")
    operator.refused.add(wrong.name)
    operator.wait(
        lambda: (
            "cert.pem is of 'hv3', the chassis is 'hv1'"
            in chassis.ask_controller(wrong, 10, "connection-status")
        ),
        "the sentence",
    )
    transport.copy_keys(operator.lab, wrong)
    operator.wait(lambda: operator.alive_chassis() == ["hv1", "hv2", "hv3"], "hv1 alive")


def test_a_lab_goes_over_to_tcp_and_back(by_tcp: Operator) -> None:
    by_tcp.add_vpn_and_wait()
    assert "SVC_Southbound is open without TLS on ptcp:" in by_tcp.tell_status()
    transport.switch(by_tcp.lab, transport.TLS)
    by_tcp.wait_tunnel()
    assert "without" not in by_tcp.tell_status()
