"""group-*, the scheduling policies that containers share, and chassis-group-*."""

from __future__ import annotations

from ..lib.addresses import quote
from ..lib.errors import UsageError
from .command import Context
from .lookup import check_chassis
from .records import find_row, get_named
from .replica import Row
from .table import Table

SERVED_POLICIES = ("least", "weighted")
DEFAULT_POLICY = "weighted"


def add(context: Context) -> None:
    """group-add GROUP [POLICY]"""
    name, policy = context.arguments[0], context.argument(1)
    _check_name(name)
    if policy is not None and policy not in SERVED_POLICIES:
        choices = " or ".join(SERVED_POLICIES)
        raise UsageError(f"{name}: policy {quote(policy)} is not served; use {choices}")
    row = context.replica.find("Container_Group", "name", name)
    if row is None:
        row = context.replica.insert("Container_Group")
        row.set_atom("name", name)
        row.set_atom("policy", policy)
    elif not context.has("may-exist"):
        raise UsageError(f"{name}: a group with this name already exists")
    elif policy is not None and (row.find("policy") or DEFAULT_POLICY) != policy:
        raise UsageError(f"{name}: a group with this name already exists, with another policy")


def delete(context: Context) -> None:
    """group-del GROUP"""
    row = _find_to_delete(context, "Container_Group", "group")
    if row is None:
        return
    for table, noun in (("VPN_Service", "VPN service"), ("Service_Container", "container")):
        _check_unused(context, row, table, "group", noun)
    context.replica.delete(row)


def list_all(context: Context) -> None:
    """group-list"""
    context.table = Table(["name", "policy", "chassis-group", "vpns", "containers"], "table")
    chassis_groups = context.replica.rows("Chassis_Group")
    for row in _by_name(context, "Container_Group"):
        chassis_group = chassis_groups.get(row.text("chassis_group"))
        context.table.add(
            row.text("name"),
            row.text("policy") or DEFAULT_POLICY,
            chassis_group.text("name") if chassis_group else "",
            _find_users(context, row, "VPN_Service"),
            _find_users(context, row, "Service_Container"),
        )


def set_chassis_group(context: Context) -> None:
    """group-set-chassis-group GROUP [CHASSIS_GROUP]"""
    row = get_named(context.replica, "Container_Group", context.arguments[0], "group")
    name = context.argument(1)
    if name is None:
        row.set_atom("chassis_group", None)
    else:
        chassis_group = get_named(context.replica, "Chassis_Group", name, "chassis group")
        row.set_atom("chassis_group", chassis_group.uuid)


def add_chassis_group(context: Context) -> None:
    """chassis-group-add CHASSIS_GROUP CHASSIS.."""
    name, members = context.arguments[0], tuple(sorted(set(context.arguments[1:])))
    _check_name(name)
    row = context.replica.find("Chassis_Group", "name", name)
    if row is not None:
        if not context.has("may-exist"):
            raise UsageError(f"{name}: a chassis group with this name already exists")
        if row.datum("chassis") != members:
            raise UsageError(
                f"{name}: a chassis group with this name already exists, with another chassis"
            )
        return
    check_chassis(context, members)
    row = context.replica.insert("Chassis_Group")
    row.set_atom("name", name)
    row.set("chassis", members)


def delete_chassis_group(context: Context) -> None:
    """chassis-group-del CHASSIS_GROUP"""
    row = _find_to_delete(context, "Chassis_Group", "chassis group")
    if row is not None:
        _check_unused(context, row, "Container_Group", "chassis_group", "group")
        context.replica.delete(row)


def list_chassis_groups(context: Context) -> None:
    """chassis-group-list"""
    context.table = Table(["name", "chassis"], "table")
    for row in _by_name(context, "Chassis_Group"):
        context.table.add(row.text("name"), row.strings("chassis"))


def _check_name(name: str) -> None:
    if not name or not name.isprintable() or name != name.strip():
        raise UsageError(f"{quote(name)}: not a name (empty, or with characters that do not show)")


def _find_to_delete(context: Context, table: str, noun: str) -> Row | None:
    name = context.arguments[0]
    row = find_row(context.replica, table, name)
    if row is None and not context.has("if-exists"):
        raise UsageError(f"{name}: {noun} not found")
    return row


def _check_unused(context: Context, row: Row, table: str, column: str, noun: str) -> None:
    for user in context.replica.rows(table).values():
        if user.find(column) == row.uuid:
            raise UsageError(f"{row.text('name')}: used by {noun} {quote(user.text('name'))}")


def _find_users(context: Context, row: Row, table: str) -> tuple[str, ...]:
    users = context.replica.rows(table).values()
    return tuple(sorted(user.text("name") for user in users if user.find("group") == row.uuid))


def _by_name(context: Context, table: str) -> list[Row]:
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))
