"""Whatever an operator has in his hand is accepted as a name, and one that is not clear is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .ovsdb import Databases
from .svcctl import Svcctl, add_router, bind

PSK = "--psk=secret"


@pytest.fixture
def uuids(databases: Databases, svcctl: Svcctl) -> dict[str, str]:
    """Two services with a container each, on hv1 and hv2; UUIDs by what they are of."""
    found = {}
    for number, (name, router) in enumerate((("mercury", "r1"), ("mars", "r2")), 1):
        found[router] = add_router(databases, router, f"1.0.{number}.2/24")
        svcctl.good("vpn-add", name, router, f"1.0.{number}.100", f"192.168.{number}.0/24")
        for peer in ("to-venus", f"to-{number}"):
            subnet = f"10.{len(found)}.{number}.0/24"
            address = f"1.0.9.{number}{len(peer)}"
            assert svcctl("conn-add", name, peer, address, subnet, PSK).status == 0
            found[f"{name}/{peer}"] = ""
        [service] = databases.nb.rows("VPN_Service", [["name", "==", name]])
        found[name] = service["_uuid"][1]
        container, chassis = f"vpn-{number}", f"hv{number}"
        row = {"service_type": "ipsec", "chassis": chassis, "status_code": "running"}
        where = ["map", [["router", found[router]]]]
        found[container] = databases.nb.insert(
            "Service_Container", name=container, serves=found[name], configuration=where, **row
        )
        databases.sb.insert("Chassis", name=chassis, hostname=f"{chassis}.cloud")
        bind(databases, container, chassis)
    for row in databases.nb.rows("IPsec_Connection"):
        found[row["name"]] = row["_uuid"][1]
    return found


def read(svcctl: Svcctl, *words: str) -> list[str]:
    """Returns the first cells of the rows that a list prints."""
    lines = svcctl.good("-f", "csv", "--no-headings", *words).splitlines()
    return [line.partition(",")[0] for line in lines]


HANDS = [
    *("mercury", "r1", "vpn-1", "hv1", "to-1", "mercury/to-1", "mercury/to-venus"),
    *("1.0.1.100", "1.0.9.18"),
]
"""What means the first service, its connections, its container or its chassis."""
OF_UUIDS = ["mercury", "r1", "vpn-1", "to-1"]


def list_hands(uuids: dict[str, str]) -> Sequence[str]:
    whole = [uuids[name] for name in OF_UUIDS]
    begun = [uuids[name][:13] for name in ("mercury", "vpn-1", "to-1")]
    return [*HANDS, *whole, *begun]


def test_every_command_takes_every_word(svcctl: Svcctl, uuids: dict[str, str]) -> None:
    for word in list_hands(uuids):
        assert read(svcctl, "vpn-list", word) == ["mercury"], word
        assert read(svcctl, "chassis-list", word) == ["hv1"], word
        assert read(svcctl, "container-list", word) == ["vpn-1"], word
        assert svcctl.good("container-show", word).startswith("container vpn-1\n"), word
        shown = svcctl.good("show", word)
        assert shown.startswith("vpn mercury (router r1)\n"), word
        assert "\ncontainer vpn-1 (ipsec)\n    serves: mercury\n" in shown, word
        assert "mars" not in shown, word
        assert set(read(svcctl, "conn-list", word)) <= {"mercury", "to-venus", "to-1"}, word
    assert read(svcctl, "chassis-list", "hv1.cloud") == ["hv1"]


def test_connections_of_all_services_or_of_what_is_meant(
    svcctl: Svcctl, uuids: dict[str, str]
) -> None:
    def pairs(*words: str) -> list[list[str]]:
        lines = svcctl.good("-f", "csv", "--no-headings", "conn-list", *words).splitlines()
        return [line.split(",")[:2] for line in lines]

    mars = [["mars", "to-2"], ["mars", "to-venus"]]
    mercury = [["mercury", "to-1"], ["mercury", "to-venus"]]
    assert pairs() == [*mars, *mercury]
    assert pairs("to-venus") == [["mars", "to-venus"], ["mercury", "to-venus"]]
    assert pairs("mars/to-venus") == [["mars", "to-venus"]]
    assert pairs("hv2") == pairs("r2") == mars
    assert read(svcctl, "conn-list", "mercury") == ["to-1", "to-venus"]
    assert svcctl.good("conn-list", "mercury").startswith("name "), "as ever"
    assert svcctl.good("conn-list").startswith("vpn ")


def test_a_word_that_means_several_things_is_told(svcctl: Svcctl, uuids: dict[str, str]) -> None:
    assert svcctl.bad("container-show", "to-venus") == (
        "to-venus may mean container vpn-1 (connection mercury/to-venus),"
        " container vpn-2 (connection mars/to-venus); name one of them"
    )
    assert read(svcctl, "vpn-list", "to-venus") == ["mars", "mercury"]
    assert read(svcctl, "container-list", "to-venus") == ["vpn-1", "vpn-2"]
    for command in ("container-pin", "container-migrate"):
        assert "to-venus may mean" in svcctl.bad(command, "to-venus", "hv2")


def test_the_beginning_of_several_uuids_is_told(svcctl: Svcctl, databases: Databases) -> None:
    for number in range(17):
        row = {"name": f"c{number:02}", "service_type": "x"}
        databases.nb.transact(
            {
                "op": "insert",
                "table": "Service_Container",
                "uuid": f"abcd0000-0000-4000-8000-0000000000{number:02}",
                "row": row,
            }
        )
    said = svcctl.bad("container-show", "abcd")
    assert said.startswith("abcd may mean container c00 (abcd0000-0000-4000-8000-000000000000), ")
    assert said.endswith(" and 7 more; name one of them")
    assert svcctl.good("container-show", "abcd0000-0000-4000-8000-000000000016").startswith(
        "container c16\n"
    )


def test_a_move_takes_what_the_operator_has(
    svcctl: Svcctl, databases: Databases, uuids: dict[str, str]
) -> None:
    svcctl.good("--no-check", "container-migrate", "mercury", "hv2")
    svcctl.good("--no-check", "container-pin", "to-2", "hv1")
    rows = {row["name"]: row for row in databases.nb.rows("Container_Wish")}
    assert rows["vpn-1"]["migrate_chassis"] == "hv2"
    assert rows["vpn-2"]["requested_chassis"] == "hv1"
    svcctl.good("container-unpin", "r2")
    assert [row["name"] for row in databases.nb.rows("Container_Wish")] == ["vpn-1"]


def test_an_item_has_the_name_of_what_it_is_about(
    svcctl: Svcctl, databases: Databases, uuids: dict[str, str]
) -> None:
    item = {"container": "vpn-1", "chassis": "hv1", "kind": "tunnel", "state": "up"}
    databases.sb.insert("Container_Item", name="t1", subject=uuids["to-1"], **item)
    databases.sb.insert("Container_Item", name="t2", **item)
    shown = svcctl.good("container-show", "vpn-1")
    assert "\n    tunnel t1 (to-1) on hv1\n" in shown
    assert "\n    tunnel t2 on hv1\n" in shown


def test_a_connection_is_changed_by_its_name_alone(
    svcctl: Svcctl, databases: Databases, uuids: dict[str, str]
) -> None:
    words = "connection mars/to-venus, connection mercury/to-venus; name one of them"
    for command in (["conn-set", "--mtu=1300"], ["conn-del"], ["--if-exists", "conn-del"]):
        assert svcctl.bad(*command, "to-venus") == f"to-venus may mean {words}"
        for word in ("mercury", "r1", "1.0.9.18"):
            if "--if-exists" not in command:
                assert svcctl.bad(*command, word) == f"{word}: connection not found"
    svcctl.good("conn-set", "mars/to-venus", "--mtu=1300")
    svcctl.good("conn-set", "to-1", "--mtu=1301", "--", "conn-set", uuids["to-2"], "--mtu=1302")
    sizes = [row["mtu"] for row in databases.nb.rows("IPsec_Connection")]
    assert all(size in sizes for size in (1300, 1301, 1302))
    svcctl.good("conn-del", "mercury/to-venus", "--", "--if-exists", "conn-del", "nono")
    assert read(svcctl, "conn-list", "mercury") == ["to-1"]


def test_what_means_nothing(svcctl: Svcctl, databases: Databases, uuids: dict[str, str]) -> None:
    nothing = "00000000-0000-4000-8000-000000000000"
    for word in ("nono", nothing, "", "mercury/nono", "9.9.9.9"):
        shown = word or ""
        assert svcctl.bad("vpn-list", word) == f"{shown}: VPN service not found"
        assert svcctl.bad("conn-list", word) == f"{shown}: VPN service not found"
        assert svcctl.bad("container-show", word) == f"{shown}: container not found"
        assert "not found" in svcctl.bad("chassis-list", word)
        assert "no container" in svcctl.bad("container-list", word)
        assert "neither a service" in svcctl.bad("show", word)
    # A router that only OVN knows by this word, which it cannot tell.
    databases.ovn_nb.stop()
    assert svcctl.bad("vpn-list", uuids["r1"]) == f"{uuids['r1']}: VPN service not found"


def test_a_chassis_with_nothing_on_it(
    svcctl: Svcctl, databases: Databases, uuids: dict[str, str]
) -> None:
    databases.sb.insert("Chassis", name="hv9", hostname="hv9.cloud")
    for word in ("hv9", "hv9.cloud"):
        for command, said in (
            ("conn-list", f"nothing of {word} has a connection"),
            ("vpn-list", f"no VPN service is on {word}"),
            ("container-list", f"nothing runs on {word}"),
        ):
            result = svcctl("-f", "csv", "--no-headings", command, word)
            assert (result.status, result.stdout) == (0, "")
            assert result.stderr == f"svcctl: warning: {said}\n"
    # Whether it is one is not known then.
    databases.sb.stop()
    assert svcctl.bad("vpn-list", "hv9") == "hv9: VPN service not found"


def test_a_service_called_as_something_else_is_meant_first(
    svcctl: Svcctl, databases: Databases, uuids: dict[str, str]
) -> None:
    databases.nb.update("VPN_Service", [["name", "==", "mars"]], name="hv1")
    assert read(svcctl, "vpn-list", "hv1") == ["hv1"]
    assert read(svcctl, "chassis-list", "hv1") == ["hv1"]
    said = svcctl.bad("container-show", "hv1")
    assert said == (
        "hv1 may mean container vpn-1 (on hv1), container vpn-2 (VPN service hv1); name one of them"
    )
