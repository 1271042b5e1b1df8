"""From when on the time of each unwell container counts.

A container has its time to run only while svc-northd watches and its chassis
is at work on it.  So the time begins anew when this svc-northd begins to watch
(it became active, the southbound is back), when the container turns to another
kind of unwell ('error' has a shorter time), and, for one that is yet to be
built, whenever its chassis finished building another: it is queued.

This memory is lost with the process, and only ever gives more time than the
southbound's own (Container_Binding:unwell_since).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...lib import sb

Spot = tuple[str, str]
"""A container and a chassis."""


class Patience:
    """Keeps since when each binding is of its kind, and when each chassis last built one."""

    def __init__(self) -> None:
        self._began_ms = 0
        self._kinds: dict[Spot, tuple[str, int]] = {}
        self._unbuilt: set[Spot] = set()
        self._built_ms: dict[str, int] = {}

    def begin(self, now_ms: int) -> None:
        """Begins to watch; all times are those of svc-northd's wall clock."""
        self._began_ms = now_ms
        self._kinds.clear()
        self._unbuilt.clear()
        self._built_ms.clear()

    def update(self, now_ms: int, bindings: Iterable[sb.ContainerBinding]) -> Mapping[Spot, int]:
        """Returns from when on the time of each binding counts, were it unwell."""
        rows = {(row.container, row.chassis): row for row in bindings}
        for spot in self._kinds.keys() - rows.keys():
            del self._kinds[spot]
        unbuilt = {spot for spot, row in rows.items() if not row.reached_generation}
        for _, chassis in (self._unbuilt & rows.keys()) - unbuilt:
            self._built_ms[chassis] = now_ms
        self._unbuilt = unbuilt
        for spot, row in rows.items():
            kind = row.status_code if row.status_code in ("running", "error") else "starting"
            if self._kinds.get(spot, ("", 0))[0] != kind:
                self._kinds[spot] = (kind or "", now_ms)
        return {spot: self._find(spot) for spot in rows}

    def _find(self, spot: Spot) -> int:
        kind, since_ms = self._kinds[spot]
        queued = spot in self._unbuilt and kind != "error"
        return max(self._began_ms, since_ms, self._built_ms.get(spot[1], 0) if queued else 0)
