"""A cloud in one process: real databases, a svc-northd that is stepped, chassis in memory.

'Cloud' is what scenario tests of svc-northd are written in.  Its chassis obey
their southbound rows at once, unless told not to; svc-controller's own tests
run the real program instead.  'laws' closes each scenario: a recompute changes
nothing, and nobody warned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ovs.poller

from ..lib import sealing
from ..northd.northd import Northd
from .logs import Logs
from .ovsdb import Databases, wait_until


class FakeChassis:
    """A chassis that says through its southbound rows that it did what it was told."""

    def __init__(self, databases: Databases, name: str, **columns: Any) -> None:
        self._sb = databases.sb
        self.name = name
        self.obeys = True
        self.alive = True
        self._beat = 0
        self.private_key = sealing.make_private_key()
        registration = {
            "name": name,
            "hostname": name,
            "service_types": ["set", ["ipsec"]],
            "public_key": sealing.format_public_key(self.private_key),
            **columns,
        }
        self._sb.insert("Chassis", **registration)
        self._sb.insert("Chassis_Private", name=name, incarnation="1", heartbeat=0)

    def step(self) -> None:
        """One pass of the chassis: heartbeat, bindings, nb_cfg."""
        if not self.alive:
            return
        self._beat += 1
        root = self._sb.rows("SB_Global")
        nb_cfg = root[0]["nb_cfg"] if root else 0
        where = [["name", "==", self.name]]
        self._sb.update("Chassis_Private", where, heartbeat=self._beat, nb_cfg=nb_cfg)
        if self.obeys:
            self._run_containers()

    def report_tunnel(self, connection: str, state: str = "up", last_error: str = "") -> None:
        """Reports on the tunnel of a connection (its UUID) on each container here."""
        for binding in self.bindings():
            key = {"container": binding["container"], "chassis": self.name, "name": connection}
            self._sb.delete("IPsec_Tunnel", [[name, "==", value] for name, value in key.items()])
            self._sb.insert(
                "IPsec_Tunnel", connection=connection, state=state, last_error=last_error, **key
            )

    def bindings(self) -> list[dict[str, Any]]:
        """Returns the containers bound here."""
        return self._sb.rows("Container_Binding", [["chassis", "==", self.name]])

    def _run_containers(self) -> None:
        where = [["chassis", "==", self.name]]
        for binding in self.bindings():
            if binding["reached_generation"] != binding["generation"]:
                self._sb.update(
                    "Container_Binding",
                    [*where, ["container", "==", binding["container"]]],
                    status_code="running",
                    status_message="as told",
                    reached_generation=binding["generation"],
                    namespace_name=binding["container"],
                    interface_name=binding["container"],
                    since=1,
                )
        for port in self._sb.rows("Port_Binding", where):
            if port["up"] is not True:
                self._sb.update("Port_Binding", where, up=True)


class Cloud:
    """Three databases, a svc-northd, chassis."""

    def __init__(self, databases: Databases, logs: Logs) -> None:
        self.databases = databases
        self.logs = logs
        self.nb, self.sb, self.ovn = databases.nb, databases.sb, databases.ovn_nb
        self.chassis: dict[str, FakeChassis] = {}
        self.ovn.insert("NB_Global")
        self.northd = self.start_northd()

    def start_northd(self) -> Northd:
        """Returns another svc-northd on the same databases."""
        return Northd(self.nb.remote, self.sb.remote, self.ovn.remote)

    def add_chassis(self, *names: str, **columns: Any) -> None:
        """Adds chassis that offer ipsec."""
        for name in names:
            self.chassis[name] = FakeChassis(self.databases, name, **columns)

    def add_router(self, name: str, *, gateway: str = "1.0.0.2/24", inside: str = "") -> str:
        """Adds a router with a distributed gateway port, a default route and SNAT."""
        tag = name.replace("-", "")
        inside = inside or "192.168.1.1/24"
        row: dict[str, Any] = {
            "name": name,
            "ports": ["set", [["named-uuid", f"out{tag}"], ["named-uuid", f"in{tag}"]]],
            "static_routes": ["named-uuid", f"default{tag}"],
            "nat": ["named-uuid", f"snat{tag}"],
        }
        gateway_chassis = {"name": f"{name}-hv1", "chassis_name": "hv1", "priority": 1}
        ports: dict[str, dict[str, Any]] = {
            f"out{tag}": {
                "name": f"{name}-out",
                "mac": "0a:00:00:00:00:01",
                "networks": gateway,
                "gateway_chassis": ["named-uuid", f"gc{tag}"],
            },
            f"in{tag}": {"name": f"{name}-in", "mac": "0a:00:00:00:00:02", "networks": inside},
        }
        route = {"ip_prefix": "0.0.0.0/0", "nexthop": "1.0.0.1"}
        snat = {"type": "snat", "external_ip": gateway.partition("/")[0], "logical_ip": inside}
        operations = [
            _insert("Gateway_Chassis", gateway_chassis, f"gc{tag}"),
            *(_insert("Logical_Router_Port", port, uuid) for uuid, port in ports.items()),
            _insert("Logical_Router_Static_Route", route, f"default{tag}"),
            _insert("NAT", snat, f"snat{tag}"),
            _insert("Logical_Router", row),
        ]
        uuid: str = self.ovn.transact(*operations)[-1]["uuid"][1]
        return uuid

    def add_vpn(self, name: str, router: str, **columns: Any) -> str:
        """Adds a VPN service by hand, as an operator without svcctl would."""
        row = {
            "name": name,
            "router": router,
            "external_ips": "1.0.0.100",
            "local_subnets": "192.168.1.0/24",
            **columns,
        }
        return self.nb.insert("VPN_Service", **row)

    def add_connection(self, vpn: str, name: str, **columns: Any) -> str:
        """Adds a connection to the service with UUID 'vpn'."""
        row = {
            "name": name,
            "peer_address": "1.0.0.3",
            "peer_subnets": "192.168.2.0/24",
            "psk": "a secret of two",
            **columns,
        }
        mutation = {
            "op": "mutate",
            "table": "VPN_Service",
            "where": [["_uuid", "==", ["uuid", vpn]]],
            "mutations": [["connections", "insert", ["set", [["named-uuid", "new"]]]]],
        }
        results = self.nb.transact(_insert("IPsec_Connection", row, "new"), mutation)
        uuid: str = results[0]["uuid"][1]
        return uuid

    def step(self, *northds: Northd) -> None:
        """One pass of every program."""
        for chassis in self.chassis.values():
            chassis.step()
        for northd in northds or (self.northd,):
            northd.run()

    def settle(self, *northds: Northd) -> None:
        """Steps until nothing moves any more."""
        running = northds or (self.northd,)

        def quiet() -> bool:
            self.step(*running)
            return any(each.settled for each in running) and not any(
                session.committing for each in running for session in each.sessions.values()
            )

        for _ in range(3):
            wait_until(quiet, "svc-northd to settle")
            before = self.dump()
            _pump(running)
            for _ in range(3):
                self.step(*running)
            if self.dump() == before:
                return
        raise AssertionError("the cloud does not settle")

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Steps until 'condition' holds."""

        def stepped() -> Any:
            self.step()
            return condition()

        return wait_until(stepped, what)

    def dump(self) -> dict[str, Any]:
        """Returns the three databases, without heartbeats and beats."""
        content = {
            "nb": self.nb.dump(),
            "sb": self.sb.dump(),
            "ovn": self.ovn.dump(),
        }
        del content["sb"]["Northd"]
        for row in content["sb"]["Chassis_Private"]:
            for column in ("heartbeat", "_version"):
                row.pop(column)
        return content

    def laws(self) -> None:
        """Holds the cloud to what must be true at the end of every scenario."""
        self.settle()
        before = self.dump()
        self.northd.recover()
        self.settle()
        assert self.dump() == before, "a recompute changed something"
        assert self.logs.find_warnings() == []

    def find(self, database: Any, table: str, **columns: Any) -> dict[str, Any]:
        """Returns the one row whose columns have these values."""
        where = [[name, "==", value] for name, value in columns.items()]
        rows: list[dict[str, Any]] = database.rows(table, where)
        assert len(rows) == 1, f"{len(rows)} rows of {table} with {columns}: {rows}"
        return rows[0]


def _insert(table: str, row: dict[str, Any], uuid_name: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": "insert", "table": table, "row": row}
    if uuid_name is not None:
        operation["uuid-name"] = uuid_name
    return operation


def _pump(northds: tuple[Northd, ...]) -> None:
    """Waits until nothing arrives for a moment; bounded by the poller's own timer."""
    deadline = time.monotonic() + 0.03
    while time.monotonic() < deadline:
        poller = ovs.poller.Poller()
        for northd in northds:
            northd.wait(poller)
        poller.timer_wait(10)
        poller.block()
        for northd in northds:
            northd.run()
