"""svc-controller goes on where a database that it follows is converted, whatever comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .bench import Bench
from .ovsdb import Database, find_schema
from .rig import VSWITCH_SCHEMA
from .sessions import OUTAGE


def read_schema(database: Database) -> dict[str, Any]:
    path = VSWITCH_SCHEMA if database.name == "Open_vSwitch" else find_schema(database.name)
    schema: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    return schema


@pytest.mark.parametrize("name", ["sb", "ovs"])
def test_what_is_asked_after_a_conversion_is_done(chassis: Bench, name: str) -> None:
    chassis.logs.allow(OUTAGE)
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    database: Database = getattr(chassis, name)
    schema = read_schema(database)
    schema["tables"]["Of_The_Future"] = {"columns": {"name": {"type": "string"}}}
    database.convert(schema)
    chassis.bind("c2")
    chassis.until_status("c2", "running")
    chassis.until(lambda: chassis.ports().keys() == {"c1", "c2"}, "both ports")
    chassis.until_beats(3)
    chassis.check_laws()


@pytest.mark.parametrize("column", ["configuration", "container"])
def test_rows_that_do_not_fit_take_nothing_from_the_host(chassis: Bench, column: str) -> None:
    """A column has become a set, and a row has two."""
    chassis.logs.allow(OUTAGE)
    chassis.logs.allow("does not fit the replica")
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.settle()
    before = dict(chassis.host.things)
    schema = read_schema(chassis.sb)
    table = schema["tables"]["Container_Binding"]
    table["columns"][column] = {"type": {"key": "string", "min": 0, "max": "unlimited"}}
    table["indexes"] = []
    (row,) = chassis.sb.rows("Container_Binding")
    chassis.sb.convert(schema)
    chassis.sb.update("Container_Binding", [], **{column: ["set", ["one", "two"]]})
    # It has asked for the content twice by then.
    chassis.until(lambda: chassis.logs.count("does not fit the replica") >= 2, "the misfits")
    assert dict(chassis.host.things) == before
    assert chassis.ports().keys() == {"c1"}
    chassis.sb.update("Container_Binding", [], **{column: row[column]})
    chassis.sb.convert(read_schema(chassis.sb))
    chassis.until_beats(1)
    chassis.settle()
    assert dict(chassis.host.things) == before
    chassis.check_laws()


def test_a_southbound_of_an_older_release_takes_the_heartbeats(chassis: Bench) -> None:
    """A column that it does not have is left out, until it was converted."""
    chassis.logs.allow(OUTAGE)
    chassis.host.full_disks = ("file system /run is full",)
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    schema = read_schema(chassis.sb)
    del schema["tables"]["Chassis_Private"]["columns"]["warnings"]
    chassis.sb.convert(schema)
    chassis.until_beats(3)
    chassis.sb.convert(read_schema(chassis.sb))
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["warnings"] == "file system /run is full",
        "the warning",
    )
