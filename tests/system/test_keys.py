"""Keys and certificates under traffic: all of them replaced; and a lab that goes over to TCP."""

from __future__ import annotations

from ...utilities.lab import transport
from ...utilities.lab.host import Host
from ...utilities.lab.state import Lab
from .scene import Scene
from .site import Operator

ENOUGH_ANSWERS = 20


def list_nodes(lab: Lab) -> list[Host]:
    """Returns the hosts that have keys, the server first."""
    return [lab.get_host("central"), *lab.list_chassis()]


def renew(lab: Lab, host: Host) -> None:
    """Gives a host another key and certificate."""
    kind = transport.KINDS[host.settings["kind"]]
    transport.run_svc_pki(lab, "--renew", kind, host.name)
    transport.copy_keys(lab, host)


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
    chassis = operator.lab.list_chassis()
    operator.wait(lambda: all(transport.is_connected(host) for host in chassis), "every chassis")
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
        renew(lab, host)
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


def test_a_lab_goes_over_to_tcp_and_back(by_tcp: Operator) -> None:
    by_tcp.add_vpn_and_wait()
    assert "SVC_Southbound is open without TLS on ptcp:" in by_tcp.tell_status()
    transport.switch(by_tcp.lab, transport.TLS)
    by_tcp.wait_tunnel()
    assert "without" not in by_tcp.tell_status()
