"""The commands that know what a VPN, a group and a chassis are."""

from __future__ import annotations

import re

import pytest

from .ovsdb import Databases
from .svcctl import WHEN, WHEN_MS, Svcctl, add_router

ADD_VPN = ("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
VPN_ADD = "vpn-add VPN ROUTER EXTERNAL_IP[,..] LOCAL_SUBNET[,..]"
ADD_CONN = ("conn-add", "mercury", "to-venus", "1.0.0.3", "192.168.2.0/24", "--psk=secret")


@pytest.fixture
def cloud(databases: Databases) -> Databases:
    """A router in OVN and two chassis in the southbound."""
    add_router(databases, "tenant-router")
    add_router(databases, "other-router")
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name, hostname=f"{name}.cloud", service_types="ipsec")
    return databases


@pytest.fixture
def vpn(cloud: Databases, svcctl: Svcctl) -> Svcctl:
    """A VPN service with a connection and a group."""
    svcctl.good("group-add", "vpns", "least")
    svcctl.good(*ADD_VPN, "--group=vpns")
    assert svcctl(*ADD_CONN).status == 0
    return svcctl


def status_of(svcctl: Svcctl, *words: str) -> int:
    return svcctl(*words).status


def test_a_vpn_from_three_commands(vpn: Svcctl, databases: Databases) -> None:
    [service] = databases.nb.rows("VPN_Service")
    [connection] = databases.nb.rows("IPsec_Connection")
    [group] = databases.nb.rows("Container_Group")
    assert (service["name"], service["router"]) == ("mercury", "tenant-router")
    assert (service["external_ips"], service["local_subnets"]) == ("1.0.0.100", "192.168.1.0/24")
    assert (service["connections"], service["group"]) == (connection["_uuid"], group["_uuid"])
    assert (group["name"], group["policy"]) == ("vpns", "least")
    assert (connection["name"], connection["peer_address"]) == ("to-venus", "1.0.0.3")
    assert (connection["peer_subnets"], connection["psk"]) == ("192.168.2.0/24", "secret")


def test_lists_show_state_and_reason(vpn: Svcctl, databases: Databases) -> None:
    message = "to-venus: no answer from 1.0.0.3"
    databases.nb.update("VPN_Service", [], status="down", status_message=message)
    since = {"status": "down", "since": WHEN_MS}
    databases.nb.update("IPsec_Connection", [], status_message="no answer", **since)
    assert vpn.good("vpn-list") == (
        "name    router        external  local          group connections status since reason\n"
        "------- ------------- --------- -------------- ----- ----------- ------ ----- "
        "--------------------------------\n"
        "mercury tenant-router 1.0.0.100 192.168.1.0/24 vpns  1           down         "
        "to-venus: no answer from 1.0.0.3\n"
    )
    assert re.fullmatch(
        "name     peer    subnets        ike-policy ipsec-policy status since  +reason\n"
        "-------- ------- -------------- ---------- ------------ ------ -+ ---------\n"
        f"to-venus 1.0.0.3 192.168.2.0/24                         down   {WHEN} "
        r"\([0-9]+ d\) no answer\n",
        vpn.good("conn-list", "mercury"),
    )
    assert vpn.good("-f", "csv", "--no-headings", "conn-list", "mercury") == (
        f"to-venus,1.0.0.3,192.168.2.0/24,,,down,{WHEN},no answer\n"
    )
    assert vpn.good("-f", "json", "group-list") == (
        '{"data":[["vpns","least","","","",0,["set",["mercury"]],0]],'
        '"headings":["name","policy","chassis-group","port-group","spread","standby",'
        '"services","containers"]}\n'
    )


def test_show(vpn: Svcctl, databases: Databases) -> None:
    databases.nb.update("VPN_Service", [], status="up")
    databases.nb.insert(
        "Service_Container",
        name="vpn-0123456789a",
        service_type="ipsec",
        chassis="hv1",
        status_code="running",
        status_message="",
    )
    service = (
        "vpn mercury (router tenant-router)\n"
        "    external: 1.0.0.100\n"
        "    local: 192.168.1.0/24\n"
        "    group: vpns\n"
        "    status: up\n"
        "    connection to-venus\n"
        "        peer: 1.0.0.3\n"
        "        peer subnets: 192.168.2.0/24\n"
    )
    container = "container vpn-0123456789a (ipsec)\n    chassis: hv1\n    status: running\n"
    assert vpn.good("show") == service + container
    assert vpn.good("show", "mercury") == service
    assert vpn.good("show", "vpn-0123456789a") == container
    assert vpn.bad("show", "x") == "x: neither a service nor a container has this name"


