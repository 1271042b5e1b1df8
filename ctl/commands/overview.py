"""init, sync, show: the whole at a glance."""

from __future__ import annotations

from ...lib.errors import UsageError
from ..ask.meaning import find_containers
from ..ask.northd import warn_if_stale
from ..ask.units import find_served, read_served
from ..context import Context
from ..db.records import get_root
from ..db.row import Row
from ..type_run import ask_types, check_lines
from .container import WISH


def init(context: Context) -> None:
    """init: makes the root row if it is not there yet."""
    get_root(context.replica)


def sync(context: Context) -> None:
    """sync: waits, as --wait says, though nothing changes."""
    if context.settings.wait == "none":
        context.warnings.append('"sync" has no effect without --wait')
    else:
        context.forces_wait = True


def show(context: Context) -> None:
    """show [NAME]: prints what is served, and the containers, as a tree.

    NAME may be that of a service, a connection, a router, a container or a chassis, a UUID,
    or an address, external or of a peer: what it means is shown, and the containers that are
    concerned.
    """
    context.refuse_format()
    warn_if_stale(context)
    name = context.argument(0)
    for _, lines in ask_types(context, lambda half, run: check_lines(half.show(run, name))):
        context.lines += lines
    if name is None:
        containers = _sorted(context, "Service_Container")
    else:
        containers = find_containers(context, name)
        if not containers and not context.lines:
            raise UsageError(f"{name}: neither a service nor a container has this name")
    # What is asked of each is read at once, since each question costs a round trip.
    read_served(context, containers)
    names = [row.text("name") for row in containers]
    wishes = {row.text("name"): row for row in context.replica.find_all(WISH, "name", *names)}
    for row in containers:
        _show_container(context, row, wishes.get(row.text("name")))


def _show_container(context: Context, row: Row, wish: Row | None) -> None:
    context.lines.append(f"container {row.text('name')} ({row.text('service_type')})")
    for name, value in (
        ("serves", ", ".join(find_served(context, row))),
        ("chassis", row.text("chassis")),
        ("pinned to", wish.text("requested_chassis") if wish else ""),
        ("ports", ", ".join(row.strings("ports"))),
        ("status", _join(row.text("status_code"), row.text("status_message"))),
    ):
        if value:
            context.lines.append(f"    {name}: {value}")


def _name(row: Row) -> str:
    return row.text("name") or '""'


def _join(status_text: str, reason: str) -> str:
    return f"{status_text} ({reason})" if status_text and reason else status_text or reason


def _sorted(context: Context, table: str) -> list[Row]:
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))
