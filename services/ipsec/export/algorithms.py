"""Proposals of strongSwan taken apart, for gateways that have a word for each algorithm.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from ..proposals import find_kind


@dataclass(frozen=True, slots=True)
class Choice:
    """One algorithm of each kind, in strongSwan's words; "" where there is none."""

    cipher: str
    integrity: str = ""
    function: str = ""
    group: str = ""
    numbers: str = ""


def list_choices(proposals: Iterable[str]) -> list[Choice]:
    """Returns each combination that the proposals allow, the preferred one first."""
    return [choice for each in proposals for choice in _combine(each)]


def _combine(proposal: str) -> Iterable[Choice]:
    kinds: dict[str, list[str]] = {
        name: [] for name in ("cipher", "integrity", "function", "group", "numbers")
    }
    for word in proposal.split("-"):
        kinds[find_kind(word)].append(word)
    return (Choice(*words) for words in product(*(each or [""] for each in kinds.values())))
