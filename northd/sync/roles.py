"""What a chassis may write in SVC_Southbound: the role svc-controller, as rows.  Pure.

ovsdb-server holds what a client of a remote with a role writes against the permissions of the role
(ovsdb/rbac.c): a row is its own if a column that authorizes has the CN of its certificate, and of
that row it writes the columns named here.  So a chassis whose key was stolen writes nothing of
another one.  The permissions come from the schema, so that a new column of a row that the chassis
makes is among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...lib import sb
from ...lib.delta import Desired, Ref, RefMap
from ...lib.exposure import CHASSIS_ROLE

# The chassis makes rows of these tables, and removes them.
_OWN_ROWS = (sb.Chassis.TABLE, sb.ChassisPrivate.TABLE, sb.ContainerItem.TABLE)
# svc-northd makes rows of these, and the chassis says in them how it is.
_OWN_COLUMNS: Mapping[str, frozenset[str]] = {
    sb.PortBinding.TABLE: frozenset({"up"}),
    sb.ContainerBinding.TABLE: frozenset(
        {
            "status_code",
            "status_message",
            "reached_generation",
            "namespace_name",
            "interface_name",
            "restarts",
            "since",
            "incarnation",
            "metrics",
        }
    ),
}
# For whoever writes rows from another system; no program of ours does.  (Who makes a row may give
# it any columns: ovsdb-server looks at 'update' only where a row is changed.)
_OF_OTHERS = frozenset({"external_ids"})


def make_roles(schema: Mapping[str, Any]) -> tuple[Desired, ...]:
    """Returns the rows of RBAC_Role and RBAC_Permission for SVC_Southbound of this schema."""
    permissions = tuple(_make_permissions(schema["tables"]))
    refs = {each.columns["table"]: Ref(each.table, each.key) for each in permissions}
    columns = {"name": CHASSIS_ROLE, "permissions": RefMap(refs)}
    return (Desired(sb.RBACRole.TABLE, CHASSIS_ROLE, columns), *permissions)


def _make_permissions(tables: Mapping[str, Any]) -> Iterator[Desired]:
    for table in (*_OWN_ROWS, *_OWN_COLUMNS):
        columns = {
            "table": table,
            "authorization": (find_authorization(tables[table]),),
            "insert_delete": table in _OWN_ROWS,
            "update": tuple(sorted(_find_update(table, tables[table]))),
        }
        yield Desired(sb.RBACPermission.TABLE, table, columns)


def find_authorization(table: Mapping[str, Any]) -> str:
    """Returns the column that says whose a row is: the chassis, or its name in its own rows."""
    return "chassis" if "chassis" in table["columns"] else "name"


def _find_update(name: str, table: Mapping[str, Any]) -> frozenset[str]:
    """Returns the columns to be updated; never one by which a row is found, or authorized."""
    keys = {column for index in table["indexes"] for column in index}
    columns = frozenset(table["columns"]) - keys - _OF_OTHERS
    return columns & _OWN_COLUMNS.get(name, columns)
