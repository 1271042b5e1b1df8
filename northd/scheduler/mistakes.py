"""A mistake of ours with one container, which holds up the plan of nobody else.

A plan that raises is made for halves of its containers, and halves of those
that raise, until the ones are found that no plan can be made for even alone.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...lib.failures import describe, format_trace


@dataclass(frozen=True, slots=True)
class Mistake:
    """What planning a container raised: a sentence, and where it happened."""

    sentence: str
    trace: str


def find_mistakes(
    plan: Callable[[Sequence[str]], object], names: Sequence[str]
) -> dict[str, Mistake]:
    """Returns the containers of 'names', whose plan raises, that cannot be planned alone."""
    mistakes: dict[str, Mistake] = {}
    pending = [names]
    while pending:
        some = pending.pop()
        try:
            plan(some)
        except Exception as error:
            if len(some) == 1:
                mistakes[some[0]] = Mistake(describe(error), format_trace(error))
            else:
                middle = len(some) // 2
                pending += [some[:middle], some[middle:]]
    return mistakes
