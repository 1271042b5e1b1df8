"""What svcctl asks of OVN and of other rows before it writes; conn-set; pre-shared keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from .ovsdb import Databases
from .svcctl import Svcctl, add_router


@pytest.fixture
def cloud(databases: Databases) -> Databases:
    """Two routers in OVN."""
    add_router(databases, "tenant-router")
    add_router(databases, "other-router")
    return databases


@pytest.fixture
def vpn(cloud: Databases, svcctl: Svcctl, tmp_path: Path) -> Svcctl:
    """A VPN service with a connection."""
    (tmp_path / "first").write_text("secret")
    svcctl.good("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
    words = ("conn-add", "mercury", "to-venus", "1.0.0.3", "192.168.2.0/24")
    svcctl.good(*words, f"--psk-file={tmp_path}/first")
    return svcctl


def put_into(router: str, column: str, name: str) -> dict[str, object]:
    """Returns the operation that adds a row of the same transaction to a router."""
    return {
        "op": "mutate",
        "table": "Logical_Router",
        "where": [["name", "==", router]],
        "mutations": [[column, "insert", ["named-uuid", name]]],
    }


@pytest.fixture
def routers(vpn: Svcctl, cloud: Databases) -> Svcctl:
    """Routers that cannot serve, or not every address; and the VPN service venus."""
    add_router(cloud, "at-home", options=["map", [["chassis", "hv1"]]])
    add_router(cloud, "forked", "2.0.0.2/24")
    cloud.ovn_nb.insert("Logical_Router", name="inner")
    nat = {"type": "snat", "external_ip": "1.0.0.150", "logical_ip": "10.1.0.0/24"}
    port = {"name": "gw2", "mac": "02:00:00:00:00:02", "networks": "3.0.0.2/24"}
    chassis = {"name": "gw2-hv1", "chassis_name": "hv1"}
    bound = {**port, "gateway_chassis": ["named-uuid", "chassis"]}
    cloud.ovn_nb.transact(
        {"op": "insert", "table": "NAT", "uuid-name": "nat", "row": nat},
        {"op": "insert", "table": "Gateway_Chassis", "uuid-name": "chassis", "row": chassis},
        {"op": "insert", "table": "Logical_Router_Port", "uuid-name": "port", "row": bound},
        put_into("other-router", "nat", "nat"),
        put_into("forked", "ports", "port"),
    )
    vpn.good("vpn-add", "venus", "other-router", "1.0.0.101", "192.168.7.0/24")
    return vpn


@pytest.mark.parametrize(
    ("router", "address", "reason"),
    [
        ("at-home", "1.0.0.9", "router at-home is a gateway router, which is not served yet"),
        ("inner", "1.0.0.9", "router inner has no distributed gateway port"),
        (
            *("other-router", "1.0.0.2"),
            "external address 1.0.0.2 is used by router other-router itself; "
            "mode routed needs one of its own",
        ),
        (
            *("other-router", "1.0.0.150"),
            "external address 1.0.0.150 is used by a NAT rule of router other-router",
        ),
        (
            *("forked", "4.0.0.1"),
            "external address 4.0.0.1 is in no network of the 2 gateway ports of router forked",
        ),
    ],
)
def test_a_service_that_its_router_cannot_have(
    routers: Svcctl, router: str, address: str, reason: str
) -> None:
    words = ("vpn-add", "mars", router, address, "192.168.7.0/24")
    assert routers.bad(*words) == f"mars: {reason}"
    routers.good("--dry-run", "--no-check", *words)


@pytest.mark.parametrize(
    ("peer", "subnet", "reason"),
    [
        (
            "1.0.0.2",
            "10.9.0.0/24",
            "peer address 1.0.0.2 is an address of router other-router itself",
        ),
        (
            *("5.0.0.4", "1.0.0.0/25"),
            "peer subnet 1.0.0.0/25 overlaps network 1.0.0.0/24 of router other-router",
        ),
    ],
)
def test_a_connection_that_its_router_cannot_have(
    routers: Svcctl, peer: str, subnet: str, reason: str
) -> None:
    words = ("conn-add", "venus", "c", peer, subnet, "--psk-file=/etc/hostname")
    assert routers.bad(*words) == f"c: {reason}"
    routers.good("--dry-run", "--no-check", *words)


def test_what_svc_northd_put_on_a_router_is_not_the_routers_own(
    vpn: Svcctl, cloud: Databases
) -> None:
    port = {
        "name": "svc",
        "mac": "02:00:00:00:00:02",
        "networks": "10.9.0.1/24",
        "external_ids": ["map", [["ovnsvc", "svc-northd"]]],
    }
    cloud.ovn_nb.transact(
        {"op": "insert", "table": "Logical_Router_Port", "uuid-name": "port", "row": port},
        put_into("tenant-router", "ports", "port"),
    )
    words = ("conn-add", "mercury", "c", "1.0.0.4", "10.9.0.0/24", "--psk-file=/etc/hostname")
    vpn.good(*words)


def test_a_router_has_a_name_and_a_uuid(vpn: Svcctl, cloud: Databases) -> None:
    [row] = cloud.ovn_nb.rows("Logical_Router", [["name", "==", "tenant-router"]])
    uuid = row["_uuid"][1]
    vpn.good("vpn-add", "second", uuid, "1.0.0.100", "192.168.9.0/24")
    reason = vpn.bad("vpn-add", "third", "other-router", "1.0.0.100", "192.168.9.0/24")
    assert reason == (
        "third: external address 1.0.0.100 is already used by VPN service mercury on another router"
    )
    words = ("conn-add", "second", "c", "1.0.0.3", "10.9.0.0/24", "--psk-file=/etc/hostname")
    assert "same local and peer id with another pre-shared key" in vpn.bad(*words)
    vpn.good("vpn-del", "second")


def test_a_uuid_means_the_router_that_has_it(vpn: Svcctl, cloud: Databases) -> None:
    [row] = cloud.ovn_nb.rows("Logical_Router", [["name", "==", "other-router"]])
    other = row["_uuid"][1]
    namesake = add_router(cloud, other, "9.0.0.2/24")
    vpn.good("vpn-add", "venus", other, "1.0.0.101", "192.168.7.0/24")
    reason = vpn.bad("vpn-add", "mars", namesake, "1.0.0.101", "192.168.7.0/24")
    assert reason.endswith("is already used by VPN service venus on another router")
    reason = vpn.bad("vpn-add", "mars", namesake, "9.0.0.2", "192.168.7.0/24")
    assert reason.startswith("mars: external address 9.0.0.2 is used by router")
    vpn.good("vpn-add", "mars", namesake, "9.0.0.9", "192.168.7.0/24")
    words = ("10.9.0.0/24", "--psk-file=/etc/hostname")
    vpn.good("conn-add", "venus", "c", "1.0.0.3", *words)
    # The same subnet on another router is no contention.
    vpn.good("conn-add", "mars", "c", "9.0.0.3", *words)


def test_commands_of_one_line_contend(vpn: Svcctl, databases: Databases) -> None:
    def add(name: str, number: int, third: int | None = None) -> list[str]:
        subnet = f"10.{number if third is None else third}.0.0/16"
        words = ["conn-add", "mercury", name, f"1.0.1.{number}", subnet]
        return [*words, "--psk-file=/etc/hostname", "--"]

    line = [word for number in range(1, 21) for word in add(f"c{number}", number)]
    overlaps = "d: peer subnet 10.7.0.0/16 overlaps peer subnet 10.7.0.0/16 of connection c7"
    assert vpn.bad(*line, *add("d", 30, 7)) == overlaps
    changed = ["conn-set", "mercury", "c7", "--peer-subnets=10.99.0.0/16", "--"]
    assert vpn.bad(*line, *add("d", 30, 99), *changed) == (
        "c7: peer subnet 10.99.0.0/16 overlaps peer subnet 10.99.0.0/16 of connection d"
    )
    vpn.good(*line, *changed, *add("d", 30, 7))
    taken = "e: peer subnet 10.99.0.0/16 overlaps peer subnet 10.99.0.0/16 of connection c7"
    assert vpn.bad(*add("e", 31, 99)) == taken
    vpn.good("conn-del", "mercury", "c7", "--", *add("e", 31, 99))
    vpn.good("set", "IPsec_Connection", "e", "peer_subnets=10.98.0.0/16", "--", *add("f", 32, 99))
    assert len(databases.nb.rows("IPsec_Connection")) == 23


def test_a_connection_is_changed(vpn: Svcctl, databases: Databases, tmp_path: Path) -> None:
    vpn.good("ike-policy-add", "p")
    (tmp_path / "psk").write_text("other\n")
    words = ("conn-set", "mercury", "to-venus")
    options = ("--peer-address=1.0.0.4", "--peer-subnets=10.9.1.0/24,10.9.0.0/24", "--mtu=1300")
    vpn.good(*words, *options, f"--psk-file={tmp_path}/psk", "--ike-policy=p", "--peer-id=venus")
    [row] = databases.nb.rows("IPsec_Connection")
    [policy] = databases.nb.rows("IKE_Policy")
    assert (row["peer_address"], row["psk"], row["mtu"]) == ("1.0.0.4", "other", 1300)
    assert row["peer_subnets"] == ["set", ["10.9.0.0/24", "10.9.1.0/24"]]
    assert (row["ike_policy"], row["peer_id"]) == (policy["_uuid"], "venus")
    vpn.good(*words, "--ike-policy=", "--peer-id=", "--mtu=", "--enabled=false")
    [row] = databases.nb.rows("IPsec_Connection")
    assert row["ike_policy"] == row["peer_id"] == row["mtu"] == ["set", []]
    assert (row["enabled"], row["psk"]) == (False, "other")
    result = vpn(*words, "--psk=third", "--enabled=true")
    assert (result.status, result.stderr.count("list of processes")) == (0, 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("mercury to-venus", "to-venus: nothing to change is given"),
        ("venus to-venus --mtu=1400", "venus: VPN service not found"),
        ("mercury x --mtu=1400", "x: connection not found in VPN service mercury"),
        ("mercury to-venus --mtu=5", "to-venus: --mtu: 5 is not in the valid range 68 to 65535"),
        ("mercury to-venus --enabled=2", 'to-venus: --enabled: "2" is not a valid boolean'),
        ("mercury to-venus --psk=", "to-venus: the pre-shared key is empty"),
        ("mercury to-venus --peer-address=", "to-venus: no peer address is given"),
        ("mercury to-venus --peer-subnets=", 'to-venus: peer subnet: "" is not a subnet'),
        ("mercury to-venus --peer-subnets=1.0.0.0/25", "peer address 1.0.0.3 is inside peer"),
        ("mercury to-venus --peer-subnets=10.8.0.0/24", "overlaps peer subnet 10.8.0.0/16 of"),
        ("mercury to-venus --peer-address=1.0.0.2", "is an address of router tenant-router"),
        ("mercury to-venus --ike-policy=p", "p: IKE policy not found"),
        ("mercury to-venus --dpd-timeout=10", "dpd_timeout (10 s) must be greater"),
    ],
)
def test_a_connection_is_not_made_bad(vpn: Svcctl, words: str, reason: str) -> None:
    other = ("conn-add", "mercury", "z", "1.0.0.9", "10.8.0.0/16")
    vpn.good(*other, "--psk-file=/etc/hostname")
    assert reason in vpn.bad("conn-set", *words.split(" "))


def test_what_is_bad_can_be_disabled_and_is_in_nobodys_way(
    vpn: Svcctl, databases: Databases
) -> None:
    other = ("conn-add", "mercury", "z", "1.0.0.9", "10.8.0.0/16", "--psk-file=/etc/hostname")
    vpn.good(*other)
    databases.nb.update("IPsec_Connection", [["name", "==", "z"]], peer_subnets="192.168.2.0/25")
    vpn.good("conn-set", "mercury", "to-venus", "--mtu=1400")
    assert "overlaps peer subnet" in vpn.bad("conn-set", "mercury", "z", "--mtu=1400")
    vpn.good("conn-set", "mercury", "z", "--enabled=false")
    vpn.good("conn-set", "mercury", "z", "--peer-subnets=10.8.0.0/16", "--enabled=true")


def test_psk_files(vpn: Svcctl, databases: Databases, tmp_path: Path) -> None:
    file = tmp_path / "psk"
    words = ("conn-add", "mercury", "c", "1.0.0.4", "10.9.0.0/24", f"--psk-file={file}")
    for content, psk in ((b"a b\n", "a b"), (b"x\r\n", "x"), (b" y", " y"), ("ü".encode(), "ü")):
        file.write_bytes(content)
        vpn.good(*words)
        [row] = databases.nb.rows("IPsec_Connection", [["name", "==", "c"]])
        assert row["psk"] == psk
        vpn.good("conn-del", "mercury", "c")
    for content, reason in (
        (b"", "the pre-shared key is empty"),
        (b"\n", "the pre-shared key is empty"),
        (b"a\nb\n", "more than one line; a pre-shared key is one"),
        (b"a\0b", "more than one line; a pre-shared key is one"),
        (b"\xff\xfe", "not UTF-8 text"),
    ):
        file.write_bytes(content)
        assert vpn.bad(*words).endswith(reason)


def test_connections_of_one_ike_sa_are_changed_one_after_the_other(
    vpn: Svcctl, tmp_path: Path
) -> None:
    vpn.good("conn-set", "mercury", "to-venus", "--psk-file=/etc/hostname")
    vpn.good("conn-add", "mercury", "two", "1.0.0.3", "10.8.0.0/16", "--psk-file=/etc/hostname")
    (tmp_path / "psk").write_text("another\n")
    changes = ("--dpd-interval=5", f"--psk-file={tmp_path}/psk", "--force-udp-encapsulation=true")
    for setting in changes:
        first = vpn("conn-set", "mercury", "to-venus", setting)
        assert first.status == 0
        assert first.stderr.startswith("svcctl: warning: to-venus: connection two has the same")
        assert first.stderr.endswith("; change that one too\n")
        vpn.good("conn-set", "mercury", "two", setting)
