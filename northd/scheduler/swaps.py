"""Containers that wait for each other's place: a circle of planned moves, none of which has room.

Each must leave its chassis, and each chassis that one of them may go to is full
with another one of them.  One of the circle is made ready all the same, where
there is one container more than the limit until the circle has closed: to end
one that serves would cost traffic, and one more costs a little memory for some
seconds.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .model import Request
from .shifts import find_shifts
from .snapshot import Snapshot
from .suitable import find_kind


def find_swaps(
    snapshot: Snapshot, waiting: Mapping[str, str], open_circle: Callable[[str, str], None]
) -> None:
    """Calls 'open_circle' with a container and the chassis to make it ready on, for each circle.

    'waiting' are the chassis that containers must leave and cannot, in the order
    in which they choose.  One that has more than its limit already is in no
    circle: it would stay so, or be it twice at a time.
    """
    among = _Among(snapshot, waiting.values())
    options = {name: among.find_options(snapshot.requests[name]) for name in waiting}
    movers = _find_movers(waiting, options)

    def is_over(chassis: str) -> bool:
        return snapshot.load.is_over(snapshot.chassis[chassis])

    over = {chassis for chassis in movers if is_over(chassis)}
    # Where a search led that found no way back: with more chassis over their limit, no further.
    led: dict[_Options, set[str]] = {}
    for name, origin in waiting.items():
        if origin in over or origin not in led.get(options[name], movers):
            continue
        reached = set(over)
        circle = find_shifts(
            name, lambda each: options[each].chassis, origin.__eq__, movers, reached
        )
        if circle is None:
            led[options[name]] = reached - over
            continue
        _, chassis = circle[-1]
        open_circle(name, chassis)
        if is_over(chassis):
            over.add(chassis)


@dataclass(frozen=True, eq=False, slots=True)
class _Options:
    """Where a container may go; one object for all that may go to the same chassis."""

    chassis: tuple[str, ...]


class _Among:
    """The options that containers have among 'some' chassis, in the order of these."""

    def __init__(self, snapshot: Snapshot, some: Iterable[str]) -> None:
        self._snapshot = snapshot
        self._positions = {name: position for position, name in enumerate(dict.fromkeys(some))}
        self._suiting: dict[object, dict[str, None]] = {}
        self._options: dict[object, _Options] = {}

    def find_options(self, request: Request) -> _Options:
        """Returns which of them could take 'request' if they had room, but where it is."""
        kind = find_kind(request)
        suiting = self._suiting.get(kind)
        if suiting is None:
            suiting = self._suiting[kind] = self._find_suiting(request)
        there = self._snapshot.find_closed(request) if suiting else ()
        closed = frozenset(each for each in there if each in suiting)
        options = self._options.get((kind, closed))
        if options is None:
            options = _Options(tuple(each for each in suiting if each not in closed))
            self._options[kind, closed] = options
        return options

    def _find_suiting(self, request: Request) -> dict[str, None]:
        """Returns which of them suit all of the kind of 'request'."""
        some = self._snapshot.find_suitable(request).chassis.keys() & self._positions.keys()
        return dict.fromkeys(sorted(some, key=self._positions.__getitem__))


def _find_movers(
    waiting: Mapping[str, str], options: Mapping[str, _Options]
) -> Mapping[str, Iterable[str]]:
    """Returns who leaves each chassis, one for all that may go to the same."""
    movers: dict[str, dict[_Options, str]] = {}
    for name, origin in waiting.items():
        movers.setdefault(origin, {}).setdefault(options[name], name)
    return {origin: list(some.values()) for origin, some in movers.items()}
