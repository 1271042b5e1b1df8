"""Where containers are placed, and the reasons on the rows of those that have no place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..northd.nodes.en_port_group import HOLDERS
from .logs import Logs
from .ovn_south import Ports
from .ovsdb import Database, Databases
from .scenario import Scenario, count, run_scenario


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


# -- policies and spread ----------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ("weighted", {"hv1": 2, "hv2": 4, "hv3": 6}),
        ("least", {"hv1": 2, "hv2": 4, "hv3": 6}),
        ("load", {"hv1": 2, "hv2": 4, "hv3": 6}),
    ],
)
def test_burst_is_shared_by_weight(cloud: Scenario, policy: str, counts: dict[str, int]) -> None:
    for number in (1, 2, 3):
        cloud.set_chassis(f"hv{number}", container_weight=number)
    cloud.add_services(12, group=cloud.add_group("all", policy=policy))
    cloud.settle()
    assert count(cloud.list_places()) == counts
    # A weight decides about new places only.
    cloud.set_chassis("hv1", container_weight=100)
    cloud.settle()
    assert count(cloud.list_places()) == counts


@pytest.mark.parametrize("policy", [None, "weighted"])
def test_groups_of_one_are_shared_by_weight_too(cloud: Scenario, policy: str | None) -> None:
    for number, weight in ((1, 1), (2, 2), (3, 3)):
        cloud.set_chassis(f"hv{number}", container_weight=weight)
    columns: dict[str, Any] = {} if policy is None else {"policy": policy}
    for number in range(6):
        group = cloud.add_group(f"g{number}", **columns)
        cloud.add_services(1, first=number, group=group)
        cloud.settle()
    assert count(cloud.list_places()) == {"hv1": 1, "hv2": 2, "hv3": 3}


def test_load_decides_about_new_places_with_hysteresis(cloud: Scenario) -> None:
    def place(first: int) -> dict[str, int]:
        cloud.settle()
        names = cloud.add_services(3, first=first, group=group)
        cloud.settle()
        return count(cloud.list_places(), names)

    def tell(cpu: int) -> bool:
        cloud.chassis["hv1"].tell(load=["map", [["cpu", str(cpu)]]])
        cloud.settle()
        row = cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")
        return bool(row["overloaded"])

    group = cloud.add_group("busy", policy="load")
    assert not tell(79)
    assert place(0) == {"hv1": 1, "hv2": 1, "hv3": 1}
    assert tell(80)
    assert "hv1" not in place(3)
    assert tell(71)
    assert "hv1" not in place(6)
    assert not tell(69)
    assert place(9)["hv1"] == 3
    cloud.set_options(load_threshold="60")
    cloud.settle()
    assert cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")["overloaded"] is True
    assert count(cloud.list_places())["hv1"] == 4


def test_spread_over_racks_and_a_standby_in_another(cloud: Scenario) -> None:
    for name in ("hv1", "hv2"):
        cloud.set_chassis(name, external_ids=["map", [["rack", "a"]]])
    cloud.sb.update("Chassis", [["name", "==", "hv3"]], other_config=["map", [["rack", "b"]]])
    group = cloud.add_group("wide", {"standby": "1"}, spread="rack")
    names = cloud.add_services(4, group=group)
    cloud.settle()
    places = cloud.list_places()
    assert count(places) == {"hv1": 1, "hv2": 1, "hv3": 2}
    for name in names:
        view = cloud.look(name)
        assert (view.active == "hv3") != (view.standby == ("hv3",))
    cloud.nb.update("Container_Group", [], spread="rak")
    cloud.settle()
    assert cloud.message(names[0]) == (
        "as told; group wide: no chassis has the key rak, over which it is spread"
    )
    cloud.set_chassis("hv3", external_ids=["map", [["rak", "c"]]])
    cloud.settle()
    assert cloud.message(names[0]) == "as told"


def test_a_standby_gives_way_to_a_container_that_has_no_other_place(cloud: Scenario) -> None:
    (pair,) = cloud.add_services(1, group=cloud.add_group("pair", {"standby": "1"}))
    cloud.settle()
    assert (cloud.look(pair).active, cloud.look(pair).standby) == ("hv1", ("hv2",))
    for name in ("hv1", "hv2", "hv3"):
        cloud.set_chassis(name, container_limit=1)
    (third,) = cloud.add_services(1, first=1)
    cloud.settle()
    assert cloud.list_places() == {pair: "hv1", third: "hv3"}
    (late,) = cloud.add_services(1, first=2)
    cloud.settle()
    assert cloud.list_places() == {pair: "hv1", third: "hv3", late: "hv2"}
    assert cloud.look(pair).serving
    assert cloud.look(pair).standby == ()
    assert cloud.message(pair) == (
        "as told; it has too few standbys: no other chassis can hold it:"
        " both chassis are full (limit 1)"
    )
    cloud.set_chassis("hv3", container_limit=2)
    cloud.settle()
    assert cloud.look(pair).standby == ("hv3",)
    cloud.nb.delete("VPN_Service", [["name", "==", "vpn1"]])
    cloud.settle()
    assert cloud.message(pair) == "as told"


# -- port groups ------------------------------------------------------------


def test_containers_follow_the_ports_of_their_port_group(cloud: Scenario, ovn_sb: Database) -> None:
    cloud.northd.close()
    cloud.ovn_sb_remote = ovn_sb.remote
    cloud.northd = cloud.start_northd()
    ports = Ports(ovn_sb)
    for port, chassis in (("web1", "hv2"), ("web2", "hv2"), ("db1", "hv1")):
        ports.bind(port, chassis)
    members = ["set", ["web1", "web2", "unheard-of"]]
    web = ["uuid", cloud.nb.insert("Port_Group", name="web", ports=members)]
    group = cloud.add_group("near-web", port_group=web)
    (container,) = cloud.add_services(1, group=group)

    def wait_place(chassis: str) -> None:
        cloud.wait_for(lambda: cloud.list_places().get(container) == chassis, chassis)
        cloud.settle()
        assert cloud.look(container).serving

    wait_place("hv2")
    ports.bind("web1", "hv3")
    cloud.wait_for(lambda: _knows(cloud, {"hv2", "hv3"}), "the port to be read")
    cloud.settle()
    assert cloud.list_places()[container] == "hv2"
    ports.bind("web2", "hv2", up=False)
    cloud.wait_for(lambda: _knows(cloud, {"hv3"}), "the port to be down")
    cloud.settle()
    assert cloud.list_places()[container] == "hv2"
    ports.bind("web2", None)
    wait_place("hv3")
    assert cloud.list_history(container)[-1] == (
        2,
        "hv3",
        "chassis hv2 is without a port of the port group",
    )
    ports.bind("web1", None)
    nowhere = (
        "as told; chassis hv3 is without a port of the port group, but no chassis can"
        " run it: all 3 chassis are without a port of the port group that is up"
    )
    cloud.wait_for(lambda: cloud.message(container) == nowhere, "the reason")
    assert cloud.look(container).active == "hv3"
    ovn_sb.stop()
    cloud.settle()
    assert cloud.look(container).serving
    ovn_sb.start()
    ports.bind("db1", "hv1")
    cloud.nb.update("Port_Group", [], ports="db1")
    wait_place("hv1")


def _knows(cloud: Scenario, chassis: set[str]) -> bool:
    return chassis in [each.up for each in cloud.northd.engine.get_all(HOLDERS).values()]


def test_while_the_ports_cannot_be_read_there_is_no_place(cloud: Scenario) -> None:
    cloud.logs.allow("nowhere.sock: connection attempt failed")
    web = ["uuid", cloud.nb.insert("Port_Group", name="web", ports="web1")]
    (container,) = cloud.add_services(1, group=cloud.add_group("near-web", port_group=web))
    cloud.settle()
    row = cloud.show(container)
    assert row["status_code"] == "error"
    assert row["status_message"] == (
        "OVN_Southbound has not told yet on which chassis the ports of port group web are"
    )
    cloud.nb.update("Container_Group", [], port_group=["set", []])
    cloud.settle()
    assert cloud.look(container).serving


# -- mistakes on rows -------------------------------------------------------


def _find_reason(cloud: Scenario, **columns: Any) -> str:
    """Returns what the row of a container says that finds no place."""
    (container,) = cloud.add_services(1, **columns)
    cloud.settle()
    row = cloud.show(container)
    assert (row["status_code"], row["chassis"]) == ("error", ["set", []])
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "down"
    assert cloud.sb.rows("Container_Binding") == []
    return str(row["status_message"])


def test_unknown_and_empty_chassis_groups_are_counted(cloud: Scenario) -> None:
    east = cloud.add_chassis_group("east", "hv7", "hv8")
    group = cloud.add_group("east", chassis_group=east)
    reason = "no chassis can run it: all 3 chassis are not in the chassis group"
    assert _find_reason(cloud, group=group) == reason
    (container,) = (row["name"] for row in cloud.nb.rows("Service_Container"))
    cloud.nb.update("Chassis_Group", [], chassis=["set", []])
    cloud.settle()
    assert cloud.message(container) == reason
    cloud.nb.update("Chassis_Group", [], chassis="hv7")
    cloud.add_chassis("hv7")
    cloud.settle()
    assert cloud.list_places() == {container: "hv7"}


def test_each_refusal_has_its_count(cloud: Scenario) -> None:
    cloud.add_chassis("hv4", "hv5", service_types=["set", []])
    cloud.add_chassis("hv6", public_key="rubbish")
    cloud.add_chassis("hv7")
    group = cloud.add_group(
        "most",
        chassis_group=cloud.add_chassis_group("most", *(f"hv{n}" for n in (1, 2, 4, 5, 6, 7))),
    )
    cloud.set_chassis("hv1", drain=True)
    cloud.set_chassis("hv2", container_weight=0)
    cloud.set_chassis("hv7", container_limit=0)
    assert _find_reason(cloud, group=group) == (
        "no chassis can run it: of 7 chassis 2 are without service type ipsec; 1 is drained;"
        " 1 is full (limit 0); 1 is not in the chassis group; 1 is of weight 0;"
        " 1 is without a usable public key"
    )


@pytest.mark.parametrize(
    ("chassis", "reason"),
    [
        (
            "hv1",
            "no chassis can run it: it is pinned to hv1, which is drained",
        ),
        ("nowhere", "it is pinned to nowhere, which is not registered"),
    ],
)
def test_pin_to_a_chassis_that_cannot_moves_nothing(
    cloud: Scenario, chassis: str, reason: str
) -> None:
    cloud.set_chassis("hv1", drain=True)
    (container,) = cloud.add_services(1)
    cloud.settle()
    before = cloud.look(container)
    cloud.set_wish(container, requested_chassis=chassis)
    assert cloud.follow(container) == [before]
    assert cloud.message(container) == (
        f"as told; chassis hv2 is not {chassis}, to which it is pinned, but {reason}"
        f" (svcctl container-unpin {container})"
    )


@pytest.mark.parametrize("value", ["-1", "9", "many", "", "1.5", "9" * 5000])
def test_a_number_of_standbys_that_cannot_be_read_is_told_and_moves_nothing(
    cloud: Scenario, value: str
) -> None:
    group = cloud.add_group("pair", {"standby": "1"})
    (container,) = cloud.add_services(1, group=group)
    cloud.settle()
    before = cloud.look(container)
    assert (before.active, before.standby) == ("hv1", ("hv2",))
    cloud.nb.update("Container_Group", [], options=["map", [["standby", value]]])
    assert cloud.follow(container) == [before]
    words = (
        f"as told; group pair: options:standby is {value[:40]!r}, not 0 to 8;"
        " each container has as many standbys as before"
    )
    assert cloud.message(container) == words
    # It moves as any other, and has its standby after that, and with another svc-northd.
    cloud.set_chassis("hv1", drain=True)
    cloud.settle()
    assert (cloud.look(container).active, cloud.look(container).standby) == ("hv2", ("hv3",))
    cloud.northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert cloud.look(container).standby == ("hv3",)
    (other,) = cloud.add_services(1, first=1, group=group)
    cloud.settle()
    assert (cloud.look(other).serving, cloud.look(other).standby) == (True, ())
    cloud.nb.update("Container_Group", [], options=["map", []])
    cloud.settle()
    assert cloud.message(container) == "as told"
    assert cloud.look(container).standby == ()


def test_keys_of_options_that_mean_nothing_are_told_while_all_is_well(cloud: Scenario) -> None:
    group = cloud.add_group("pair", {"standby": "1"})
    (container,) = cloud.add_services(1, group=group)
    cloud.settle()
    cloud.nb.update("Container_Group", [], options=["map", [["stanby", "2"]]])
    for table in ("VPN_Service", "IPsec_Connection", "Service_Container"):
        cloud.nb.update(table, [], options=["map", [["colour", "red"]]])
    cloud.settle()
    assert cloud.look(container).standby == ("hv2",)
    assert cloud.message(container) == (
        "as told; group pair: options:stanby is no option, but standby is;"
        " each container has as many standbys as before"
    )
    for table in ("VPN_Service", "IPsec_Connection"):
        (row,) = cloud.nb.rows(table)
        assert row["status_message"].endswith("; options:colour is no option")
    # In a row that is ours what others write is put back.
    assert cloud.show(container)["options"] == ["map", []]


@pytest.mark.parametrize("value", ["-1", "soon", ""])
def test_options_that_cannot_be_read_count_as_not_set(cloud: Scenario, value: str) -> None:
    options = (
        "container-start-timeout",
        "drain-moves",
        "enforce-container-limit",
        "load-threshold",
        "load-hysteresis",
        "chassis-dead-after",
        "heartbeat-interval",
    )
    cloud.logs.allow(f"options:[a-z-]+ is '{value}', n")
    (container,) = cloud.add_services(1)
    cloud.settle()
    before = cloud.look(container)
    cloud.set_options(**dict.fromkeys(options, value))
    assert cloud.follow(container) == [before]
    for option in options:
        assert any(f"options:{option} is '{value}'" in text for _, _, text in cloud.logs.messages)
    root = cloud.sb.rows("SB_Global")[0]
    assert root["options"] == [
        "map",
        [["chassis-dead-after", "4000"], ["heartbeat-interval", "1000"]],
    ]
