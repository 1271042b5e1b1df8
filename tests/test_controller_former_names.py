"""A chassis that has another name takes its old rows away, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..controller.kept_names import Host
from ..lib import sealing
from .bench import HOST, ME, Bench
from .rig import to_map
from .test_controller_identity import call, until_registered

NEW = "hv9"
COPY = Host(HOST.machine, "another boot")


def list_chassis(bench: Bench) -> dict[str, list[str]]:
    """Returns by table the chassis that it has rows of."""
    names = {"Chassis": "name", "Chassis_Private": "name", "Container_Item": "chassis"}
    return {
        table: sorted(row[column] for row in bench.sb.rows(table))
        for table, column in names.items()
    }


def find_file(bench: Bench) -> Path:
    return bench.directory / "etc" / "chassis.names"


def list_kept(bench: Bench) -> list[str]:
    return [each["chassis"] for each in json.loads(find_file(bench).read_text())]


def until_only(bench: Bench, *names: str) -> None:
    wanted = {"Chassis": sorted(names), "Chassis_Private": sorted(names), "Container_Item": []}
    bench.until(lambda: list_chassis(bench) == wanted, f"rows of {names} and nobody else")


@pytest.fixture
def chassis(chassis: Bench) -> Bench:
    """A bench whose chassis has registered, and runs a container with a tunnel."""
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    chassis.bind("c1", {"addresses": [], "tunnels": {"t1": "up"}})
    chassis.until(lambda: list_chassis(chassis)["Container_Item"] == [ME], "the tunnel")
    return chassis


def test_one_that_is_renamed_while_it_runs(chassis: Bench) -> None:
    call(chassis, NEW)
    until_only(chassis, NEW)
    chassis.until(lambda: not chassis.host.find_names(), "what it had to go")
    # A binding is svc-northd's.
    assert [row["chassis"] for row in chassis.sb.rows("Container_Binding")] == [ME]
    chassis.until(lambda: list_kept(chassis) == [NEW], "the former name to be forgotten")


def test_one_that_is_renamed_before_its_next_start(chassis: Bench) -> None:
    chassis.controller.close()
    call(chassis, NEW)
    chassis.controller = chassis.make_controller()
    until_only(chassis, NEW)


def test_several_names_that_could_not_be_taken_away_at_once(chassis: Bench) -> None:
    for name in ("hv7", "hv8", NEW):
        chassis.controller.close()
        call(chassis, name)
        chassis.controller = chassis.make_controller()
        chassis.until(lambda: chassis.controller.identity is not None, "the name")
    assert list_kept(chassis) == [NEW, "hv8", "hv7", ME]
    until_only(chassis, NEW)
    chassis.until(lambda: chassis.controller.former_names.names == [], "nothing to be left")


def test_one_that_has_its_name_again_keeps_its_rows(chassis: Bench) -> None:
    chassis.controller.close()
    call(chassis, NEW)
    chassis.controller = chassis.make_controller()
    chassis.until(lambda: chassis.controller.identity is not None, "the name")
    call(chassis, ME)
    until_registered(chassis, ME)
    chassis.until(lambda: chassis.controller.former_names.names == [], "nothing to be left")
    assert chassis.host.find_names() == {"c1"}
    assert ME in list_chassis(chassis)["Chassis"]


def test_rows_of_a_host_that_has_the_old_name_stay(chassis: Bench) -> None:
    chassis.controller.close()
    key = sealing.make_private_key()
    public_key = sealing.format_public_key(key)
    where = [["name", "==", ME]]

    def read_key() -> Any:
        return chassis.sb.rows("Chassis", where)[0]["public_key"]

    chassis.controller = chassis.make_controller(key, Host("other", "boot"), "other")
    chassis.until(lambda: read_key() == public_key, "the other host to register", timeout_s=20)
    # Though it does not run at this moment.
    chassis.controller.close()
    call(chassis, NEW)
    chassis.controller = chassis.make_controller()
    until_registered(chassis, NEW)
    chassis.until(lambda: chassis.controller.former_names.names == [], "the name to be looked at")
    assert read_key() == public_key
    assert ME in list_chassis(chassis)["Chassis_Private"]


def test_rows_of_a_host_whose_disk_was_copied_stay(chassis: Bench) -> None:
    """The copy has its key and its file, and another name; then the first one is restarted."""
    first = chassis.controller
    call(chassis, NEW)
    mine = chassis.controller = chassis.make_controller(host=COPY)
    until_registered(chassis, NEW)
    assert ME in list_chassis(chassis)["Chassis_Private"]
    first.close()
    call(chassis, ME)
    chassis.controller = chassis.make_controller(folder="first")
    until_incarnation(chassis, chassis.controller.chassis.heartbeat.incarnation)
    chassis.controller, first = mine, chassis.controller
    call(chassis, NEW)
    chassis.until(lambda: mine.former_names.names == [], "the name to be given up")
    assert list_chassis(chassis)["Container_Item"] == [ME]
    assert ME in list_chassis(chassis)["Chassis"]
    first.close()


def until_incarnation(bench: Bench, incarnation: str) -> None:
    where = [["name", "==", ME]]

    def find() -> bool:
        rows = bench.sb.rows("Chassis_Private", where)
        return [row["incarnation"] for row in rows] == [incarnation]

    bench.until(find, "the heartbeat of another svc-controller")


@pytest.mark.parametrize(
    "text", ["", "{", "7", "[]", '[["hv7"], 5, ["", ""], {"chassis": "hv8"}]', '{"a": 1}']
)
def test_whatever_is_in_the_file_removes_nothing(chassis: Bench, text: str) -> None:
    chassis.controller.close()
    find_file(chassis).write_text(text)
    chassis.controller = chassis.make_controller()
    until_registered(chassis, ME)
    chassis.until_beats(2)
    assert list_chassis(chassis)["Chassis"] == [ME]
    assert chassis.host.find_names() == {"c1"}


def test_a_disk_that_takes_no_file_is_in_nobodys_way(chassis: Bench) -> None:
    chassis.logs.allow("the name of this chassis is not kept over a restart")
    chassis.controller.close()
    chassis.controller = chassis.make_controller(folder="/proc/nowhere")
    until_registered(chassis, ME)
    call(chassis, NEW)
    until_only(chassis, NEW)
