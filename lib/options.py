"""SVC_Global:options: what an operator may set, what is wrong with what was set, and what counts.

svc-northd reads them; svcctl tells of those that are not used, since the root
row has no status column.  schemas/svc-nb.rst says what each means.

No value may harm what is healthy: one outside of its range, or one that makes
no sense beside another, is told and not used.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .numbers import parse_number
from .option_keys import propose

MOST_HEARTBEAT_INTERVAL_MS = 600_000
# A chassis is dead, unless the operator says otherwise, when so many heartbeats are missing.
HEARTBEATS_MISSED = 4
# One heartbeat may be late or lost.
_LEAST_HEARTBEATS_MISSED = 2
# A host that is busy for a moment is not dead.
_LEAST_DEFAULT_DEAD_AFTER_MS = 1000
_HOUR_MS = 3_600_000
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Number:
    """The range of an option, and what counts if it is not set; times in ms, shares in percent."""

    least: int
    most: int
    default: int


NUMBERS: Mapping[str, Number] = {
    "heartbeat-interval": Number(100, MOST_HEARTBEAT_INTERVAL_MS, 1000),
    # Its default follows from the interval.
    "chassis-dead-after": Number(500, 24 * _HOUR_MS, 0),
    # A start takes a second or two; one that is given up too early never ends.
    "container-start-timeout": Number(5000, _HOUR_MS, 15_000),
    # From what IPv6 needs to what a jumbo frame carries.  Geneve costs 58 bytes of the underlay's
    # 1500 (IPv4 + UDP + Geneve + Ethernet).
    "container-mtu": Number(1280, 9216 - 58, 1500 - 58),
    "drain-moves": Number(1, 1000, 2),
    "load-threshold": Number(1, 100, 80),
    "load-hysteresis": Number(0, 99, 10),
    "mass-failure-share": Number(1, 100, 40),
    "mass-failure-hold": Number(0, _HOUR_MS, 60_000),
    # A chassis builds one or two in a second, and there may be few left.
    "mass-failure-rate": Number(1, 10_000, 50),
}
FLAGS = frozenset({"enforce-container-limit"})


def find_numbers(options: Mapping[str, str]) -> dict[str, int]:
    """Returns the number that counts for each option that is one."""
    return _settle(options)[0]


def read_flag(options: Mapping[str, str], key: str) -> bool:
    """Returns whether 'key' is set to true."""
    return options.get(key, "").lower() == "true"


def find_problems(options: Mapping[str, str]) -> list[str]:
    """Returns a sentence on each option that counts as not set, in the order of their names."""
    problems = {key: _find_problem(key, text) for key, text in options.items()}
    problems.update(_settle(options)[1])
    return [f"options:{key} {problem}" for key, problem in sorted(problems.items()) if problem]


def _find_problem(key: str, text: str) -> str:
    if key in FLAGS:
        wrong = text.lower() not in ("true", "false")
        return f"is {_show(text)}, neither true nor false" if wrong else ""
    if key not in NUMBERS:
        return f"is no option{propose(key, [*NUMBERS, *FLAGS])}"
    least, most = NUMBERS[key].least, NUMBERS[key].most
    if parse_number(text, least, most) is not None:
        return ""
    return f"is {_show(text)}, not a number from {least} to {most}"


def _show(text: str) -> str:
    return repr(text[:_LONGEST_SHOWN])


def _settle(options: Mapping[str, str]) -> tuple[dict[str, int], dict[str, str]]:
    """Returns the numbers that count, and what is wrong with those that make no sense together."""
    told = {
        key: parse_number(options.get(key, ""), number.least, number.most)
        for key, number in NUMBERS.items()
    }
    numbers, problems = {}, {}
    for key, number in NUMBERS.items():
        value = told[key]
        numbers[key] = number.default if value is None else value
    for key, (default, problem) in _find_pairs(numbers).items():
        if told[key] is None:
            numbers[key] = default
        elif problem:
            numbers[key], problems[key] = default, f"is {told[key]}, {problem}"
    return numbers, problems


def _find_pairs(numbers: Mapping[str, int]) -> dict[str, tuple[int, str]]:
    """Returns the default of each option that depends on another, and why its number is wrong."""
    interval_ms, threshold = numbers["heartbeat-interval"], numbers["load-threshold"]
    short = numbers["chassis-dead-after"] < _LEAST_HEARTBEATS_MISSED * interval_ms
    wide = numbers["load-hysteresis"] >= threshold
    return {
        "chassis-dead-after": (
            max(_LEAST_DEFAULT_DEAD_AFTER_MS, HEARTBEATS_MISSED * interval_ms),
            f"less than two heartbeats of {interval_ms}" if short else "",
        ),
        "load-hysteresis": (
            min(NUMBERS["load-hysteresis"].default, threshold - 1),
            f"not less than the load-threshold of {threshold}" if wide else "",
        ),
    }
