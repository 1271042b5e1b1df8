"""ovn-northd is paused or dead: OVN is at fault, no chassis is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..northd.ovn.progress import PROBLEM
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, run_scenario

HOUR_MS = 3_600_000


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


def read_problem(cloud: Scenario) -> str:
    """Returns what svc-northd says is wrong with its work."""
    return str(cloud.sb.rows("Northd")[0]["problem"])


def test_while_ovn_is_paused_nothing_moves_and_no_chassis_is_blamed(cloud: Scenario) -> None:
    cloud.ovn_follows = False
    names = cloud.add_services(5)
    cloud.settle()
    places = cloud.list_places()
    for _ in range(4):
        cloud.warp(20_000)
        assert cloud.list_places() == places
        assert cloud.sb.rows("Avoided_Chassis") == []
    for name in names:
        assert [number for number, _, _ in cloud.list_history(name)] == [1]
        row = cloud.show(name)
        assert (row["status_code"], row["status_message"]) == ("starting", f"as told; {PROBLEM}")
    assert {row["status"] for row in cloud.nb.rows("VPN_Service")} == {"down"}
    cloud.wait_for(lambda: PROBLEM in read_problem(cloud), "the problem in Northd")
    cloud.ovn_follows = True
    cloud.settle()
    assert {cloud.look(name).serving for name in names} == {True}
    assert cloud.list_places() == places
    assert {cloud.message(name) for name in names} == {"as told"}
    cloud.wait_for(lambda: read_problem(cloud) == "", "the end of the problem")


def test_after_an_hour_each_chassis_has_its_time_and_one_is_blamed(cloud: Scenario) -> None:
    """The ovn-controller of hv1 does not follow, the others do."""
    cloud.ovn_follows = False
    names = cloud.add_services(3)
    cloud.settle()
    cloud.warp(20_000)
    cloud.warp(HOUR_MS)
    places = cloud.list_places()
    cloud.chassis["hv1"].installs = False
    cloud.ovn_follows = True
    cloud.settle()
    cloud.warp(9000)  # a slow machine takes its part of the 15 s
    assert cloud.list_places() == places
    cloud.warp(7000)
    after = cloud.list_places()
    (moved,) = [name for name in names if after[name] != places[name]]
    assert places[moved] == "hv1"
    reason = "OVN has not installed its port after 15 s"
    assert cloud.list_avoided(moved)["hv1"]["reason"] == reason
    assert len(cloud.sb.rows("Avoided_Chassis")) == 1
    assert {cloud.look(name).serving for name in names} == {True}


def test_a_dead_chassis_is_left_while_ovn_is_paused_and_left_once(cloud: Scenario) -> None:
    cloud.logs.allow("is dead: its heartbeat stopped")
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.ovn_follows = False
    cloud.chassis["hv1"].alive = False
    cloud.pass_time(6000)
    assert cloud.list_places() == {name: "hv2"}
    for _ in range(3):
        cloud.warp(20_000)
    assert [chassis for _, chassis, _ in cloud.list_history(name)] == ["hv1", "hv2"]
    assert cloud.list_avoided(name) == {}
    cloud.ovn_follows = True
    cloud.settle()
    assert cloud.look(name).serving
    cloud.chassis["hv1"].alive = True


def test_another_svc_northd_blames_nobody_either(cloud: Scenario) -> None:
    cloud.ovn_follows = False
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(10_000)
    cloud.northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    for _ in range(3):
        cloud.warp(20_000)
    assert cloud.list_places() == {name: "hv1"}
    assert cloud.list_avoided(name) == {}
    cloud.ovn_follows = True


def test_what_starts_in_time_asks_ovn_once(cloud: Scenario) -> None:
    """For the rules of all at once; for those that are there nobody asks again."""
    cloud.add_services(3)
    cloud.settle()
    for _ in range(4):
        cloud.warp(20_000)
    assert cloud.ovn.rows("NB_Global")[0]["nb_cfg"] == 1


def test_what_fails_on_its_chassis_is_no_fault_of_ovn(cloud: Scenario) -> None:
    cloud.ovn_follows = False
    cloud.chassis["hv1"].slow.add("")
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(16_000)
    assert cloud.list_places() == {name: "hv2"}
    assert set(cloud.list_avoided(name)) == {"hv1"}
    cloud.ovn_follows = True


def test_a_planned_move_waits_until_ovn_follows(cloud: Scenario) -> None:
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(6000)  # OVN has compiled all of it
    cloud.ovn_follows = False
    cloud.nb.update("SVC_Global", [], nb_cfg=cloud.nb.rows("SVC_Global")[0]["nb_cfg"] + 1)
    cloud.settle()
    cloud.warp(6000)
    cloud.set_chassis("hv1", drain=True)
    for _ in range(3):
        cloud.settle()
        assert cloud.list_places() == {name: "hv1"}
        assert cloud.message(name) == "as told; chassis hv1 is drained; it waits until OVN follows"
        cloud.warp(20_000)
    cloud.ovn_follows = True
    cloud.settle()
    assert cloud.list_places() == {name: "hv2"}
    assert cloud.look(name).serving


def test_a_move_that_is_under_way_goes_no_further(cloud: Scenario) -> None:
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.chassis["hv2"].slow.add("")
    cloud.migrate(name, "hv2")
    cloud.settle()
    assert cloud.look(name).standby == ("hv2",)
    cloud.ovn_follows = False
    cloud.nb.update("SVC_Global", [], nb_cfg=cloud.nb.rows("SVC_Global")[0]["nb_cfg"] + 1)
    cloud.settle()
    cloud.warp(6000)
    cloud.chassis["hv2"].slow.clear()
    cloud.settle()
    view = cloud.look(name)
    assert (view.active, view.standby, view.ready) == ("hv1", ("hv2",), ("hv1", "hv2"))
    cloud.ovn_follows = True
    cloud.settle()
    assert cloud.list_places() == {name: "hv2"}
