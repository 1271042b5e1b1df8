"""A cloud with the operator's verbs, and what is seen of its containers at each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from ..services.ipsec.router_rules import make_container_name
from . import fakechassis
from .cloud import Cloud, make_router
from .logs import Logs
from .ovsdb import Databases

_MOST_STEPS = 200
# Rows of OVN_Northbound, and of the northbound, in one transaction.
_BATCH = 250


@dataclass(frozen=True, slots=True)
class View:
    """What the databases say of a container at a moment.

    'standby', 'ready' (running as told) and 'up' are chassis; 'requested' is
    the one that OVN gives its port to.
    """

    active: str | None
    standby: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    requested: str | None = None
    redirected: bool = True

    @property
    def serving(self) -> bool:
        """Whether traffic gets to a container that runs."""
        return self.redirected and self.requested in self.up and self.requested in self.ready


class Scenario(Cloud):
    """A cloud in which containers are placed, moved and repaired."""

    # -- the operator ------------------------------------------------------

    def add_services(self, count: int, first: int = 0, **columns: Any) -> list[str]:
        """Adds VPN services, each with a router and a connection; returns their containers.

        Many at once, in few transactions.
        """
        numbers = iter(range(first, first + count))
        containers: list[str] = []
        while batch := list(islice(numbers, _BATCH)):
            containers += self._add_batch(batch, columns)
        return containers

    def _add_batch(self, numbers: Sequence[int], columns: dict[str, Any]) -> list[str]:
        routers = [
            make_router(f"router{number}", gateway=f"{make_network(number)}.2/24")
            for number in numbers
        ]
        results = iter(self.ovn.transact(*(each for router in routers for each in router)))
        uuids = [list(islice(results, len(router)))[-1]["uuid"][1] for router in routers]
        self.nb.transact(*(each for number in numbers for each in make_service(number, columns)))
        return [make_container_name(UUID(uuid)) for uuid in uuids]

    def set_options(self, **options: str) -> None:
        """Sets SVC_Global:options as a whole; a dash is written as an underscore."""
        pairs = [[key.replace("_", "-"), value] for key, value in options.items()]
        self.nb.update("SVC_Global", [], options=["map", pairs])

    def set_chassis(self, name: str, **columns: Any) -> None:
        """Sets columns of the operator's row on a chassis, which is made if there is none."""
        where = [["name", "==", name]]
        if self.nb.rows("Chassis", where):
            self.nb.update("Chassis", where, **columns)
        else:
            self.nb.insert("Chassis", name=name, **columns)

    def set_wish(self, name: str, **columns: Any) -> None:
        """Sets columns of the operator's wish for a container, which is made if there is none."""
        where = [["name", "==", name]]
        if self.nb.rows("Container_Wish", where):
            self.nb.update("Container_Wish", where, **columns)
        else:
            self.nb.insert("Container_Wish", name=name, **columns)

    def migrate(self, name: str, chassis: str) -> None:
        """Asks for one move of a container."""
        wishes = self.nb.rows("Container_Wish", [["name", "==", name]])
        number = max((row["migrate_cfg"] for row in wishes), default=0) + 1
        self.set_wish(name, migrate_chassis=chassis, migrate_cfg=number)

    def add_chassis_group(self, name: str, *chassis: str) -> list[str]:
        """Adds a Chassis_Group; returns the reference to it."""
        return ["uuid", self.nb.insert("Chassis_Group", name=name, chassis=["set", list(chassis)])]

    def add_group(self, name: str, options: dict[str, str] | None = None, **columns: Any) -> Any:
        """Adds a Container_Group; returns the reference to it."""
        pairs = ["map", [list(pair) for pair in (options or {}).items()]]
        return ["uuid", self.nb.insert("Container_Group", name=name, options=pairs, **columns)]

    # -- what is seen ------------------------------------------------------

    def show(self, container: str) -> dict[str, Any]:
        """Returns the Service_Container row."""
        return self.find(self.nb, "Service_Container", name=container)

    def find_wish(self, container: str) -> dict[str, Any]:
        """Returns the Container_Wish row."""
        return self.find(self.nb, "Container_Wish", name=container)

    def message(self, container: str) -> str:
        """Returns what the northbound says of a container."""
        return str(self.show(container)["status_message"])

    def look(self, container: str) -> View:
        """Returns what the databases say of a container."""
        where = [["container", "==", container]]
        bindings = self.sb.rows("Container_Binding", where)
        ports = self.sb.rows("Port_Binding", where)
        roles = sorted((row["chassis"], row["role"]) for row in bindings)
        ready = (
            row["chassis"]
            for row in bindings
            if row["status_code"] == "running" and row["reached_generation"] == row["generation"]
        )
        actions = {
            row["action"]
            for row in self.ovn.rows("Logical_Router_Policy")
            if dict(row["external_ids"][1])["ovnsvc-key"].startswith(container)
        }
        return View(
            active=next((name for name, role in roles if role == "active"), None),
            standby=tuple(name for name, role in roles if role == "standby"),
            ready=tuple(sorted(ready)),
            up=tuple(sorted(row["chassis"] for row in ports if row["up"] is True)),
            requested=fakechassis.read_requested(self.ovn).get(container),
            redirected="reroute" in actions,
        )

    def list_places(self) -> dict[str, str]:
        """Returns the chassis that each container serves from."""
        where = [["role", "==", "active"]]
        rows = self.sb.rows("Container_Binding", where, ["container", "chassis"])
        return {row["container"]: row["chassis"] for row in rows}

    def list_avoided(self, container: str) -> dict[str, dict[str, Any]]:
        """Returns the rows on where a container failed, by chassis."""
        rows = self.sb.rows("Avoided_Chassis", [["container", "==", container]])
        return {row["chassis"]: row for row in rows}

    def list_history(self, container: str) -> list[tuple[int, str, str]]:
        """Returns number, chassis and reason of each Placement."""
        rows = self.sb.rows("Placement", [["container", "==", container]])
        return sorted((row["number"], row["chassis"], row["reason"]) for row in rows)

    # -- time --------------------------------------------------------------

    def follow(self, container: str) -> list[View]:
        """Settles, and returns the different views on the way.

        One is taken each time that svc-northd has done all it could, and each
        time that the chassis have; in between it computes everything anew.
        """
        views = [self.look(container)]

        def note() -> None:
            view = self.look(container)
            if view != views[-1]:
                views.append(view)

        self.walk(note)
        return views

    def walk(self, note: Callable[[], None]) -> None:
        """Settles; calls 'note' after each step, and holds each to a recompute."""
        for _ in range(_MOST_STEPS):
            wrote = self.drain()
            self.hold_recompute()
            note()
            worked = self.step_chassis()
            note()
            if not (wrote or worked):
                return
        raise AssertionError("the cloud does not settle")

    def hold_recompute(self) -> None:
        """Computes everything anew and holds that nothing changes."""
        before = self.dump()
        self.northd.recover()
        self.drain()
        assert self.dump() == before, "a recompute changed something"


