"""SVC_Global:options: what an operator may set, and what is wrong with what was set.

svc-northd reads them with their defaults; svcctl tells of those that cannot be
read, since the root row has no status column.  schemas/svc-nb.rst says what
each means.
"""

from __future__ import annotations

from collections.abc import Mapping

from .numbers import parse_number

_MOST = 2**31 - 1
_LONGEST_SHOWN = 40

# The least and the most of each number; times are in ms, loads in percent.
NUMBERS: Mapping[str, tuple[int, int]] = {
    "heartbeat-interval": (100, _MOST),
    "chassis-dead-after": (500, _MOST),
    "container-start-timeout": (1000, _MOST),
    "container-mtu": (1280, 65535),
    "drain-moves": (1, _MOST),
    "load-threshold": (1, 100),
    "load-hysteresis": (0, 100),
}
FLAGS = frozenset({"enforce-container-limit"})


def read_number(options: Mapping[str, str], key: str) -> int | None:
    """Returns the number that 'key' is set to, None if it is not or cannot be read."""
    return parse_number(options.get(key, ""), *NUMBERS[key])


def read_flag(options: Mapping[str, str], key: str) -> bool:
    """Returns whether 'key' is set to true."""
    return options.get(key, "").lower() == "true"


def find_problems(options: Mapping[str, str]) -> list[str]:
    """Returns a sentence on each option that counts as not set, in the order of their names."""
    problems = ((key, _find_problem(key, text)) for key, text in sorted(options.items()))
    return [f"options:{key} {problem}" for key, problem in problems if problem is not None]


def _find_problem(key: str, text: str) -> str | None:
    shown = repr(text[:_LONGEST_SHOWN])
    if key in FLAGS:
        wrong = text.lower() not in ("true", "false")
        return f"is {shown}, neither true nor false" if wrong else None
    if key not in NUMBERS:
        return "is no option"
    least, most = NUMBERS[key]
    if parse_number(text, least, most) is not None:
        return None
    span = f"from {least} on" if most == _MOST else f"from {least} to {most}"
    return f"is {shown}, not a number {span}"
