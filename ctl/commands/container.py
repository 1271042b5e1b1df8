"""container-list and container-show: where the containers run, and how they are."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ...lib.addresses import quote
from ...lib.container_wish import is_migrating
from ...lib.errors import UsageError
from ...lib.moment import format_past
from ...services.api.commands import Moment
from ..ask.lookup import Json, find_atom, is_chassis
from ..ask.moment import format_retry
from ..ask.northd import warn_if_stale
from ..ask.units import CONTAINER, find_names, find_served, read_served
from ..ask.whereabouts import Whereabouts, read_whereabouts
from ..context import Context
from ..db.records import find_row
from ..db.row import Row
from .group import count_standbys

TABLE = CONTAINER
WISH = "Container_Wish"

Fact = tuple[str, str]

_HEADINGS = [
    *("name", "type", "serves", "group", "chassis", "pinned-to", "status", "since", "moving-to"),
    *("standby", "reason"),
]


def list_all(context: Context) -> None:
    """container-list [NAME]: lists all containers, or those that NAME means.

    NAME may be that of a container, or of what it serves or runs on.
    """
    containers, wishes = _choose(context, context.argument(0))
    table = context.start_table(_HEADINGS, ["reason"])
    read_served(context, containers.values())
    one = next(iter(containers)) if len(containers) == 1 else None
    whereabouts = read_whereabouts(context, one)
    warn_if_stale(context)
    for name in sorted({*containers, *wishes}):
        row, wish = containers.get(name), wishes.get(name)
        if row is not None:
            _list_one(context, row, wish, whereabouts)
        elif wish is not None and wish.text("requested_chassis"):
            pin = wish.text("requested_chassis")
            reason = f"no container has this name; it is pinned to {pin}"
            table.add(name, *[""] * 4, pin, *[""] * 4, reason)


def show(context: Context) -> None:
    """container-show CONTAINER: tells all that is known of a container."""
    context.refuse_format()
    text = context.arguments[0]
    row = find(context, text)
    name = row.text("name") if row else text
    wish = context.replica.find(WISH, "name", name)
    if row is None and wish is None:
        raise UsageError(f"{text}: container not found")
    whereabouts = read_whereabouts(context, name)
    warn_if_stale(context)
    context.lines.append(f"container {name}")
    if row is None:
        context.lines.append("    no container has this name; only what is wished for it is there")
    else:
        _add(context, 1, _find_facts(context, row, wish, whereabouts))
    if wish is not None:
        _add(context, 1, _find_wishes(wish))
    if row is not None:
        _add(context, 1, _find_own_facts(row))
    service_type = row.text("service_type") if row is not None else ""
    _show_whereabouts(context, name, service_type, whereabouts)


# -- pieces ----------------------------------------------------------------


def find(context: Context, text: str) -> Row | None:
    """Returns the container that 'text' means, None if it means none, or only a wish for one."""
    row = find_row(context.replica, TABLE, text)
    if row is not None or context.replica.find(WISH, "name", text) is not None:
        return row
    from ..ask.meaning import find_container  # which may load the service types

    return find_container(context, text)


def _choose(context: Context, text: str | None) -> tuple[dict[str, Row], dict[str, Row]]:
    """Returns the containers that a word means, or all, and what is wished for them, by name."""
    replica = context.replica
    if text is None:
        return _by_name(replica.rows(TABLE).values()), _by_name(replica.rows(WISH).values())
    from ..ask.meaning import find_containers  # which may load the service types

    found = _by_name(find_containers(context, text))
    wished = _by_name(replica.find_all(WISH, "name", *sorted({*found, text})))
    if not found and not wished:
        if is_chassis(context, text):
            context.warnings.append(f"nothing runs on {quote(text)}")
            return {}, {}
        raise UsageError(f"{text}: no container, and nothing that one serves or runs on")
    return found, wished


def _by_name(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.text("name"): row for row in rows}


def _list_one(context: Context, row: Row, wish: Row | None, whereabouts: Whereabouts) -> None:
    assert context.table is not None
    name, group = row.text("name"), _find_group(context, row)
    target = whereabouts.find_target(name, wish, _count_standbys(row, group))
    context.table.add(
        name,
        row.text("service_type"),
        find_served(context, row),
        group.text("name") if group else "",
        row.text("chassis"),
        wish.text("requested_chassis") if wish is not None else "",
        row.text("status_code"),
        Moment(row.find("since")),
        target,
        tuple(each for each in whereabouts.standbys(name) if each != target),
        row.text("status_message"),
    )


def _count_standbys(row: Row, group: Row | None) -> int:
    """Returns how many standbys a container has; those of before if its group cannot be read."""
    number = count_standbys(group)
    before: int | None = row.find("standby") if row.has("standby") else None
    return number if number is not None else before or 0


def _find_group(context: Context, row: Row) -> Row | None:
    return context.replica.get("Container_Group", row.text("group"))


def _show_whereabouts(
    context: Context, name: str, service_type: str, whereabouts: Whereabouts
) -> None:
    for binding in whereabouts.bindings(name):
        context.lines.append(f"    {binding['role']} on {binding['chassis']}")
        _add(context, 2, _find_binding_facts(binding))
    items = whereabouts.items(name)
    names = find_names(context, service_type, {item["subject"] for item in items})
    for item in items:
        whose = f" ({names[item['subject']]})" if item["subject"] in names else ""
        context.lines.append(f"    {item['kind']} {item['name']}{whose} on {item['chassis']}")
        _add(context, 2, _find_item_facts(item))
    for avoided in whereabouts.avoided(name):
        context.lines.append(f"    avoids {avoided['chassis']}")
        _add(context, 2, _find_avoided_facts(avoided))
    history = whereabouts.history(name)
    if history:
        context.lines.append("    placements")
        _add(context, 2, [(str(each["number"]), _describe_placement(each)) for each in history])


def _add(context: Context, depth: int, facts: list[Fact]) -> None:
    indent = "    " * depth
    context.lines.extend(f"{indent}{name}: {value}" for name, value in facts if value)


def _find_facts(
    context: Context, row: Row, wish: Row | None, whereabouts: Whereabouts
) -> list[Fact]:
    group = _find_group(context, row)
    target = whereabouts.find_target(row.text("name"), wish, _count_standbys(row, group))
    return [
        ("type", row.text("service_type")),
        ("serves", ", ".join(find_served(context, row))),
        ("group", group.text("name") if group else ""),
        ("status", row.text("status_code")),
        ("message", row.text("status_message")),
        ("since", format_past(row.find("since"))),
        ("chassis", row.text("chassis")),
        ("moving to", target),
    ]


def _find_wishes(wish: Row) -> list[Fact]:
    return [
        ("pinned to", wish.text("requested_chassis")),
        ("migration", _describe_migration(wish)),
    ]


def _find_own_facts(row: Row) -> list[Fact]:
    configuration, secret = row.datum("configuration"), row.datum("secret")
    assert isinstance(configuration, dict)
    return [
        ("ports", ", ".join(row.strings("ports"))),
        ("namespace", row.text("namespace_name")),
        ("interface", row.text("interface_name")),
        *((f"configuration {key}", str(value)) for key, value in configuration.items()),
        ("secrets", ", ".join(str(key) for key in secret)),
    ]


def _describe_migration(wish: Row) -> str:
    number = wish.find("migrate_cfg")
    if is_migrating(wish):
        return f"request {number}, to {wish.text('migrate_chassis')}, is under way"
    status = wish.text("migrate_status")
    return f"request {wish.find('migrated_cfg')}: {status}" if status else ""


def _find_binding_facts(binding: Json) -> list[Fact]:
    generation, reached = binding["generation"], binding["reached_generation"]
    restarts = binding["restarts"]
    return [
        ("status", find_atom(binding["status_code"]) or "chassis has not reported"),
        ("message", binding["status_message"]),
        ("since", format_past(find_atom(binding["since"]))),
        ("unwell since", format_past(find_atom(binding["unwell_since"]))),
        ("generation", f"{generation}" if reached == generation else f"{reached} of {generation}"),
        ("restarts", str(restarts) if restarts else ""),
        *((f"metric {key}", f"{value:.15g}") for key, value in sorted(binding["metrics"][1])),
    ]


def _find_item_facts(item: Json) -> list[Fact]:
    return [
        ("state", item["state"]),
        ("message", item["message"]),
        ("since", format_past(find_atom(item["since"]))),
        *((f"detail {key}", value) for key, value in sorted(item["detail"][1])),
        *((f"counter {key}", str(value)) for key, value in sorted(item["counters"][1])),
    ]


def _find_avoided_facts(avoided: Json) -> list[Fact]:
    return [
        ("reason", avoided["reason"]),
        ("failures", f"{avoided['failures']}, the last at {format_past(avoided['since'])}"),
        ("tried again", format_retry(avoided["retry_at"], int(time.time() * 1000))),
    ]


def _describe_placement(placement: Json) -> str:
    reason = placement["reason"]
    text = f"{format_past(placement['since'])} {placement['chassis']}"
    return f"{text} ({reason})" if reason else text