def test_deleting_leaves_nothing(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("conn-del", "mercury", "to-venus")
    assert databases.nb.rows("IPsec_Connection") == []
    assert status_of(vpn, *ADD_CONN) == 0
    vpn.good("vpn-del", "mercury")
    vpn.good("group-del", "vpns")
    assert not any(databases.nb.dump().values())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("vpn-add venus x 1.0.0.101 10.0.0.0/24", "venus: router x not found in OVN_Northbound"),
        ("vpn-add venus other-router 1.0.0.101 10.0.0.0", "is not a subnet (as 192.168.1.0/24)"),
        ("vpn-add venus other-router 1.0.0.101 10.0.0.1/24", "did you mean 10.0.0.0/24?"),
        (
            "vpn-add venus other-router 1.0.0.101 10.0.0.0/24,10.0.0.0/25",
            "venus: local subnet 10.0.0.0/25 overlaps local subnet 10.0.0.0/24",
        ),
        ("vpn-add venus other-router 1.0.0 10.0.0.0/24", "external address: 1.0.0 is not an IP"),
        ("vpn-add venus other-router 1.0.0.1,1.0.0.2 10.0.0.0/24", 'mode "routed" takes one'),
        ("vpn-add venus other-router 1.0.0.1 10.0.0.0/24,", 'local subnet: "" is not a subnet'),
        ("vpn-add venus other-router 10.0.0.1 10.0.0.0/24", "is inside local subnet 10.0.0.0/24"),
        ("vpn-add venus other-router 1.0.0.100 10.0.0.0/24", "already used by VPN service mercury"),
        ("vpn-add mars other-router 1.0.0.100 10.0.0.0/24", "mars: external address 1.0.0.100 is"),
        ("vpn-add venus other-router fd00::1 10.0.0.0/24", "fd00::1: IPv6 is not yet served"),
        (
            "vpn-add venus other-router 1.0.0.1 10.0.0.0/24 --mode=shared",
            'venus: address mode "shared" is not yet served; only "routed" is',
        ),
        ("vpn-add venus other-router 1.0.0.1 10.0.0.0/24 --mode=x", 'venus: mode "x" is none of'),
        ("vpn-add venus other-router 1.0.0.1 10.0.0.0/24 --group=x", "x: group not found"),
        (
            "vpn-add mercury other-router 1.0.0.1 10.0.0.0/24",
            "mercury: a VPN service with this name already exists",
        ),
        (
            "--may-exist vpn-add mercury other-router 1.0.0.100 192.168.1.0/24",
            "mercury: a VPN service with this name already exists, with another router",
        ),
        (
            "vpn-add venus other-router 1.0.0.1",
            f"'vpn-add' command requires at least 4 arguments: {VPN_ADD}",
        ),
        ("vpn-add a b c d e", f"'vpn-add' command takes at most 4 arguments: {VPN_ADD}"),
        (
            "vpn-add venus other-router 1.0.0.1 10.0.0.0/24 --grop=x",
            "'vpn-add' command has no '--grop' option",
        ),
        ("vpn-del venus", "venus: VPN service not found"),
        ("conn-list venus", "venus: VPN service not found"),
        ("conn-add venus c 1.0.0.4 10.9.0.0/24 --psk=x", "venus: VPN service not found"),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24", "c: no pre-shared key is given"),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=", "c: the pre-shared key is empty"),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk-file=/nono",
            "--psk-file=/nono: No such file or directory",
        ),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk-file=/dev/null",
            "--psk-file=/dev/null: the pre-shared key is empty",
        ),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk-file=/dev/zero", "longer than 4096 bytes"),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk-file=/tmp", "/tmp: Is a directory"),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk-file=/dev/null --psk=x",
            "c: --psk-file and --psk exclude each other",
        ),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --cert=x", "by certificate is not yet served"),
        (
            "conn-add mercury c 1.0.0.4 192.168.1.0/24 --psk=x",
            "c: peer subnet 192.168.1.0/24 overlaps local subnet 192.168.1.0/24",
        ),
        (
            "conn-add mercury a 1.0.0.4 192.168.2.0/25 --psk=x",
            "a: peer subnet 192.168.2.0/25 overlaps peer subnet 192.168.2.0/24 "
            "of connection to-venus",
        ),
        (
            "conn-add mercury c 1.0.0.3 10.9.0.0/24 --psk=x",
            "c: connection to-venus has the same local and peer id with another pre-shared key",
        ),
        (
            "conn-add mercury to-venus 1.0.0.4 10.9.0.0/24 --psk=x",
            "to-venus: a connection with this name already exists",
        ),
        (
            "--may-exist conn-add mercury to-venus 1.0.0.4 192.168.2.0/24 --psk=secret",
            "to-venus: a connection with this name already exists, with another peer_address",
        ),
        ("conn-add mercury c venus 10.9.0.0/24 --psk=x", "peer address: venus is not an IP"),
        ("conn-add mercury c 1.0.0.100 10.9.0.0/24 --psk=x", "service's own external address"),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --mtu=1e3", 'c: --mtu: "1e3" is not'),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --mtu=20", "c: --mtu: 20 is not in the"),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --dpd-timeout=20",
            "c: dpd_timeout (20 s) must be greater than dpd_interval (30 s)",
        ),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --initiator=both",
            "c: --initiator: both is not one of the allowed values "
            "([bi-directional, response-only])",
        ),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --ike-policy=p", "p: IKE policy not"),
        ("conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --peer-id=", "c: the peer id is empty"),
        ("conn-del mercury c", "c: connection not found in VPN service mercury"),
        ("conn-del venus c", "venus: VPN service not found"),
        ("ike-policy-add p lifetime=1", "p: lifetime: 1 is not in the valid range"),
        ("ike-policy-add p lifetime=an-hour", 'p: lifetime: "an-hour" is not a valid integer'),
        ("ike-policy-add p cipher=x", "IKE_Policy does not contain a column whose name matches"),
        ("ike-policy-add p name=x", "p: name=x: not a column that can be set here"),
        ("ike-policy-add p pfs", 'pfs: argument does not end in "=" followed by a value.'),
        (
            "ike-policy-add p ike_version=v1 encryption_algorithm=aes-256-gcm-16",
            "p: IKE v1 cannot use aes-256-gcm-16; use ike_version v2 or aes-256",
        ),
        (
            "ipsec-policy-add p encryption_algorithm=aes-256-gcm-16 auth_algorithm=sha256",
            "p: aes-256-gcm-16 authenticates by itself; auth_algorithm must be empty",
        ),
        (
            "ike-policy-add p pfs=group14,group2",
            "p: pfs: group2 is not one of the allowed values",
        ),
        (
            "ike-policy-add p ike_version=v1 encryption_algorithm=aes-128,aes-192,aes-256 "
            "auth_algorithm=sha256,sha384,sha512 pfs=group14,group19,group20",
            "p: IKE v1 offers each combination of algorithms by itself; 27 are too many, 24 are",
        ),
        (
            "ike-policy-add p ike_version=v1 -- ipsec-policy-add q pfs=none,group14 -- "
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --ike-policy=p --ipsec-policy=q",
            "c: policy q: IKE v1 takes one pfs, not 2",
        ),
        (
            "ike-policy-add p ike_version=v1 -- conn-set mercury to-venus --ike-policy=p -- "
            "conn-add mercury c 1.0.0.3 10.9.0.0/24 --psk=x --ike-policy=p --peer-id=other",
            "c: connection to-venus has the same addresses with another pre-shared key",
        ),
        (
            "conn-add mercury c 1.0.0.4 10.9.0.0/24 --psk=x --peer-id=@*.example.com",
            "c: peer id @*.example.com stands for several names; a pre-shared key needs one peer",
        ),
        ("ike-policy-del p", "p: IKE policy not found"),
        ("ipsec-policy-del p", "p: IPsec policy not found"),
        ("group-add vpns", "vpns: a group with this name already exists"),
        ("--may-exist group-add vpns weighted", "already exists, with another policy"),
        (
            "group-add g fastest",
            "g: policy fastest is not served; use least, load, random or weighted",
        ),
        ("group-del vpns", "vpns: used by VPN service mercury"),
        ("group-del g", "g: group not found"),
        ("group-set-chassis-group g", "g: group not found"),
        ("group-set-chassis-group vpns cg", "cg: chassis group not found"),
        ("chassis-group-add cg hv1 hv9", "hv9: chassis not found in the southbound"),
        (
            "chassis-group-add cg",
            "'chassis-group-add' command requires at least 2 arguments: chassis-group-add "
            "CHASSIS_GROUP CHASSIS..",
        ),
        ("chassis-group-del cg", "cg: chassis group not found"),
        ("chassis-set-weight hv9 1", "hv9: chassis not found in the southbound"),
        ("chassis-set-weight hv1 many", 'hv1: "many" is not a valid integer'),
        ("chassis-set-weight hv1 -1", "hv1: -1 is not in the valid range"),
        ("chassis-set-limit hv1 -2", "hv1: -2 is not in the valid range"),
        ("chassis-set-limit hv1 1.5", 'hv1: "1.5" is not a valid integer'),
        ("chassis-drain hv9", "hv9: chassis not found in the southbound"),
        ("chassis-undrain hv9", "hv9: chassis not found in the southbound"),
        ("container-show x", "x: container not found"),
        ("container-pin x hv1", "x: container not found"),
        ("set-connection pssl:abc", "pssl:abc: 'abc' is not a port: it must be pssl:[PORT][:IP]"),
        ("set-connection ptcp:65536", "ptcp:65536: '65536' is not a port"),
        ("set-connection ptcp:1:x", "ptcp:1:x: 'x' is not an IP address"),
        ("set-connection tcp:foo:0", "tcp:foo:0: it must be tcp:HOST[:PORT]"),
        ("set-connection tcp::5", "tcp::5: it must be tcp:HOST[:PORT]"),
        ("set-connection tcp:256.1.1.1:4", "tcp:256.1.1.1:4: it must be tcp:HOST[:PORT]"),
        ("set-connection tcp:1.2.3.4:5:6", "tcp:1.2.3.4:5:6: it must be tcp:HOST[:PORT]"),
        ("set-connection punix:", "punix:: a path must follow punix:"),
        ("set-connection nonsense", "nonsense: a target is ptcp:, pssl:, punix:, tcp:"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(vpn: Svcctl, words: str, reason: str) -> None:
    assert reason in vpn.bad(*words.split(" "))


def test_empty_names(vpn: Svcctl) -> None:
    assert vpn.bad(*("vpn-add", "", *ADD_VPN[2:])) == '"": the name is empty'
    assert vpn.bad(*("vpn-add", "x", "", *ADD_VPN[3:])) == "x: no router is given"
    assert vpn.bad("group-add", "").startswith('"": not a name')
    assert vpn.bad("chassis-drain", "") == '"": not the name of a chassis'
    assert vpn.bad("ike-policy-add", "") == '"": the name is empty'


def test_may_exist_and_if_exists_change_nothing(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("ike-policy-add", "strong", "pfs=group19")
    vpn.good("chassis-group-add", "cg", "hv1", "hv2")
    before = databases.nb.dump()
    assert status_of(vpn, *ADD_CONN, "--may-exist") == 0
    vpn.good(*ADD_VPN, "--may-exist", "--group=vpns")
    vpn.good(*ADD_VPN, "--may-exist")
    vpn.good("--may-exist", "group-add", "vpns", "least")
    vpn.good("--may-exist", "group-add", "vpns")
    vpn.good("--may-exist", "ike-policy-add", "strong", "pfs=group19")
    vpn.good("--may-exist", "chassis-group-add", "cg", "hv2", "hv1")
    vpn.good("--if-exists", "vpn-del", "x", "--", "--if-exists", "conn-del", "mercury", "x")
    vpn.good("conn-del", "x", "y", "--if-exists", "--", "group-del", "x", "--if-exists")
    vpn.good("ike-policy-del", "x", "--if-exists", "--", "chassis-group-del", "x", "--if-exists")
    assert databases.nb.dump() == before


def test_policies(vpn: Svcctl, databases: Databases) -> None:
    ciphers = "encryption_algorithm=aes-256-gcm-16,aes-256"
    vpn.good("ike-policy-add", "ike", ciphers, "pfs=group19")
    vpn.good(
        "ipsec-policy-add",
        "esp",
        "pfs=none",
        "esn=true",
        "lifetime=1800",
        "lifetime_bytes=1000000000",
    )
    assert vpn.good("--bare", "ipsec-policy-list").split("\n")[:4] == ["esp", "", "", ""]
    assert vpn.good("--no-headings", "ike-policy-list") == (
        "ike sha256 (default) [aes-256, aes-256-gcm-16] v2 (default) 14400 (default) [group19]\n"
    )
    assert vpn.good("--no-headings", "ipsec-policy-list") == (
        "esp sha256 (default) tunnel (default) aes-256 (default) true 1800 1000000000 [none] "
        "esp (default)\n"
    )
    assert '["set",[]]' in vpn.good("-f", "json", "ike-policy-list")
    vpn.good("ipsec-policy-add", "usual")
    assert "[group14, none] (default)" in vpn.good("--wide", "ipsec-policy-list")
    shown = vpn.good("ipsec-policy-list")
    assert shown.startswith("name  auth_algorithm ")
    assert max(map(len, shown.splitlines())) <= 120
    vpn.good("ipsec-policy-del", "usual")
    names = (
        "--ike-policy=ike",
        "--ipsec-policy=esp",
        "--mtu=1300",
        "--dpd-action=clear",
        "--force-udp-encapsulation=true",
    )
    assert status_of(vpn, *ADD_CONN[:2], "c2", "1.0.0.4", "10.9.0.0/24", "--psk=x", *names) == 0
    [row] = databases.nb.rows("IPsec_Connection", [["name", "==", "c2"]])
    [ike], [esp] = databases.nb.rows("IKE_Policy"), databases.nb.rows("IPsec_Policy")
    assert (row["ike_policy"], row["ipsec_policy"]) == (ike["_uuid"], esp["_uuid"])
    assert (row["mtu"], row["dpd_action"], row["force_udp_encapsulation"]) == (1300, "clear", True)
    assert (esp["lifetime"], esp["lifetime_bytes"]) == (1800, 10**9)
    assert "ike        esp" in vpn.good("conn-list", "mercury")
    assert vpn.bad("ike-policy-del", "ike") == "ike: used by connection c2"
    assert vpn.bad("ipsec-policy-del", "esp") == "esp: used by connection c2"
    vpn.good("conn-del", "mercury", "c2", "--", "ike-policy-del", "ike")
    vpn.good("ipsec-policy-del", "esp")
    assert databases.nb.rows("IKE_Policy") == databases.nb.rows("IPsec_Policy") == []


def test_groups(vpn: Svcctl, databases: Databases) -> None:
    vpn.good("chassis-group-add", "fast", "hv2", "hv1")
    vpn.good("group-set-chassis-group", "vpns", "fast")
    assert vpn.good("--bare", "chassis-group-list") == "fast\nhv1, hv2\n"
    assert vpn.good("--bare", "group-list") == "vpns\nleast\nfast\n\n\n0\nmercury\n0\n"
    assert vpn.bad("chassis-group-del", "fast") == "fast: used by group vpns"
    vpn.good("group-set-chassis-group", "vpns")
    vpn.good("chassis-group-del", "fast")
    assert databases.nb.rows("Chassis_Group") == []


def test_no_name_breaks_a_line_or_the_terminal(vpn: Svcctl, databases: Databases) -> None:
    name = "a\x1b[2Jb\nc\x9bd\u202e"
    shown = "a\\u001b[2Jb\\nc\\u009bd\\u202e"
    databases.nb.update("VPN_Service", [], name=name)
    databases.nb.update("IPsec_Connection", [], status="error", status_message=name)
    for words in (
        ("vpn-list",),
        ("--bare", "vpn-list"),
        ("-f", "csv", "vpn-list"),
        ("-f", "json", "vpn-list"),
        ("show",),
        ("-d", "bare", "list", "VPN_Service"),
        ("list", "VPN_Service"),
        ("get", "VPN_Service", ".", "name"),
        ("conn-list", "."),
    ):
        out = vpn.good(*words)
        assert shown in out, words
        assert all(line.isprintable() for line in out.split("\n")), words
    assert len(vpn.good("vpn-list").split("\n")) == 4
    databases.nb.update("VPN_Service", [], name="")
    databases.nb.update("IPsec_Connection", [], name="")
    assert vpn.good("show", "").startswith('vpn "" (router tenant-router)\n')
    assert '    connection ""\n' in vpn.good("show")


def test_what_has_no_table_takes_no_format(vpn: Svcctl) -> None:
    for words in ("show", "status", "container-show x"):
        reason = vpn.bad("-f", "json", *words.split())
        assert reason == f"'{words.split()[0]}' prints text, not a table; leave out --format"
    vpn.good("--bare", "show")


def test_connections_and_keys_of_the_database(svcctl: Svcctl, databases: Databases) -> None:
    svcctl.good("set-connection", "ptcp::[::1]", "tcp:127.0.0.1", "ssl:[fd00::1]:1", "unix:x")
    svcctl.good("set-connection", "ptcp:0:127.0.0.1", "--inactivity-probe=9000")
    assert svcctl.good("get-connection") == "ptcp:0:127.0.0.1\n"
    assert [row["inactivity_probe"] for row in databases.nb.rows("Connection")] == [9000]
    told = svcctl("set-connection", "pssl:1", "read-only", "pssl:2").stderr
    assert "pssl:2: who may only read SVC_Northbound there can convert it" in told
    assert "use 'read-only role=svc-reader'" in told
    assert svcctl.good("get-connection") == "pssl:1\nread-only pssl:2\n"
    told = svcctl("set-connection", "role=x", "pssl:1").stderr
    assert "role x of pssl:1 is none of ovnsvc's: nobody can write there" in told
    svcctl.good("set-connection", "punix:other.sock", "--", "set-ssl", "k", "c", "ca")
    assert svcctl.good("get-connection") == "punix:other.sock\n"
    assert svcctl.good("get-ssl") == (
        "Private key: k\nCertificate: c\nCA Certificate: ca\nBootstrap: false\n"
    )
    svcctl.good("del-connection", "--", "del-ssl")
    assert svcctl.good("get-connection", "--", "get-ssl") == ""
    assert len(databases.nb.rows("SVC_Global")) == 1


@pytest.mark.parametrize("name", ["sb", "ovn_nb"])
def test_a_database_that_does_not_answer(vpn: Svcctl, databases: Databases, name: str) -> None:
    getattr(databases, name).stop()
    words = {
        "sb": ("chassis-drain", "hv1"),
        "ovn_nb": ("vpn-add", "venus", "other-router", "1.0.0.101", "10.0.0.0/24"),
    }[name]
    reason = vpn.bad(*words)
    assert "cannot be looked up (--no-check omits that)" in reason
    assert "database connection failed (No such file or directory)" in reason
    vpn.good("--no-check", *words)
    if name == "sb":
        assert "connection failed" in vpn.bad("chassis-list")


def test_a_router_may_be_named_by_its_uuid(cloud: Databases, svcctl: Svcctl) -> None:
    [row] = cloud.ovn_nb.rows("Logical_Router", [["name", "==", "tenant-router"]])
    svcctl.good("vpn-add", "a", row["_uuid"][1], "1.0.0.100", "192.168.1.0/24")
    cloud.ovn_nb.insert("Logical_Router", name="tenant-router")
    reason = svcctl.bad("vpn-add", "b", "tenant-router", "1.0.0.101", "192.168.1.0/24")
    assert reason == (
        "b: 2 routers of OVN_Northbound are named tenant-router; give the UUID of one"
    )
