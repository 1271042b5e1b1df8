"""A real OVN_Southbound with rows as ovn-northd and ovn-controller make them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .ovsdb import Database

OVN_SOUTHBOUND = "OVN_Southbound"
OVN_SOUTHBOUND_SCHEMA = "/usr/share/ovn/ovn-sb.ovsschema"


def start_ovn_southbound(directory: Path) -> Database:
    """Returns a server with the chassis hv1 to hv3."""
    database = Database(directory, OVN_SOUTHBOUND, OVN_SOUTHBOUND_SCHEMA)
    for name in ("hv1", "hv2", "hv3"):
        encap = {"type": "geneve", "ip": f"127.0.0.{name[-1]}", "chassis_name": name}
        chassis = {"name": name, "encaps": ["named-uuid", "encap"]}
        database.transact(
            {"op": "insert", "table": "Encap", "row": encap, "uuid-name": "encap"},
            {"op": "insert", "table": "Chassis", "row": chassis},
        )
    return database


class Ports:
    """Ports of one switch or router of OVN on chassis."""

    def __init__(self, database: Database, tunnel_key: int = 1) -> None:
        self._database = database
        self._datapath = database.insert("Datapath_Binding", tunnel_key=tunnel_key)
        self._chassis = {row["name"]: row["_uuid"] for row in database.rows("Chassis")}
        self._count = 0

    def bind(self, port: str, chassis: str | None, up: bool = True, **columns: Any) -> None:
        """Binds a port to a chassis, or to none."""
        where = [["logical_port", "==", port]]
        there: Any = self._chassis[chassis] if chassis else ["set", []]
        columns |= {"chassis": there, "up": up}
        if self._database.rows("Port_Binding", where):
            self._database.update("Port_Binding", where, **columns)
            return
        self._count += 1
        datapath = ["uuid", self._datapath]
        self._database.insert(
            "Port_Binding",
            logical_port=port,
            datapath=datapath,
            tunnel_key=self._count,
            **columns,
        )

    def lead(self, port: str, kind: str, chassis: str | None = None, **options: str) -> None:
        """Makes a port of type 'kind' with options ("distributed_port" for "distributed-port")."""
        pairs = [[name.replace("_port", "-port"), value] for name, value in options.items()]
        self.bind(port, chassis, type=kind, options=["map", pairs])
