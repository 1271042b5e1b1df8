"""What 'status' tells is wrong: in which order, how much of it, and what it comes to.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ...lib.moment import format_past
from ...services.api.commands import Problem

WELL, DEGRADED, DOWN = range(3)
"""Exit statuses of 'status', as a monitoring system takes them."""

NOTHING_WORKS = "nothing works"

# Each state from the worst on, with what it comes to.  Any other word counts as an error.
_LEVELS = {
    "away": DOWN,  # a database
    "halted": DOWN,  # svc-northd
    "error": DEGRADED,
    "down": DEGRADED,
    "starting": DEGRADED,
    "dead": DEGRADED,  # a chassis
    "unfit": DEGRADED,
    "partial": DEGRADED,
    "kept": DEGRADED,
    "waiting": DEGRADED,
    "unknown": DEGRADED,
    "warning": DEGRADED,
    "note": WELL,
}
_RANKS = {state: number for number, state in enumerate(_LEVELS)}
_WORDS = ("well", "degraded", "down")

# So that all fits on one screen.
_MOST = 10
_MOST_AT_FIRST = 3
_LONGEST_CAUSE = 240


def find_level(problems: Iterable[Problem], *, works: bool) -> int:
    """Returns the exit status; 'works' is whether anything does that is to, or nothing is to."""
    return max((_find_level(each.state) for each in problems), default=WELL) if works else DOWN


def describe_silence(since_ms: int, now_ms: int) -> str:
    """Returns how it is if nothing has been heard of what is to work since a moment."""
    return f"not heard of since {format_past(since_ms, now_ms)}; it may well run"


def format_verdict(level: int, problems: Sequence[Problem], how: str) -> str:
    """Returns the first line: how it is as a whole, and 'how' more closely if that is known."""
    wrong = sum(1 for each in problems if _find_level(each.state) != WELL)
    count = f" ({wrong} problem{'' if wrong == 1 else 's'})" if wrong else ""
    return f"{_WORDS[level]}{f': {how}' if how else ''}{count}"


def order(problems: Iterable[Problem]) -> list[Problem]:
    """Returns the worst first; among equals what happened last."""
    return sorted(problems, key=_rank)


def choose(ordered: Sequence[Problem]) -> list[Problem]:
    """Returns those that fit on one screen: some of each state, however many there are of one."""
    if len(ordered) <= _MOST:
        return list(ordered)
    seen: Counter[str] = Counter()
    first: set[int] = set()
    rest: list[int] = []
    for number, each in enumerate(ordered):
        seen[each.state] += 1
        if seen[each.state] <= _MOST_AT_FIRST and len(first) < _MOST:
            first.add(number)
        else:
            rest.append(number)
    chosen = first.union(rest[: _MOST - len(first)])
    return [each for number, each in enumerate(ordered) if number in chosen]


def format_problems(
    shown: Sequence[Problem], ordered: Sequence[Problem], now_ms: int, *, shorten: bool
) -> list[str]:
    """Returns a line for each problem that is shown, and one on how many are not."""
    lines = [_format(each, now_ms, shorten=shorten) for each in shown]
    if len(shown) < len(ordered):
        left = Counter(each.state for each in ordered)
        left.subtract(each.state for each in shown)
        kinds = ", ".join(f"{number} {state}" for state, number in left.items() if number)
        lines.append(f"and {len(ordered) - len(shown)} more: {kinds} (svcctl status --all)")
    return lines


def _rank(problem: Problem) -> tuple[int, int, str]:
    since = -problem.since if problem.since else -(1 << 62)
    return _RANKS.get(problem.state, _RANKS["error"]), since, problem.name


def _find_level(state: str) -> int:
    return _LEVELS.get(state, DEGRADED)


def _format(problem: Problem, now_ms: int, *, shorten: bool) -> str:
    name = f" {problem.name}" if problem.name else ""
    since = f" since {format_past(problem.since, now_ms)}" if problem.since else ""
    cause = problem.cause
    if shorten and len(cause) > _LONGEST_CAUSE:
        cause = f"{cause[:_LONGEST_CAUSE]}..."
    return f"{problem.state.upper()}{name}{since}: {cause or 'no reason is known yet'}"
