"""What a Container_Group may say: svc-northd goes by it, svcctl asks before it writes."""

from __future__ import annotations

from collections.abc import Mapping

from .addresses import quote
from .numbers import parse_number

DEFAULT_POLICY = "least"
BY_WEIGHT = "weighted"
POLICIES = ("least", "load", "random", BY_WEIGHT)
MOST_STANDBYS = 8
_LONGEST_SHOWN = 40


def find_standby(name: str, options: Mapping[str, str]) -> tuple[int, str | None]:
    """Returns how many standbys a group has, and what is wrong with the number that is given.

    One that is none counts as not set.
    """
    text = options.get("standby", "0")
    number = parse_number(text, 0, MOST_STANDBYS)
    if number is not None:
        return number, None
    shown = text[:_LONGEST_SHOWN]
    return 0, (
        f"options:standby of group {quote(name)} is {shown!r}, not 0 to {MOST_STANDBYS};"
        " it counts as not set"
    )
