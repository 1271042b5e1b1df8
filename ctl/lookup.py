"""What svcctl asks of the southbound and of OVN's northbound; it writes to neither.

A router or a chassis is looked up before a row names it.  Where that database
cannot be reached the command fails, and --no-check takes the name as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lib.addresses import quote
from ..lib.errors import UsageError
from .command import Context
from .rpc import Client, ConnectionLost

_OVN_NORTHBOUND = "OVN_Northbound"
_SOUTHBOUND = "SVC_Southbound"


def open_ovn(context: Context, subject: str) -> Client:
    """Returns a connection to OVN's northbound, where 'subject' is to be looked up."""
    return _open(context, context.settings.ovn_db, _OVN_NORTHBOUND, subject)


def check_chassis(context: Context, names: Iterable[str]) -> None:
    """Raises UsageError if a chassis is known neither to the southbound nor to the operator."""
    unknown = [n for n in names if context.replica.find("Chassis", "name", n) is None]
    if context.settings.has("no-check") or not unknown:
        return
    select = {"op": "select", "table": "Chassis", "columns": ["name"]}
    operations = [{**select, "where": [["name", "==", name]]} for name in unknown]
    subject = f"chassis {quote(unknown[0])}"
    client = _open(context, context.settings.sb_db, _SOUTHBOUND, subject)
    try:
        found = {row["name"] for row in ask(client, operations, subject)}
    finally:
        client.close()
    for name in unknown:
        if name not in found:
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


def ask(client: Client, operations: list[Any], subject: str) -> list[dict[str, Any]]:
    """Returns the rows that all of 'operations' select."""
    try:
        results = client.transact(operations)
    except ConnectionLost as error:
        raise _fail(subject, error) from None
    for result in results:
        if "rows" not in result:
            raise UsageError(f"{subject} cannot be looked up: {result.get('error', 'no answer')}")
    return [row for result in results for row in result["rows"]]


def _open(context: Context, remotes: str, database: str, subject: str) -> Client:
    try:
        return context.connect(remotes, database)
    except ConnectionLost as error:
        raise _fail(subject, error) from None


def _fail(subject: str, error: ConnectionLost) -> UsageError:
    return UsageError(f"{subject} cannot be looked up (--no-check omits that): {error}")
