"""port-group-*: named sets of ports."""

from __future__ import annotations

from ..ask.lookup import check_ports
from ..context import Context
from . import named_set

TABLE = "Port_Group"


def add(context: Context) -> None:
    """port-group-add PORT_GROUP PORT..: adds a named set of OVN's ports."""
    if not named_set.exists(context, TABLE, "ports", "a port group"):
        check_ports(context, context.arguments[1:])
        named_set.insert(context, TABLE, "ports")


def delete(context: Context) -> None:
    """port-group-del PORT_GROUP: removes a set that no group uses."""
    named_set.delete(context, TABLE, "port group")


def list_all(context: Context) -> None:
    """port-group-list: lists the sets of ports."""
    named_set.list_all(context, TABLE, "ports")
