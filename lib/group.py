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


def find_remark(name: str, options: Mapping[str, str], unlabelled: str | None = None) -> str | None:
    """Returns a sentence on what of group 'name' does not count.

    'unlabelled' is its failure domain if no chassis is in one.
    """
    said = []
    if unlabelled is not None:
        said.append(f"no chassis has the key {quote(unlabelled)}, over which it is spread")
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


def name_problem(name: str) -> str | None:
    """Returns what is wrong with the name of a group of any kind."""
    if name and name.isprintable() and name == name.strip():
        return None
    return f"{quote(name)}: not a name (empty, or with characters that do not show)"


def policy_problem(policy: str) -> str | None:
    """Returns what is wrong with a policy that is given."""
    if policy in POLICIES:
        return None
    choices = f"{', '.join(POLICIES[:-1])} or {POLICIES[-1]}"
    return f"policy {quote(policy)} is not served; use {choices}"


def spread_problem(key: str) -> str | None:
    """Returns what is wrong with the key of external_ids by which containers are spread."""
    if key.isprintable() and key == key.strip():
        return None
    return f"{quote(key)} is not a key of external_ids"


def standby_problem(text: str) -> str | None:
    """Returns what is wrong with a number of standbys that is given."""
    if parse_number(text, 0, MOST_STANDBYS) is not None:
        return None
    return f"{quote(text)} is not a number from 0 to {MOST_STANDBYS}"
