"""svc-controller beside others: the local Open vSwitch, restarts, lost databases, nb_cfg."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from ..controller.gate import Gate
from ..controller.host.kinds import Links, Namespace
from ..lib.delta import Change, Verify
from ..services.api.host import Network
from .bench import Bench
from .rig import to_map

# -- the local Open vSwitch --------------------------------------------------------


def test_a_port_deleted_by_hand_comes_back(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until(chassis.ports, "the port")
    chassis.ovs.update("Bridge", [], ports=["set", []])
    assert chassis.ports() == {}
    chassis.until(chassis.ports, "the port again")
    chassis.check_laws()


def test_a_changed_port_is_mended(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until(chassis.ports, "the port")
    good = chassis.ports()
    chassis.ovs.update("Interface", [], external_ids=to_map({"ovnsvc": "c1", "iface-id": "x"}))
    chassis.until(lambda: chassis.ports() == good, "the port mended")
    chassis.check_laws()


def test_only_our_stale_ports_are_pruned(bench: Bench) -> None:
    """After a reboot conf.db still has the ports of what ran before."""
    bench.open_switch()
    for name, ids in (("old", {"ovnsvc": "old"}), ("theirs", {"iface-id": "theirs"})):
        bench.ovs.transact(
            {
                "op": "insert",
                "table": "Interface",
                "uuid-name": "i",
                "row": {"name": name, "external_ids": to_map(ids)},
            },
            {
                "op": "insert",
                "table": "Port",
                "uuid-name": "p",
                "row": {
                    "name": name,
                    "interfaces": ["named-uuid", "i"],
                    "external_ids": to_map(ids),
                },
            },
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [],
                "mutations": [["ports", "insert", ["set", [["named-uuid", "p"]]]]],
            },
        )
    bench.until(lambda: set(bench.ports()) == {"theirs"}, "the stale port to go")
    bench.check_laws()


def test_a_missing_bridge_is_named(chassis: Bench) -> None:
    chassis.logs.allow("no bridge br-svc")
    chassis.ovs.update(
        "Open_vSwitch", [], external_ids=to_map(chassis.ids | {"svc-bridge": "br-svc"})
    )
    chassis.until(lambda: chassis.controller.identity.bridge == "br-svc", "the new bridge")  # type: ignore[union-attr]
    chassis.bind("c1")
    chassis.until_status("c1", "error", "the local Open vSwitch has no bridge br-svc")
    chassis.ovs.transact(
        {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": {"name": "br-svc"}},
        {
            "op": "mutate",
            "table": "Open_vSwitch",
            "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]],
        },
    )
    chassis.until_status("c1", "running")
    # A bridge of the kernel's datapath completes checksums by itself.
    assert [each.offload for each in chassis.host.things[Links, "c1"].links] == [True]
    chassis.check_laws()


def test_ports_follow_the_bridge(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until(chassis.ports, "the port")
    chassis.ovs.transact(
        {
            "op": "insert",
            "table": "Bridge",
            "uuid-name": "b",
            "row": {"name": "br-2", "datapath_type": "netdev"},
        },
        {
            "op": "mutate",
            "table": "Open_vSwitch",
            "where": [],
            "mutations": [["bridges", "insert", ["named-uuid", "b"]]],
        },
    )
    chassis.ovs.update(
        "Open_vSwitch", [], external_ids=to_map(chassis.ids | {"svc-bridge": "br-2"})
    )
    chassis.until(
        lambda: chassis.ovs.rows("Bridge", [["name", "==", "br-2"]])[0]["ports"] != ["set", []],
        "the port to move",
    )
    assert chassis.ovs.rows("Bridge", [["name", "==", "br-int"]])[0]["ports"] == ["set", []]
    chassis.check_laws()


# -- restarts and lost connections ---------------------------------------------------


def is_same(row: dict[str, Any], before: dict[str, Any]) -> bool:
    """Returns whether a Container_Binding says the same, be it of another life."""
    own = ("incarnation", "_version")
    return all(row[column] == before[column] for column in row if column not in own)


def test_restart_changes_nothing(chassis: Bench) -> None:
    chassis.bind("c1", {"addresses": ["1.0.0.100/32"], "tunnels": {"t1": "up"}})
    chassis.settle()
    before, rows, done = (
        chassis.host.programs["c1"],
        chassis.binding("c1"),
        chassis.host.operations[:],
    )
    chassis.restart()
    chassis.settle()
    assert chassis.host.programs["c1"] is before
    assert before.starts == 1
    assert chassis.host.operations == done
    assert is_same(chassis.binding("c1"), rows)
    chassis.check_laws()


def test_what_changed_while_it_was_away(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.bind("c2")
    chassis.settle()
    chassis.restart()
    chassis.unbind("c1")
    chassis.bind("c2", {"addresses": ["1.0.0.102/32"]})
    chassis.bind("c3")
    chassis.settle()
    assert chassis.host.find_names() == {"c2", "c3"}
    assert chassis.host.things[Network, "c2"].loopback == ("1.0.0.102/32",)
    chassis.check_laws()


@pytest.mark.parametrize("kind", [Namespace, Links, Network])
def test_killed_between_two_steps(chassis: Bench, kind: Any) -> None:
    chassis.logs.allow("killed here")
    chassis.host.failures["apply", kind, "c1"] = "killed here"
    chassis.bind("c1")
    chassis.until_status("c1", "error", "killed here")
    chassis.restart()
    chassis.host.failures.clear()
    chassis.unbind("c1")
    chassis.settle()
    chassis.check_laws()


def test_without_the_southbound_all_stays(chassis: Bench) -> None:
    chassis.logs.allow("reconnect|connection attempt failed|connection closed|connection dropped")
    chassis.bind("c1")
    chassis.settle()
    done = chassis.host.operations[:]
    chassis.sb.stop()
    chassis.until(lambda: not chassis.controller.sb.connected, "the connection to break")  # type: ignore[union-attr]
    chassis.host.lose(Links, "c1")
    chassis.until(lambda: (Links, "c1") in chassis.host.things, "the link again")
    assert chassis.host.operations == [*done, ("apply", "Links", "c1")]
    chassis.restart()
    for _ in range(3):
        chassis.controller.run()
    assert chassis.host.find_names() == {"c1"}
    chassis.sb.start()
    chassis.bind("c2")
    chassis.until_status("c2", "running")
    chassis.check_laws()


def test_a_southbound_made_anew_takes_nothing_away(chassis: Bench) -> None:
    """Until svc-northd has filled SB_Global, no rows do not mean that nothing is wanted."""
    chassis.logs.allow("reconnect|connection attempt failed|connection closed|connection dropped")
    chassis.logs.allow("the southbound lost content")
    chassis.bind("c1")
    chassis.settle()
    done = chassis.host.operations[:]
    chassis.make_southbound_anew()
    chassis.until(lambda: chassis.sb.rows("Chassis"), "the chassis to register again")
    chassis.controller.check_all()
    chassis.until_beats(2)
    assert chassis.host.operations == done
    chassis.restart()
    chassis.until_beats(2)
    assert chassis.host.operations == done
    assert set(chassis.ports()) == {"c1"}
    chassis.bind("c1")
    chassis.sb.insert("SB_Global", options=to_map({"heartbeat-interval": "1000"}))
    chassis.until_status("c1", "running")
    assert chassis.host.programs["c1"].starts == 1
    chassis.unbind("c1")
    chassis.until(lambda: not chassis.host.find_names(), "c1 to go")
    chassis.check_laws()


@pytest.mark.parametrize("remote", ["tcp:central:6652", "tcp:1.2.3.4", "foo"])
def test_a_remote_that_cannot_be_is_told(bench: Bench, remote: str) -> None:
    bench.open_switch(**{"svc-remote": remote})
    bench.until(bench.logs.find_warnings, "the warning")
    (warning,) = bench.logs.find_warnings()
    assert "external_ids:svc-remote of the local Open_vSwitch: '" + remote in warning
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(bench.ids))
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")


# -- nb_cfg ----------------------------------------------------------------------------


def test_nb_cfg_waits_for_containers(chassis: Bench) -> None:
    chassis.settle()
    reached = chassis.sb.rows("Chassis_Private")[0]["nb_cfg"]
    chassis.host.slow = True
    chassis.bind("c1")
    chassis.sb.update("SB_Global", [], nb_cfg=reached + 1)
    chassis.until_status("c1", "starting")
    beats = chassis.sb.rows("Chassis_Private")[0]["heartbeat"]
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["heartbeat"] > beats, "another heartbeat"
    )
    assert chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] == reached
    chassis.host.slow = False
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] == reached + 1, "nb_cfg reached"
    )
    assert chassis.binding("c1")["status_code"] == "running"
    chassis.check_laws()


def test_nb_cfg_waits_for_the_local_switch(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.settle()
    reached = chassis.sb.rows("Chassis_Private")[0]["nb_cfg"]
    chassis.ovs.pause()
    mac = "0a:00:00:00:00:77"
    chassis.sb.transact(
        {"op": "update", "table": "Port_Binding", "where": [], "row": {"mac": mac}},
        {"op": "update", "table": "SB_Global", "where": [], "row": {"nb_cfg": reached + 1}},
    )
    chassis.until(
        lambda: [each.mac for each in chassis.host.things[Links, "c1"].links] == [mac], "the link"
    )
    chassis.until_beats(2)
    assert chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] == reached
    chassis.ovs.resume()
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] == reached + 1, "nb_cfg reached"
    )
    assert chassis.ports()["c1"]["attached-mac"] == mac
    chassis.check_laws()


def _read_ovn_nb_cfg(chassis: Bench) -> str:
    """Returns what svc-controller has read: the two databases answer in any order."""
    bridge = chassis.controller.ports.rows.find_bridge("br-int")
    return bridge.external_ids.get("ovn-nb-cfg", "") if bridge else ""


def test_nb_cfg_waits_for_ovn(chassis: Bench) -> None:
    chassis.settle()
    chassis.ovs.update("Bridge", [], external_ids=to_map({"ovn-nb-cfg": "6"}))
    chassis.until(lambda: _read_ovn_nb_cfg(chassis) == "6", "the bridge as it is")
    chassis.sb.update("SB_Global", [], nb_cfg=100, ovn_nb_cfg=7)
    beats = chassis.sb.rows("Chassis_Private")[0]["heartbeat"]
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["heartbeat"] > beats, "another heartbeat"
    )
    assert chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] < 100
    chassis.ovs.update("Bridge", [], external_ids=to_map({"ovn-nb-cfg": "7"}))
    chassis.until(lambda: chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] == 100, "nb_cfg reached")
    chassis.check_laws()


def test_nb_cfg_never_goes_back_on_a_restart(chassis: Bench) -> None:
    chassis.settle()
    reached = chassis.sb.rows("Chassis_Private")[0]["nb_cfg"]
    incarnation = chassis.sb.rows("Chassis_Private")[0]["incarnation"]
    chassis.restart()
    seen = set()

    def again() -> bool:
        (row,) = chassis.sb.rows("Chassis_Private")
        seen.add(row["nb_cfg"])
        return bool(row["incarnation"] != incarnation)

    chassis.until(again, "the new incarnation")
    assert seen == {reached}
    chassis.check_laws()


def test_a_refused_transaction_is_not_repeated_at_once() -> None:
    changes: list[Change] = [Verify("Chassis", UUID(int=1), "name")]
    gate = Gate()
    assert gate.admit(changes, 0)
    assert not gate.admit(changes, 999)
    assert gate.admit(changes, 1000)
    assert not gate.admit(changes, 2999), "the same more and more seldom"
    assert gate.admit(changes, 3000)
    assert not gate.admit([], 50_000)


def test_a_chassis_that_is_called_otherwise_registers_again(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    ids = to_map(chassis.ids | {"system-id": "hv9"})
    chassis.ovs.update("Open_vSwitch", [], external_ids=ids)

    def is_there(table: str) -> bool:
        return "hv9" in {row["name"] for row in chassis.sb.rows(table)}

    chassis.until(lambda: is_there("Chassis"), "the new name")
    chassis.until(lambda: is_there("Chassis_Private"), "its heartbeat")
