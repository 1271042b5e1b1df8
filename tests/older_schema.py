"""Schemas as the releases before had them: those of today without what came since."""

from __future__ import annotations

from typing import Any

from ..lib import schema

# Columns of version 2.2.0 of SVC_Northbound and of 2.1.0 of SVC_Southbound by table; () for all.
_ADDED: dict[str, dict[str, tuple[str, ...]]] = {
    schema.NORTHBOUND: {
        "SVC_Global": ("mass_failure_cfg", "failover_cfg"),
        "VPN_Service": ("since",),
        "IPsec_Connection": ("since",),
        "Chassis": ("delete_cfg", "deleted_cfg", "delete_status"),
        "Service_Container": ("standby",),
        "Container_Wish": ("forgive_cfg",),
        "Connection": ("read_only", "role"),
        "Event": (),
        "RBAC_Role": (),
        "RBAC_Permission": (),
    },
    schema.SOUTHBOUND: {
        "Chassis_Private": ("warnings",),
        "Chassis_Weight": ("mass_failure",),
        "Avoided_Chassis": ("orders",),
        "RBAC_Role": (),
        "RBAC_Permission": (),
    },
}


def make_older(database: str) -> dict[str, Any]:
    """Returns the schema of 'database' as of the release before, as JSON."""
    older = schema.load(database)
    for table, columns in _ADDED[database].items():
        if not columns:
            del older["tables"][table]
        for column in columns:
            del older["tables"][table]["columns"][column]
    older["version"] = {schema.NORTHBOUND: "2.1.0", schema.SOUTHBOUND: "2.0.0"}[database]
    return older
