"""SVC_Global:options: what counts, and what is said of what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..lib.options import FLAGS, NUMBERS, find_numbers, find_problems, read_flag
from ..northd.options import Options, make_options

_TEXTS = st.one_of(st.integers(-1, 2**70).map(str), st.integers(0, 5000).map(str), st.text())
_OPTIONS = st.dictionaries(st.sampled_from(sorted([*NUMBERS, *FLAGS])) | st.text(), _TEXTS)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("heartbeat-interval", "99", "is '99', not a number from 100 to 600000"),
        ("heartbeat-interval", "-5", "is '-5', not a number from 100 to 600000"),
        ("load-threshold", "101", "is '101', not a number from 1 to 100"),
        ("container-mtu", "70000", "is '70000', not a number from 1280 to 9158"),
        ("container-start-timeout", "1", "is '1', not a number from 5000 to 3600000"),
        ("drain-moves", "x" * 99, f"is '{'x' * 40}', not a number from 1 to 1000"),
        ("enforce-container-limit", "yes", "is 'yes', neither true nor false"),
        ("heartbeet-interval", "500", "is no option, but heartbeat-interval is"),
        ("colour", "red", "is no option"),
    ],
)
def test_problems(key: str, text: str, problem: str) -> None:
    options = {key: text, "load-hysteresis": "0", "chassis-dead-after": "2000"}
    assert find_problems(options) == [f"options:{key} {problem}"]


@pytest.mark.parametrize(
    ("options", "counts", "problem"),
    [
        ({}, {"chassis-dead-after": 4000, "load-hysteresis": 10}, ""),
        ({"heartbeat-interval": "100"}, {"chassis-dead-after": 1000}, ""),
        (
            {"heartbeat-interval": "5000", "chassis-dead-after": "10000"},
            {"heartbeat-interval": 5000, "chassis-dead-after": 10_000},
            "",
        ),
        (
            {"heartbeat-interval": "5000", "chassis-dead-after": "9999"},
            {"heartbeat-interval": 5000, "chassis-dead-after": 20_000},
            "options:chassis-dead-after is 9999, less than two heartbeats of 5000",
        ),
        # A default is no mistake of the operator's, and makes sense beside what is set.
        ({"load-threshold": "5"}, {"load-threshold": 5, "load-hysteresis": 4}, ""),
        (
            {"load-threshold": "50", "load-hysteresis": "50"},
            {"load-threshold": 50, "load-hysteresis": 10},
            "options:load-hysteresis is 50, not less than the load-threshold of 50",
        ),
    ],
)
def test_what_makes_no_sense_together_is_told_and_not_used(
    options: dict[str, str], counts: dict[str, int], problem: str
) -> None:
    assert find_numbers(options).items() >= counts.items()
    assert find_problems(options) == [problem] * bool(problem)


@given(_OPTIONS)
def test_whatever_is_set_what_counts_makes_sense(options: dict[str, str]) -> None:
    made = make_options(options, None)
    assert 2 * made.heartbeat_interval_ms <= made.chassis_dead_after_ms
    assert 0 <= made.load_hysteresis < made.load_threshold <= 100
    numbers = find_numbers(options)
    told = {problem.partition(" ")[0] for problem in find_problems(options)}
    for key in options.keys() & NUMBERS.keys():
        used = options[key].isascii() and options[key].isdigit()
        if f"options:{key}" not in told:
            assert used
            assert int(options[key]) == numbers[key]


def test_what_is_read() -> None:
    options = {"heartbeat-interval": "100", "load-threshold": "0"}
    options["enforce-container-limit"] = "TRUE"
    assert find_numbers(options)["heartbeat-interval"] == 100
    assert find_numbers(options)["load-threshold"] == 80
    assert read_flag(options, "enforce-container-limit")
    assert not read_flag({}, "enforce-container-limit")


def test_what_is_not_set_is_the_default() -> None:
    assert make_options({}, None) == Options()
    assert make_options({}, "no seed").seal_seed is None
    assert "f" * 64 not in repr(make_options({}, "f" * 64))
