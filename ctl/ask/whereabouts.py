"""What the southbound knows of containers: where each is, was, is not tried; its items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...lib.container_wish import is_migrating
from ..context import Context
from ..db.row import Row
from ..db.rpc import ConnectionLost
from .lookup import Json, read_southbound, select

_BINDING_COLUMNS = (
    *("container", "chassis", "role", "generation", "reached_generation", "status_code"),
    *("status_message", "restarts", "since", "unwell_since", "metrics"),
)


class Whereabouts:
    """Rows of the southbound as JSON, by container.

    'bindings' have the active one first, 'history' the last place, 'avoided'
    is in the order of the chassis' names.
    """

    def __init__(
        self,
        bindings: Iterable[Json] = (),
        placements: Iterable[Json] = (),
        avoided: Iterable[Json] = (),
        items: Iterable[Json] = (),
    ) -> None:
        self._bindings = _group(bindings, lambda row: (row["role"], row["chassis"]))
        self._history = _group(placements, lambda row: -row["number"])
        self._avoided = _group(avoided, lambda row: row["chassis"])
        self._items = _group(items, lambda row: (row["kind"], row["name"], row["chassis"]))

    def bindings(self, container: str) -> list[Json]:
        """Returns the rows of Container_Binding."""
        return self._bindings.get(container, [])

    def history(self, container: str) -> list[Json]:
        """Returns the rows of Placement."""
        return self._history.get(container, [])

    def avoided(self, container: str) -> list[Json]:
        """Returns the rows of Avoided_Chassis."""
        return self._avoided.get(container, [])

    def items(self, container: str) -> list[Json]:
        """Returns the rows of Container_Item."""
        return self._items.get(container, [])

    def standbys(self, container: str) -> tuple[str, ...]:
        """Returns the chassis that hold the container ready."""
        rows = self.bindings(container)
        return tuple(row["chassis"] for row in rows if row["role"] == "standby")

    def find_target(self, name: str, wish: Row | None, warm: int) -> str:
        """Returns where a container is moving to, "" if nowhere or if that is not clear.

        'wish' is the operator's wish for it; 'warm' is the number of standbys that
        its group keeps.  A standby may also be the place that it was moved away
        from a moment ago.
        """
        if wish is not None and is_migrating(wish):
            return wish.text("migrate_chassis")
        pin = wish.text("requested_chassis") if wish is not None else ""
        standbys = self.standbys(name)
        if pin and pin in standbys:
            return pin
        former = [each["chassis"] for each in self.history(name)[1:2]]
        others = [each for each in standbys if each not in former]
        surplus = len(others) - warm
        return others[0] if surplus > 0 and len(others) == 1 else ""


def read_whereabouts(context: Context, container: str | None = None) -> Whereabouts:
    """Returns what the southbound knows of one container or all, with a warning if it is away."""
    where: list[Any] = [] if container is None else [["container", "==", container]]
    selects = [
        select("Container_Binding", where, _BINDING_COLUMNS),
        select("Placement", where),
        select("Avoided_Chassis", where),
    ]
    if container is not None:
        selects.append(select("Container_Item", where))
    try:
        return Whereabouts(*read_southbound(context, selects))
    except ConnectionLost as error:
        context.warnings.append(f"what only the southbound knows is left out: {error}")
        return Whereabouts()


def _group(rows: Iterable[Json], order: Callable[[Json], Any]) -> dict[str, list[Json]]:
    """Returns rows by their container, those of each in an order."""
    grouped: dict[str, list[Json]] = {}
    for row in sorted(rows, key=order):
        grouped.setdefault(row["container"], []).append(row)
    return grouped
