"""Since when something is as it is, of what only the history tells that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from ...lib.placement import UNFIT
from ...services.api.commands import Problem
from ..context import Context
from ..db.row import Row

EVENT = "Event"
_CHASSIS = "Chassis"

# What happens to a container or a chassis and is no state of it.
_NO_STATES = ("placed", "removed", "failed", "mended")


def date(context: Context, problems: Iterable[Problem]) -> None:
    """Sets 'since' of problems that have none, as far as the northbound has a history of them."""
    undated = [each for each in problems if each.since is None and each.subject is not None]
    if not undated or not context.has_replica or EVENT not in context.replica.schema.tables:
        return
    subjects = [each.subject for each in undated if each.subject is not None]
    events = context.replica.find_all(EVENT, "name", *sorted({name for _, name in subjects}))
    by_subject: dict[tuple[str, str], list[Row]] = {}
    for row in events:
        by_subject.setdefault((row.text("table"), row.text("name")), []).append(row)
    for problem in undated:
        if problem.subject is not None:
            problem.since = _find_since(problem, by_subject.get(problem.subject, ()))


def _find_since(problem: Problem, events: Sequence[Row]) -> int | None:
    """Returns when the first of the last events came that all tell of the problem, if any does.

    'events' are those of its subject.
    """
    of_it = [row for row in events if row.text("state") not in _NO_STATES]
    of_it.sort(key=lambda row: -int(row.find("number")))
    run = list(takewhile(lambda row: _tells(row, problem), of_it))
    return int(run[-1].find("time")) or None if run else None


def _tells(event: Row, problem: Problem) -> bool:
    message = event.text("message")
    is_cause = bool(message and message in problem.cause)
    if problem.subject is not None and problem.subject[0] == _CHASSIS:
        # It takes no container for one cause after the other, and being alive tells of none.
        return is_cause and event.text("state") == UNFIT
    return is_cause or event.text("state") == problem.state
