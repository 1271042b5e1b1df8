"""Containers that fail, chassis that die or say that they are unfit, standbys that take over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from ..northd.scheduler.spells import STEADY_MS
from ..northd.sync import history
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, View, count, run_scenario

DEAD = "is dead: its heartbeat stopped"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


@pytest.fixture
def container(cloud: Scenario) -> str:
    """A container that serves from hv1."""
    (name,) = cloud.add_services(1)
    cloud.settle()
    assert cloud.look(name) == _serving_from("hv1")
    return name


def _serving_from(chassis: str) -> View:
    return View(chassis, ready=(chassis,), up=(chassis,), requested=chassis)


# -- a container that fails -------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "reason"),
    [
        (lambda hv1: hv1.slow.add(""), "starting after 15 s (charon is being started)"),
        (
            lambda hv1: setattr(hv1, "obeys", False),
            "the chassis has not taken it up after 15 s",
        ),
        (
            lambda hv1: setattr(hv1, "installs", False),
            "OVN has not installed its port after 15 s",
        ),
    ],
)
def test_container_that_does_not_start_in_time_is_placed_elsewhere(
    cloud: Scenario, begin: Callable[..., None], reason: str
) -> None:
    begin(cloud.chassis["hv1"])
    (container,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(8_000)
    assert cloud.look(container).active == "hv1"
    assert cloud.list_avoided(container) == {}
    cloud.warp(7_500)
    assert cloud.look(container) == _serving_from("hv2")
    assert cloud.list_avoided(container)["hv1"]["reason"] == reason
    assert cloud.list_history(container)[1] == (2, "hv2", f"it failed on hv1: {reason}")
    cloud.chassis["hv1"].obeys = True


def test_start_timeout_is_the_operators(cloud: Scenario) -> None:
    cloud.set_options(container_start_timeout="6000")
    cloud.chassis["hv1"].slow = {""}
    (container,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(3000)
    assert cloud.look(container).active == "hv1"
    cloud.warp(3100)
    assert cloud.look(container).active == "hv2"


def test_failure_that_the_chassis_mends_moves_nothing(cloud: Scenario, container: str) -> None:
    hv1 = cloud.chassis["hv1"]
    for _ in range(3):
        hv1.failing = {container: "charon ended"}
        cloud.settle()
        binding = cloud.find(cloud.sb, "Container_Binding")
        assert isinstance(binding["unwell_since"], int)
        assert cloud.message(container) == "charon ended"
        cloud.warp(1000)
        hv1.failing = {}
        hv1.step()
        cloud.settle()
        assert cloud.find(cloud.sb, "Container_Binding")["unwell_since"] == ["set", []]
        cloud.warp(STEADY_MS)
    assert cloud.look(container) == _serving_from("hv1")
    assert len(cloud.list_history(container)) == 1


def test_container_that_stays_in_error_is_moved_after_a_while(
    cloud: Scenario, container: str
) -> None:
    (other,) = cloud.add_services(1, first=1)
    cloud.settle()
    cloud.set_wish(other, requested_chassis="hv1")
    cloud.settle()
    cloud.chassis["hv1"].failing = {container: "charon ended 5 times"}
    cloud.settle()
    cloud.warp(2100)
    views = cloud.follow(container)
    assert all(view.redirected for view in views)
    assert cloud.look(container) == _serving_from("hv2")
    assert cloud.look(other) == _serving_from("hv1")
    avoided = cloud.list_avoided(container)["hv1"]
    assert (avoided["reason"], avoided["failures"]) == ("charon ended 5 times", 1)
    assert avoided["retry_at"] - avoided["since"] == 15_000
    assert cloud.message(container) == "as told"


def test_tries_go_on_for_ever_with_a_growing_pause(cloud: Scenario, container: str) -> None:
    for chassis in ("hv2", "hv3"):
        cloud.set_chassis(chassis, container_weight=0)
    hv1 = cloud.chassis["hv1"]
    hv1.failing = {"": "no memory"}
    cloud.settle()
    cloud.warp(2000)
    pauses_s = []
    for failures in range(1, 10):
        avoided = cloud.list_avoided(container)["hv1"]
        assert avoided["failures"] == failures
        pauses_s.append((avoided["retry_at"] - avoided["since"]) // 1000)
        assert re.fullmatch(
            "it failed on hv1: no memory, but no chassis can run it: of 3 chassis 2 are of weight"
            rf" 0; 1 is avoided since it failed there \(no memory\); hv1 is tried again at {TIME}",
            cloud.message(container),
        )
        assert cloud.show(container)["status_code"] == "error"
        assert cloud.look(container).active == "hv1"
        cloud.warp(pauses_s[-1] * 1000)
    assert pauses_s == [15, 30, 60, 120, 240, 480, 600, 600, 600]
    hv1.failing = {}
    cloud.settle()
    assert cloud.look(container) == _serving_from("hv1")
    cloud.warp(STEADY_MS)
    assert cloud.message(container) == "as told"
    cloud.warp(700_000)
    assert cloud.list_avoided(container) == {}


def test_with_every_chassis_avoided_each_gets_its_turn(cloud: Scenario, container: str) -> None:
    for chassis in cloud.chassis.values():
        chassis.failing = {"": "no memory"}
    tried: set[str] = set()
    for _ in range(60):
        cloud.warp(2100)
        tried.update(cloud.look(container).standby)
    assert tried == {"hv2", "hv3"}
    assert set(cloud.list_avoided(container)) == {"hv1", "hv2", "hv3"}
    assert all(row["failures"] > 1 for row in cloud.list_avoided(container).values())
    assert re.search(rf"; hv\d is tried again at {TIME}", cloud.message(container))
    cloud.chassis["hv3"].failing = {}
    for _ in range(300):
        cloud.warp(10_000)
        if cloud.look(container) == _serving_from("hv3"):
            return
    raise AssertionError("the container does not find the chassis that can run it")


@pytest.mark.parametrize("how", ["restart", "weight"])
def test_failure_is_forgiven_when_the_chassis_changes(
    cloud: Scenario, container: str, how: str
) -> None:
    hv1 = cloud.chassis["hv1"]
    hv1.failing = {"": "no memory"}
    cloud.settle()
    cloud.warp(2100)
    assert cloud.list_avoided(container).keys() == {"hv1"}
    if how == "restart":
        hv1.restart()
    else:
        cloud.set_chassis("hv1", container_weight=3)
    cloud.settle()
    assert cloud.list_avoided(container) == {}
    assert cloud.look(container) == _serving_from("hv2")


def test_avoided_chassis_runs_other_containers(cloud: Scenario, container: str) -> None:
    cloud.chassis["hv1"].failing = {container: "no memory"}
    cloud.settle()
    cloud.warp(2100)
    names = cloud.add_services(5, first=1)
    cloud.settle()
    assert count(cloud.list_places()) == {"hv1": 2, "hv2": 2, "hv3": 2}
    assert cloud.list_avoided(container).keys() == {"hv1"}
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    assert [cloud.list_avoided(name) for name in (container, *names)] == [{}] * 6


def test_tunnel_that_is_down_moves_nothing(cloud: Scenario, container: str) -> None:
    connection = cloud.nb.rows("IPsec_Connection")[0]["_uuid"][1]
    for state in ("down", "connecting"):
        cloud.chassis["hv1"].report_tunnel(connection, state, "the peer does not answer")
        cloud.settle()
        cloud.warp(700_000)
        assert cloud.look(container) == _serving_from("hv1")
    assert cloud.find(cloud.nb, "VPN_Service")["status"] == "down"
    assert len(cloud.list_history(container)) == 1


# -- a chassis that fails ---------------------------------------------------


def test_dead_chassis_is_left_and_nothing_goes_back(cloud: Scenario, container: str) -> None:
    cloud.logs.allow(DEAD)
    (other,) = cloud.add_services(1, first=1)
    cloud.settle()
    assert cloud.look(other) == _serving_from("hv2")
    hv1 = cloud.chassis["hv1"]
    hv1.alive = False
    cloud.pass_time(6000)
    assert cloud.look(container) == _serving_from("hv3")
    assert cloud.look(other) == _serving_from("hv2")
    assert cloud.list_history(container)[1] == (2, "hv3", "chassis hv1 is dead")
    assert hv1.containers == {container: "active"}
    hv1.alive = True
    cloud.settle()
    assert hv1.containers == {}
    assert cloud.look(container) == _serving_from("hv3")


def test_with_no_other_place_a_container_stays_on_a_dead_chassis(
    cloud: Scenario, container: str
) -> None:
    cloud.logs.allow(DEAD)
    cloud.set_wish(container, requested_chassis="hv1")
    cloud.chassis["hv1"].alive = False
    cloud.pass_time(6000)
    assert cloud.look(container).active == "hv1"
    row = cloud.show(container)
    assert row["status_code"] == "error"
    assert row["status_message"] == (
        "chassis hv1 is dead, and no chassis can run it: it is pinned to hv1, which is"
        f" dead (svcctl container-unpin {container})"
    )
    cloud.chassis["hv1"].alive = True
    cloud.settle()
    assert cloud.look(container) == _serving_from("hv1")
    assert cloud.message(container) == "as told"
    assert len(cloud.list_history(container)) == 1


def test_chassis_that_ovn_cannot_serve_is_left_at_once(cloud: Scenario, container: str) -> None:
    problem = "ovn-controller is not running"
    cloud.logs.allow(f"chassis hv1 is unfit: {problem}")
    cloud.chassis["hv1"].tell(ovn_problem=problem)
    cloud.settle()
    assert cloud.look(container) == _serving_from("hv2")
    reason = f"chassis hv1 is unfit ({problem})"
    assert cloud.list_history(container)[1] == (2, "hv2", reason)
    weight = cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")
    assert (weight["alive"], weight["problem"]) == (True, f"unfit ({problem})")
    cloud.set_wish(container, requested_chassis="hv1")
    cloud.settle()
    assert cloud.look(container) == _serving_from("hv2")
    assert cloud.message(container) == (
        "as told; chassis hv2 is not hv1, to which it is pinned, but no chassis can run it: it is"
        f" pinned to hv1, which is unfit ({problem}) (svcctl container-unpin {container})"
    )
    cloud.chassis["hv1"].tell(ovn_problem="")
    cloud.settle()
    assert cloud.look(container) == _serving_from("hv1")


def test_with_no_other_place_the_row_says_what_ovn_cannot_serve(
    cloud: Scenario, container: str
) -> None:
    cloud.logs.allow("is unfit: ovn-controller is not running")
    for chassis in cloud.chassis.values():
        chassis.tell(ovn_problem="ovn-controller is not running")
    cloud.settle()
    row = cloud.show(container)
    unfit = "unfit (ovn-controller is not running)"
    assert row["status_message"] == (
        f"chassis hv1 is {unfit}, and no chassis can run it: all 3 chassis are {unfit}"
    )
    assert (row["status_code"], row["chassis"]) == ("error", "hv1")


def test_chassis_that_stops_takes_nothing_and_says_so(cloud: Scenario, container: str) -> None:
    cloud.chassis["hv1"].tell(stopping=True)
    cloud.settle()
    cloud.add_services(4, first=1)
    cloud.settle()
    assert count(cloud.list_places()) == {"hv2": 3, "hv3": 2}
    assert cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")["problem"] == "stopping"
    where = [["name", "==", "hv1"]]
    for table in ("Chassis", "Chassis_Private"):
        cloud.sb.delete(table, where)
    del cloud.chassis["hv1"]
    cloud.settle()
    assert cloud.sb.rows("Chassis_Weight", [["chassis", "==", "hv1"]]) == []


# -- standbys ---------------------------------------------------------------


@pytest.fixture
def pair(cloud: Scenario) -> str:
    """A container that serves from hv1 with a standby on hv2."""
    (name,) = cloud.add_services(1, group=cloud.add_group("pair", {"standby": "1"}))
    cloud.settle()
    assert cloud.look(name) == View("hv1", ("hv2",), ("hv1", "hv2"), ("hv1",), "hv1")
    return name


@pytest.mark.parametrize("death", ["heartbeat", "ovn"])
def test_standby_takes_over_and_another_is_made(cloud: Scenario, pair: str, death: str) -> None:
    cloud.logs.allow(f"{DEAD}|is unfit")
    before = cloud.find(cloud.sb, "Container_Binding", chassis="hv2")
    hv1 = cloud.chassis["hv1"]
    if death == "heartbeat":
        hv1.alive = False
        cloud.pass_time(6000)
    else:
        hv1.tell(ovn_problem="ovn-controller is not running")
        views = cloud.follow(pair)
        assert views[1] == View("hv2", (), (), ("hv1",), "hv2") or views[1].active == "hv2"
        assert all(view.redirected for view in views)
    after = cloud.find(cloud.sb, "Container_Binding", chassis="hv2")
    assert after["_uuid"] == before["_uuid"]
    assert (before["role"], after["role"]) == ("standby", "active")
    assert cloud.look(pair) == View("hv2", ("hv3",), ("hv2", "hv3"), ("hv2",), "hv2")
    assert cloud.list_history(pair)[1][1] == "hv2"
    hv1.alive = True


def test_standby_that_fails_is_made_elsewhere(cloud: Scenario, pair: str) -> None:
    cloud.chassis["hv2"].failing = {"": "no memory"}
    cloud.settle()
    cloud.warp(2100)
    assert cloud.look(pair) == View("hv1", ("hv3",), ("hv1", "hv3"), ("hv1",), "hv1")
    cloud.chassis["hv3"].failing = {"": "no memory"}
    cloud.settle()
    cloud.warp(2100)
    assert cloud.look(pair).active == "hv1"
    assert cloud.message(pair).startswith(
        "as told; it has too few standbys: no other chassis can hold it"
    )


def test_standbys_follow_their_number(cloud: Scenario, pair: str) -> None:
    def set_standby(number: str) -> View:
        cloud.nb.update("Container_Group", [], options=["map", [["standby", number]]])
        views = cloud.follow(pair)
        assert {view.active for view in views} == {"hv1"}
        return views[-1]

    assert set_standby("2").standby == ("hv2", "hv3")
    assert set_standby("0").standby == ()
    assert set_standby("5").standby == ("hv2", "hv3")
    assert cloud.message(pair) == ("as told; it has too few standbys: there is no other chassis")


# -- chassis that refuse a configuration ---------------------------------------


def test_a_refused_configuration_moves_nothing(cloud: Scenario, pair: str) -> None:
    """Those that have the container go on as they were; nothing failed."""
    before = cloud.look(pair)
    for chassis in cloud.chassis.values():
        chassis.refusing.add("")
    cloud.nb.update("IPsec_Connection", [], dpd_interval=7)
    cloud.settle()
    for _ in range(2):
        cloud.warp(20_000)
        assert cloud.list_places() == {pair: before.active}
        assert cloud.list_avoided(pair) == {}
        row = cloud.find(cloud.sb, "Container_Binding", chassis=before.active)
        assert row["reached_generation"] < row["generation"]
        assert row["unwell_since"] == ["set", []]
    assert cloud.message(pair) == "still as configured before: no"
    for chassis in cloud.chassis.values():
        chassis.refusing.clear()
    cloud.settle()
    assert cloud.look(pair) == before


def test_what_is_avoided_tells_no_time_of_a_try(cloud: Scenario, container: str) -> None:
    problem = "no memory; tried again at 2026-01-01T00:00:02Z"
    cloud.chassis["hv1"].failing = {"": problem}
    cloud.settle()
    cloud.warp(2100)
    assert cloud.look(container).active != "hv1"
    assert cloud.list_avoided(container)["hv1"]["reason"] == "no memory"


# -- history ----------------------------------------------------------------


def test_history_is_bounded_and_goes_with_the_container(cloud: Scenario, container: str) -> None:
    for number in range(history.KEPT + 2):
        cloud.migrate(container, f"hv{2 - number % 2}")
        cloud.settle()
    rows = cloud.list_history(container)
    assert [number for number, _, _ in rows] == list(range(4, history.KEPT + 4))
    assert {reason for _, _, reason in rows} == {
        "migration to hv1 was asked for",
        "migration to hv2 was asked for",
    }
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    assert cloud.sb.rows("Placement") == []
