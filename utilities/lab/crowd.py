"""Databases of many services and a thousand chassis, which say that they do as told.

Called by change.py.  The chassis are rows: they beat from a thread, and what is
bound to them runs as soon as obey() says so, in bulk.  The servers leave a core
to svc-northd: one that is woken by a transaction would run in its place, and be
counted as its work.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from ...lib import sealing
from ...services.ipsec.router_rules import make_container_name
from ...tests.cloud import make_router
from ...tests.ovsdb import Databases, wait_until
from ...tests.scenario import make_network, make_service

CHASSIS = 1000
_BEAT_S = 0.9
# Until then a chassis that had longer before an option changed has it still (northd/pulse.py).
_BEATS_OF_GRACE = 3
_SERVICES_AT_ONCE = 250
_ROWS_AT_ONCE = 2000

Operation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """A VPN service that was added, by UUID, and the name of its container."""

    service: str
    connection: str
    container: str


class Crowd:
    """Real databases, for as long as the context lasts."""

    def __init__(self) -> None:
        self.services: list[Service] = []
        self._by_container: dict[str, Service] = {}
        self._dead: list[str] = []
        self._ended = threading.Event()
        self._beats = 0
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, sorted(self._cores)[1:] or self._cores)
        self._directory = tempfile.TemporaryDirectory(prefix="ovnsvc-bench")
        databases = Databases(Path(self._directory.name))
        self._databases = databases
        self.nb, self.sb, self.ovn = databases.nb, databases.sb, databases.ovn_nb
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._heart.is_alive():
            self._heart.join()
        self._databases.stop()
        self._directory.cleanup()
        os.sched_setaffinity(0, self._cores)

    @property
    def spare_core(self) -> int:
        """The core that is left to svc-northd; everybody's where there is but one."""
        return min(self._cores)

    @property
    def remotes(self) -> tuple[str, str, str, str]:
        """Where svc-northd finds its databases; nobody is at the last one, and nobody is asked."""
        nowhere = f"unix:{self._directory.name}/nowhere.sock"
        return self.nb.remote, self.sb.remote, self.ovn.remote, nowhere

    def build(self, services: int, **options: str) -> None:
        """Adds chassis, routers and services, and begins to beat."""
        pairs = [[key.replace("_", "-"), value] for key, value in options.items()]
        self.nb.insert("SVC_Global", options=["map", pairs])
        self.ovn.insert("NB_Global")
        self.sb.transact(*_make_chassis())
        self._heart.start()
        for first in range(0, services, _SERVICES_AT_ONCE):
            self._add_services(range(first, min(services, first + _SERVICES_AT_ONCE)))

    def set_options(self, **options: str) -> None:
        """Sets SVC_Global:options as a whole, and waits until all chassis are judged by them."""
        pairs = [[key.replace("_", "-"), value] for key, value in options.items()]
        self.nb.update("SVC_Global", [], options=["map", pairs])
        known = self._beats + _BEATS_OF_GRACE
        wait_until(lambda: self._beats > known, "heartbeats")

    def obey(self) -> None:
        """What is bound to a chassis for the first time runs, its port is up and its tunnel too."""
        new = [["reached_generation", "==", 0]]
        bindings = self.sb.rows(
            "Container_Binding", new, ["_uuid", "container", "chassis", "generation"]
        )
        for batch in _split(self._run(bindings)):
            self.sb.transact(*batch)
        self.sb.update("Port_Binding", [["up", "!=", True]], up=True)

    def kill(self, chassis: str) -> None:
        """Ends the heartbeat of a chassis."""
        self._dead.append(chassis)

    def change_key(self, number: int, key: str) -> None:
        """Changes the pre-shared key of the connection of a service."""
        where = [["_uuid", "==", ["uuid", self.services[number].connection]]]
        self.nb.update("IPsec_Connection", where, psk=key)

    def add_connection(self, number: int) -> None:
        """Adds a second connection to a service."""
        connection, _service = make_service(number, {})
        row = {**connection["row"], "name": "to-mars", "peer_subnets": "192.168.3.0/24"}
        mutation = ["connections", "insert", ["set", [["named-uuid", connection["uuid-name"]]]]]
        self.nb.transact(
            {**connection, "row": row},
            {
                "op": "mutate",
                "table": "VPN_Service",
                "where": [["_uuid", "==", ["uuid", self.services[number].service]]],
                "mutations": [mutation],
            },
        )

    def break_tunnel(self, number: int) -> None:
        """Has a chassis say that the tunnel of a service is down."""
        where = [["subject", "==", self.services[number].connection]]
        self.sb.update("Container_Item", where, state="down", message="peer does not answer")

    # -- helpers, in the order they are called -----------------------------

    def _add_services(self, numbers: Sequence[int]) -> None:
        routers = [
            make_router(f"router{number}", gateway=f"{make_network(number)}.2/24")
            for number in numbers
        ]
        results = iter(self.ovn.transact(*(each for router in routers for each in router)))
        uuids = [list(islice(results, len(router)))[-1]["uuid"][1] for router in routers]
        rows = self.nb.transact(*(each for number in numbers for each in make_service(number, {})))
        for router, connection, service in zip(uuids, rows[::2], rows[1::2], strict=True):
            name = make_container_name(UUID(router))
            added = Service(service["uuid"][1], connection["uuid"][1], name)
            self.services.append(added)
            self._by_container[name] = added

    def _run(self, bindings: Iterable[dict[str, Any]]) -> Iterator[Operation]:
        for row in bindings:
            name = row["container"]
            told = {
                "incarnation": "1",
                "status_code": "running",
                "status_message": "as told",
                "reached_generation": row["generation"],
                "namespace_name": name,
                "interface_name": name,
                "since": 1,
            }
            where = [["_uuid", "==", row["_uuid"]]]
            yield {"op": "update", "table": "Container_Binding", "where": where, "row": told}
            connection = self._by_container[name].connection
            item = {
                "container": name,
                "chassis": row["chassis"],
                "kind": "tunnel",
                "name": connection,
                "subject": connection,
                "state": "up",
            }
            yield {"op": "insert", "table": "Container_Item", "row": item}

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT_S):
            self.sb.transact(
                {
                    "op": "mutate",
                    "table": "Chassis_Private",
                    "where": [["name", "!=", name] for name in self._dead],
                    "mutations": [["heartbeat", "+=", 1]],
                }
            )
            self._beats += 1
            self._follow()

    def _follow(self) -> None:
        """Counts in OVN_Northbound what was written, as ovn-northd does."""
        rows = self.ovn.rows("NB_Global", [], ["nb_cfg", "sb_cfg"])
        if any(row["nb_cfg"] != row["sb_cfg"] for row in rows):
            self.ovn.update("NB_Global", [], sb_cfg=max(row["nb_cfg"] for row in rows))


def _make_chassis() -> Iterator[Operation]:
    for number in range(CHASSIS):
        name = f"hv{number:03}"
        row = {
            "name": name,
            "hostname": name,
            "service_types": ["set", ["ipsec"]],
            "public_key": sealing.format_public_key(sealing.make_private_key()),
        }
        yield {"op": "insert", "table": "Chassis", "row": row}
        private = {"name": name, "incarnation": "1", "heartbeat": 0}
        yield {"op": "insert", "table": "Chassis_Private", "row": private}


def _split(operations: Iterator[Operation]) -> Iterator[list[Operation]]:
    while batch := list(islice(operations, _ROWS_AT_ONCE)):
        yield batch
