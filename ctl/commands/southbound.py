"""init, show of svc-sbctl: the southbound at a glance."""

from __future__ import annotations

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ..context import Context
from ..db.records import get_root
from ..db.row import Row


def init(context: Context) -> None:
    """init: makes the root row if it is not there yet."""
    get_root(context.replica)


def show(context: Context) -> None:
    """show [CHASSIS]: each chassis, what it can run and what is bound to it, as a tree.

    A chassis that has bindings and no row has gone, or has not come yet.
    """
    context.refuse_format()
    bindings: dict[str, list[Row]] = {}
    for row in context.replica.rows("Container_Binding").values():
        bindings.setdefault(row.text("chassis"), []).append(row)
    known = {row.text("name"): row for row in context.replica.rows("Chassis").values()}
    asked = context.argument(0)
    if asked is not None and asked not in known and asked not in bindings:
        raise UsageError(f"{asked}: chassis not found")
    for name in sorted(known.keys() | bindings.keys()) if asked is None else [asked]:
        _show_chassis(context, name, known.get(name))
        for row in sorted(bindings.get(name, ()), key=lambda each: each.text("container")):
            container, role = quote(row.text("container")), row.text("role")
            state = row.text("status_code") or "not reported"
            context.lines.append(f"    Container {container} ({role}): {state}")


def _show_chassis(context: Context, name: str, row: Row | None) -> None:
    if row is None:
        context.lines.append(f"Chassis {quote(name)}: not registered")
        return
    context.lines.append(f"Chassis {quote(name)}")
    context.lines.append(f"    hostname: {quote(row.text('hostname'))}")
    types = " ".join(sorted(row.strings("service_types")))
    context.lines.append(f"    types: {types or 'none'}")
