"""conn-export: the other side's configuration from the rows, and who is told the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .ovsdb import Databases
from .svcctl import Svcctl, add_router

MARK = "correct-horse-battery"


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl, tmp_path: Path) -> Svcctl:
    """A VPN service with a connection."""
    add_router(databases, "r")
    (tmp_path / "psk").write_text(f"{MARK}\n")
    svcctl.good("init", "--", "vpn-add", "mercury", "r", "1.0.0.100", "192.168.1.0/24")
    add_connection(svcctl, tmp_path, "to-venus", "192.168.2.0/24")
    return svcctl


def add_connection(svcctl: Svcctl, path: Path, name: str, subnet: str, *options: str) -> None:
    words = ("conn-add", "mercury", name, "1.0.0.3", subnet, f"--psk-file={path}/psk")
    svcctl.good(*words, *options)


def test_a_connection_is_exported_as_swanctl_conf(vpn: Svcctl) -> None:
    text = vpn.good("conn-export", "mercury", "to-venus")
    for line in (
        "# The gateway 1.0.0.3 of connection mercury/to-venus.",
        "        local_addrs = 1.0.0.3",
        "        remote_addrs = 1.0.0.100",
        "        proposals = aes256-sha256-modp2048",
        '            id = "1.0.0.3"',
        "                local_ts = 192.168.2.0/24",
        "                remote_ts = 192.168.1.0/24",
    ):
        assert f"{line}\n" in text
    assert MARK not in text


@pytest.mark.parametrize("name", ["swanctl", "ipsec.conf", "vyos", "text", "json"])
def test_each_format_has_the_key_for_who_asks_for_it(vpn: Svcctl, name: str) -> None:
    vpn.good("conn-set", "mercury", "to-venus", "--peer-id=venus")
    words = ("conn-export", "mercury", "to-venus", f"--format={name}")
    hidden = vpn.good(*words)
    assert MARK not in hidden
    shown = vpn.good(*words, "--show-secrets")
    assert shown == vpn.good("--show-secrets", *words)
    assert len(shown) >= len(hidden) or name != "json"
    assert shown != hidden
    assert "venus" in shown
    assert "1.0.0.100" in shown


def test_the_format_may_stand_before_the_command(vpn: Svcctl) -> None:
    document = json.loads(vpn.good("--format=json", "conn-export", "mercury", "to-venus"))
    assert document["remote_address"] == "1.0.0.100"
    expected = 'format "csv" is none of swanctl, ipsec.conf, vyos, text, json'
    assert vpn.bad("--format=csv", "conn-export", "mercury", "to-venus") == expected
    assert vpn.bad("conn-export", "mercury", "to-venus", "--format=csv") == expected


def test_options_and_policies_of_the_connection_are_the_other_sides_too(vpn: Svcctl) -> None:
    vpn.good("ike-policy-add", "i", "ike_version=v1", "lifetime=7200", "pfs=group15")
    vpn.good("ipsec-policy-add", "e", "esn=true", "pfs=group15", "lifetime_bytes=1000000000")
    vpn.good(
        *("conn-set", "mercury", "to-venus", "--initiator=response-only", "--mtu=1300"),
        *("--dpd-interval=15", "--dpd-timeout=60", "--force-udp-encapsulation=true"),
        *("--ike-policy=i", "--ipsec-policy=e", "--peer-id=@venus", "--local-id=@mercury"),
        "--peer-subnets=192.168.2.0/24,192.168.3.0/24",
    )
    side = json.loads(vpn.good("conn-export", "mercury", "to-venus", "--format=json"))
    [child] = side.pop("children")
    assert side == {
        "local_address": "1.0.0.3",
        "remote_address": "1.0.0.100",
        "local_id": "@venus",
        "remote_id": "@mercury",
        "ike_version": 1,
        "ike_proposals": ["aes256-sha256-modp3072"],
        "ike_lifetime_s": 7200,
        "force_udp_encapsulation": True,
        "must_initiate": True,
        "reopens": True,
        "dpd_interval_s": 15,
        "dpd_timeout_s": 60,
        "psk": None,
    }
    assert child == {
        "name": "mercury/to-venus",
        "label": "mercury_to-venus",
        "local_subnets": ["192.168.2.0/24", "192.168.3.0/24"],
        "remote_subnets": ["192.168.1.0/24"],
        "esp_proposals": ["aes256-sha256-modp3072-esn"],
        "esp_lifetime_s": 3600,
        "esp_lifetime_bytes": 1000000000,
        "mtu": 1300,
        "tcp_mss": 1260,
    }


def test_the_size_of_packets_follows_from_the_containers(vpn: Svcctl, databases: Databases) -> None:
    words = ("conn-export", "to-venus", "--format=text")
    assert "    inner MTU: 1342 bytes" in vpn.good(*words)
    databases.nb.update("SVC_Global", [], options=["map", [["container-mtu", "8900"]]])
    text = vpn.good(*words)
    assert "    inner MTU: 8800 bytes" in text
    assert "    TCP MSS: 8760 bytes" in text


def test_a_connection_is_found_by_whatever_names_it(
    vpn: Svcctl, databases: Databases, tmp_path: Path
) -> None:
    text = vpn.good("conn-export", "mercury", "to-venus")
    [row] = databases.nb.rows("IPsec_Connection")
    uuid = row["_uuid"][1]
    known = [("to-venus",), ("mercury/to-venus",), (uuid,), ("mercury", uuid)]
    for words in known:
        assert vpn.good("conn-export", *words) == text
    add_connection(vpn, tmp_path, "a/b", "192.168.4.0/24")
    assert "mercury/a/b" in vpn.good("conn-export", "a/b")
    assert "mercury/a/b" in vpn.good("conn-export", "mercury/a/b")
    add_router(databases, "r2", "2.0.0.2/24")
    vpn.good("vpn-add", "mars", "r2", "2.0.0.100", "192.168.1.0/24")
    mars = ("conn-add", "mars", "to-venus", "1.0.0.3", "192.168.2.0/24")
    assert vpn(*mars, f"--psk-file={tmp_path}/psk").status == 0
    assert vpn.bad("conn-export", "to-venus") == (
        "to-venus may mean connection mars/to-venus, connection mercury/to-venus; name one of them"
    )
    assert vpn.bad("conn-export", "x") == "x: connection not found"
    assert vpn.bad("conn-export", "mars", "x") == "x: connection not found in VPN service mars"


def test_connections_of_one_ike_sa_are_exported_together(vpn: Svcctl, tmp_path: Path) -> None:
    add_connection(vpn, tmp_path, "more", "192.168.4.0/24")
    add_connection(vpn, tmp_path, "other", "192.168.5.0/24", "--peer-id=@other")
    add_connection(vpn, tmp_path, "off", "192.168.6.0/24", "--enabled=false")
    side = json.loads(vpn.good("conn-export", "more", "--format=json"))
    assert [each["name"] for each in side["children"]] == ["mercury/more", "mercury/to-venus"]


def test_what_has_a_problem_is_not_exported(vpn: Svcctl, databases: Databases) -> None:
    """Whatever a row holds, it is refused in one line, or written so that it is read back."""
    databases.nb.update("IPsec_Connection", [], peer_id='a"b{\\}#')
    assert 'id = "a\\"b{\\\\}#"\n' in vpn.good("conn-export", "to-venus")
    assert vpn.bad("conn-export", "to-venus", "--format=vyos") == (
        'mercury/to-venus: vyos cannot say the identity a"b{\\}#'
    )
    databases.nb.update("IPsec_Connection", [], peer_id="a\n}", name="x\ny")
    assert vpn.bad("conn-export", "mercury", "x\ny").startswith('"mercury/x\\ny": name ')
    databases.nb.update("IPsec_Connection", [], name="to-venus")
    assert 'peer id "a\\n}" has a character' in vpn.bad("conn-export", "to-venus")
    databases.nb.update("VPN_Service", [], external_ips="1.0.0")
    assert vpn.bad("conn-export", "to-venus") == (
        "mercury/to-venus: its VPN service has a problem:"
        " external address: 1.0.0 is not an IP address"
    )


def test_one_that_cannot_be_served_beside_others_is_warned_of(
    vpn: Svcctl, databases: Databases
) -> None:
    problem = "connection x has the same addresses"
    for status, message in (("error", problem), ("up", f"still as configured before: {problem}")):
        databases.nb.update("IPsec_Connection", [], status=status, status_message=message)
        result = vpn("conn-export", "to-venus")
        warning = f"svcctl: warning: mercury/to-venus: {message}\n"
        assert (result.status, result.stderr) == (0, warning)


def test_the_key_is_in_no_log(vpn: Svcctl, tmp_path: Path) -> None:
    log = tmp_path / "svcctl.log"
    words = ("conn-export", "to-venus", "--show-secrets", "--format=text")
    options = ("-vconsole:dbg", "-vfile:dbg", f"--log-file={log}")
    process = vpn.start(*vpn.remotes(), *options, *words)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert MARK in out
    for told in (err, log.read_text()):
        assert "connected to" in told
        assert MARK not in told
