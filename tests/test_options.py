"""SVC_Global:options: what is read, and what is said of what cannot be."""

from __future__ import annotations

import pytest

from ..lib.options import find_problems, read_flag, read_number


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("heartbeat-interval", "99", "is '99', not a number from 100 on"),
        ("heartbeat-interval", "-5", "is '-5', not a number from 100 on"),
        ("load-threshold", "101", "is '101', not a number from 1 to 100"),
        ("container-mtu", "70000", "is '70000', not a number from 1280 to 65535"),
        ("drain-moves", "x" * 99, f"is '{'x' * 40}', not a number from 1 on"),
        ("enforce-container-limit", "yes", "is 'yes', neither true nor false"),
        ("heartbeet-interval", "500", "is no option"),
    ],
)
def test_problems(key: str, text: str, problem: str) -> None:
    options = {key: text, "load-hysteresis": "0", "chassis-dead-after": "500"}
    assert find_problems(options) == [f"options:{key} {problem}"]


def test_what_is_read() -> None:
    options = {"heartbeat-interval": "100", "load-threshold": "0"}
    options["enforce-container-limit"] = "TRUE"
    assert read_number(options, "heartbeat-interval") == 100
    assert read_number(options, "load-threshold") is None
    assert read_number(options, "drain-moves") is None
    assert read_flag(options, "enforce-container-limit")
    assert not read_flag({}, "enforce-container-limit")
