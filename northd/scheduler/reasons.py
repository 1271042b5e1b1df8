"""Sentences on containers that have no place, or not the one that they should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ...lib.moment import format_time
from .filters import find_pin
from .model import Avoidance

FIRST_PLACE = "its first place"
NONE = "no chassis can run it"
NO_OTHER = "no other chassis can hold it"


def explain(
    container: str, refusals: Counter[str], retries: Mapping[str, int], verdict: str
) -> str:
    """Returns 'verdict', which is that no chassis takes 'container', and why.

    'refusals' are the reasons of all chassis, the most frequent of which is told
    first.  'retries' say when (ms since the epoch) a chassis on which it failed is
    tried again; the first to come is told.
    """
    if not refusals:
        return "no chassis is registered"
    sentence = f"{verdict}: {_describe_pinned(container, refusals) or _describe(refusals)}"
    if retries:
        chassis, retry_at = min(retries.items(), key=lambda item: (item[1], item[0]))
        sentence += f"; {chassis} is tried again at {format_time(retry_at)}"
    return sentence


def describe_pin(container: str, chassis: str, reason: str) -> str:
    """Returns that the chassis that 'container' is pinned to is 'reason', and how to unpin it."""
    return f"it is pinned to {chassis}, which is {reason} (svcctl container-unpin {container})"


def _describe_pinned(container: str, refusals: Counter[str]) -> str | None:
    """Returns why the one chassis that it is pinned to does not take it; None if any would do.

    That all others are not that one is no reason for anybody.
    """
    name = next(filter(None, map(find_pin, refusals)), None)
    if name is None:
        return None
    reason = next((each for each in refusals if find_pin(each) is None), "not registered")
    return describe_pin(container, name, reason)


def _describe(refusals: Counter[str]) -> str:
    ordered = sorted(refusals.items(), key=lambda item: (-item[1], item[0]))
    total = refusals.total()
    if total == 1:
        return f"the only chassis is {ordered[0][0]}"
    if len(ordered) == 1:
        return f"{'both' if total == 2 else f'all {total}'} chassis are {ordered[0][0]}"
    parts = [f"{count} {'is' if count == 1 else 'are'} {reason}" for reason, count in ordered]
    return f"of {total} chassis {'; '.join(parts)}"


def describe_avoided(avoidance: Avoidance) -> str:
    """Returns the reason that a chassis gives on which the container failed."""
    return f"avoided since it failed there ({avoidance.reason})"
