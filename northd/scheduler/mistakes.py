"""A mistake of ours with one container, which holds up the plan of nobody else.

A plan that raises is made for half of its containers, then for these and half
of the others, and so on: who makes a plan raise that can be made without it is
left out.  So are those that cannot be planned together, but for the first.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...lib.failures import describe, format_trace
from ...lib.suspects import Suspects


@dataclass(frozen=True, slots=True)
class Mistake:
    """What planning a container raised: a sentence, and where it happened."""

    sentence: str
    trace: str


def find_mistakes(
    plan: Callable[[Sequence[str]], object], names: Sequence[str]
) -> dict[str, Mistake]:
    """Returns the containers of 'names' without which there is a plan."""
    mistakes: dict[str, Mistake] = {}
    suspects: Suspects[str] = Suspects()
    planned: list[str] = []
    some = tuple(names)
    while some:
        try:
            plan([*planned, *some])
        except Exception as error:
            if len(some) == 1:
                mistakes[some[0]] = Mistake(describe(error), format_trace(error))
            else:
                suspects.add(some)
        else:
            planned += some
        some = suspects.take()
    return mistakes
