"""vpn-show and conn-show: everything that is known of a service, or of a connection."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from .ovsdb import Databases
from .svcctl import WHEN, WHEN_MS, Svcctl, add_router

NOW_MS = WHEN_MS + 180_000
CONTAINER = "vpn-0123456789a"
DETAIL = {
    "ike_algorithms": "IKEv2 AES_CBC_256/HMAC_SHA2_256_128/MODP_2048",
    "esp_algorithms": "ESP AES_CBC_256/HMAC_SHA2_256_128",
    "ike_rekeyed_at": "2023-11-15T01:49:00Z",
    "esp_rekeyed_at": "2023-11-14T23:07:00Z",
    "esp_ends_at": "2023-11-14T23:13:00Z",
    "opened_by": "this side",
    "encapsulation": "UDP (NAT)",
    "nat": "the peer",
    "local_subnets": "192.168.1.0/24",
    "peer_subnets": "192.168.2.0/24,192.168.3.0/24",
    "last_error": "no answer from 1.0.0.3",
    "last_error_at": "2023-11-14T22:00:00Z",
}
COUNTERS = {"bytes_in": 840, "packets_in": 10, "bytes_out": 84, "packets_out": 1}
TUNNEL = f"""\
tunnel
    state: up
    since: {WHEN} (3 min)
    subnets: 192.168.1.0/24 with 192.168.2.0/24, 192.168.3.0/24
    IKE: IKEv2 AES_CBC_256/HMAC_SHA2_256_128/MODP_2048
    IKE opened by: this side
    IKE made anew by: 2023-11-15T01:49:00Z
    ESP: AES_CBC_256/HMAC_SHA2_256_128
    ESP made anew by: 2023-11-14T23:07:00Z
    ESP ends at: 2023-11-14T23:13:00Z
    encapsulation: UDP (NAT)
    behind NAT: the peer
    bytes in: 840
    packets in: 10
    bytes out: 84
    packets out: 1
    last error: no answer from 1.0.0.3 (began at 2023-11-14T22:00:00Z)
