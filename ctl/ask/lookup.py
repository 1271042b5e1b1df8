"""What svcctl asks of the southbound and of OVN's northbound; it writes to neither.

A router, a chassis or a port is looked up before a row names it.  Where that
database cannot be reached the command fails, and --no-check takes the name as
it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.refusal import describe_refusal
from ...services.api.commands import Datum
from ..context import Context
from ..db.rpc import Client, ConnectionLost

_OVN_NORTHBOUND = "OVN_Northbound"
_SOUTHBOUND = "SVC_Southbound"

# A row as the server's JSON.
Json = dict[str, Any]


def open_ovn(context: Context, subject: str) -> Client:
    """Returns a connection to OVN's northbound, where 'subject' is to be looked up."""
    return _open(context, context.settings.ovn_db, _OVN_NORTHBOUND, subject)


def open_southbound(context: Context, patience_s: float | None = None) -> Client:
    """Returns a connection to the southbound."""
    return context.connect(context.settings.sb_db, _SOUTHBOUND, patience_s)


def check_chassis(context: Context, names: Iterable[str]) -> None:
    """Raises UsageError if a chassis is known neither to the southbound nor to the operator."""
    unknown = [n for n in names if context.replica.find("Chassis", "name", n) is None]
    if "" in unknown:
        raise UsageError('"": not the name of a chassis')
    if context.settings.has("no-check") or not unknown:
        return
    operations = [select("Chassis", [["name", "==", name]], ("name",)) for name in unknown]
    subject = f"chassis {quote(unknown[0])}"
    found = {row["name"] for row in ask_southbound(context, operations, subject)}
    for name in unknown:
        if name not in found:
            raise make_unregistered(name)


def ask_southbound(context: Context, operations: list[Json], subject: str) -> list[Json]:
    """Returns the rows that all of 'operations' select in the southbound, about 'subject'."""
    client = _open(context, context.settings.sb_db, _SOUTHBOUND, subject)
    try:
        return ask(client, operations, subject)
    finally:
        client.close()


def check_ports(context: Context, names: Sequence[str]) -> None:
    """Raises UsageError if OVN has no port of a name."""
    if "" in names:
        raise UsageError('"": not the name of a port')
    if context.settings.has("no-check"):
        return
    subject = f"port {quote(names[0])}"
    columns = ("name",)
    operations = [select("Logical_Switch_Port", [["name", "==", n]], columns) for n in names]
    client = open_ovn(context, subject)
    try:
        found = {row["name"] for row in ask(client, operations, subject)}
    finally:
        client.close()
    for name in names:
        if name not in found:
            raise UsageError(f"{quote(name)}: port not found in OVN_Northbound")


def make_unregistered(name: str) -> UsageError:
    """Returns that the southbound does not know a chassis."""
    return UsageError(f"{name}: chassis not found in the southbound")


def is_chassis(context: Context, text: str) -> bool:
    """Returns whether a chassis or its host has the name 'text'; False if that is not known."""
    if not text:
        return False
    if context.replica.find("Chassis", "name", text) is not None:
        return True
    columns = ("name", "hostname")
    selects = [select("Chassis", [[column, "==", text]], ("name",)) for column in columns]
    try:
        return any(read_southbound(context, selects))
    except UsageError:
        return False


def read_southbound(
    context: Context, selects: Sequence[Json], patience_s: float | None = None
) -> list[list[Json]]:
    """Returns the rows that each of 'selects' finds in the southbound, of one moment."""
    client = open_southbound(context, patience_s)
    try:
        return read(client, selects)
    finally:
        client.close()


def read(client: Client, selects: Sequence[Json]) -> list[list[Json]]:
    """Returns the rows that each of 'selects' finds; raises UsageError if one cannot be."""
    results = client.transact(selects)
    for result in results:
        if not result or "rows" not in result:
            raise UsageError(f"{client.remote}: {_find_error(result)}")
    return [result["rows"] for result in results]


def ask(client: Client, operations: list[Any], subject: str) -> list[Json]:
    """Returns the rows that all of 'operations' select."""
    return [row for rows in ask_each(client, operations, subject) for row in rows]


def ask_each(client: Client, operations: list[Any], subject: str) -> list[list[Json]]:
    """Returns the rows that each of 'operations' selects, of one moment."""
    try:
        results = client.transact(operations)
    except ConnectionLost as error:
        raise _fail(subject, error) from None
    for result in results:
        if "rows" not in result:
            raise UsageError(f"{subject} cannot be looked up: {result.get('error', 'no answer')}")
    return [result["rows"] for result in results]


def select(table: str, where: Sequence[Any] = (), columns: Sequence[str] = ()) -> Json:
    """Returns the operation that selects rows, with all columns if none is named."""
    operation = {"op": "select", "table": table, "where": list(where)}
    return {**operation, "columns": list(columns)} if columns else operation


def members(value: Any) -> list[Any]:
    """Returns the atoms of a set or optional column, in OVSDB's JSON (RFC 7047, section 5.1)."""
    if not isinstance(value, list):
        return [value]
    atoms = value[1] if value[0] == "set" else [value]
    return [each[1] if isinstance(each, list) else each for each in atoms]


def find_atom(value: Any) -> Any:
    """Returns the atom of an optional column in OVSDB's JSON, None if there is none."""
    return next(iter(members(value)), None)


def to_datums(row: Json) -> dict[str, Datum]:
    """Returns a row without its schema: each column as a map or as a tuple of atoms."""
    return {name: _to_datum(value) for name, value in row.items()}


def _to_datum(value: Any) -> Datum:
    if isinstance(value, list) and value[0] == "map":
        return {members(key)[0]: members(each)[0] for key, each in value[1]}
    return tuple(members(value))


def _find_error(result: Any) -> str:
    return describe_refusal(result) if result else "no answer"


def _open(context: Context, remotes: str, database: str, subject: str) -> Client:
    try:
        return context.connect(remotes, database)
    except ConnectionLost as error:
        raise _fail(subject, error) from None


def _fail(subject: str, error: ConnectionLost) -> UsageError:
    return UsageError(f"{subject} cannot be looked up (--no-check omits that): {error}")
