"""Containers that wait for each other's place: a circle of planned moves, none of which has room.

Each must leave its chassis, and each chassis that one of them may go to is full
with another one of them.  One of the circle is made ready all the same, where
there is one container more than the limit until the circle has closed: to end
one that serves would cost traffic, and one more costs a little memory for some
seconds.  Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from .shifts import find_shifts


def find_swaps(
    waiting: Mapping[str, str],
    find_options: Callable[[str, Iterable[str]], Sequence[str]],
    open_circle: Callable[[str, str], None],
) -> None:
    """Calls 'open_circle' with a container and the chassis to make it ready on, for each circle.

    'waiting' are the chassis that containers must leave and cannot.
    'find_options' returns which of some chassis, at this moment, a container may
    go to though they are full.
    """
    movers: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(waiting):
        movers[waiting[name]].append(name)
    failed: set[tuple[str, tuple[str, ...]]] = set()

    def look(name: str) -> tuple[str, ...]:
        return tuple(find_options(name, movers))

    for name in sorted(waiting):
        origin = waiting[name]
        kind = origin, look(name)
        if not kind[1] or kind in failed:
            continue
        circle = find_shifts(name, look, origin.__eq__, movers, set())
        if circle is None:
            failed.add(kind)
        else:
            _, chassis = circle[-1]
            open_circle(name, chassis)
