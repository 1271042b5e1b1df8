"""init, sync, show, status: the whole at a glance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ...lib.addresses import quote
from ...lib.container import KEPT
from ...lib.errors import UsageError
from ...lib.group import find_standby
from ...lib.options import find_problems
from ...lib.placement import NORTHD_LOCK, UNFIT
from ...services.api.commands import Commands, StatusLines
from ..ask.lookup import Json, open_southbound, read, select
from ..ask.moment import format_time
from ..context import Context
from ..db.records import ROOT, find_row, get_root
from ..db.row import Row
from ..type_run import NOT_OURS, TypeRun, describe_mistake

_Told = TypeVar("_Told")
# A database that hangs is one of the things that are to be told.
_PATIENCE_S = 3.0


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
    """show [NAME]: what each service type serves, and the containers, as a tree."""
    context.refuse_format()
    name = context.argument(0)
    for lines in _ask_types(context, lambda half, run: _check_lines(half.show(run, name))):
        context.lines += lines
    if name is None:
        containers = _sorted(context, "Service_Container")
    else:
        found = find_row(context.replica, "Service_Container", name)
        containers = [found] if found else []
        if found is None and not context.lines:
            raise UsageError(f"{name}: neither a service nor a container has this name")
    for row in containers:
        _show_container(context, row)


def status(context: Context) -> None:
    """status: what there is, and how much of it works."""
    context.refuse_format()
    southbound = _read_southbound(context)
    told = list(_ask_types(context, lambda half, run: _check_status(half.tell_status(run))))
    context.lines += [line for each in told for line in each.counts]
    context.lines.append(f"containers: {_count_running(context)}")
    context.lines += _describe_southbound(southbound)
    _tell_numbers(context, told)
    context.lines += _find_obstacles(context, southbound)
    context.lines += [f"error: {line}" for each in told for line in each.problems]
    for row in _sorted(context, "Container_Group"):
        _, remark = find_standby(row.text("name"), _read_options(row))
        context.lines += [f"warning: {remark}"] if remark is not None else []
    for row in _sorted(context, "Service_Container"):
        message = row.text("status_message")
        if row.text("status_code") == "error":
            context.lines.append(f"error: {_name(row)}: {message}")
        elif KEPT in message:
            context.lines.append(f"warning: {_name(row)}: {message}")


@dataclass(frozen=True, slots=True)
class _Southbound:
    """What the southbound says at this moment.

    'unfit' says by chassis why it serves nothing though it is alive, 'led'
    whether a svc-northd holds the lock.
    """

    known: frozenset[str]
    alive: frozenset[str]
    unfit: Mapping[str, str]
    northds: Sequence[Json]
    led: bool


def _read_southbound(context: Context) -> _Southbound | str:
    """Returns what the southbound says, or why it cannot be reached."""
    selects = [
        select("Chassis", (), ["name"]),
        select("Chassis_Weight", (), ["chassis", "alive", "problem"]),
        select("Northd"),
    ]
    try:
        client = open_southbound(context, _PATIENCE_S)
    except UsageError as error:
        return str(error)
    try:
        chassis, weights, northds = read(client, selects)
        led = client.is_locked(NORTHD_LOCK)
    except UsageError as error:
        return str(error)
    finally:
        client.close()
    known = frozenset(row["name"] for row in chassis)
    alive = frozenset(row["chassis"] for row in weights if row["alive"]) & known
    problems = {row["chassis"]: row["problem"] for row in weights if row["chassis"] in alive}
    unfit = {name: each for name, each in problems.items() if each.startswith(UNFIT)}
    return _Southbound(known, alive, unfit, northds, led)


def _describe_southbound(found: _Southbound | str) -> list[str]:
    if isinstance(found, str):
        return ["chassis: not known", "svc-northd: not known"]
    return [
        f"chassis: {len(found.alive)} of {len(found.known)} alive",
        _describe_northd(found.northds, found.led),
    ]


def _find_obstacles(context: Context, found: _Southbound | str) -> list[str]:
    """Returns what keeps svc-northd from its work, as far as it is seen from here."""
    if isinstance(found, str):
        return [f"error: SVC_Southbound cannot be reached: {found}"]
    leads = found.led and bool(found.northds)
    who = "svc-northd" if leads else "svc-northd, the last one that was active"
    problems = [line for row in found.northds for line in _find_northd_problems(who, row)]
    problems += [f"error: chassis {name}: {each}" for name, each in sorted(found.unfit.items())]
    if leads:
        return problems
    # One that cannot reach OVN_Northbound does not ask for the lock, and cannot say so anywhere.
    try:
        context.connect(context.settings.ovn_db, "OVN_Northbound", _PATIENCE_S).close()
    except UsageError as error:
        problems.append(f"error: OVN_Northbound cannot be reached from here: {error}")
    return problems


def _ask_types(context: Context, ask: Callable[[Commands, TypeRun], _Told]) -> Iterator[_Told]:
    """Returns what each service type has to say; one that cannot is told of in a warning."""
    for name, half in context.types.commands().items():
        try:
            yield ask(half, TypeRun(context))
        except UsageError:
            raise
        except NOT_OURS as error:  # the mistake of a type is no reason to be silent on the rest
            context.warnings.append(f"service type {name}: {describe_mistake(error)}")
    context.warnings += context.types.problems


def _check_lines(lines: Sequence[str]) -> list[str]:
    """Returns what a type has to say; raises TypeError if that is not lines."""
    if not all(isinstance(each, str) for each in lines):
        raise TypeError
    return list(lines)


def _check_status(told: StatusLines) -> StatusLines:
    return StatusLines(*map(_check_lines, (told.counts, told.delays, told.problems)))


def _tell_numbers(context: Context, told: Sequence[StatusLines]) -> None:
    root = next(iter(context.replica.rows(ROOT).values()), None)
    if root is None:
        context.lines.append("the northbound is not initialized (svcctl init)")
        return
    numbers = (f"{name} {root.find(name)}" for name in ("nb_cfg", "sb_cfg", "hv_cfg"))
    context.lines.append(", ".join(numbers))
    context.lines += _find_delays(root, [line for each in told for line in each.delays])
    problems = find_problems(_read_options(root))
    context.lines += [f"error: SVC_Global: {each}" for each in problems]


def _describe_northd(rows: Sequence[Json], led: bool) -> str:
    """Returns which svc-northd is active, as it has said itself; 'led': one holds the lock."""
    if not rows or not led:
        last = "".join(f"; the last was on {quote(row['hostname'])}" for row in rows)
        stale = ", and nothing that is told here is of this moment" if rows else ""
        return f"svc-northd: none is active{last}{stale}"
    [row] = rows
    if not row["since"]:
        return f"svc-northd: not active yet on {quote(row['hostname'])}, pid {row['pid']}"
    since = format_time(row["since"])
    return f"svc-northd: active on {quote(row['hostname'])}, pid {row['pid']}, since {since}"


def _find_northd_problems(who: str, row: Json) -> list[str]:
    """Returns what svc-northd says is wrong with its work; the time is of its own clock."""
    if not row["problem"]:
        return []
    last = format_time(row["worked_at"])
    when = f"its last whole pass ended at {last}" if last else "no whole pass yet"
    return [f"error: {who}: {row['problem']} ({when})"]


def _find_delays(root: Row, of_types: Sequence[str]) -> list[str]:
    """Returns sentences on who has not answered to what the operator wrote."""
    nb_cfg, sb_cfg, hv_cfg = (root.find(name) for name in ("nb_cfg", "sb_cfg", "hv_cfg"))
    if sb_cfg < nb_cfg:
        return [f"svc-northd has not answered: nb_cfg {nb_cfg}, sb_cfg {sb_cfg}"]
    found = [f"svc-northd has not answered: {each}" for each in of_types]
    if hv_cfg < sb_cfg:
        found.insert(0, f"not all chassis have answered: sb_cfg {sb_cfg}, hv_cfg {hv_cfg}")
    return found


def _show_container(context: Context, row: Row) -> None:
    context.lines.append(f"container {row.text('name')} ({row.text('service_type')})")
    wish = context.replica.find("Container_Wish", "name", row.text("name"))
    for name, value in (
        ("chassis", row.text("chassis")),
        ("requested chassis", wish.text("requested_chassis") if wish else ""),
        ("ports", ", ".join(row.strings("ports"))),
        ("status", _join(row.text("status_code"), row.text("status_message"))),
    ):
        if value:
            context.lines.append(f"    {name}: {value}")


def _name(row: Row) -> str:
    return row.text("name") or '""'


def _join(status_text: str, reason: str) -> str:
    return f"{status_text} ({reason})" if status_text and reason else status_text or reason


def _count_running(context: Context) -> str:
    rows = context.replica.rows("Service_Container").values()
    running = sum(1 for row in rows if row.text("status_code") == "running")
    return f"{running} of {len(rows)} running"


def _sorted(context: Context, table: str) -> list[Row]:
    return sorted(context.replica.rows(table).values(), key=lambda row: row.text("name"))


def _read_options(row: Row) -> dict[str, str]:
    options = row.datum("options")
    assert isinstance(options, dict)
    return {str(key): str(value) for key, value in options.items()}