"""


def to_map(values: dict[str, Any]) -> list[Any]:
    return ["map", [list(pair) for pair in values.items()]]


def move(text: str, steps: int) -> str:
    """Returns lines so many steps to the right."""
    return "".join(f"{'    ' * steps}{line}\n" for line in text.splitlines())


@pytest.fixture
def vpn(
    databases: Databases, svcctl: Svcctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Svcctl:
    """A VPN service with a connection, as svc-northd and a chassis tell of it."""
    monkeypatch.setattr(time, "time", lambda: NOW_MS / 1000)
    add_router(databases, "tenant-router")
    (tmp_path / "psk").write_text("secret\n")
    svcctl.good("group-add", "vpns", "least")
    words = ("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24", "--group=vpns")
    svcctl.good(*words)
    subnets = "192.168.2.0/24,192.168.3.0/24"
    words = ("conn-add", "mercury", "to-venus", "1.0.0.3", subnets, "--peer-id=@venus")
    svcctl.good(*words, f"--psk-file={tmp_path}/psk")
    databases.nb.update("VPN_Service", [], status="up", status_message="1 of 1 tunnels up")
    databases.nb.update("IPsec_Connection", [], status="up", status_message="IKEv2 ...")
    [service] = databases.nb.rows("VPN_Service")
    databases.nb.insert(
        "Service_Container",
        name=CONTAINER,
        service_type="ipsec",
        chassis="hv1",
        status_code="running",
        since=WHEN_MS,
        serves=["set", [service["_uuid"][1]]],
    )
    for chassis, role in (("hv1", "active"), ("hv3", "standby"), ("hv2", "standby")):
        row = {"service_type": "ipsec", "role": role, "status_code": "running"}
        databases.sb.insert("Container_Binding", container=CONTAINER, chassis=chassis, **row)
    add_item(databases, find_uuid(databases), DETAIL, chassis="hv1")
    # What another chassis says of the time when the container was there.
    add_item(databases, find_uuid(databases), {}, chassis="hv2")
    return svcctl


def find_uuid(databases: Databases) -> str:
    [row] = databases.nb.rows("IPsec_Connection")
    uuid: str = row["_uuid"][1]
    return uuid


def add_item(databases: Databases, name: str, detail: dict[str, str], **columns: Any) -> None:
    row = {"kind": "tunnel", "subject": name, "state": "up", "since": WHEN_MS, **columns}
    maps = {"detail": to_map(detail), "counters": to_map(COUNTERS)}
    databases.sb.insert("Container_Item", container=CONTAINER, name=name, **maps, **row)


def test_a_service_with_its_tunnels(vpn: Svcctl) -> None:
    assert vpn.good("vpn-show", "mercury") == (
        "vpn mercury\n"
        "    router: tenant-router\n"
        "    address mode: routed (default)\n"
        "    external address: 1.0.0.100\n"
        "    local subnets: 192.168.1.0/24\n"
        "    group: vpns\n"
        "    status: up\n"
        "    reason: 1 of 1 tunnels up\n"
        f"    container {CONTAINER}\n"
        "        chassis: hv1\n"
        "        standbys: hv2, hv3\n"
        "        status: running\n"
        f"        since: {WHEN} (3 min)\n"
        "    connection to-venus\n"
        "        peer address: 1.0.0.3\n"
        "        peer subnets: 192.168.2.0/24, 192.168.3.0/24\n"
        "        peer id: @venus\n"
        "        status: up\n"
        "        reason: IKEv2 ...\n"
    ) + move(TUNNEL, 2)
    text = vpn.good("vpn-show", "mercury")
    for words in ("tenant-router", CONTAINER, "hv1", "1.0.0.100", "to-venus"):
        assert vpn.good("vpn-show", words) == text
    assert vpn.good("conn-show", "hv1") == vpn.good("conn-show", "mercury", "to-venus")
    assert vpn.bad("vpn-show", "mars") == "mars: VPN service not found"
    assert vpn.bad("-f", "json", "vpn-show", "mercury").startswith("'vpn-show' prints text")


def test_a_connection_and_what_its_peer_must_have(vpn: Svcctl) -> None:
    text = vpn.good("conn-show", "mercury", "to-venus")
    assert text.startswith("connection mercury/to-venus\n    peer address: 1.0.0.3\n")
    assert move(TUNNEL, 1) in text
    assert (
        "    peer must have\n"
        "        Gateways\n"
        "            local gateway: 1.0.0.3\n"
        "            local identity: venus, type FQDN\n"
        "            remote gateway: 1.0.0.100\n"
        "            remote identity: 1.0.0.100, type IPv4 address\n"
        "            authentication: pre-shared key\n"
        "            pre-shared key: the same as on the remote gateway\n"
        "            opened by: either side\n"
        "            firewall: UDP 500, UDP 4500 and ESP (IP protocol 50), both ways between the"
        " gateways\n"
        "            NAT traversal: on; ESP in UDP 4500 where either side wants it\n"
        "        Phase 1 (IKE)\n"
        "            version: IKEv2\n"
        "            encryption: AES-256-CBC\n"
        "            integrity and PRF: SHA-256\n"
        "            DH group: 14 (2048 bit)\n"
        "            lifetime: 14400 s\n"
        "            dead peer detection: after 30 s without traffic\n"
        "            action for a dead peer: clear (the remote gateway opens it)\n"
    ) in text
    # What is below is as conn-export has it, line for line.
    exported = vpn.good("conn-export", "to-venus", "--format=text")
    assert text.endswith(move(exported[exported.index("Phase 2") :], 2))
    for line in ("IKE policy: none (defaults)", "initiator: bi-directional (default)"):
        assert f"    {line}\n" in text
    assert "secret" not in text
    assert text == vpn.good("conn-show", "mercury/to-venus") == vpn.good("conn-show", "to-venus")


def test_each_child_sa_where_there_are_several(vpn: Svcctl, databases: Databases) -> None:
    name = find_uuid(databases)
    for number in (10, 0):
        facts = {"local_subnets": "192.168.1.0/24", "peer_subnets": f"192.168.{number}.0/24"}
        more = {"kind": "child_sa", "subject": "", "chassis": "hv1"}
        add_item(databases, f"{name}-{number}", facts, **more)
    text = vpn.good("conn-show", "to-venus")
    first, second = text.split("        child SA\n")[1:]
    assert first == (
        "            state: up\n"
        f"            since: {WHEN} (3 min)\n"
        "            subnets: 192.168.1.0/24 with 192.168.0.0/24\n"
        "            bytes in: 840\n"
        "            packets in: 10\n"
        "            bytes out: 84\n"
        "            packets out: 1\n"
    )
    assert "subnets: 192.168.1.0/24 with 192.168.10.0/24\n" in second


def test_a_tunnel_that_is_not_there(vpn: Svcctl, databases: Databases) -> None:
    databases.sb.transact({"op": "delete", "table": "Container_Item", "where": []})
    expected = "    tunnel: chassis hv1 has not reported on it yet\n"
    assert expected in vpn.good("conn-show", "to-venus")
    databases.nb.transact({"op": "delete", "table": "Service_Container", "where": []})
    text = vpn.good("vpn-show", "mercury")
    assert "    container: none\n" in text
    assert "        tunnel: no container runs\n" in text
    databases.nb.update("IPsec_Connection", [], status="disabled", enabled=False)
    text = vpn.good("vpn-show", "mercury")
    assert "        enabled: false\n        status: disabled\n" in text
    assert "tunnel:" not in text


def test_where_a_container_is_pinned_to(vpn: Svcctl, databases: Databases) -> None:
    databases.nb.insert("Container_Wish", name=CONTAINER, requested_chassis="hv2")
    for words in (("vpn-show", "mercury"), ("conn-show", "mercury", "to-venus")):
        assert "        chassis: hv1\n        pinned to: hv2\n" in vpn.good(*words)


def test_what_a_dead_chassis_said_is_marked(vpn: Svcctl, databases: Databases) -> None:
    row = {"weight": 1, "limit": -1, "alive": False, "since": WHEN_MS + 60_000}
    databases.sb.insert("Chassis_Weight", chassis="hv1", **row)
    since = "dead since 2023-11-14T22:14:20Z (2 min)"
    text = vpn.good("vpn-show", "mercury")
    assert f"        chassis: hv1, {since}\n" in text
    assert f"        tunnel (the last word of chassis hv1, {since})\n" in text
    databases.sb.update("Chassis_Weight", [], alive=True)
    assert "        tunnel\n" in vpn.good("vpn-show", "mercury")


def test_without_the_southbound(vpn: Svcctl, tmp_path: Path) -> None:
    """As far as it can be told, with the word that the rest is missing."""
    result = vpn(f"--sb-db=unix:{tmp_path}/nobody", "conn-show", "to-venus")
    assert result.status == 0
    assert result.stderr.startswith("svcctl: warning: what only the southbound knows is left out: ")
    for line in (
        "status: up",
        f"container {CONTAINER}",
        "    chassis: hv1",
        "tunnel: not known, since the southbound cannot be read",
        "peer must have",
    ):
        assert f"    {line}\n" in result.stdout


def test_a_connection_with_a_problem(vpn: Svcctl, databases: Databases) -> None:
    databases.nb.update("IPsec_Connection", [], peer_address="x")
    assert vpn.good("conn-show", "to-venus").endswith(
        "    peer must have: not known: mercury/to-venus: peer address: x is not an IP address\n"
    )


def test_no_row_says_more_than_its_line(vpn: Svcctl, databases: Databases) -> None:
    """Whatever a row holds, it is told in one line, without what a terminal takes for commands."""
    before = [len(vpn.good(command, "hv1").splitlines()) for command in ("vpn-show", "conn-show")]
    hostile = "up\n    status: up\r\x1b[2J"
    databases.nb.update("IPsec_Connection", [], name=hostile, status_message=hostile)
    databases.nb.update("VPN_Service", [], name=hostile)
    databases.sb.update(
        *("Container_Item", [["chassis", "==", "hv1"]]),
        message=hostile,
        detail=to_map({**DETAIL, "nat": hostile, "last_error": hostile}),
    )
    for command, lines in zip(("vpn-show", "conn-show"), before, strict=True):
        text = vpn.good(command, "hv1")
        assert all(line.isprintable() for line in text.splitlines())
        # The message of the tunnel is a line more; what the peer must have is one sentence.
        assert len(text.splitlines()) == (lines + 1 if command == "vpn-show" else lines + 1 - 34)
