"""What a Container_Group may say: svc-northd goes by it, svcctl asks before it writes."""

from __future__ import annotations

from collections.abc import Mapping

from .addresses import quote
from .numbers import parse_number
from .option_keys import find_unknown, propose

DEFAULT_POLICY = "least"
BY_WEIGHT = "weighted"
POLICIES = ("least", "load", "random", BY_WEIGHT)
MOST_STANDBYS = 8
_STANDBY = "standby"
_LONGEST_SHOWN = 40


def find_standby(options: Mapping[str, str]) -> int | None:
    """Returns how many standbys a group has, None if that cannot be read.

    It cannot either if it is not set, and a key that is none looks like its name.
    """
    text = options.get(_STANDBY)
    if text is not None:
        return parse_number(text, 0, MOST_STANDBYS)
    return None if any(propose(key, [_STANDBY]) for key in options) else 0


def find_remark(name: str, options: Mapping[str, str]) -> str | None:
    """Returns a sentence on what of the options of group 'name' does not count."""
    said = []
    text = options.get(_STANDBY, "0")
    if parse_number(text, 0, MOST_STANDBYS) is None:
        said.append(f"options:{_STANDBY} is {text[:_LONGEST_SHOWN]!r}, not 0 to {MOST_STANDBYS}")
    unknown = find_unknown(options, [_STANDBY])
    if unknown is not None:
        said.append(unknown)
    if not said:
        return None
    if find_standby(options) is None:
        said.append("each container has as many standbys as before")
    return f"group {quote(name)}: {'; '.join(said)}"
