"""OVN_Southbound, read only: where OVN has bound the ports that a group names (ovn-sb(5)).

There is a connection while a Container_Group names a Port_Group, and of the
ports only those of such groups are replicated.  What was read last counts while
the connection is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import ovs.poller

from ...lib.idl import Session
from ...lib.rows import Row

DATABASE = "OVN_Southbound"


@dataclass(frozen=True, slots=True)
class PortBinding(Row):
    TABLE: ClassVar[str] = "Port_Binding"
    logical_port: str
    chassis: UUID | None
    up: bool | None


@dataclass(frozen=True, slots=True)
class Chassis(Row):
    TABLE: ClassVar[str] = "Chassis"
    name: str


ROW_CLASSES: tuple[type[Row], ...] = (PortBinding, Chassis)


class PortReplica:
    """The rows of the ports that were asked for, and which ports those are."""

    def __init__(self, remote: str) -> None:
        self._remote = remote
        self._session: Session | None = None
        self._wanted: frozenset[str] = frozenset()
        self._known: frozenset[str] | None = None

    def run(self, wanted: frozenset[str] | None) -> None:
        """Follows the ports 'wanted'; None ends the connection."""
        if wanted is None:
            self.close()
            return
        if self._session is None:
            conditions = {PortBinding.TABLE: _make_condition(wanted)}
            self._session = Session(self._remote, DATABASE, ROW_CLASSES, conditions=conditions)
        elif wanted != self._wanted:
            self._session.set_condition(PortBinding.TABLE, _make_condition(wanted))
        self._wanted = wanted
        self._session.run()
        if self._session.conditioned:
            self._known = wanted

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        if self._session is not None:
            self._session.wait(poller)

    def close(self) -> None:
        """Drops the connection and what was read."""
        if self._session is not None:
            self._session.close()
        self._session, self._known = None, None

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._session is not None and self._session.connected

    def reset_cluster_state(self) -> None:
        """As that of Session."""
        if self._session is not None:
            self._session.reset_cluster_state()

    @property
    def known(self) -> frozenset[str] | None:
        """The ports whose rows are all there, None before the first were read."""
        return self._known

    def take_changed_rows(self) -> Mapping[str, Mapping[UUID, tuple[Any, Any]]]:
        """Returns the rows that changed since the last call, as Session has it."""
        if self._session is None or self._known is None:
            return {}
        return self._session.take_changed_rows()


def _make_condition(ports: frozenset[str]) -> list[list[str]]:
    return [["logical_port", "==", port] for port in sorted(ports)]
