"""svc-northd goes on where a database is converted online, as upgrades of clusters do it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .cloud import Cloud
from .ovsdb import Database, find_schema
from .sessions import OUTAGE

DROPS = 4
MORE_BEATS = 10


def make_later_schema(database: Database) -> dict[str, Any]:
    """Returns the schema of a later version: with a table more."""
    schema: dict[str, Any] = json.loads(Path(find_schema(database.name)).read_text("utf-8"))
    schema["tables"]["Of_The_Future"] = {"columns": {"name": {"type": "string"}}}
    return schema


def convert(cloud: Cloud, database: Database) -> None:
    cloud.logs.allow(OUTAGE)
    database.convert(make_later_schema(database))


def has_ended(cloud: Cloud, name: str, before: int | None) -> bool:
    session = cloud.northd.sessions[name]
    return session.connection not in (None, before) and session.synced


def find_drops(cloud: Cloud, router: str) -> set[str]:
    """Returns the matches of the drops on the router of this name."""
    uuid = cloud.find(cloud.ovn, "Logical_Router", name=router)["_uuid"][1]
    return cloud.find_policies(uuid, "drop")


def follow(cloud: Cloud, database: Database) -> None:
    """Waits until svc-northd has the content of the converted database."""
    (name,) = (
        name for name, each in cloud.northd.sessions.items() if each.database == database.name
    )
    before = cloud.northd.sessions[name].connection
    convert(cloud, database)
    cloud.wait_for(lambda: has_ended(cloud, name, before), "the content anew")
    cloud.settle()


def test_what_is_deleted_after_a_conversion_is_put_back(served_cloud: Cloud) -> None:
    follow(served_cloud, served_cloud.ovn)
    drops = find_drops(served_cloud, "tenant-router")
    assert len(drops) == DROPS
    (router,) = served_cloud.ovn.rows("Logical_Router", [["name", "==", "tenant-router"]])
    mutation = ["policies", "delete", router["policies"]]
    where = [["_uuid", "==", router["_uuid"]]]
    served_cloud.ovn.transact(
        {"op": "mutate", "table": "Logical_Router", "where": where, "mutations": [mutation]}
    )
    served_cloud.wait_for(lambda: find_drops(served_cloud, "tenant-router") == drops, "the drops")
    served_cloud.settle()


def test_what_is_wanted_after_a_conversion_is_done(served_cloud: Cloud) -> None:
    follow(served_cloud, served_cloud.nb)
    served_cloud.add_router("another", gateway="2.0.0.2/24")
    vpn = served_cloud.add_vpn("second", "another", external_ips="2.0.0.100")
    served_cloud.add_connection(vpn, "to-mars")
    served_cloud.settle()
    assert len(find_drops(served_cloud, "another")) == DROPS


def test_no_chassis_is_dead_for_a_conversion(served_cloud: Cloud) -> None:
    places = served_cloud.sb.rows("Container_Binding", columns=("container", "chassis"))
    follow(served_cloud, served_cloud.sb)
    # For longer than a chassis may be silent, and nobody is.
    (row, *_) = served_cloud.sb.rows("Chassis_Private")
    where = [["name", "==", row["name"]]]

    def beats() -> int:
        (found,) = served_cloud.sb.rows("Chassis_Private", where)
        return int(found["heartbeat"] - row["heartbeat"])

    served_cloud.wait_for(lambda: beats() >= MORE_BEATS, "heartbeats")
    assert {row["alive"] for row in served_cloud.sb.rows("Chassis_Weight")} == {True}
    assert served_cloud.sb.rows("Container_Binding", columns=("container", "chassis")) == places


@pytest.mark.parametrize("name", ["nb", "sb", "ovn"])
def test_a_conversion_while_much_is_under_way(served_cloud: Cloud, name: str) -> None:
    """Several of them, each in the midst of a change."""
    database: Database = getattr(served_cloud, name)
    served_cloud.logs.allow("transaction refused")
    for number in range(3):
        router = f"router{number}"
        served_cloud.add_router(router, gateway=f"3.0.{number}.2/24")
        vpn = served_cloud.add_vpn(f"vpn{number}", router, external_ips=f"3.0.{number}.100")
        served_cloud.add_connection(vpn, f"to-{number}")
        for _ in range(number + 1):
            served_cloud.step()
        convert(served_cloud, database)
    served_cloud.wait_for(
        lambda: all(
            len(find_drops(served_cloud, f"router{number}")) == DROPS for number in range(3)
        ),
        "the drops of all",
    )
    served_cloud.settle()


@pytest.mark.parametrize(
    ("database", "table", "column"),
    [
        ("nb", "VPN_Service", "router"),
        ("nb", "IPsec_Connection", "name"),
        ("sb", "Container_Binding", "configuration"),
    ],
)
def test_content_that_does_not_fit_is_not_taken_for_none(
    served_cloud: Cloud, database: str, table: str, column: str
) -> None:
    """A column becomes a set, and a row has two: nothing is known then, and nothing goes."""
    served_cloud.logs.allow(OUTAGE)
    served_cloud.logs.allow("does not fit the replica")
    served_cloud.logs.allow("cannot be reached|gives up|no whole pass|leads no more")
    converted: Database = getattr(served_cloud, database)
    (name,) = (
        name
        for name, each in served_cloud.northd.sessions.items()
        if each.database == converted.name
    )
    session = served_cloud.northd.sessions[name]
    drops = find_drops(served_cloud, "tenant-router")
    reroutes = len(served_cloud.ovn.rows("Logical_Router_Policy", [["action", "==", "reroute"]]))
    bindings = served_cloud.sb.rows("Container_Binding", columns=("container", "chassis"))
    schema = make_later_schema(converted)
    plain = json.loads(json.dumps(schema))
    schema["tables"][table]["columns"][column] = {
        "type": {"key": "string", "min": 0, "max": "unlimited"}
    }
    values = [row[column] for row in converted.rows(table)]
    converted.convert(schema)
    converted.update(table, [], **{column: ["set", ["one", "two"]]})
    before = session.connection
    # It has asked for the content twice by then.
    misfits = "does not fit the replica"
    served_cloud.wait_for(lambda: served_cloud.logs.count(misfits) >= 2, "the misfits")
    assert not session.synced
    assert served_cloud.sb.rows("Container_Binding", columns=("container", "chassis")) == bindings
    assert find_drops(served_cloud, "tenant-router") == drops
    found = served_cloud.ovn.rows("Logical_Router_Policy", [["action", "==", "reroute"]])
    assert len(found) == reroutes
    for row, value in zip(converted.rows(table), values, strict=True):
        converted.update(table, [["_uuid", "==", row["_uuid"]]], **{column: value})
    converted.convert(plain)
    served_cloud.wait_for(lambda: has_ended(served_cloud, name, before), "the content again")
    served_cloud.settle()
