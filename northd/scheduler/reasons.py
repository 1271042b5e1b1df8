"""Sentences on containers that have no place, or not the one that they should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ...lib.moment import format_time
from .model import Avoidance

FIRST_PLACE = "its first place"
NONE = "no chassis can run it"
NO_OTHER = "no other chassis can hold it"


def explain(refusals: Counter[str], retries: Mapping[str, int], verdict: str) -> str:
    """Returns 'verdict', which is that no chassis takes a container, and why.

    'refusals' are the reasons of all chassis; they stand with their number, the
    most frequent first.  'retries' say when (ms since the epoch) a chassis
    on which it failed is tried again; the first to come is told.
    """
    if not refusals:
        return "no chassis is registered"
    ordered = sorted(refusals.items(), key=lambda item: (-item[1], item[0]))
    parts = "; ".join(f"{count} {reason}" for reason, count in ordered)
    sentence = f"{verdict}, {refusals.total()} refused: {parts}"
    if retries:
        chassis, retry_at = min(retries.items(), key=lambda item: (item[1], item[0]))
        sentence += f"; {chassis} is tried again at {format_time(retry_at)}"
    return sentence


def describe_avoided(avoidance: Avoidance) -> str:
    """Returns the reason that a chassis gives on which the container failed."""
    return f"avoided since it failed there ({avoidance.reason})"
