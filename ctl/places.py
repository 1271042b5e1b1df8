"""What the southbound knows of containers: where each is bound, was, and is not tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .command import Context
from .lookup import Json, read_southbound, select
from .replica import Row
from .rpc import ConnectionLost

_BINDING_COLUMNS = (
    *("container", "chassis", "role", "generation", "reached_generation", "status_code"),
    *("status_message", "restarts", "since", "unwell_since"),
)


class Places:
    """Rows of the southbound as JSON, by container.

    'bindings' have the active one first, 'history' the last place, 'avoided'
    is in the order of the chassis' names.
    """

    def __init__(
        self,
        bindings: Iterable[Json] = (),
        placements: Iterable[Json] = (),
        avoided: Iterable[Json] = (),
    ) -> None:
        self._bindings = sorted(bindings, key=lambda row: (row["role"], row["chassis"]))
        self._history = sorted(placements, key=lambda row: -row["number"])
        self._avoided = sorted(avoided, key=lambda row: row["chassis"])

    def bindings(self, container: str) -> list[Json]:
        """Returns the rows of Container_Binding."""
        return _pick(self._bindings, container)

    def history(self, container: str) -> list[Json]:
        """Returns the rows of Placement."""
        return _pick(self._history, container)

    def avoided(self, container: str) -> list[Json]:
        """Returns the rows of Avoided_Chassis."""
        return _pick(self._avoided, container)

    def standbys(self, container: str) -> tuple[str, ...]:
        """Returns the chassis that hold the container ready."""
        rows = self.bindings(container)
        return tuple(row["chassis"] for row in rows if row["role"] == "standby")

    def find_target(self, row: Row, warm: int) -> str:
        """Returns where the container 'row' is moving to, "" if nowhere or if that is not clear.

        'warm' is the number of standbys that its group keeps.  A standby may
        also be the place that it was moved away from a moment ago.
        """
        if row.find("migrate_cfg") > row.find("migrated_cfg"):
            return row.text("migrate_chassis")
        name, pin = row.text("name"), row.text("requested_chassis")
        standbys = self.standbys(name)
        if pin and pin in standbys:
            return pin
        former = [each["chassis"] for each in self.history(name)[1:2]]
        others = [each for each in standbys if each not in former]
        surplus = len(others) - warm
        return others[0] if surplus > 0 and len(others) == 1 else ""


def read_places(context: Context, container: str | None = None) -> Places:
    """Returns what the southbound knows of one container or all, with a warning if it is away."""
    where: list[Any] = [] if container is None else [["container", "==", container]]
    selects = [
        select("Container_Binding", where, _BINDING_COLUMNS),
        select("Placement", where),
        select("Avoided_Chassis", where),
    ]
    try:
        return Places(*read_southbound(context, selects))
    except ConnectionLost as error:
        context.warnings.append(f"what only the southbound knows is left out: {error}")
        return Places()


def _pick(rows: Sequence[Json], container: str) -> list[Json]:
    return [row for row in rows if row["container"] == container]