def count(places: dict[str, str], containers: Iterable[str] | None = None) -> dict[str, int]:
    """Returns how many containers each chassis has."""
    names = places if containers is None else containers
    counts: dict[str, int] = {}
    for name in names:
        counts[places[name]] = counts.get(places[name], 0) + 1
    return dict(sorted(counts.items()))


def make_service(number: int, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the operations that make a VPN service and, before it, its connection."""
    connection = {
        "name": "to-venus",
        "peer_address": "1.0.0.3",
        "peer_subnets": "192.168.2.0/24",
        "psk": f"a secret of {number}",
    }
    service = {
        "name": f"vpn{number}",
        "router": f"router{number}",
        "external_ips": f"{make_network(number)}.100",
        "local_subnets": "192.168.1.0/24",
        "connections": ["named-uuid", f"c{number}"],
        **columns,
    }
    return [
        {
            "op": "insert",
            "table": "IPsec_Connection",
            "row": connection,
            "uuid-name": f"c{number}",
        },
        {"op": "insert", "table": "VPN_Service", "row": service},
    ]


def make_network(number: int) -> str:
    """Returns three octets of the network outside of a router."""
    return f"1.{number // 250}.{number % 250}"


def run_scenario(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """Yields a cloud of three chassis, and holds it to the laws at the end: a fixture's body."""
    made = Scenario(databases, logs)
    made.add_chassis("hv1", "hv2", "hv3")
    made.settle()
    yield made
    made.laws()
    made.northd.close()
