"""What is still there of what is to go: when a chassis ends for good, and at any time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .programs.told import LONGEST_TEXT, clean

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Situation:
    """What a chassis that leaves looks at.

    'told' is whether the southbound, which svc-northd has compiled, says that
    it stops; 'bound' are the containers that are bound to it; 'left_over' those
    of which something is there, and 'problems' why something does not go.
    """

    reachable: bool
    told: bool = False
    bound: Collection[str] = ()
    left_over: Collection[str] = ()
    problems: Sequence[str] = ()


def find_obstacle(situation: Situation) -> str:
    """Returns what a chassis that leaves waits for; "" if it can go."""
    if not situation.reachable:
        return "waits for the southbound, which cannot be reached"
    if not situation.told:
        return "waits for the southbound to know that this chassis stops"
    if situation.bound:
        return f"waits for containers to be moved away: {_format(situation.bound)}"
    if situation.left_over:
        why = f" ({situation.problems[0]})" if situation.problems else ""
        return f"waits for what is left of containers to go: {_format(situation.left_over)}{why}"
    return ""


def describe_left_over(reasons: Mapping[str, str]) -> str:
    """Returns what of containers stays that are not bound here any more, and why; "" for nothing.

    'reasons' are by container; the first is told.
    """
    if not reasons:
        return ""
    name = min(reasons)
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return clean(f"what is left of {name} cannot be removed: {reasons[name]}{more}", LONGEST_TEXT)


def _format(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
