"""What the southbound says at this moment of chassis and of svc-northd, and what is wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...lib.addresses import quote
from ...lib.errors import UsageError
from ...lib.moment import format_past
from ...lib.placement import DRAINED, UNFIT
from ...lib.sequence import has_reached
from ...services.api.commands import Problem
from ..context import Context
from ..db.rpc import Client, NoAnswer
from .lookup import Json, members, open_southbound, read, select
from .northd import PATIENCE_S, Work, look

_MOST_NAMED = 3
# A chassis that takes longer to answer is told as a problem.
_ANSWERED_WITHIN_MS = 30_000


@dataclass(frozen=True, slots=True)
class Southbound:
    """Rows by the name of their chassis, and what is known of svc-northd.

    'left' are the containers that are bound to chassis that are drained; 'rows' are of the
    tables that were asked for beside those.
    """

    chassis: Mapping[str, Json]
    weights: Mapping[str, Json]
    answers: Mapping[str, int]
    warnings: Mapping[str, Sequence[str]]
    left: Mapping[str, Sequence[str]]
    work: Work
    rows: Sequence[Sequence[Json]]

    @property
    def alive(self) -> list[str]:
        """The chassis that are alive, in the order of their names."""
        return [name for name in sorted(self.chassis) if self.weights.get(name, {}).get("alive")]


@dataclass(frozen=True, slots=True)
class Away:
    """Why the southbound cannot be read; one that 'is_silent' is reached, and does not answer."""

    reason: str
    is_silent: bool


def read_southbound_state(
    context: Context, active: bool | None, *selects: Json
) -> Southbound | Away:
    """Returns what the southbound says, or why it cannot be read.

    'active' is whether a svc-northd is seen to be active in the northbound (ask/northd.py).
    """
    try:
        client = open_southbound(context, PATIENCE_S)
    except UsageError as error:
        return Away(str(error), isinstance(error, NoAnswer))
    try:
        client.wait_longer()
        return _read(client, active, selects)
    except UsageError as error:
        return Away(str(error), isinstance(error, NoAnswer))
    finally:
        client.close()


def describe(found: Southbound | Away) -> list[str]:
    """Returns lines on how many chassis are alive, and on which svc-northd is active."""
    if isinstance(found, Away):
        return ["chassis: not known", "svc-northd: not known"]
    return [
        f"chassis: {len(found.alive)} of {len(found.chassis)} alive",
        _describe_northd(found.work),
    ]


def find_chassis_problems(
    found: Southbound, describe: Callable[[str, str], str]
) -> Iterator[Problem]:
    """Returns what is wrong with chassis that are registered.

    'describe' returns what is to be told of a container that is still on a chassis that
    is drained, by the names of both.
    """
    for name, chassis in sorted(found.chassis.items()):
        weight = found.weights.get(name)
        subject = f"chassis {quote(name)}"
        if weight is not None and not weight["alive"]:
            yield Problem("dead", subject, "its heartbeat stopped", weight["since"] or None)
        elif weight is not None and weight["problem"]:
            state = "unfit" if weight["problem"].startswith(UNFIT) else "note"
            problem = weight["problem"]
            if problem == DRAINED:
                problem = _describe_drain(name, found.left.get(name, ()), describe)
            yield Problem(state, subject, problem, subject=("Chassis", name))
        for service_type, problem in sorted(chassis["service_problems"][1]):
            yield Problem("note", subject, f"{service_type}: {problem}")
        if weight is not None and weight["alive"]:
            warnings = sorted(found.warnings.get(name, ()))
            yield from (Problem("warning", subject, each) for each in warnings)


def _describe_drain(chassis: str, left: Sequence[str], describe: Callable[[str, str], str]) -> str:
    """Returns that a chassis is drained, or what keeps it from being so."""
    if not left:
        return DRAINED
    number = len(left)
    count = "1 container is" if number == 1 else f"{number} containers are"
    named = [describe(each, chassis) for each in left[:_MOST_NAMED]]
    named += [f"and {number - _MOST_NAMED} more"] if number > _MOST_NAMED else []
    return f"drain ordered; {count} still there: {'; '.join(named)}"


def find_northd_problems(work: Work) -> Iterator[Problem]:
    """Returns why svc-northd does not work, and what it says is wrong with its work."""
    row = work.row
    if work.halt:
        since = row["worked_at"] or None if row is not None else None
        yield Problem("halted", "svc-northd", _describe_halt(work), since)
    if row is not None and row["problem"]:
        who = "" if work.led else "the last one said: "
        last = format_past(row["worked_at"])
        when = f"its last whole pass ended at {last}" if last else "no whole pass yet"
        yield Problem("error", "svc-northd", f"{who}{row['problem']} ({when})")


def _describe_halt(work: Work) -> str:
    if work.row is None:
        return f"{work.halt}, and none ever was"
    where = f"on {quote(work.row['hostname'])}, pid {work.row['pid']}"
    who = f"it is {where}" if work.led else f"the last one was {where}"
    return f"{work.halt}; {who}; what is told of anything is of that time"


def find_late(found: Southbound, root: Mapping[str, int]) -> Problem | None:
    """Returns which chassis have not acknowledged what is compiled; 'root' has the numbers."""
    if has_reached(root["hv_cfg"], root["sb_cfg"]):
        return None
    answers = {name: found.answers.get(name, 0) for name in found.alive}
    late = [name for name in answers if not has_reached(answers[name], root["sb_cfg"])]
    names = ", ".join(map(quote, late[:_MOST_NAMED]))
    more = f" and {len(late) - _MOST_NAMED} more" if len(late) > _MOST_NAMED else ""
    cause = f"not all chassis have answered: sb_cfg {root['sb_cfg']}, hv_cfg {root['hv_cfg']}"
    row = found.work.row
    # Both moments are by the clock of svc-northd.
    waited_ms = row["worked_at"] - root["sb_cfg_timestamp"] if row is not None else 0
    state = "waiting" if waited_ms > _ANSWERED_WITHIN_MS else "note"
    return Problem(state, "", f"{cause} ({names}{more})" if late else cause)


def _read(client: Client, active: bool | None, selects: Sequence[Json]) -> Southbound:
    chassis, weights, private, *rows = read(
        client,
        [
            select("Chassis", (), ["name", "service_problems"]),
            select("Chassis_Weight", (), ["chassis", "alive", "problem", "since"]),
            # Whole, since a southbound that is yet to be converted has no 'warnings'.
            select("Chassis_Private"),
            *selects,
        ],
    )
    drained = [row["chassis"] for row in weights if row["problem"] == DRAINED]
    return Southbound(
        {row["name"]: row for row in chassis},
        {row["chassis"]: row for row in weights},
        {row["name"]: row["nb_cfg"] for row in private},
        {row["name"]: members(row.get("warnings", ["set", []])) for row in private},
        _read_left(client, drained),
        look(client, active),
        rows,
    )


def _read_left(client: Client, drained: Sequence[str]) -> dict[str, list[str]]:
    """Returns the names of the containers that are bound to each of 'drained'."""
    if not drained:
        return {}
    asked = [
        select("Container_Binding", [["chassis", "==", name]], ["container"]) for name in drained
    ]
    return {
        name: sorted(row["container"] for row in rows)
        for name, rows in zip(drained, read(client, asked), strict=True)
    }


def _describe_northd(work: Work) -> str:
    """Returns which svc-northd is active, as it has said itself."""
    row = work.row
    if row is None or not work.led:
        last = f"; the last was on {quote(row['hostname'])}" if row is not None else ""
        return f"svc-northd: none is active{last}"
    where = f"on {quote(row['hostname'])}, pid {row['pid']}"
    if not row["since"]:
        return f"svc-northd: not active yet {where}"
    state = "active" if not work.halt else "not at work"
    return f"svc-northd: {state} {where}, since {format_past(row['since'])}"
