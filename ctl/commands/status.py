"""status: what is wrong, the worst first, and how much of everything works.

It goes as far as it can with whatever is away, and says what that leaves unknown, or old.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from ...lib.addresses import quote
from ...lib.container import KEPT
from ...lib.errors import UsageError
from ...lib.exposure import find_exposures
from ...lib.group import find_remark
from ...lib.moment import format_past
from ...lib.options import find_problems
from ...lib.schema import NORTHBOUND, SOUTHBOUND
from ...lib.sequence import has_reached
from ...services.api.commands import Problem, StatusLines
from ..ask.chassis_word import TABLE as CHASSIS
from ..ask.chassis_word import find_absent
from ..ask.dates import date
from ..ask.lookup import select
from ..ask.northd import PATIENCE_S, is_active
from ..ask.southbound import (
    Away,
    Southbound,
    describe,
    find_chassis_problems,
    find_late,
    find_northd_problems,
    read_southbound_state,
)
from ..ask.units import CONTAINER as TABLE
from ..ask.units import find_served
from ..context import Context
from ..db.records import ROOT
from ..db.row import Row
from ..type_run import ask_types, check_lines
from .problems import (
    NOTHING_WORKS,
    choose,
    describe_silence,
    find_level,
    format_problems,
    format_verdict,
    order,
)

_NUMBERS = ("nb_cfg", "sb_cfg", "hv_cfg", "sb_cfg_timestamp")
_BINDINGS = select("Container_Binding", (), ["container", "role", "status_code", "status_message"])
_REMOTES = select("Connection", (), ["target", "role"])
_ITEMS = select("Container_Item", (), ["container", "chassis", "kind", "name", "state"])


def status(context: Context) -> None:
    """status: what is wrong, the worst first, and how much works.

    Exit status: 0 if all is well, 1 if something is wrong, 2 if nothing works, or if
    svc-northd or a database that it needs is away.  --all lists all that is wrong.
    """
    context.refuse_format()
    southbound = read_southbound_state(context, is_active(context), _REMOTES)
    told = dict(ask_types(context, lambda half, run: _check_status(half.tell_status(run))))
    problems = [
        *_find_absences(context, southbound),
        *_find_of_types(told),
        *_find_of_containers(context, told),
        *_find_of_chassis(context, southbound),
        *_find_of_root(context, told, southbound),
        *_find_of_groups(context),
        *_find_of_remotes(context, southbound),
    ]
    counts = [line for each in told.values() for line in each.counts]
    counts.append(f"containers: {_count_running(context)}")
    counts += describe(southbound)
    numbers = _read_numbers(context)
    if numbers:
        counts.append(", ".join(f"{name} {numbers[name]}" for name in _NUMBERS[:3]))
    works = _works(context, told)
    silent_since = None if works else _find_silence(context, southbound)
    _tell(context, problems, counts, southbound, works=works, silent_since=silent_since)


def tell_without_northbound(context: Context, reason: str) -> None:
    """Tells what there is to be told by 'reason' of which the northbound cannot be read."""
    context.refuse_format()
    southbound = read_southbound_state(context, None, _BINDINGS, _ITEMS)
    known = "services, connections and what is wanted of chassis and containers are not known"
    problems = [Problem("away", "SVC_Northbound", f"{known}: {reason}")]
    counts: list[str] = []
    if isinstance(southbound, Away):
        problems.append(Problem("away", "SVC_Southbound", southbound.reason))
    else:
        bindings, items = southbound.rows
        active = [row for row in bindings if row["role"] == "active"]
        problems += find_northd_problems(southbound.work)
        problems += find_chassis_problems(southbound, lambda container, _: quote(container))
        problems += [
            Problem("error", f"container {quote(row['container'])}", row["status_message"])
            for row in active
            if row["status_code"] == "error"
        ]
        running = sum(1 for row in active if row["status_code"] == "running")
        counts.append(f"containers: {running} of {len(active)} running, as their chassis say")
        counts += _count_items(items)
    _tell(context, problems, [*counts, *describe(southbound)], southbound, works=True)


# -- what is wrong -----------------------------------------------------------


def _find_absences(context: Context, southbound: Southbound | Away) -> Iterator[Problem]:
    """Returns what keeps svc-northd from its work, as far as it is seen from here."""
    if isinstance(southbound, Away):
        left = f"chassis and standbys are not known: {southbound.reason}"
        if southbound.is_silent:
            cause = f"it does not answer, so what is told is old; {left}"
            yield Problem("away", "SVC_Southbound", cause)
            return
        active = is_active(context)
        if active:
            # It holds the lock of the northbound only while it reaches the southbound.
            cause = f"not reached from here, but by svc-northd; {left}"
            yield Problem("warning", "SVC_Southbound", cause)
            return
        cause = f"no svc-northd is active without, so what is told is old; {left}"
        if active is None:
            where = "not reached from here (--sb-db, SVC_SB_DB)"
            cause = f"{where}, so that it is not known whether a svc-northd is at work; {left}"
        yield Problem("away", "SVC_Southbound", cause)
    else:
        yield from find_northd_problems(southbound.work)
        if southbound.work.led and not southbound.work.halt:
            return
    # One that cannot reach OVN_Northbound does not lead, and cannot say so anywhere.
    try:
        context.connect(context.settings.ovn_db, "OVN_Northbound", PATIENCE_S).close()
    except UsageError as error:
        yield Problem("away", "OVN_Northbound", f"not reached from here: {error}")


def _find_of_types(told: dict[str, StatusLines]) -> Iterator[Problem]:
    for each in told.values():
        for problem in each.problems:
            yield problem if isinstance(problem, Problem) else Problem("error", "", problem)


def _find_of_containers(context: Context, told: dict[str, StatusLines]) -> Iterator[Problem]:
    """Returns what is wrong with containers, but for what stands on the rows that they serve."""
    said = {problem.cause for problem in _find_of_types(told)}
    for row in _sorted(context, TABLE):
        code, message = row.text("status_code"), row.text("status_message")
        state = code if code in ("error", "starting") else "kept" if KEPT in message else ""
        if row.has("options") and (unknown := _find_unknown_option(row)) is not None:
            yield Problem("warning", _name_container(context, row), unknown)
        if not state or f"container {code}: {message}" in said or message in said:
            continue
        subject = TABLE, row.text("name")
        yield Problem(state, _name_container(context, row), message, row.find("since"), subject)


def _find_unknown_option(row: Row) -> str | None:
    options = _read_options(row)
    if not options:
        return None
    from ...lib.option_keys import find_unknown

    return find_unknown(options)


def _find_of_chassis(context: Context, southbound: Southbound | Away) -> Iterator[Problem]:
    if isinstance(southbound, Away):
        return
    yield from find_chassis_problems(southbound, partial(_describe_left, context))
    yield from find_absent(_sorted(context, CHASSIS), southbound.chassis.keys())
    if not southbound.chassis:
        state = "warning" if context.replica.rows(TABLE) else "note"
        yield Problem(state, "", "no chassis has registered in the southbound")


def _describe_left(context: Context, container: str, chassis: str) -> str:
    """Returns the name of a container that has not left its chassis, and why if that is known."""
    wish = context.replica.find("Container_Wish", "name", container)
    row = context.replica.find(TABLE, "name", container)
    if row is None:
        return quote(container)
    named = _name_with_served(context, row)
    if wish is not None and wish.text("requested_chassis") == chassis:
        return f"{named}, pinned to it"
    message = row.text("status_message")
    return f"{named}: {message}" if message else named


def _find_of_root(
    context: Context, told: dict[str, StatusLines], southbound: Southbound | Away
) -> Iterator[Problem]:
    """Returns who has not answered to what the operator wrote, and options that do not count."""
    root = next(iter(context.replica.rows(ROOT).values()), None)
    if root is None:
        yield Problem("note", "", "the northbound is not initialized (svcctl init)")
        return
    numbers = _read_numbers(context)
    silent = "svc-northd has not answered"
    if not has_reached(numbers["sb_cfg"], numbers["nb_cfg"]):
        cause = f"{silent}: nb_cfg {numbers['nb_cfg']}, sb_cfg {numbers['sb_cfg']}"
        yield Problem("waiting", "", cause)
    else:
        for each in told.values():
            yield from (Problem("waiting", "", f"{silent}: {line}") for line in each.delays)
        late = find_late(southbound, numbers) if not isinstance(southbound, Away) else None
        if late is not None:
            yield late
    for line in find_problems(_read_options(root)):
        yield Problem("warning", "SVC_Global", line)


def _find_of_groups(context: Context) -> Iterator[Problem]:
    for row in _sorted(context, "Container_Group"):
        remark = find_remark(row.text("name"), _read_options(row))
        if remark is not None:
            yield Problem("warning", "", remark)


def _find_of_remotes(context: Context, southbound: Southbound | Away) -> Iterator[Problem]:
    """Returns where the databases let in whom they should not, as far as it is seen from here."""
    here = [
        (row.text("target"), row.text("role") if row.has("role") else "")
        for row in context.replica.rows("Connection").values()
    ]
    yield from _find_exposed(NORTHBOUND, here, context.settings.db)
    if isinstance(southbound, Away):
        return
    (found,) = southbound.rows
    there = [(row["target"], row["role"]) for row in found]
    yield from _find_exposed(SOUTHBOUND, there, context.settings.sb_db)


def _find_exposed(database: str, remotes: Sequence[tuple[str, str]], own: str) -> Iterator[Problem]:
    """Returns what is to be known of 'remotes', or of the one by which we have come ourselves."""
    told = list(find_exposures(database, remotes))
    told = told or list(find_exposures(database, [(each, "") for each in own.split(",")]))[:1]
    yield from (Problem("note", "", each) for each in told)


# -- how much works ------------------------------------------------------------


def _works(context: Context, told: dict[str, StatusLines]) -> bool:
    """Returns whether anything works that is to, or nothing is to."""
    tallies = [each.works for each in told.values() if each.works is not None]
    counted = {name for name, each in told.items() if each.works is not None}
    tallies.append(_count(context, counted))
    return any(working for working, _ in tallies) or not any(wanted for _, wanted in tallies)


def _find_silence(context: Context, southbound: Southbound | Away) -> int | None:
    """Returns since when no container is heard of, if only since their chassis are dead.

    What runs there goes on without us; that its chassis is dead may be ours to mend alone.
    """
    if isinstance(southbound, Away):
        return None
    containers = context.replica.rows(TABLE).values()
    chassis = {row.text("chassis") for row in containers if row.text("status_code") != "running"}
    weights = [southbound.weights.get(name) for name in chassis]
    moments = [each["since"] for each in weights if each is not None and not each["alive"]]
    return max(moments) if moments and len(moments) == len(chassis) else None


def _count(context: Context, without: AbstractSet[str] = frozenset()) -> tuple[int, int]:
    """Returns how many containers run, and how many there are, those of some types left out."""
    rows = context.replica.rows(TABLE).values()
    codes = [row.text("status_code") for row in rows if row.text("service_type") not in without]
    return codes.count("running"), len(codes)


def _count_running(context: Context) -> str:
    running, every = _count(context)
    return f"{running} of {every} running"


def _count_items(items: Sequence[dict[str, str]]) -> Iterator[str]:
    """Returns lines on how many items there are of each kind in each state."""
    for kind in sorted({row["kind"] for row in items}):
        states = [row["state"] for row in items if row["kind"] == kind]
        parts = (f"{states.count(state)} {state}" for state in sorted(set(states)))
        yield f"{kind}: {', '.join(parts)}, as chassis say"


# -- pieces ----------------------------------------------------------------


def _tell(
    context: Context,
    problems: Sequence[Problem],
    counts: Sequence[str],
    southbound: Southbound | Away,
    *,
    works: bool,
    silent_since: int | None = None,
) -> None:
    now_ms = int(time.time() * 1000)
    level = find_level(problems, works=works)
    context.exit_status = level
    how = "" if works else NOTHING_WORKS
    if silent_since is not None:
        how = describe_silence(silent_since, now_ms)
    context.lines.append(format_verdict(level, problems, how))
    ordered = order(problems)
    shown = ordered if context.has("all") else choose(ordered)
    date(context, shown)
    context.lines += format_problems(shown, ordered, now_ms, shorten=not context.has("all"))
    row = southbound.work.row if not isinstance(southbound, Away) and southbound.work.halt else None
    if row is not None and row["worked_at"]:
        context.lines.append(f"as of {format_past(row['worked_at'], now_ms)}:")
    context.lines += counts


def _check_status(told: StatusLines) -> StatusLines:
    """Returns what a type tells; raises TypeError if that is not what it should be."""
    problems = told.problems
    if not all(isinstance(each, str | Problem) for each in problems):
        raise TypeError
    works = getattr(told, "works", None)
    return StatusLines(check_lines(told.counts), check_lines(told.delays), list(problems), works)


def _read_numbers(context: Context) -> dict[str, int]:
    root = next(iter(context.replica.rows(ROOT).values()), None)
    return {} if root is None else {name: root.find(name) for name in _NUMBERS}


def _name_container(context: Context, row: Row) -> str:
    return f"container {_name_with_served(context, row)}"


def _name_with_served(context: Context, row: Row) -> str:
    served = [each for each in find_served(context, row) if each]
    shown = f" ({', '.join(served)})" if served else ""
    return f"{quote(row.text('name'))}{shown}"


def _sorted(context: Context, table: str) -> list[Row]:
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))


def _read_options(row: Row) -> dict[str, str]:
    options = row.datum("options")
    assert isinstance(options, dict)
    return {str(key): str(value) for key, value in options.items()}
