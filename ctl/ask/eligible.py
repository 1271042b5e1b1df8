"""Whether a chassis can take a container, before a row asks for that.

What the operator has written counts first, then what svc-northd says of the
chassis in the southbound.  With --no-check everything is believed.
"""

from __future__ import annotations

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.placement import DEFAULT_WEIGHT, NO_LIMIT
from ..context import Context
from ..db.row import Row
from .lookup import Json, ask_southbound, make_unregistered, members, select


def check_eligible(
    context: Context, container: Row | None, chassis: str, *, waits: bool = False
) -> None:
    """Raises UsageError if 'chassis' is not registered, or would refuse 'container'.

    Of a container that is not there nothing is known.
    Where the container is already, it is not refused.  One that 'waits' for
    room is not refused where there is none, but warned of.
    """
    if not chassis:
        raise UsageError('"": not the name of a chassis')
    if container is None:
        return
    if context.settings.has("no-check") or chassis == container.text("chassis"):
        return
    known, weight, standing_by = _read(context, chassis)
    if known is None:
        raise make_unregistered(chassis)
    problem = _find_problem(context, container, chassis, known, weight)
    if problem is None:
        return
    name, is_full = quote(container.text("name")), _is_full(weight, problem)
    if is_full and standing_by:
        # One that stands by there has its room, and another one that does gives way.
        return
    if is_full and waits:
        context.warnings.append(
            f"{quote(chassis)} is {problem}; {name} moves there once there is room"
        )
        return
    raise UsageError(f"{quote(chassis)}: cannot take container {name}: it is {problem}")


def _find_problem(
    context: Context, container: Row, chassis: str, known: Json, weight: Json | None
) -> str | None:
    """Returns why a chassis would refuse a container, None if it would not."""
    wish = context.replica.find("Chassis", "name", chassis)
    group = context.replica.get("Container_Group", container.text("group"))
    return (
        _find_group_problem(context, group, chassis)
        or _find_type_problem(container.text("service_type"), known)
        or _find_wish_problem(wish)
        or _find_judged_problem(weight, wish)
        or _find_load_problem(group, weight)
    )


def _is_full(weight: Json | None, problem: str) -> bool:
    return weight is not None and problem == f"full (limit {weight['limit']})"


def _read(context: Context, chassis: str) -> tuple[Json | None, Json | None, bool]:
    """Returns the rows Chassis and Chassis_Weight, and whether anybody stands by there."""
    here = ["chassis", "==", chassis]
    operations = [
        select("Chassis", [["name", "==", chassis]]),
        select("Chassis_Weight", [here]),
        select("Container_Binding", [here, ["role", "==", "standby"]], ["role"]),
    ]
    rows = ask_southbound(context, operations, f"chassis {quote(chassis)}")
    known = next((row for row in rows if "service_types" in row), None)
    weight = next((row for row in rows if "weight" in row), None)
    return known, weight, any("role" in row for row in rows)


def _find_group_problem(context: Context, group: Row | None, chassis: str) -> str | None:
    if group is None:
        return None
    allowed = context.replica.get("Chassis_Group", group.text("chassis_group"))
    if allowed is None or chassis in allowed.strings("chassis"):
        return None
    return f"not in chassis group {quote(allowed.text('name'))}"


def _find_type_problem(service_type: str, known: Json) -> str | None:
    if service_type in members(known["service_types"]):
        return None
    problem = dict(known["service_problems"][1]).get(service_type)
    why = f" ({problem})" if problem else ""
    return f"without service type {quote(service_type)}{why}"


def _find_wish_problem(wish: Row | None) -> str | None:
    if wish is not None and wish.find("container_weight") == 0:
        return "of weight 0"
    return "drained" if wish is not None and wish.find("drain") else None


def _find_judged_problem(weight: Json | None, wish: Row | None) -> str | None:
    """Returns why svc-northd places nothing there, None if it has not judged the chassis."""
    if weight is None:
        return None
    if not weight["alive"]:
        return "dead"
    # What was judged before the operator's last word on the chassis is of yesterday.
    is_current = (weight["weight"], weight["limit"], weight["drain"]) == _read_wish(wish)
    return weight["problem"] or None if is_current else None


def _find_load_problem(group: Row | None, weight: Json | None) -> str | None:
    counts = group is not None and group.find("policy") == "load"
    return "under too much load" if counts and weight and weight["overloaded"] else None


def _read_wish(wish: Row | None) -> tuple[int, int, bool]:
    weight = wish.find("container_weight") if wish else None
    limit = wish.find("container_limit") if wish else None
    return (
        DEFAULT_WEIGHT if weight is None else weight,
        NO_LIMIT if limit is None else limit,
        bool(wish and wish.find("drain")),
    )
