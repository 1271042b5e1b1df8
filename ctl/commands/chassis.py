"""chassis-*: the operator's word on a chassis, and what the southbound knows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.placement import DEFAULT_WEIGHT, NO_LIMIT
from ...lib.sequence import count_on, has_reached
from ...services.api.commands import Moment
from ..ask.chassis_word import TABLE, says_something
from ..ask.lookup import (
    Json,
    check_chassis,
    make_unregistered,
    members,
    open_southbound,
    read_southbound,
    select,
)
from ..ask.northd import warn_if_stale
from ..ask.waiting import wait_for_deletion, wait_for_drain
from ..context import Context
from ..db.notation import make_complaint, parse_atom
from ..db.records import get_root
from ..db.row import Row

_HEADINGS = [
    *("name", "hostname", "state", "since", "weight", "limit", "drain", "active", "standby"),
    *("load", "types", "problem", "service-problems"),
]
_BELOW = ["problem", "service-problems"]
_LEAVE = "'svc-appctl -t svc-controller exit --cleanup' there"
_SELECTS = [
    select("Chassis", (), ["name", "hostname", "service_types", "service_problems"]),
    select("Chassis_Weight"),
    # Whole, since a southbound that is yet to be converted has no 'warnings'.
    select("Chassis_Private"),
    # With the name, since a selection has no row twice.
    select("Container_Binding", (), ["container", "chassis", "role"]),
]


def list_all(context: Context) -> None:
    """chassis-list [NAME]: lists all chassis, or those that NAME means.

    NAME may be that of a chassis or of its host, or of what runs there.
    """
    chassis, weights, private, bindings = read_southbound(context, _SELECTS)
    warn_if_stale(context)
    known = {row["name"]: row for row in chassis}
    judged = {row["chassis"]: row for row in weights}
    warnings = {row["name"]: members(row.get("warnings", ["set", []])) for row in private}
    loads = {row["name"]: dict(row["load"][1]).get("cpu", "") for row in private}
    counts = Counter((row["chassis"], row["role"]) for row in bindings)
    wishes = {row.text("name"): row for row in context.replica.rows(TABLE).values()}
    wishes = {name: row for name, row in wishes.items() if name in known or says_something(row)}
    table = context.start_table(_HEADINGS, _BELOW)
    names = {*known, *wishes}
    counts_load = bool(context.replica.find_all("Container_Group", "policy", "load"))
    if context.arguments:
        names = _choose(context, names, known, bindings)
    for name in sorted(names):
        weight = judged.get(name)
        table.add(
            name,
            known[name]["hostname"] if name in known else "",
            *_find_life(known.get(name), weight),
            *_find_wish(wishes.get(name)),
            counts[name, "active"],
            counts[name, "standby"],
            _describe_load(loads.get(name, ""), weight, counts_load),
            *_find_problems(known.get(name), weight, warnings.get(name, [])),
        )


def set_weight(context: Context) -> None:
    """chassis-set-weight CHASSIS N: sets the share of containers that a chassis gets; 0: none."""
    _set_number(context, "container_weight")


def set_limit(context: Context) -> None:
    """chassis-set-limit CHASSIS N|none: sets how many containers a chassis takes."""
    if context.arguments[1] == "none":
        _get(context).set_atom("container_limit", None)
    else:
        _set_number(context, "container_limit")


def drain(context: Context) -> None:
    """chassis-drain CHASSIS: moves containers away; with --wait until none is left."""
    _get(context).set_atom("drain", True)
    if context.has("wait"):
        # That it cannot be waited for is known before anything is written.
        open_southbound(context).close()
        # Until svc-northd has seen the drain it may place one more there.
        context.forces_wait = True
        context.follow_up = partial(wait_for_drain, context, chassis=context.arguments[0])


def undrain(context: Context) -> None:
    """chassis-undrain CHASSIS: lets a chassis take containers again."""
    row = context.replica.find(TABLE, "name", context.arguments[0])
    if row is None:
        check_chassis(context, [context.arguments[0]])
    else:
        row.set_atom("drain", False)


def delete(context: Context) -> None:
    """chassis-del CHASSIS: removes what is known of a chassis that is dead and gone for good.

    Its containers are placed elsewhere at once.  Its weight, limit and drain stay, for one that
    comes back.  With --wait until it is done.
    """
    name = context.arguments[0]
    if not _check_dead(context, name):
        return
    row = context.replica.find(TABLE, "name", name)
    if row is None:
        row = context.replica.insert(TABLE)
        row.set_atom("name", name)
    if has_reached(row.find("deleted_cfg"), row.find("delete_cfg")):
        row.set_atom("delete_cfg", count_on(row.find("deleted_cfg")))
    if context.has("wait"):
        context.forces_wait = True
        context.follow_up = partial(wait_for_deletion, context, chassis=name)


def _check_dead(context: Context, name: str) -> bool:
    """Returns whether there is anything to delete; raises UsageError if it must not be."""
    if not name:
        raise UsageError('"": not the name of a chassis')
    if context.settings.has("no-check"):
        return True
    named, placed = [["name", "==", name]], [["chassis", "==", name]]
    selects = [
        select("Chassis", named, ["name"]),
        select("Chassis_Private", named, ["name"]),
        select("Chassis_Weight", placed, ["chassis", "alive"]),
    ]
    chassis, private, weights = read_southbound(context, selects)
    if not (chassis or private or weights):
        if context.has("if-exists"):
            return False
        raise make_unregistered(name)
    if any(row["alive"] for row in weights):
        raise UsageError(f"{name}: is alive; {_LEAVE} takes a chassis out of service")
    if chassis and not weights:
        raise UsageError(f"{name}: svc-northd has not judged yet whether it is alive")
    return True


def fail_over(context: Context) -> None:
    """failover-now: what was lost when many chassis went silent at once gets new places."""
    root = get_root(context.replica)
    held = root.find("mass_failure_cfg")
    if held is None:
        context.warnings.append("no new places are held: nothing is to be done")
        return
    if not has_reached(root.find("failover_cfg"), held):
        root.set_atom("failover_cfg", held)


def _set_number(context: Context, column: str) -> None:
    name, text = context.arguments
    base = context.replica.schema.tables[TABLE].columns[column].key
    try:
        number = parse_atom(text, base, context.names.resolve)
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


def _choose(
    context: Context, names: AbstractSet[str], known: Mapping[str, Json], bindings: Sequence[Json]
) -> set[str]:
    """Returns the chassis that a word means: by name, by host, or since something runs there."""
    text = context.arguments[0]
    if text in names:
        return {text}
    found = {name for name, row in known.items() if text and row["hostname"] == text}
    if not found:
        from ..ask.meaning import find_containers  # which may load the service types

        containers = {
            row.text("name"): row.text("chassis") for row in find_containers(context, text)
        }
        bound = {row["chassis"] for row in bindings if row["container"] in containers}
        found = {*bound, *containers.values()}.intersection(names)
    if not found:
        raise make_unregistered(text)
    return found


def _find_life(chassis: Json | None, weight: Json | None) -> tuple[str, Moment]:
    """Returns whether a chassis is alive, and since when that is so."""
    if chassis is None:
        return "unknown", Moment(None)
    if weight is None:
        return "not yet judged", Moment(None)
    return "alive" if weight["alive"] else "dead", Moment(weight["since"])


def _find_wish(row: Row | None) -> tuple[int, str, str]:
    weight = row.find("container_weight") if row else None
    limit = row.find("container_limit") if row else None
    return (
        DEFAULT_WEIGHT if weight is None else weight,
        "none" if limit in (None, NO_LIMIT) else str(limit),
        "yes" if row and row.find("drain") else "no",
    )


def _describe_load(cpu: str, weight: Json | None, counts: bool) -> str:
    """Returns the load of a chassis that is alive: that of a dead one is of another time.

    It is too high only where it 'counts', since a group looks at it.
    """
    if weight is not None and not weight["alive"]:
        return ""
    text = f"{cpu}%" if cpu else ""
    return f"{text} (too high)" if text and counts and weight and weight["overloaded"] else text


def _find_problems(
    chassis: Json | None, weight: Json | None, warnings: Sequence[str]
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Returns the service types of a chassis, what is wrong with it, why no further type."""
    if chassis is None:
        return (), "not registered in the southbound", ()
    problems = sorted(chassis["service_problems"][1])
    return (
        tuple(sorted(members(chassis["service_types"]))),
        "; ".join(filter(None, (weight["problem"] if weight else "", *sorted(warnings)))),
        tuple(f"{service_type}: {reason}" for service_type, reason in problems),
    )
