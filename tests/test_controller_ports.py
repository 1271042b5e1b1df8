"""A container with several ports: rows, links, switch ports, and what makes no sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..controller.host.kinds import Link, Links, Namespace, name_outside
from ..lib.container import is_name
from ..services.api.host import Address, Network
from .bench import Bench
from .ovsdb import wait_until
from .rig import VSWITCH_SCHEMA, A, Rig
from .sessions import OUTAGE

OUTSIDE = name_outside("c1", "lan")
LAN = {"mac": "0a:00:00:00:00:02", "addresses": "10.0.0.5/24", "gateways": ["set", []]}


def test_names_outside() -> None:
    assert name_outside("c1", "svc0") == "c1"
    others = {name_outside(name, inside) for name in ("c1", "c2") for inside in ("lan", "wan")}
    assert len(others) == 4
    assert all(is_name(each) and each.startswith("svc-") for each in others)


def find_up(bench: Bench) -> dict[str, Any]:
    return {row["interface"]: row["up"] for row in bench.sb.rows("Port_Binding")}


def test_ports_come_and_go(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.add_port("c1", "lan", kind="nested", parent_port="vm1", tag=7, **LAN)
    chassis.settle()
    assert chassis.host.things[Links, "c1"] == Links(
        (
            Link("lan", OUTSIDE, "0a:00:00:00:00:02", 1442, False),
            Link("svc0", "c1", "0a:00:00:00:00:01", 1442, False),
        )
    )
    network = chassis.host.things[Network, "c1"]
    assert network.addresses == (Address("10.0.0.5/24", "lan"), Address("169.254.0.2/30"))
    chassis.until(lambda: chassis.ports().keys() == {"c1", OUTSIDE}, "both ports")
    ids = {"ovnsvc": "c1", "iface-id": "c1-lan", "attached-mac": "0a:00:00:00:00:02"}
    assert chassis.ports()[OUTSIDE] == ids
    tags = {row["name"]: row["tag"] for row in chassis.ovs.rows("Port")}
    assert tags == {"c1": ["set", []], OUTSIDE: 7}
    chassis.check_laws()

    chassis.ovs.update("Port", [["name", "==", OUTSIDE]], tag=8)
    chassis.until(
        lambda: chassis.ovs.rows("Port", [["name", "==", OUTSIDE]])[0]["tag"] == 7, "the tag"
    )
    chassis.sb.delete("Port_Binding", [["interface", "==", "lan"]])
    chassis.until(lambda: chassis.ports().keys() == {"c1"}, "the port to go")
    assert [each.inside for each in chassis.host.things[Links, "c1"].links] == ["svc0"]
    chassis.check_laws()


def test_a_container_has_its_ports_when_all_are_installed(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.add_port("c1", "lan", **LAN)
    chassis.until(lambda: chassis.ports().keys() == {"c1", OUTSIDE}, "both ports")
    chassis.until(lambda: find_up(chassis) == {"svc0": False, "lan": False}, "both down")
    program = chassis.host.programs["c1"]
    for name, up in (("c1", {"svc0": True, "lan": False}), (OUTSIDE, dict.fromkeys(LAN, True))):
        assert not program.serving
        mutation = ["external_ids", "insert", ["map", [["ovn-installed", "true"]]]]
        where = [["name", "==", name]]
        chassis.ovs.transact(
            {"op": "mutate", "table": "Interface", "where": where, "mutations": [mutation]}
        )
        wanted = up if name == "c1" else {"svc0": True, "lan": True}
        chassis.until(lambda wanted=wanted: find_up(chassis) == wanted, name)  # type: ignore[misc]
    chassis.until(lambda: program.serving, "the service")
    chassis.check_laws()


@pytest.mark.parametrize("passes", range(6))
def test_a_port_that_is_not_wanted_any_more_when_it_comes(chassis: Bench, passes: int) -> None:
    """The transaction that makes it is under way when its row goes."""
    chassis.bind("c1")
    chassis.settle()
    chassis.add_port("c1", "lan", **LAN)
    links = chassis.host.things
    chassis.until(lambda: len(links[Links, "c1"].links) == 2, "the link")
    for _ in range(passes):
        chassis.controller.run()
    chassis.sb.delete("Port_Binding", [["interface", "==", "lan"]])
    chassis.until(lambda: len(links[Links, "c1"].links) == 1, "the link to go")
    chassis.settle()
    chassis.until(lambda: chassis.ports().keys() == {"c1"}, "the port to go")
    chassis.check_laws()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_link_made_anew_gets_its_port_anew(chassis: Bench, restarted: bool) -> None:
    """Open vSwitch would go on with the link that it knew by the same name."""
    chassis.bind("c1")
    chassis.add_port("c1", "lan", **LAN)
    chassis.settle()
    chassis.until(lambda: chassis.ports().keys() == {"c1", OUTSIDE}, "both ports")

    def find_uuids() -> dict[str, Any]:
        return {row["name"]: row["_uuid"] for row in chassis.ovs.rows("Port")}

    before = find_uuids()
    if restarted:
        chassis.restart()
    lan, svc0 = chassis.host.things[Links, "c1"].links
    chassis.host.things[Links, "c1"] = Links((svc0,))
    chassis.host.lost.add("c1")
    chassis.until(lambda: find_uuids().get(OUTSIDE) not in (None, before[OUTSIDE]), "the port anew")
    chassis.until(lambda: find_uuids().keys() == before.keys(), "both ports")
    assert restarted or find_uuids()["c1"] == before["c1"]
    assert chassis.host.things[Links, "c1"].links == (lan, svc0)
    chassis.check_laws()


@pytest.mark.parametrize(
    ("interface", "columns", "sentence"),
    [
        ("svc0", {}, "two ports of container c1 have interface svc0"),
        ("lan", {"iface_id": "c1"}, "two ports of container c1 have iface_id c1"),
        ("", {}, "'' cannot be the name of an interface"),
        ("lo", {}, "'lo' cannot be the name of an interface"),
        ("../x", {}, "'../x' cannot be the name of an interface"),
        ("x" * 16, {}, "cannot be the name of an interface"),
        ("lan", {"kind": "nested"}, "is nested and has no tag"),
        ("lan", {"kind": "nested", "tag": 5}, "is nested and has no parent port"),
        ("lan", {"kind": "vlan"}, "is of a VLAN and has no tag"),
        ("lan", {"parent_port": "vm1"}, "is nested and has no tag"),
        ("lan", {"mac": "0A:00:00:00:00:02"}, "is not a MAC in lower case"),
    ],
)
def test_a_port_that_makes_no_sense(
    chassis: Bench, interface: str, columns: dict[str, Any], sentence: str
) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.settle()
    before = dict(chassis.host.things)
    chassis.add_port("c1", interface, **(LAN | {"logical_port": "other"} | columns))
    chassis.until_status("c1", "running", sentence)
    chassis.settle()
    assert chassis.host.things == before
    chassis.restart()
    chassis.until_beats(1)
    chassis.settle()
    assert sentence in chassis.binding("c1")["status_message"]
    assert chassis.host.things == before
    chassis.sb.delete("Port_Binding", [["logical_port", "==", "other"]])
    chassis.until(lambda: chassis.binding("c1")["status_message"] == "", "the end of it")
    chassis.check_laws()


def test_an_interface_of_somebody_else_has_the_name(chassis: Bench) -> None:
    """As in a bond: the names of interfaces are an index of their own."""
    chassis.logs.allow("not ours")
    names = ("bad1", "bad2")
    inserts = [
        {"op": "insert", "table": "Interface", "uuid-name": each, "row": {"name": each}}
        for each in names
    ]
    bond = {"name": "bond9", "interfaces": ["set", [["named-uuid", each] for each in names]]}
    hang = ["ports", "insert", ["named-uuid", "bond"]]
    chassis.ovs.transact(
        *inserts,
        {"op": "insert", "table": "Port", "uuid-name": "bond", "row": bond},
        {
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", "br-int"]],
            "mutations": [hang],
        },
    )
    chassis.bind("bad1")
    chassis.until_status("bad1", "error", "Open vSwitch has a port bad1 that is not ours")
    chassis.bind("c1")
    chassis.until(lambda: "c1" in chassis.ports(), "the port of another one")
    chassis.until_status("c1", "running")
    (row,) = chassis.ovs.rows("Port", [["name", "==", "bond9"]])
    mutation = ["ports", "delete", ["set", [row["_uuid"]]]]
    where = [["name", "==", "br-int"]]
    chassis.ovs.transact(
        {"op": "mutate", "table": "Bridge", "where": where, "mutations": [mutation]}
    )
    chassis.until_status("bad1", "running")
    chassis.check_laws()


@pytest.mark.timeout(90)
def test_what_the_server_does_not_take_holds_up_nobody_else(chassis: Bench) -> None:
    """All are in one transaction at first; the server is one with a bound that ours has not."""
    for pattern in ("does not take its ports", "transaction refused", OUTAGE):
        chassis.logs.allow(pattern)
    schema = json.loads(Path(VSWITCH_SCHEMA).read_text(encoding="utf-8"))
    tag = schema["tables"]["Port"]["columns"]["tag"]["type"]["key"]
    bound, tag["maxInteger"] = tag["maxInteger"], 100
    chassis.ovs.convert(schema)
    for number in range(1, 8):
        chassis.bind(f"c{number}")
    chassis.add_port("c3", "lan", kind="vlan", tag=200, **LAN)
    sentence = "Open vSwitch does not take its ports: "
    chassis.until_status("c3", "error", sentence, timeout_s=3)
    assert "constraint violation" in chassis.binding("c3")["status_message"]
    others = {f"c{number}" for number in (1, 2, 4, 5, 6, 7)}
    chassis.until(lambda: others <= chassis.ports().keys(), "the ports of the others", timeout_s=3)
    chassis.settle()
    chassis.sb.update("Port_Binding", [["interface", "==", "lan"]], tag=100)
    chassis.until_status("c3", "running")
    chassis.sb.update("Port_Binding", [["interface", "==", "lan"]], tag=200)
    chassis.until_status("c3", "error", sentence)
    tag["maxInteger"] = bound
    chassis.ovs.convert(schema)
    chassis.until_status("c3", "running", timeout_s=60)
    chassis.check_laws()


def test_two_containers_have_one_name_outside(chassis: Bench) -> None:
    """The interface of one is called as the other one is."""
    chassis.logs.allow("not ours")
    chassis.bind("c1")
    chassis.add_port("c1", "lan", **LAN)
    chassis.bind(OUTSIDE)
    chassis.bind("c2")
    chassis.until_status("c2", "running")
    names = ("c1", OUTSIDE)

    def find_codes() -> list[Any]:
        return sorted(str(chassis.binding(name)["status_code"]) for name in names)

    chassis.until(lambda: find_codes() == ["error", "running"], "one of them")
    (late,) = (name for name in names if chassis.binding(name)["status_code"] == "error")
    assert "not ours" in chassis.binding(late)["status_message"]


def test_a_first_port_is_needed(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.sb.update("Port_Binding", [], interface="lan")
    chassis.until(lambda: chassis.binding("c1")["status_message"] != "", "the word")
    chassis.settle()
    assert "container c1 has no port svc0" in chassis.binding("c1")["status_message"]
    chassis.sb.update("Port_Binding", [], interface="svc0")
    chassis.until(lambda: chassis.binding("c1")["status_message"] == "", "the end of it")
    chassis.check_laws()


def test_kept_ports_outlive_a_restart(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.add_port("c1", "lan", **LAN)
    chassis.until_status("c1", "running")
    chassis.settle()
    chassis.bind("c1", configuration="{")
    chassis.until_status("c1", "running", "still as configured before")
    chassis.restart()
    chassis.until_beats(1)
    for kind in (Links, Namespace):
        chassis.host.lose(kind, "c1")
    chassis.until(lambda: (Links, "c1") in chassis.host.things, "the links")
    assert [each.inside for each in chassis.host.things[Links, "c1"].links] == ["lan", "svc0"]
    chassis.check_laws()


@pytest.mark.system
def test_ports_in_the_kernel(rig: Rig) -> None:
    outside = name_outside(A.name, "lan")
    rig.bind(A)
    rig.add_port(A, "lan", "10.7.0.5/24", tag=9)
    rig.wait_running(A)
    inside = ("ip", "netns", "exec", A.name)
    show = (*inside, "ip", "link", "show", "lan")
    wait_until(lambda: "0a:00:00:00:01:01" in rig.run(*show, check=False), "the end inside")
    assert f"alias ovnsvc:{A.name}" in rig.run("ip", "link", "show", outside)
    (port,) = wait_until(lambda: rig.ovs.rows("Port", [["name", "==", outside]]), "the port")
    assert port["tag"] == 9
    rig.run("ip", "link", "del", outside)
    wait_until(lambda: rig.run("ip", "link", "show", outside, check=False), "the link again")
    rig.sb.delete("Port_Binding", [["interface", "==", "lan"]])
    wait_until(lambda: not rig.run("ip", "link", "show", outside, check=False), "its end")
    wait_until(lambda: not rig.ovs.rows("Port", [["name", "==", outside]]), "the port's end")
    rig.unbind(A)
    wait_until(lambda: not rig.find_leftovers(), "everything to go")
