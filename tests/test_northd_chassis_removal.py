"""A chassis that an operator says is gone for good: nothing of it stays, and no settings go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ovs.poller
import pytest

from ..lib import loop
from ..lib.sequence import MOST
from .logs import Logs
from .ovsdb import Databases, find_schema
from .rig import to_map
from .scenario import Scenario, count, run_scenario
from .sessions import OUTAGE

TIMES = {"heartbeat-interval": "500", "chassis-dead-after": "2000"}
_CHASSIS = {
    "Chassis": "name",
    "Chassis_Private": "name",
    "Chassis_Weight": "chassis",
    "Container_Binding": "chassis",
    "Port_Binding": "chassis",
    "Container_Item": "chassis",
}


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    logs.allow("chassis hv. is dead: its heartbeat stopped")
    databases.nb.insert("SVC_Global", options=to_map(TIMES))
    yield from run_scenario(databases, logs)


def kill(cloud: Scenario, name: str) -> None:
    cloud.chassis[name].alive = False
    cloud.pass_time(2500)


def delete(cloud: Scenario, name: str) -> int:
    """Asks for it; returns the number of that."""
    rows = cloud.nb.rows("Chassis", [["name", "==", name]])
    number: int = rows[0]["delete_cfg"] + 1 if rows else 1
    cloud.set_chassis(name, delete_cfg=number)
    return number


def list_tables(cloud: Scenario, name: str) -> list[str]:
    """Returns the tables of the southbound that have rows of a chassis."""
    found = {table: cloud.sb.rows(table, [[key, "==", name]]) for table, key in _CHASSIS.items()}
    return [table for table, rows in found.items() if rows]


def read_end(cloud: Scenario, name: str) -> tuple[int, str]:
    row = cloud.find(cloud.nb, "Chassis", name=name)
    return row["deleted_cfg"], row["delete_status"]


def test_all_of_it_goes_and_what_it_had_is_placed(cloud: Scenario, logs: Logs) -> None:
    group = cloud.add_group("only", chassis_group=cloud.add_chassis_group("one", "hv1"))
    [stuck] = cloud.add_services(1, group=group)
    cloud.set_chassis("hv1", container_weight=7)
    cloud.settle()
    cloud.chassis["hv1"].report_tunnel("t1")
    kill(cloud, "hv1")
    assert cloud.list_places()[stuck] == "hv1", "it has no other place, and may run still"
    number = delete(cloud, "hv1")
    del cloud.chassis["hv1"]
    cloud.settle()
    assert list_tables(cloud, "hv1") == []
    assert read_end(cloud, "hv1") == (number, "deleted")
    assert cloud.message(stuck).startswith("no chassis can run it: both chassis")
    assert logs.count("chassis hv1: an operator deleted it; its rows are removed") == 1
    # One that comes back registers anew, with what the operator had set.
    cloud.add_chassis("hv1")
    cloud.settle()
    assert cloud.list_places()[stuck] == "hv1"
    assert cloud.find(cloud.sb, "Chassis_Weight", chassis="hv1")["weight"] == 7
    assert read_end(cloud, "hv1") == (number, "deleted")


def test_what_is_held_after_a_mass_failure_is_placed_at_once(cloud: Scenario, logs: Logs) -> None:
    logs.allow("3 of 5 chassis went silent at once")
    cloud.add_chassis("hv4", "hv5")
    cloud.settle()
    cloud.add_services(5, group=cloud.add_group("all", policy="least"))
    cloud.settle()
    assert count(cloud.list_places()) == {f"hv{number}": 1 for number in range(1, 6)}
    for name in ("hv2", "hv3"):
        cloud.chassis[name].alive = False
    kill(cloud, "hv1")
    assert count(cloud.list_places())["hv1"] == 1
    delete(cloud, "hv1")
    cloud.settle()
    places = count(cloud.list_places())
    assert "hv1" not in places
    assert (places["hv2"], places["hv3"]) == (1, 1)
    assert sum(places.values()) == 5


def test_one_that_is_alive_is_not_deleted_then_nor_later(cloud: Scenario) -> None:
    cloud.add_services(3)
    cloud.settle()
    before = cloud.dump()["sb"]["Chassis"]
    number = delete(cloud, "hv1")
    cloud.settle()
    assert read_end(cloud, "hv1") == (number, "not deleted: it is alive")
    kill(cloud, "hv1")
    assert cloud.dump()["sb"]["Chassis"] == before
    assert "Chassis_Weight" in list_tables(cloud, "hv1")


def test_what_was_asked_while_no_svc_northd_ran_is_done(cloud: Scenario) -> None:
    cloud.add_services(3)
    kill(cloud, "hv1")
    cloud.northd.close()
    delete(cloud, "hv1")
    # Of one that was being deleted when svc-northd ended only some rows are left.
    cloud.sb.delete("Chassis", [["name", "==", "hv1"]])
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert list_tables(cloud, "hv1") == []
    assert read_end(cloud, "hv1") == (1, "deleted")


def add_holder(cloud: Scenario, name: str) -> None:
    """Has the southbound refuse that a chassis goes: a table that somebody added holds it."""
    schema: dict[str, Any] = json.loads(Path(find_schema(cloud.sb.name)).read_text("utf-8"))
    column = {"type": {"key": {"type": "uuid", "refTable": "Chassis"}}}
    schema["tables"]["Holder"] = {"columns": {"chassis": column}, "isRoot": True}
    cloud.logs.allow(OUTAGE)
    cloud.sb.convert(schema)
    row = cloud.find(cloud.sb, "Chassis", name=name)
    cloud.sb.insert("Holder", chassis=row["_uuid"])
    cloud.settle()


def test_one_that_the_southbound_refuses_to_delete_is_told_and_tried_again(
    cloud: Scenario, logs: Logs
) -> None:
    logs.allow("chassis hv1: its rows cannot be removed: referential integrity violation")
    add_holder(cloud, "hv1")
    kill(cloud, "hv1")
    kill(cloud, "hv2")
    delete(cloud, "hv1")
    delete(cloud, "hv2")
    del cloud.chassis["hv1"], cloud.chassis["hv2"]
    cloud.settle()
    assert read_end(cloud, "hv2") == (1, "deleted"), "it does not wait for the other"
    number, status = read_end(cloud, "hv1")
    assert number == 0
    assert status.startswith("not deleted yet: referential integrity violation: ")
    cloud.pass_time(5000)
    assert read_end(cloud, "hv1") == (number, status)
    assert logs.count("chassis hv1: its rows cannot be removed") == 1
    cloud.sb.delete("Holder")
    cloud.pass_time(5000)
    assert read_end(cloud, "hv1") == (1, "deleted")
    assert list_tables(cloud, "hv1") == []


def test_nothing_is_waited_for_while_nothing_is_written(cloud: Scenario, logs: Logs) -> None:
    """It would be a moment that is over, in each pass."""
    logs.allow("nothing is written: SVC_Northbound has no SVC_Global row though containers run")
    logs.allow("chassis hv1: its rows cannot be removed")
    cloud.add_services(3)
    add_holder(cloud, "hv1")
    kill(cloud, "hv1")
    delete(cloud, "hv1")
    cloud.settle()
    [root] = cloud.nb.rows("SVC_Global")
    cloud.nb.delete("SVC_Global")
    cloud.wait_for(lambda: logs.count("nothing is written: ") == 1, "it is held")
    for _ in range(3):
        loop.warp(1500)
        cloud.step()
        poller = ovs.poller.Poller()
        cloud.northd.wait(poller)
        assert poller.timeout != 0
    cloud.sb.delete("Holder")
    cloud.nb.insert("SVC_Global", options=root["options"])
    cloud.pass_time(5000)
    assert read_end(cloud, "hv1") == (1, "deleted")


def test_one_that_never_was_is_deleted(cloud: Scenario) -> None:
    delete(cloud, "hv9")
    cloud.settle()
    assert read_end(cloud, "hv9") == (1, "deleted")


def test_numbers_at_the_end_of_their_range_start_over(cloud: Scenario) -> None:
    kill(cloud, "hv1")
    cloud.set_chassis("hv1", delete_cfg=MOST, deleted_cfg=MOST)
    cloud.nb.update("SVC_Global", [], nb_cfg=MOST)

    def has_answered(number: int) -> bool:
        row = cloud.find(cloud.nb, "SVC_Global")
        return (row["sb_cfg"], row["hv_cfg"]) == (number, number)

    cloud.wait_for(lambda: has_answered(MOST), "the highest number")
    assert list_tables(cloud, "hv1")
    cloud.set_chassis("hv1", delete_cfg=1)
    cloud.nb.update("SVC_Global", [], nb_cfg=1)
    # A chassis that is at the highest is behind those that are at 1.
    cloud.chassis["hv2"].alive = False
    cloud.wait_for(lambda: cloud.find(cloud.nb, "SVC_Global")["sb_cfg"] == 1, "svc-northd")
    assert cloud.find(cloud.nb, "SVC_Global")["hv_cfg"] == MOST
    cloud.chassis["hv2"].alive = True
    cloud.wait_for(lambda: has_answered(1), "all chassis")
    assert read_end(cloud, "hv1") == (1, "deleted")
    assert list_tables(cloud, "hv1") == []


def test_who_waits_for_the_number_has_it_gone(cloud: Scenario) -> None:
    kill(cloud, "hv1")
    cloud.nb.transact(
        {
            "op": "insert",
            "table": "Chassis",
            "row": {"name": "hv1", "delete_cfg": 1},
        },
        {"op": "update", "table": "SVC_Global", "where": [], "row": {"nb_cfg": 5}},
    )
    seen = cloud.wait_for(
        lambda: cloud.find(cloud.nb, "SVC_Global")["sb_cfg"] == 5 and [list_tables(cloud, "hv1")],
        "the number",
    )
    assert seen == [[]]
