"""What a chassis tells of itself, cut to what its rows may hold.  Pure.

The schema bounds what a chassis can write (schemas/svc-sb.ovsschema), so that nobody who has the
key of one fills the southbound.  A value beyond that has the whole transaction refused, and would
silence a chassis that means well.  So what it cannot tell it leaves out, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .programs.told import LONGEST_NAME, LONGEST_TEXT, clean

MOST_PAIRS = 256
MOST_BRIDGES = 1024
LONGEST_HOST = 255
MOST_WARNINGS = 64


def bound_names(
    what: str, names: Iterable[str], most: int, longest: int = LONGEST_NAME
) -> tuple[tuple[str, ...], list[str]]:
    """Returns those of 'names' that can be told, sorted, and a sentence if any is left out.

    A name that is cut would be another one.
    """
    every = sorted(set(names))
    kept = [each for each in every if len(each) <= longest][:most]
    problem = f"{what}: {len(every) - len(kept)} of {len(every)} are not told to the southbound,"
    problem += f" which takes {most} of {longest} characters each"
    return tuple(kept), [problem] if len(kept) < len(every) else []


def bound_map(what: str, pairs: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Returns those of 'pairs' that can be told, their texts cut; and a sentence as above."""
    kept, problems = bound_names(what, pairs, MOST_PAIRS)
    return {name: clean(pairs[name], LONGEST_TEXT) for name in kept}, problems


def bound_warnings(sentences: Iterable[str]) -> tuple[str, ...]:
    """Returns what Chassis_Private:warnings can hold; the last one says how many more there are."""
    every = sorted({clean(each, LONGEST_TEXT) for each in sentences})
    if len(every) <= MOST_WARNINGS:
        return tuple(every)
    kept = every[: MOST_WARNINGS - 1]
    return (*kept, f"there are {len(every) - len(kept)} more warnings")
