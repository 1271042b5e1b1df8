"""OVN_Southbound, read only: what is on the networks outside, and who leads there (ovn-sb(5)).

A network is outside if its switch has a port of type localnet.  Of those switches
all ports are replicated, and of routers the ports that OVN binds to one chassis
(chassisredirect).  A clause for each such switch is all that the server has to
look at, however many ports there are.  What was read last counts while the
connection is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

import ovs.poller

from ...lib import loop
from ...lib.idl import Session
from ...lib.rows import Row, keep_keys
from ...services.api.outside import LOCALNET, MAPPINGS, NETWORK, PEER, REDIRECT, ROUTER_PORT
from .southbound import DATABASE

# A server that answers nothing is not waited for any longer.
PATIENCE_MS = 2_000
_ALWAYS = [["type", "==", LOCALNET], ["type", "==", REDIRECT]]


@dataclass(frozen=True, slots=True)
class PortBinding(Row):
    TABLE: ClassVar[str] = "Port_Binding"
    logical_port: str
    type: str
    datapath: UUID
    mac: tuple[str, ...]
    chassis: UUID | None
    options: dict[str, str] = field(metadata=keep_keys(PEER, NETWORK, ROUTER_PORT))


@dataclass(frozen=True, slots=True)
class Chassis(Row):
    TABLE: ClassVar[str] = "Chassis"
    name: str
    external_ids: dict[str, str] = field(metadata=keep_keys(MAPPINGS))
    other_config: dict[str, str] = field(metadata=keep_keys(MAPPINGS))


class OutsideReplica:
    """Follows the switches outside, whichever those are."""

    def __init__(self, remote: str) -> None:
        conditions = {PortBinding.TABLE: _ALWAYS}
        self._session = Session(remote, DATABASE, (PortBinding, Chassis), conditions=conditions)
        # How many ports of type localnet each switch has.
        self._localnets: Counter[UUID] = Counter()
        self._asked: frozenset[UUID] = frozenset()
        self._given_up_ms = loop.monotonic_ms() + PATIENCE_MS
        self._awaited = True

    def run(self) -> None:
        """Receives what changed; asks for the ports of a switch that is outside from now on."""
        self._session.run()
        for before, after in self._session.take_rows(PortBinding):
            for row, number in ((before, -1), (after, 1)):
                if row is not None and row.type == LOCALNET:
                    self._localnets[row.datapath] += number
        found = frozenset(+self._localnets)
        if self._session.synced and found != self._asked:
            self._asked = found
            clauses = [["datapath", "==", ["uuid", str(each)]] for each in sorted(found)]
            self._session.set_condition(PortBinding.TABLE, [*_ALWAYS, *clauses])

    def wait(self, poller: ovs.poller.Poller) -> None:
        """Arms 'poller' for whatever run() waits for."""
        self._session.wait(poller)
        if self._awaited:
            poller.timer_wait(max(0, self._given_up_ms - loop.monotonic_ms()))

    def close(self) -> None:
        """Drops the connection."""
        self._session.close()

    @property
    def connected(self) -> bool:
        """Whether there is a connection."""
        return self._session.connected

    @property
    def trouble(self) -> str:
        """Why it cannot be read now, in words; "" if it can."""
        return self._session.trouble

    def reset_cluster_state(self) -> None:
        """As that of Session."""
        self._session.reset_cluster_state()

    @property
    def awaited(self) -> bool:
        """Whether what is there is yet to be read for the first time, and may be soon."""
        if self._awaited:
            known = self._session.conditioned
            late = loop.monotonic_ms() >= self._given_up_ms
            self._awaited = not (known or late or self._session.failing)
        return self._awaited

    def take_changed_rows(self) -> Mapping[str, Mapping[UUID, tuple[Any, Any]]]:
        """Returns the rows that changed since the last call, as Session has it."""
        return self._session.take_changed_rows()
