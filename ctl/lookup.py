"""What svcctl asks of the southbound and of OVN's northbound; it writes to neither.

A router or a chassis is looked up before a row names it.  Where that database
cannot be reached the command fails, and --no-check takes the name as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lib.errors import UsageError
from .command import Context
from .rpc import ConnectionLost
from .values import is_uuid

_OVN_NORTHBOUND = "OVN_Northbound"
_SOUTHBOUND = "SVC_Southbound"


def check_router(context: Context, router: str) -> None:
    """Raises UsageError if OVN has no logical router with this name or UUID, or several."""
    if context.settings.has("no-check"):
        return
    conditions: list[Any] = [["name", "==", router]]
    if is_uuid(router):
        conditions.append(["_uuid", "==", ["uuid", router.lower()]])
    select = {"op": "select", "table": "Logical_Router", "columns": ["_uuid"]}
    operations = [{**select, "where": [condition]} for condition in conditions]
    remotes = context.settings.ovn_db
    results = _ask(context, remotes, _OVN_NORTHBOUND, operations, f"router {router}")
    found = [row for result in results for row in result["rows"]]
    if not found:
        raise UsageError(f"{router}: OVN has no router with this name or UUID")
    if len(found) > 1:
        raise UsageError(f"{router}: OVN has {len(found)} routers with this name; use a UUID")


def check_chassis(context: Context, names: Iterable[str]) -> None:
    """Raises UsageError if a chassis is known neither to the southbound nor to the operator."""
    unknown = [n for n in names if context.replica.find("Chassis", "name", n) is None]
    if context.settings.has("no-check") or not unknown:
        return
    select = {"op": "select", "table": "Chassis", "columns": ["name"]}
    operations = [{**select, "where": [["name", "==", name]]} for name in unknown]
    remotes = context.settings.sb_db
    results = _ask(context, remotes, _SOUTHBOUND, operations, f"chassis {unknown[0]}")
    for name, result in zip(unknown, results, strict=True):
        if not result["rows"]:
            raise UsageError(f"{name}: chassis not found in the southbound")


def read_southbound(context: Context, tables: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Returns all rows of 'tables' of the southbound as JSON."""
    names = list(tables)
    operations = [{"op": "select", "table": name, "where": []} for name in names]
    client = context.connect(context.settings.sb_db, _SOUTHBOUND)
    try:
        results = client.transact(operations)
    finally:
        client.close()
    return {name: each["rows"] for name, each in zip(names, results, strict=True)}


def _ask(
    context: Context, remotes: str, database: str, operations: list[Any], subject: str
) -> list[Any]:
    try:
        client = context.connect(remotes, database)
        try:
            results = client.transact(operations)
        finally:
            client.close()
    except ConnectionLost as error:
        problem = f"{subject} cannot be looked up (--no-check omits that): {error}"
        raise UsageError(problem) from None
    for result in results:
        if "rows" not in result:
            raise UsageError(f"{subject} cannot be looked up: {result.get('error', 'no answer')}")
    return results
