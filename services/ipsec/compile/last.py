"""What a container was last given, read back from the configuration of its bindings.

Anybody may have written there: what is not as svc-northd writes it is left out.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import rules

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LastGiven:
    """The outer addresses of a container, and its connections by UUID."""

    outer_addresses: tuple[str, ...] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)


def parse_last(configuration: str) -> LastGiven:
    """Returns what can be read of a configuration."""
    try:
        document = json.loads(configuration, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return LastGiven()
    if not isinstance(document, dict):
        return LastGiven()
    entries = [each for each in _list(document, "connections") if _is_entry(each)]
    addresses = _list(document, "outer_addresses")
    return LastGiven(
        tuple(each for each in addresses if _is_address(each)),
        {each["id"]: each for each in reversed(entries)},
    )


def _refuse(constant: str) -> float:
    """Refuses a number that is not equal to itself."""
    raise ValueError(constant)


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _is_entry(each: Any) -> bool:
    return (
        isinstance(each, dict)
        and all(isinstance(each.get(key), str) for key in ("id", "local_id", "peer_id"))
        and _is_address(each.get("local_address"))
        and all(_are_subnets(each.get(key)) for key in ("local_subnets", "peer_subnets"))
    )


def _is_address(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _are_subnets(texts: Any) -> bool:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return False
    return bool(texts) and [str(each) for each in rules.parse_subnets(texts)] == texts
