"""chassis-group-*: named sets of chassis."""

from __future__ import annotations

from ..ask.lookup import check_chassis
from ..context import Context
from . import named_set

TABLE = "Chassis_Group"


def add(context: Context) -> None:
    """chassis-group-add CHASSIS_GROUP CHASSIS..: adds a named set of chassis."""
    if not named_set.exists(context, TABLE, "chassis", "a chassis group"):
        check_chassis(context, context.arguments[1:])
        named_set.insert(context, TABLE, "chassis")


def delete(context: Context) -> None:
    """chassis-group-del CHASSIS_GROUP: removes a set that no group uses."""
    named_set.delete(context, TABLE, "chassis group")


def list_all(context: Context) -> None:
    """chassis-group-list: lists the sets of chassis."""
    named_set.list_all(context, TABLE, "chassis")
