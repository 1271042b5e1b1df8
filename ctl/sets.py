"""chassis-group-* and port-group-*: named sets of chassis and of ports."""

from __future__ import annotations

from ..lib.errors import UsageError
from .command import Context
from .group import check_name, check_unused, find_to_delete, sort_by_name
from .lookup import check_chassis, check_ports
from .table import Table

CHASSIS_GROUP = "Chassis_Group"
PORT_GROUP = "Port_Group"


def add_chassis_group(context: Context) -> None:
    """chassis-group-add CHASSIS_GROUP CHASSIS.."""
    if not _exists(context, CHASSIS_GROUP, "chassis", "a chassis group"):
        check_chassis(context, context.arguments[1:])
        _insert(context, CHASSIS_GROUP, "chassis")


def delete_chassis_group(context: Context) -> None:
    """chassis-group-del CHASSIS_GROUP"""
    _delete(context, CHASSIS_GROUP, "chassis group", "chassis_group")


def list_chassis_groups(context: Context) -> None:
    """chassis-group-list"""
    _list(context, CHASSIS_GROUP, "chassis")


def add_port_group(context: Context) -> None:
    """port-group-add PORT_GROUP PORT.."""
    if not _exists(context, PORT_GROUP, "ports", "a port group"):
        check_ports(context, context.arguments[1:])
        _insert(context, PORT_GROUP, "ports")


def delete_port_group(context: Context) -> None:
    """port-group-del PORT_GROUP"""
    _delete(context, PORT_GROUP, "port group", "port_group")


def list_port_groups(context: Context) -> None:
    """port-group-list"""
    _list(context, PORT_GROUP, "ports")


def _exists(context: Context, table: str, column: str, noun: str) -> bool:
    """Returns whether the group is there, and may be, with the members that were named."""
    name = context.arguments[0]
    check_name(name)
    row = context.replica.find(table, "name", name)
    if row is None:
        return False
    if not context.has("may-exist"):
        raise UsageError(f"{name}: {noun} with this name already exists")
    if row.datum(column) != _find_members(context):
        raise UsageError(f"{name}: {noun} with this name already exists, with other {column}")
    return True


def _insert(context: Context, table: str, column: str) -> None:
    row = context.replica.insert(table)
    row.set_atom("name", context.arguments[0])
    row.set(column, _find_members(context))


def _find_members(context: Context) -> tuple[str, ...]:
    return tuple(sorted(set(context.arguments[1:])))


def _delete(context: Context, table: str, noun: str, column: str) -> None:
    row = find_to_delete(context, table, noun)
    if row is not None:
        check_unused(context, row, "Container_Group", column, "group")
        context.replica.delete(row)


def _list(context: Context, table: str, column: str) -> None:
    context.table = Table(["name", column], "table")
    for row in sort_by_name(context, table):
        context.table.add(row.text("name"), row.strings(column))
