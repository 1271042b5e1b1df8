"""The rows of this chassis in the southbound by container, kept by the rows that change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ...lib import sb
from ...lib.idl import Session
from ...lib.rows import Row
from ..row_index import RowIndex


@dataclass(frozen=True, slots=True)
class ContainerBinding(sb.ContainerBinding):
    """The row with its metrics, which only the chassis reads."""

    TABLE: ClassVar[str] = sb.ContainerBinding.TABLE
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class ContainerItem(sb.ContainerItem):
    """The row with its counters, which only the chassis reads."""

    TABLE: ClassVar[str] = sb.ContainerItem.TABLE
    counters: dict[str, int]


ROW_CLASSES: tuple[type[Row], ...] = (ContainerBinding, sb.PortBinding, ContainerItem)


class Bindings:
    """What is bound to 'chassis', and what it told of that, in one session."""

    def __init__(self, chassis: str) -> None:
        self._chassis = chassis
        self._containers = RowIndex(ContainerBinding, self._find_keys)
        self._ports = RowIndex(sb.PortBinding, self._find_keys)
        self._items = RowIndex(ContainerItem, self._find_keys)

    def take(self, session: Session) -> set[str]:
        """Returns the containers of which rows changed since the last call."""
        changed: set[str] = set()
        changed |= self._containers.find_keys(self._containers.take(session))
        changed |= self._ports.find_keys(self._ports.take(session))
        changed |= self._items.find_keys(self._items.take(session))
        return changed

    @property
    def names(self) -> Iterable[str]:
        """The containers that are bound to the chassis."""
        return self._containers.keys

    @property
    def known(self) -> set[str]:
        """The containers that any row names."""
        return {*self._containers.keys, *self._ports.keys, *self._items.keys}

    def find_binding(self, container: str) -> ContainerBinding | None:
        """Returns the row of 'container' in Container_Binding."""
        return next(iter(self._containers.find(container)), None)

    def find_ports(self, container: str) -> list[sb.PortBinding]:
        """Returns its rows in Port_Binding."""
        return self._ports.find(container)

    def find_items(self, container: str) -> list[ContainerItem]:
        """Returns its rows in Container_Item."""
        return self._items.find(container)

    def _find_keys(self, row: ContainerBinding | sb.PortBinding | ContainerItem) -> tuple[str, ...]:
        # Rows of another chassis are there for a moment when the condition changes.
        return (row.container,) if row.chassis == self._chassis else ()
