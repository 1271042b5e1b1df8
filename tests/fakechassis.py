"""Chassis in memory: what svc-controller and ovn-controller would make of their southbound rows.

A chassis builds what is bound to it at once, unless it is told to be slow or to
fail, and removes what is not.  Its port is up where OVN gives it the port only:
on the chassis that requested-chassis of the port in OVN_Northbound names.  All
chassis of a cloud step together, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lib import sealing
from .ovsdb import Database, Databases

Operation = dict[str, Any]

# What a chassis reads of the rows of its containers and ports.
_BINDING_COLUMNS = ("container", "chassis", "role", "generation", "reached_generation")
_STATUS_COLUMNS = ("status_code", "status_message", "incarnation")
_PORT_COLUMNS = ("logical_port", "chassis", "up")


class FakeChassis:
    """A chassis that says through its southbound rows that it did what it was told.

    'failing' has what goes wrong with a container, by its name, or "" for
    all; 'slow' says in the same way which stay as they are being started, and
    'refusing' which go on as they were.
    'containers' is what runs there, with its role.
    """

    def __init__(self, databases: Databases, name: str, **columns: Any) -> None:
        self._databases = databases
        self.name = name
        self.obeys = True
        self.alive = True
        self.installs = True
        # Whether it acknowledges, as where its ovn-controller follows.
        self.follows = True
        self.failing: dict[str, str] = {}
        self.slow: set[str] = set()
        self.refusing: set[str] = set()
        self.containers: dict[str, str] = {}
        self.private_key = sealing.make_private_key()
        self._incarnation = 1
        self._beat = 0
        self._registration = {
            "name": name,
            "hostname": name,
            "service_types": ["set", ["ipsec"]],
            "public_key": sealing.format_public_key(self.private_key),
            **columns,
        }

    def register(self) -> list[Operation]:
        """Returns what makes its two rows."""
        private = {
            "name": self.name,
            "incarnation": self.incarnation,
            "heartbeat": 0,
            # It beats in each step, and is judged by what the options ask for.
            "heartbeat_interval": 100,
        }
        return [
            {"op": "insert", "table": "Chassis", "row": self._registration},
            {"op": "insert", "table": "Chassis_Private", "row": private},
        ]

    def step(self) -> None:
        """One pass of this chassis alone."""
        step(self._databases, [self])

    def tell(self, **columns: Any) -> None:
        """Sets columns of its Chassis_Private row."""
        self._databases.sb.update("Chassis_Private", [["name", "==", self.name]], **columns)

    def restart(self) -> None:
        """Begins another life of its svc-controller."""
        self._incarnation += 1
        self.tell(incarnation=self.incarnation)

    def report_tunnel(self, connection: str, state: str = "up", last_error: str = "") -> None:
        """Reports on the tunnel of a connection (its UUID) on each container here."""
        sb = self._databases.sb
        for binding in self.bindings():
            key = {
                "container": binding["container"],
                "chassis": self.name,
                "kind": "tunnel",
                "name": connection,
            }
            sb.delete("Container_Item", [[name, "==", value] for name, value in key.items()])
            sb.insert("Container_Item", subject=connection, state=state, message=last_error, **key)

    def bindings(self) -> list[dict[str, Any]]:
        """Returns the containers bound here."""
        return self._databases.sb.rows("Container_Binding", [["chassis", "==", self.name]])

    @property
    def incarnation(self) -> str:
        """Which life of its svc-controller this is."""
        return str(self._incarnation)

    def beat(self, **columns: Any) -> Operation:
        """Returns the next heartbeat, with other columns of its Chassis_Private."""
        self._beat += 1
        where = [["name", "==", self.name]]
        row = {"heartbeat": self._beat, **columns}
        return {"op": "update", "table": "Chassis_Private", "where": where, "row": row}

    def find_status(self, row: dict[str, Any]) -> dict[str, Any]:
        """Returns what it reports on the container of a Container_Binding, in this life."""
        return {"incarnation": self.incarnation, **self._find_status(row)}

    def _find_status(self, row: dict[str, Any]) -> dict[str, Any]:
        container = row["container"]
        problem = self.failing.get(container, self.failing.get(""))
        if problem is not None:
            return {"status_code": "error", "status_message": problem}
        if self.slow & {container, ""}:
            return {"status_code": "starting", "status_message": "charon is being started"}
        if row["reached_generation"] and self.refusing & {container, ""}:
            return {"status_code": "running", "status_message": "still as configured before: no"}
        return {
            "status_code": "running",
            "status_message": "as told",
            "reached_generation": row["generation"],
        }

    def find_up(self, row: dict[str, Any], requested: str | None) -> bool:
        """Returns whether OVN has installed the port of a Port_Binding here."""
        return self.installs and requested == self.name


def step(databases: Databases, chassis: Iterable[FakeChassis], *, installs: bool = True) -> bool:
    """One pass of every chassis that is alive; returns whether any did more than beat.

    Without 'installs' no port of OVN comes or goes, as while ovn-northd is paused.
    """
    alive = {each.name: each for each in chassis if each.alive}
    if not alive:
        return False
    selects = (
        _select("SB_Global", ("nb_cfg",)),
        _select("Container_Binding", (*_BINDING_COLUMNS, *_STATUS_COLUMNS)),
        _select("Port_Binding", _PORT_COLUMNS),
    )
    root, bindings, ports = (each["rows"] for each in databases.sb.transact(*selects))
    obeying = {name: each for name, each in alive.items() if each.obeys}
    operations = [
        *_run_containers(obeying, bindings),
        *(_install_ports(obeying, ports, databases.ovn_nb) if installs else ()),
    ]
    nb_cfg = root[0]["nb_cfg"] if root else 0
    beats = (each.beat(**({"nb_cfg": nb_cfg} if each.follows else {})) for each in alive.values())
    databases.sb.transact(*operations, *beats)
    return bool(operations)


def beat(databases: Databases, chassis: Iterable[FakeChassis]) -> None:
    """One heartbeat of every chassis that is alive, and nothing else."""
    databases.sb.transact(*(each.beat() for each in chassis if each.alive))


def _run_containers(chassis: dict[str, FakeChassis], rows: list[Any]) -> list[Operation]:
    operations = []
    bound: dict[str, dict[str, str]] = {name: {} for name in chassis}
    for row in rows:
        host = chassis.get(row["chassis"])
        if host is None:
            continue
        bound[host.name][row["container"]] = row["role"]
        status = host.find_status(row)
        if any(row[column] != value for column, value in status.items()):
            if status["status_code"] == "running":
                name = row["container"]
                status.update(namespace_name=name, interface_name=name, since=1)
            operations.append(_update("Container_Binding", row, status))
    for name, containers in bound.items():
        chassis[name].containers = containers
    return operations


def _install_ports(
    chassis: dict[str, FakeChassis], rows: list[Any], ovn: Database
) -> list[Operation]:
    requested = read_requested(ovn) if rows else {}
    operations = []
    for row in rows:
        host = chassis.get(row["chassis"])
        if host is not None:
            up = host.find_up(row, requested.get(row["logical_port"]))
            if row["up"] != up:
                operations.append(_update("Port_Binding", row, {"up": up}))
    return operations


def read_requested(ovn: Database) -> dict[str, str]:
    """Returns by container the chassis to which OVN gives its port."""
    rows = ovn.rows("Logical_Switch_Port", [["type", "==", ""]], ["name", "options"])
    return {row["name"]: dict(row["options"][1]).get("requested-chassis", "") for row in rows}


def _select(table: str, columns: Iterable[str]) -> Operation:
    return {"op": "select", "table": table, "where": [], "columns": ["_uuid", *columns]}


def _update(table: str, row: dict[str, Any], columns: dict[str, Any]) -> Operation:
    where = [["_uuid", "==", row["_uuid"]]]
    return {"op": "update", "table": table, "where": where, "row": columns}
