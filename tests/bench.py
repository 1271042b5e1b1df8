"""svc-controller in this process, on real databases and a host in memory.

'Bench' is what scenario tests of svc-controller are written in.  'check_laws'
closes each scenario: a full check changes nothing, the host is as the
southbound wants it, nobody warned.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ovs.poller

from ..controller.controller import Controller
from ..controller.kept_names import Host, KeptNames
from ..lib import schema, sealing
from .fakehost import FakeHost, FakeType
from .logs import Logs
from .ovsdb import Database, wait_until
from .rig import VSWITCH_SCHEMA, to_map

ME = "hv1"
HOST = Host("machine", "boot")
KEY = sealing.make_private_key()
PUBLIC_KEY = sealing.format_public_key(KEY)


class Bench:
    """The databases, the host, and the svc-controller of the moment."""

    def __init__(self, directory: Path, logs: Logs) -> None:
        self.directory = directory
        self.logs = logs
        self.sb = Database(directory, schema.SOUTHBOUND)
        self.ovs = Database(directory, "Open_vSwitch", VSWITCH_SCHEMA)
        self.host = FakeHost()
        self.ids = {"system-id": ME, "svc-remote": self.sb.remote}
        self.sb.insert("SB_Global", options=to_map({"heartbeat-interval": "1000"}))
        self._generation = 0
        # Those that run at the same time, as on other hosts.
        self.beside: list[Controller] = []
        self.controller = self.make_controller()

    def make_controller(
        self, key: bytes = KEY, host: Host = HOST, folder: str = "etc", switch: str = ""
    ) -> Controller:
        """Returns another svc-controller of this host, whose file of names is in 'folder'.

        With the same folder and another 'host' it is of the next boot, or has a copy of the disk.
        'switch' is the remote of another local Open_vSwitch.
        """
        types = {"fake": FakeType(self.host)}
        names = KeptNames(str(self.directory / folder), host)
        switch = switch or self.ovs.remote
        return Controller(switch, types, key, self.host.make_host, self.host, names)

    def make_rival(self, switch: str = "") -> Controller:
        """Returns a svc-controller of another host, which is told to have the same name."""
        key = sealing.make_private_key()
        return self.make_controller(key, Host("other", "boot"), "other", switch)

    def open_switch(self, **ids: str) -> None:
        """Writes the local Open_vSwitch row with its bridge."""
        bridge = {"name": "br-int", "datapath_type": "netdev"}
        root = {"bridges": ["named-uuid", "b"], "external_ids": to_map(self.ids | ids)}
        self.ovs.transact(
            {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": bridge},
            {"op": "insert", "table": "Open_vSwitch", "row": root},
        )

    def stop(self) -> None:
        """Ends everything."""
        for each in (self.controller, *self.beside):
            each.close()
        self.sb.stop()
        self.ovs.stop()

    def restart(self) -> None:
        """Another svc-controller takes the place of this one."""
        self.controller.close()
        self.controller = self.make_controller()

    def make_southbound_anew(self) -> None:
        """An empty database takes the place of the southbound."""
        self.sb.stop()
        (self.directory / f"{schema.SOUTHBOUND}.db").unlink()
        self.sb = Database(self.directory, schema.SOUTHBOUND)

    def until(self, condition: Callable[[], Any], what: str, timeout_s: float = 10) -> None:
        """Runs svc-controller until 'condition'."""

        def step() -> Any:
            running = [self.controller, *self.beside]
            for each in running:
                each.run()
            if condition():
                return True
            poller = ovs.poller.Poller()
            for each in running:
                each.wait(poller)
            poller.timer_wait(50)
            poller.block()
            return False

        wait_until(step, what, timeout_s)

    def until_beats(self, count: int) -> None:
        """Runs until the chassis has beaten 'count' times more."""

        def beats() -> tuple[str, int]:
            (row,) = self.sb.rows("Chassis_Private")
            return row["incarnation"], row["heartbeat"]

        self.until(lambda: beats()[0] == self._incarnation, "this svc-controller's heartbeat")
        first = beats()[1]
        self.until(lambda: beats()[1] >= first + count, f"{count} heartbeats")

    @property
    def _incarnation(self) -> str:
        return self.controller.chassis.heartbeat.incarnation

    def settle(self, timeout_s: float = 10) -> None:
        """Runs until svc-controller has said that it did what is asked now."""
        asked = self.sb.rows("SB_Global")[0]["nb_cfg"] + 1
        self.sb.update("SB_Global", [], nb_cfg=asked)
        self.until(
            lambda: [row["nb_cfg"] for row in self.sb.rows("Chassis_Private")] == [asked],
            f"nb_cfg {asked}",
            timeout_s,
        )

    def bind(self, name: str, configuration: Any = None, **columns: Any) -> None:
        """Writes, or rewrites, a binding on this chassis."""
        self._generation += 1
        document = {"addresses": ["1.0.0.100/32"]} if configuration is None else configuration
        values = {
            "service_type": "fake",
            "role": "active",
            "configuration": json.dumps(document),
            "generation": self._generation,
            **columns,
        }
        where = [["container", "==", name]]
        if self.sb.rows("Container_Binding", where):
            self.sb.update("Container_Binding", where, **values)
            return
        identity = {"container": name, "chassis": ME}
        self.sb.transact(
            {"op": "insert", "table": "Port_Binding", "row": identity | make_port(name)},
            {"op": "insert", "table": "Container_Binding", "row": identity | values},
        )

    def bind_all(self, names: Iterable[str]) -> None:
        """Writes bindings on this chassis, in one transaction."""
        operations: list[dict[str, Any]] = []
        for name in names:
            self._generation += 1
            identity = {"container": name, "chassis": ME}
            values = {
                "service_type": "fake",
                "role": "active",
                "configuration": '{"addresses": []}',
                "generation": self._generation,
            }
            for table, row in (("Port_Binding", make_port(name)), ("Container_Binding", values)):
                operations.append({"op": "insert", "table": table, "row": identity | row})
        self.sb.transact(*operations)

    def add_port(self, name: str, interface: str, **columns: Any) -> None:
        """Gives a container another port."""
        own = {"logical_port": f"{name}-{interface}", "iface_id": f"{name}-{interface}"}
        row = make_port(name) | own | {"interface": interface} | columns
        self.sb.insert("Port_Binding", container=name, chassis=ME, **row)

    def unbind(self, name: str) -> None:
        """Removes a binding."""
        for table in ("Container_Binding", "Port_Binding"):
            self.sb.delete(table, [["container", "==", name]])

    def binding(self, name: str) -> dict[str, Any]:
        """Returns the Container_Binding row."""
        (row,) = self.sb.rows("Container_Binding", [["container", "==", name]])
        return row

    def until_status(self, name: str, code: str, message: str = "", timeout_s: float = 10) -> None:
        """Runs until the binding has this status."""

        def reached() -> bool:
            row = self.binding(name)
            return row["status_code"] == code and message in row["status_message"]

        self.until(reached, f"{name} {code} {message}", timeout_s)

    def ports(self) -> dict[str, dict[str, str]]:
        """Returns external_ids of the interfaces by name."""
        return {row["name"]: dict(row["external_ids"][1]) for row in self.ovs.rows("Interface")}

    def check_laws(self) -> None:
        """Fails unless all is quiet and as it should be."""
        self.settle()
        before, done = self._dump(), list(self.host.operations)
        self.controller.check_all()
        self.controller.recover()
        self.settle()
        assert self._dump() == before
        assert self.host.operations == done
        bound = {row["container"] for row in self.sb.rows("Container_Binding")}
        wanted = self.controller.containers.wanted
        assert bound == set(wanted)
        for name, container in wanted.items():
            for kind, driver in self.controller.containers.reconciler.host.drivers.items():
                assert driver.read(name) == container.resources[kind]  # type: ignore[union-attr]
        assert self.host.find_names() == bound
        assert {path.name for path in self.directory.glob("containers/*")} == bound
        assert self.logs.find_warnings() == [], self.logs.find_warnings()

    def _dump(self) -> Any:
        dumps = [self.sb.dump(), self.ovs.dump()]
        for row in dumps[0]["Chassis_Private"] + dumps[0]["SB_Global"]:
            for column in (
                "heartbeat",
                "heartbeat_timestamp",
                "nb_cfg",
                "nb_cfg_timestamp",
                "load",
            ):
                row.pop(column, None)
            row.pop("_version")
        return dumps


def make_port(name: str) -> dict[str, Any]:
    """Returns the columns of the first port of a container."""
    return {
        "logical_port": name,
        "interface": "svc0",
        "kind": "transit",
        "mac": "0a:00:00:00:00:01",
        "addresses": "169.254.0.2/30",
        "gateways": "169.254.0.1",
        "mtu": 1442,
        "iface_id": name,
    }
