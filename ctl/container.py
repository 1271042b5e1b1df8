"""container-*: where the containers run, and how they are."""

from __future__ import annotations

import time

from ..lib.errors import UsageError
from .command import Context
from .lookup import check_chassis
from .records import get_named
from .replica import Row
from .table import Table

TABLE = "Service_Container"


def list_all(context: Context) -> None:
    """container-list"""
    headings = ["name", "type", "group", "chassis", "status", "message"]
    context.table = Table(headings, "table")
    rows = context.replica.rows(TABLE).values()
    for row in sorted(rows, key=lambda each: each.text("name")):
        context.table.add(
            row.text("name"),
            row.text("service_type"),
            _find_group(context, row),
            row.text("chassis"),
            row.text("status_code"),
            row.text("status_message"),
        )


def show(context: Context) -> None:
    """container-show CONTAINER"""
    context.refuse_format()
    row = _get(context)
    since = row.find("since")
    facts = [
        ("type", row.text("service_type")),
        ("group", _find_group(context, row)),
        ("status", row.text("status_code")),
        ("message", row.text("status_message")),
        ("since", _format_time(since) if since is not None else ""),
        ("chassis", row.text("chassis")),
        ("requested chassis", row.text("requested_chassis")),
        ("port", row.text("port")),
        ("namespace", row.text("namespace_name")),
        ("interface", row.text("interface_name")),
    ]
    configuration = row.datum("configuration")
    assert isinstance(configuration, dict)
    facts.extend((f"configuration {key}", str(value)) for key, value in configuration.items())
    context.lines.append(f"container {row.text('name')}")
    context.lines.extend(f"    {name}: {value}" for name, value in facts if value)


def pin(context: Context) -> None:
    """container-pin CONTAINER CHASSIS"""
    row = _get(context)
    chassis = context.arguments[1]
    if not chassis:
        raise UsageError('"": not the name of a chassis')
    check_chassis(context, [chassis])
    row.set_atom("requested_chassis", chassis)


def unpin(context: Context) -> None:
    """container-unpin CONTAINER"""
    _get(context).set_atom("requested_chassis", None)


def _get(context: Context) -> Row:
    return get_named(context.replica, TABLE, context.arguments[0], "container")


def _find_group(context: Context, row: Row) -> str:
    group = context.replica.rows("Container_Group").get(row.text("group"))
    return group.text("name") if group else ""


def _format_time(timestamp_ms: int) -> str:
    """Returns a time in ms since the epoch as people read it, in UTC."""
    try:
        moment = time.gmtime(timestamp_ms / 1000)
    except (OverflowError, OSError, ValueError):
        return f"{timestamp_ms} ms"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
