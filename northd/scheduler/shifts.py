"""Room for a container by giving others of the same plan another chassis.

Places are given one after the other, so a container that could go anywhere may
have got the last room on the only chassis that another may use.  What was
decided in this plan and not carried out yet can still be decided otherwise: an
augmenting path of bipartite matching (Kuhn's algorithm, breadth first).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping

Options = Callable[[str], Iterable[str]]


def find_shifts(
    container: str,
    options: Options,
    has_room: Callable[[str], bool],
    decided: Mapping[str, Iterable[str]],
    stuck: set[str],
) -> list[tuple[str, str]] | None:
    """Returns (container, chassis) pairs that together give 'container' a chassis; None if none do.

    'options' are the chassis that a container may use, 'decided' the
    containers that were newly given to a chassis.  'stuck' are chassis from
    which no path leads to room; it grows by those of a search that failed,
    which stay so for the rest of the plan.
    """
    came: dict[str, tuple[str, str | None]] = {}
    queue: deque[str] = deque()

    def reach(mover: str, origin: str | None) -> str | None:
        for chassis in options(mover):
            if chassis in came or chassis in stuck:
                continue
            came[chassis] = (mover, origin)
            if has_room(chassis):
                return chassis
            queue.append(chassis)
        return None

    found = reach(container, None)
    while found is None and queue:
        origin = queue.popleft()
        for mover in decided.get(origin, ()):
            found = found or reach(mover, origin)
    if found is None:
        stuck.update(came)
        return None
    return _trace(found, came)


def _trace(found: str, came: Mapping[str, tuple[str, str | None]]) -> list[tuple[str, str]]:
    shifts = []
    chassis: str | None = found
    while chassis is not None:
        mover, origin = came[chassis]
        shifts.append((mover, chassis))
        chassis = origin
    return shifts
