"""From when on the time of each container counts that its chassis is yet to build.

A chassis builds its containers one after the other, so the time of one that is
queued begins anew when its chassis has finished another that waited there for
no less long.  Those that came later are no reason to wait: so many can come
that one that is stuck would never be given up.

This is the memory of one process, by the monotonic clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ...lib import sb

Spot = tuple[str, str]
"""A container and a chassis."""


class BuildQueue:
    """Keeps since when each container waits to be built where it is bound."""

    def __init__(self) -> None:
        # By chassis, then by container.
        self._waiting: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._renewed: dict[Spot, int] = {}

    def begin(self) -> None:
        """Forgets everything: svc-northd begins to watch, and is given all bindings next."""
        self._waiting.clear()
        self._renewed.clear()

    def update(
        self,
        now_ms: int,
        changes: Iterable[tuple[sb.ContainerBinding | None, sb.ContainerBinding | None]],
    ) -> set[Spot]:
        """Takes the bindings that changed, each as it was and as it is (None if it is not there).

        Returns the spots of which find_start() says something new.
        """
        finished: dict[str, int] = {}
        changed: set[Spot] = set()
        for old, new in changes:
            row = new or old
            assert row is not None
            spot = (row.container, row.chassis)
            if new is not None and not new.reached_generation:
                self._waiting[row.chassis].setdefault(row.container, now_ms)
                continue
            since_ms = self._forget(spot, changed)
            if since_ms is not None and new is not None:
                finished[row.chassis] = min(since_ms, finished.get(row.chassis, since_ms))
        for chassis, since_ms in finished.items():
            changed |= self._renew(chassis, since_ms, now_ms)
        return changed

    def find_start(self, spot: Spot) -> int:
        """Returns when the time of a container began anew that is queued; 0 if it did not."""
        return self._renewed.get(spot, 0)

    def _forget(self, spot: Spot, changed: set[Spot]) -> int | None:
        """Takes a container off the queue; returns since when it waited, None if it did not."""
        container, chassis = spot
        since_ms = self._waiting[chassis].pop(container, None)
        if not self._waiting[chassis]:
            del self._waiting[chassis]
        if self._renewed.pop(spot, None) is not None:
            changed.add(spot)
        return since_ms

    def _renew(self, chassis: str, finished_ms: int, now_ms: int) -> set[Spot]:
        """Begins anew the time of those that wait no longer than one that was finished."""
        waiting = self._waiting.get(chassis, {})
        spots = {
            (container, chassis)
            for container, since_ms in waiting.items()
            if since_ms >= finished_ms
        }
        self._renewed.update(dict.fromkeys(spots, now_ms))
        return spots
