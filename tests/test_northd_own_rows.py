"""A row of ours in OVN_Northbound is ours in every column: what else stands there is put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ..lib.router import OWNER, OWNER_KEY
from ..lib.rows import find_columns
from ..northd.ovn import rows as ovn
from .cloud import Cloud, make_vpn_cloud
from .logs import Logs
from .ovsdb import OVN_NORTHBOUND_SCHEMA, Databases

# What OVN writes itself (ovn-nb(5)): no row of ours says anything of it.
OF_OVN = {
    "Logical_Switch_Port": {"up", "dynamic_addresses"},
    "Logical_Router_Port": {"ipv6_prefix", "status"},
}
TABLES = (
    ovn.LogicalSwitch,
    ovn.LogicalSwitchPort,
    ovn.LogicalRouterPort,
    ovn.StaticRoute,
    ovn.RouterPolicy,
    ovn.NAT,
)
_SCHEMA: Mapping[str, Any] = json.loads(Path(OVN_NORTHBOUND_SCHEMA).read_text())["tables"]
_numbers = count()


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    return vpn_cloud


@pytest.mark.parametrize("row_class", TABLES, ids=lambda each: each.TABLE)
def test_every_column_of_the_schema_is_ours_or_is_what_ovn_writes(row_class: Any) -> None:
    of_ovn = OF_OVN.get(row_class.TABLE, set())
    assert not of_ovn & set(find_columns(row_class))
    lacking = _SCHEMA[row_class.TABLE]["columns"].keys() - of_ovn - set(find_columns(row_class))
    assert not lacking, "of these columns it is not said what a row of ours has in them"


@pytest.mark.parametrize("table", [each.TABLE for each in TABLES])
def test_whatever_somebody_else_writes_into_a_row_of_ours_is_put_back(
    cloud: Cloud, table: str
) -> None:
    before = _find_ours(cloud)
    others = OF_OVN.get(table, set()) | {ovn.MARKED_COLUMN}
    for column in sorted(_SCHEMA[table]["columns"].keys() - others):
        for row in _list_ours(cloud, table):
            _write_something_else(cloud, table, column, row)
        assert _find_ours(cloud) != before, f"nothing else stands in {column}"
        cloud.settle()
        after = _find_ours(cloud)
        keys = before.keys() | after.keys()
        changed = {each: after.get(each) for each in keys if after.get(each) != before.get(each)}
        assert not changed, column


def test_what_goes_on_as_it_was_is_ours_too(cloud: Cloud) -> None:
    cloud.nb.update("VPN_Service", [], external_ips="1.0.0.2")
    cloud.settle()
    assert "still as configured before" in cloud.find(cloud.nb, "VPN_Service")["status_message"]
    before = _find_ours(cloud)
    for table in (each.TABLE for each in TABLES):
        column = "bfd" if table == "Logical_Router_Static_Route" else "external_mac"
        column = "enabled" if table.endswith("_Port") else column
        column = {"Logical_Router_Policy": "nexthop", "Logical_Switch": "acls"}.get(table, column)
        for row in _list_ours(cloud, table):
            _write_something_else(cloud, table, column, row)
    assert _find_ours(cloud) != before
    cloud.settle()
    assert _find_ours(cloud) == before


def test_what_others_note_beside_our_mark_stays(cloud: Cloud) -> None:
    for table in (each.TABLE for each in TABLES):
        for row in _list_ours(cloud, table):
            mutation = ["external_ids", "insert", ["map", [["neutron:revision", "7"]]]]
            where = [["_uuid", "==", row["_uuid"]]]
            cloud.ovn.transact(
                {"op": "mutate", "table": table, "where": where, "mutations": [mutation]}
            )
    cloud.settle()
    for table in (each.TABLE for each in TABLES):
        for row in _list_ours(cloud, table):
            assert dict(row["external_ids"][1])["neutron:revision"] == "7"


def test_an_older_ovn_has_not_every_column(databases: Databases, logs: Logs) -> None:
    schema = json.loads(Path(OVN_NORTHBOUND_SCHEMA).read_text())
    del schema["tables"]["Logical_Switch"]["columns"]["copp"]
    del schema["tables"]["Logical_Router_Static_Route"]["columns"]["route_table"]
    del schema["tables"]["Logical_Router_Policy"]["columns"]["options"]
    del schema["tables"]["NAT"]["columns"]["gateway_port"]
    databases.ovn_nb.convert(schema)
    cloud = make_vpn_cloud(databases, logs)
    cloud.settle()
    assert len(_list_ours(cloud, "Logical_Router_Policy")) == 6
    cloud.laws()
    cloud.northd.close()


def _write_something_else(cloud: Cloud, table: str, column: str, row: Mapping[str, Any]) -> None:
    kind = _SCHEMA[table]["columns"][column]["type"]
    base = kind if isinstance(kind, str) else kind["key"]
    base = {"type": base} if isinstance(base, str) else base
    operations = []
    if "value" in (kind if isinstance(kind, dict) else {}):
        value: Any = ["map", [["something", "else"]]]
    elif "refTable" in base:
        known = cloud.ovn.rows(base["refTable"]) if base["refTable"] in _KNOWN else []
        if not known:
            operations.append(_make_insert(base["refTable"]))
        value = known[0]["_uuid"] if known else ["named-uuid", "other"]
    elif "enum" in base:
        value = next(each for each in base["enum"][1] if each != row[column])
    else:
        value = {"string": f"other{next(_numbers)}", "integer": 7, "boolean": False}[base["type"]]
    update = {"op": "update", "table": table, "where": [["_uuid", "==", row["_uuid"]]]}
    cloud.ovn.transact(*operations, {**update, "row": {column: value}})


# Rows of these tables are there already; one that nothing holds would be gone at once.
_KNOWN = ("Logical_Router_Port",)


def _make_insert(table: str) -> dict[str, Any]:
    """Returns what adds a row that its schema allows."""
    columns = _SCHEMA[table]["columns"]
    row = {name: f"other{next(_numbers)}" for name in ("name",) if name in columns}
    for name, each in columns.items():
        kind = each["type"]
        key = kind["key"] if isinstance(kind, dict) and kind.get("min", 1) else None
        if isinstance(key, dict) and "enum" in key:
            row[name] = key["enum"][1][0]
    return {"op": "insert", "table": table, "uuid-name": "other", "row": row}


def _list_ours(cloud: Cloud, table: str) -> list[dict[str, Any]]:
    mark = ["external_ids", "includes", ["map", [[OWNER_KEY, OWNER]]]]
    return cloud.ovn.rows(table, [mark])


def _find_ours(cloud: Cloud) -> dict[tuple[str, str], Any]:
    """Returns our rows by table and key, as what says the same whatever their UUIDs are."""
    found = {
        (table, dict(row["external_ids"][1])["ovnsvc-key"]): row
        for table in (each.TABLE for each in TABLES)
        for row in _list_ours(cloud, table)
    }
    names = {json.dumps(row["_uuid"]): json.dumps(key) for key, row in found.items()}
    texts = {}
    for key, row in found.items():
        kept = {name: row[name] for name in sorted(row) if name not in ("_uuid", "_version")}
        text = json.dumps(kept)
        for uuid, name in names.items():
            text = text.replace(uuid, name)
        texts[key] = json.dumps({name: _sort(value) for name, value in json.loads(text).items()})
    return texts


def _sort(value: Any) -> Any:
    return sorted(value[1]) if isinstance(value, list) and value[0] == "set" else value
