"""What a chassis may write: the rows of RBAC_Role and RBAC_Permission, and who keeps them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from ..controller.registration import PROBE_AGAIN_MS
from ..lib import loop, schema
from ..lib.exposure import CHASSIS_ROLE
from ..northd.sync.roles import find_authorization, make_roles
from ..services.api.host import Probe
from ..services.api.item import Item
from .bench import Bench
from .cloud import Cloud
from .ovsdb import Database
from .rig import to_map

TABLES: dict[str, Any] = schema.load(schema.SOUTHBOUND)["tables"]
ROLE, *PERMISSIONS = make_roles(schema.load(schema.SOUTHBOUND))
UPDATES = {each.columns["table"]: set(each.columns["update"]) for each in PERMISSIONS}
MADE = {each.columns["table"] for each in PERMISSIONS if each.columns["insert_delete"]}
# Columns of the chassis' own rows that no program writes yet.
UNWRITTEN = {"Chassis": {"parent_port"}}
_MENDED = "somebody changed what chassis may write; mended"


# -- the rules -----------------------------------------------------------------------


def test_a_role_has_one_permission_for_each_table_that_a_chassis_writes() -> None:
    assert ROLE.columns["name"] == CHASSIS_ROLE
    assert set(ROLE.columns["permissions"].refs) == {each.key for each in PERMISSIONS}
    assert UPDATES.keys() - MADE == {"Container_Binding", "Port_Binding"}
    assert set(MADE) == {"Chassis", "Chassis_Private", "Container_Item"}


def test_nobody_can_hand_a_row_on_or_make_it_another_one() -> None:
    for each in PERMISSIONS:
        table = TABLES[each.columns["table"]]
        (column,) = each.columns["authorization"]
        assert table["columns"][column] == {"type": "string"}, "only such a column authorizes"
        keys = _find_keys(each.columns["table"])
        assert column in keys
        assert not keys & set(each.columns["update"]), each.columns["table"]


def test_permissions_are_what_svc_controller_writes(bench: Bench) -> None:
    """In both directions: no write of it is refused, and it has no right that it does not use."""
    bench.open_switch(**{"svc-labels": "rack=r1", "ovn-bridge-mappings": "physnet:br-ex"})
    written: defaultdict[str, set[str]] = defaultdict(set)
    for table, columns in _run_everything(bench):
        written[table] |= columns
    assert written.keys() == UPDATES.keys()
    for table, columns in written.items():
        keys = _find_keys(table)
        assert columns - keys == UPDATES[table] - UNWRITTEN.get(table, set()), table
        if table not in MADE:
            assert not columns & keys, "it would have to make the row"


def _find_keys(table: str) -> set[str]:
    """Returns the columns by which a row is known, and that say whose it is."""
    keys = {column for index in TABLES[table]["indexes"] for column in index}
    return keys | {find_authorization(TABLES[table])}


def _run_everything(bench: Bench) -> Iterator[tuple[str, set[str]]]:
    """Yields what a svc-controller changes that has everything to tell: tables with columns."""
    host, rows = bench.host, bench.sb.rows
    host.probe = Probe("no kernel", {"fact": "one"})
    yield from _watch(bench, lambda: rows("Chassis"))
    host.probe = Probe()
    loop.warp(PROBE_AGAIN_MS)
    yield from _watch(bench, lambda: rows("Chassis", [["service_problems", "==", to_map({})]]))
    host.items["c1"] = [Item("member", "m1", "up", "u1", "well", 5, {"a": "b"}, {"bytes": 7})]
    host.metrics["c1"] = {"sessions": 100.0}
    host.full_disks, host.ovn_problem = ("a disk is full",), "no OVN"
    bench.bind("c1")
    bench.sb.update("SB_Global", [], nb_cfg=1)
    told = [["nb_cfg", "==", 1], ["warnings", "==", "a disk is full"]]
    known = [["metrics", "!=", to_map({})]]
    yield from _watch(
        bench, lambda: rows("Chassis_Private", told) and rows("Container_Binding", known)
    )
    bench.sb.update("Container_Binding", [], restarts=7)
    yield from _watch(bench, lambda: rows("Container_Binding", [["restarts", "==", 0]]))
    host.items["c1"] = [Item("member", "m1", "down", "u2", "ill", 6, {"a": "c"}, {"bytes": 8})]
    bench.sb.update("SB_Global", [], nb_cfg=2)
    yield from _watch(bench, lambda: rows("Container_Item", [["state", "==", "down"]]))
    bench.controller.leave()
    yield from _watch(bench, lambda: rows("Chassis_Private", [["stopping", "==", True]]))


def _watch(bench: Bench, condition: Callable[[], Any]) -> Iterator[tuple[str, set[str]]]:
    """Yields what svc-controller writes until 'condition'."""
    before = len(bench.sb.read_file())
    bench.until(condition, "what it writes")
    for record in _read_records(bench.sb.read_file()[before:]):
        for table, rows in record.items():
            if not table.startswith("_"):
                yield from ((table, set(row or ())) for row in rows.values())


def _read_records(content: bytes) -> Iterator[dict[str, Any]]:
    """Yields the transactions of a piece of a database file (ovsdb(5))."""
    for line in content.decode().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def test_each_column_of_a_binding_has_one_writer(vpn_cloud: Cloud) -> None:
    (owner,) = {("container", row["container"]) for row in vpn_cloud.sb.rows("Container_Binding")}
    owned = vpn_cloud.northd.writers.ledgers["sb"].find_owned(owner).rows
    for table, more in (("Container_Binding", {"generation"}), ("Port_Binding", set())):
        (columns,) = {frozenset(each.columns) for each in owned if each.table == table}
        assert not (columns | more) & UPDATES[table]
        assert columns | more | UPDATES[table] == TABLES[table]["columns"].keys()


# -- the rows ------------------------------------------------------------------------


def test_svc_northd_makes_the_rows_first_of_all(vpn_cloud: Cloud) -> None:
    records = list(_read_records(vpn_cloud.sb.read_file()))
    roles = next(number for number, each in enumerate(records) if "RBAC_Role" in each)
    containers = next(number for number, each in enumerate(records) if "Container_Binding" in each)
    assert roles <= containers
    (role,) = vpn_cloud.sb.rows("RBAC_Role")
    rows = {row["_uuid"][1]: row for row in vpn_cloud.sb.rows("RBAC_Permission")}
    assert role["name"] == CHASSIS_ROLE
    assert {table: rows[uuid[1]]["table"] for table, uuid in role["permissions"][1]} == {
        table: table for table in UPDATES
    }


def test_what_somebody_else_makes_of_the_rows_is_mended_and_told(vpn_cloud: Cloud) -> None:
    before = _read_roles(vpn_cloud)
    mistakes: tuple[Callable[[Database], Any], ...] = (
        lambda sb: sb.delete("RBAC_Permission", [["table", "==", "Chassis"]]),
        lambda sb: sb.delete("RBAC_Role"),
        lambda sb: sb.update("RBAC_Role", [], name="another", permissions=to_map({})),
        lambda sb: sb.update("RBAC_Permission", [], authorization="", insert_delete=True),
        lambda sb: sb.update("RBAC_Permission", [], update=["set", ["name", "chassis"]]),
        lambda sb: sb.transact(_make_permission("SB_Global")),
        lambda sb: sb.transact(_make_permission("Chassis")),
        lambda sb: sb.insert("RBAC_Role", name="mine"),
    )
    for number, mistake in enumerate(mistakes, 1):
        mistake(vpn_cloud.sb)
        assert _read_roles(vpn_cloud) != before
        vpn_cloud.settle()
        assert _read_roles(vpn_cloud) == before
        assert vpn_cloud.logs.count(_MENDED) == number


def _make_permission(table: str) -> dict[str, Any]:
    row = {"table": table, "authorization": "", "insert_delete": True}
    return {"op": "insert", "table": "RBAC_Permission", "row": row}


def _read_roles(cloud: Cloud) -> Any:
    rows = {row["_uuid"][1]: row for row in cloud.sb.rows("RBAC_Permission")}
    roles = [
        (
            row["name"],
            sorted((table, rows[uuid[1]]["table"]) for table, uuid in row["permissions"][1]),
        )
        for row in cloud.sb.rows("RBAC_Role")
    ]
    columns = ("table", "authorization", "insert_delete", "update")
    return roles, sorted([str(row[name]) for name in columns] for row in rows.values())
