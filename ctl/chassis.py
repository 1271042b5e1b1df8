"""chassis-*: the operator's word on a chassis, and what the southbound knows of it."""

from __future__ import annotations

from typing import Any

from ..lib.addresses import quote
from ..lib.errors import UsageError
from .command import Context
from .lookup import check_chassis, read_southbound
from .replica import Row
from .table import Table
from .values import make_complaint, parse_atom

TABLE = "Chassis"

DEFAULT_WEIGHT = 1
UNLIMITED = -1


def list_all(context: Context) -> None:
    """chassis-list"""
    found = read_southbound(context, ("Chassis", "Chassis_Weight"))
    known = {row["name"]: row for row in found["Chassis"]}
    weights = {row["chassis"]: row for row in found["Chassis_Weight"]}
    wishes = {row.text("name"): row for row in context.replica.rows(TABLE).values()}
    headings = ["name", "hostname", "alive", "weight", "limit", "drain", "scheduled", "types"]
    context.table = Table(headings, "table")
    for name in sorted({*known, *wishes}):
        chassis, weight = known.get(name), weights.get(name)
        context.table.add(
            name,
            chassis["hostname"] if chassis else "",
            _find_life(chassis, weight),
            *_find_wish(wishes.get(name)),
            weight["scheduled"] if weight else 0,
            _find_types(chassis),
        )


def set_weight(context: Context) -> None:
    """chassis-set-weight CHASSIS N"""
    _set_number(context, "container_weight")


def set_limit(context: Context) -> None:
    """chassis-set-limit CHASSIS N|none"""
    if context.arguments[1] == "none":
        _get(context).set_atom("container_limit", None)
    else:
        _set_number(context, "container_limit")


def drain(context: Context) -> None:
    """chassis-drain CHASSIS"""
    _get(context).set_atom("drain", True)


def undrain(context: Context) -> None:
    """chassis-undrain CHASSIS"""
    row = context.replica.find(TABLE, "name", context.arguments[0])
    if row is None:
        check_chassis(context, [context.arguments[0]])
    else:
        row.set_atom("drain", False)


def _set_number(context: Context, column: str) -> None:
    name, text = context.arguments
    base = context.replica.schema.tables[TABLE].columns[column].key
    try:
        number = parse_atom(text, base, context.symbols.resolve)
    except UsageError as error:
        raise make_complaint(quote(name), error) from None
    _get(context).set_atom(column, number)


def _get(context: Context) -> Row:
    """Returns the operator's row of the chassis, a new one for a chassis that has none."""
    name = context.arguments[0]
    row = context.replica.find(TABLE, "name", name)
    if row is None:
        if not name:
            raise UsageError('"": not the name of a chassis')
        check_chassis(context, [name])
        row = context.replica.insert(TABLE)
        row.set_atom("name", name)
    return row


def _find_life(chassis: dict[str, Any] | None, weight: dict[str, Any] | None) -> str:
    if chassis is None:
        return "unknown"
    if weight is None:
        return "not yet judged"
    return "yes" if weight["alive"] else "no"


def _find_wish(row: Row | None) -> tuple[int, str, str]:
    weight = row.find("container_weight") if row else None
    limit = row.find("container_limit") if row else None
    return (
        DEFAULT_WEIGHT if weight is None else weight,
        "none" if limit in (None, UNLIMITED) else str(limit),
        "yes" if row and row.find("drain") else "no",
    )


def _find_types(chassis: dict[str, Any] | None) -> tuple[str, ...]:
    if chassis is None:
        return ()
    types = chassis["service_types"]
    members = types[1] if isinstance(types, list) else [types]
    return tuple(sorted(members))
