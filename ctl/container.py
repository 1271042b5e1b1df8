"""container-*: where the containers run, how they are, and where the operator wants them."""

from __future__ import annotations

import time
from functools import partial

from ..lib.errors import UsageError
from .command import Context
from .eligible import check_eligible
from .group import count_standbys
from .lookup import Json, find_atom
from .moment import format_retry, format_time
from .outcome import wait_for_migration
from .places import Places, read_places
from .records import get_named
from .replica import Row
from .router import find_services
from .table import Table

TABLE = "Service_Container"

Fact = tuple[str, str]

_HEADINGS = [
    *("name", "type", "serves", "group", "chassis", "status", "since", "moving-to", "standby"),
    "reason",
]


def list_all(context: Context) -> None:
    """container-list"""
    context.table = Table(_HEADINGS, "table")
    rows = sorted(context.replica.rows(TABLE).values(), key=lambda each: each.text("name"))
    places, services = read_places(context), find_services(context, rows)
    for row in rows:
        group = _find_group(context, row)
        target = places.find_target(row, count_standbys(group))
        standbys = places.standbys(row.text("name"))
        context.table.add(
            row.text("name"),
            row.text("service_type"),
            services.get(row.uuid, ()),
            group.text("name") if group else "",
            row.text("chassis"),
            row.text("status_code"),
            format_time(row.find("since")),
            target,
            tuple(each for each in standbys if each != target),
            row.text("status_message"),
        )


def show(context: Context) -> None:
    """container-show CONTAINER"""
    context.refuse_format()
    row = _get(context)
    name = row.text("name")
    places = read_places(context, name)
    context.lines.append(f"container {name}")
    _add(context, 1, _find_facts(context, row, places))
    for binding in places.bindings(name):
        context.lines.append(f"    {binding['role']} on {binding['chassis']}")
        _add(context, 2, _find_binding_facts(binding))
    for avoided in places.avoided(name):
        context.lines.append(f"    avoids {avoided['chassis']}")
        _add(context, 2, _find_avoided_facts(avoided))
    history = places.history(name)
    if history:
        context.lines.append("    placements")
        _add(context, 2, [(str(each["number"]), _describe_placement(each)) for each in history])


def pin(context: Context) -> None:
    """container-pin CONTAINER CHASSIS"""
    row = _get(context)
    chassis = context.arguments[1]
    check_eligible(context, row, chassis)
    row.set_atom("requested_chassis", chassis)


def unpin(context: Context) -> None:
    """container-unpin CONTAINER"""
    _get(context).set_atom("requested_chassis", None)


def migrate(context: Context) -> None:
    """container-migrate CONTAINER CHASSIS: moves it once; with --wait until that is over."""
    row = _get(context)
    name, chassis = row.text("name"), context.arguments[1]
    wanted = row.text("requested_chassis")
    if wanted and wanted != chassis:
        raise UsageError(f"{name}: is pinned to {wanted}; use container-unpin, or container-pin")
    check_eligible(context, row, chassis)
    if row.text("chassis") == chassis and not _is_migrating(row):
        context.warnings.append(f"{name} is on {chassis} already")
        return
    row.set_atom("migrate_chassis", chassis)
    row.increment("migrate_cfg")
    if context.has("wait"):
        context.follow_up = partial(wait_for_migration, context, row=row, chassis=chassis)


# -- pieces ----------------------------------------------------------------


def _get(context: Context) -> Row:
    return get_named(context.replica, TABLE, context.arguments[0], "container")


def _find_group(context: Context, row: Row) -> Row | None:
    return context.replica.rows("Container_Group").get(row.text("group"))


def _is_migrating(row: Row) -> bool:
    return bool(row.find("migrate_cfg") > row.find("migrated_cfg"))


def _add(context: Context, depth: int, facts: list[Fact]) -> None:
    indent = "    " * depth
    context.lines.extend(f"{indent}{name}: {value}" for name, value in facts if value)


def _find_facts(context: Context, row: Row, places: Places) -> list[Fact]:
    group = _find_group(context, row)
    configuration = row.datum("configuration")
    assert isinstance(configuration, dict)
    return [
        ("type", row.text("service_type")),
        ("serves", ", ".join(find_services(context, [row]).get(row.uuid, ()))),
        ("group", group.text("name") if group else ""),
        ("status", row.text("status_code")),
        ("message", row.text("status_message")),
        ("since", format_time(row.find("since"))),
        ("chassis", row.text("chassis")),
        ("moving to", places.find_target(row, count_standbys(group))),
        ("requested chassis", row.text("requested_chassis")),
        ("migration", _describe_migration(row)),
        ("port", row.text("port")),
        ("namespace", row.text("namespace_name")),
        ("interface", row.text("interface_name")),
        *((f"configuration {key}", str(value)) for key, value in configuration.items()),
    ]


def _describe_migration(row: Row) -> str:
    number = row.find("migrate_cfg")
    if _is_migrating(row):
        return f"request {number}, to {row.text('migrate_chassis')}, is under way"
    status = row.text("migrate_status")
    return f"request {row.find('migrated_cfg')}: {status}" if status else ""


def _find_binding_facts(binding: Json) -> list[Fact]:
    generation, reached = binding["generation"], binding["reached_generation"]
    restarts = binding["restarts"]
    return [
        ("status", find_atom(binding["status_code"]) or "chassis has not reported"),
        ("message", binding["status_message"]),
        ("since", format_time(find_atom(binding["since"]))),
        ("unwell since", format_time(find_atom(binding["unwell_since"]))),
        ("generation", f"{generation}" if reached == generation else f"{reached} of {generation}"),
        ("restarts", str(restarts) if restarts else ""),
    ]


def _find_avoided_facts(avoided: Json) -> list[Fact]:
    return [
        ("reason", avoided["reason"]),
        ("failures", f"{avoided['failures']}, the last at {format_time(avoided['since'])}"),
        ("tried again", format_retry(avoided["retry_at"], int(time.time() * 1000))),
    ]


def _describe_placement(placement: Json) -> str:
    reason = placement["reason"]
    text = f"{format_time(placement['since'])} {placement['chassis']}"
    return f"{text} ({reason})" if reason else text
