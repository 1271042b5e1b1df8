"""A cloud in one process: real databases, a svc-northd that is stepped, chassis in memory.

'Cloud' is what scenario tests of svc-northd are written in.  Its chassis
(fakechassis.py) obey their southbound rows at once, unless told not to;
svc-controller's own tests run the real program instead.  'laws' closes each
scenario: a recompute changes nothing, each container is in one place and the
rows agree on it, nothing is left over, and nobody warned.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import ovs.poller

from ..lib import loop
from ..northd.liveness import PASS_INTERVAL_MS
from ..northd.northd import Northd
from ..northd.sync import history
from ..northd.sync.ovn import RAISE_KEY
from ..services.api.compile import CompileHalf
from ..services.ipsec.compile import HALF
from . import fakechassis
from .fakechassis import FakeChassis
from .links import find_members, find_shared_links
from .logs import Logs
from .ovsdb import Databases, wait_until

# As long as svc-northd waits: more of it would be a stall of its own (liveness.py).
_TICK_MS = PASS_INTERVAL_MS
_MOST_ROUNDS = 100
_BEAT_S = 0.5
# For thousands of containers.
_PATIENCE_S = 60.0


class Cloud:
    """Three databases, a svc-northd, chassis."""

    def __init__(self, databases: Databases, logs: Logs) -> None:
        self.databases = databases
        self.logs = logs
        self.nb, self.sb, self.ovn = databases.nb, databases.sb, databases.ovn_nb
        # Nobody is there unless a test says so.
        self.ovn_sb_remote = f"unix:{databases.directory}/nowhere.sock"
        logs.allow("nowhere.sock: connection attempt failed")
        self.chassis: dict[str, FakeChassis] = {}
        self.halves: dict[str, CompileHalf] = {"ipsec": HALF}
        # Whether ovn-northd compiles what is written to OVN_Northbound.
        self.ovn_follows = True
        # Everything is computed twice, and must come out the same.
        self.checking = True
        self.ovn.insert("NB_Global")
        self.northd = self.start_northd()

    def start_northd(self) -> Northd:
        """Returns another svc-northd on the same databases."""
        northd = Northd(
            self.nb.remote,
            self.sb.remote,
            self.ovn.remote,
            self.ovn_sb_remote,
            halves=self.halves,
        )
        northd.checking = self.checking
        return northd

    def add_chassis(self, *names: str, **columns: Any) -> None:
        """Adds chassis that offer ipsec."""
        added = {name: FakeChassis(self.databases, name, **columns) for name in names}
        self.chassis.update(added)
        self.sb.transact(*(each for one in added.values() for each in one.register()))

    def add_router(self, name: str, *, gateway: str = "1.0.0.2/24", inside: str = "") -> str:
        """Adds a router with a distributed gateway port, a default route and SNAT."""
        operations = make_router(name, gateway=gateway, inside=inside)
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
        self.step_chassis()
        for northd in northds or (self.northd,):
            northd.run()

    def settle(self, *northds: Northd) -> None:
        """Steps until nobody has anything to do any more."""
        running = northds or (self.northd,)
        for _ in range(_MOST_ROUNDS):
            worked = self.step_chassis()
            if not (self.drain(*running) or worked):
                return
        raise AssertionError("the cloud does not settle")

    def step_chassis(self) -> bool:
        """One pass of every chassis, and of OVN; returns whether any did more than beat."""
        worked = self.ovn_follows and self._step_ovn()
        chassis = self.chassis.values()
        return fakechassis.step(self.databases, chassis, installs=self.ovn_follows) or worked

    def _step_ovn(self) -> bool:
        """Counts what was written, as ovn-northd does; returns whether there was anything."""
        rows = self.ovn.rows("NB_Global")
        asked = max((row["nb_cfg"] for row in rows), default=0)
        if all(row["sb_cfg"] == asked for row in rows):
            return False
        self.ovn.update("NB_Global", [], sb_cfg=asked)
        return True

    def drain(self, *northds: Northd) -> bool:
        """Runs svc-northds until they know and have done all; returns whether one wrote.

        Chassis beat meanwhile, so that none dies of a slow test.
        """
        running = northds or (self.northd,)
        sessions = [session for northd in running for session in northd.sessions.values()]
        for session in sessions:
            session.probe()
        wrote, beaten = False, time.monotonic()

        def quiet() -> bool:
            nonlocal wrote, beaten
            if time.monotonic() > beaten + _BEAT_S:
                beaten = time.monotonic()
                fakechassis.beat(self.databases, self.chassis.values())
            for northd in running:
                northd.run()
            committing = any(session.committing for session in sessions)
            wrote = wrote or committing
            done = not committing and all(session.answered for session in sessions)
            if not done:
                _block(running)
            return done and any(northd.settled for northd in running)

        wait_until(quiet, "svc-northd to settle", _PATIENCE_S)
        return wrote

    def run_northd(self) -> None:
        """One pass of svc-northd, after a moment in which something may come."""
        _block((self.northd,))
        self.northd.run()

    def warp(self, ms: int) -> None:
        """Settles 'ms' later; nobody dies of it, as after a stall of svc-northd."""
        loop.warp(ms)
        self.settle()

    def pass_time(self, ms: int) -> None:
        """Lets 'ms' pass, with heartbeats of all that are alive, and settles."""
        for _ in range(0, ms, _TICK_MS):
            loop.warp(_TICK_MS)
            self.settle()

    def wait_for(self, condition: Callable[[], Any], what: str) -> Any:
        """Steps until 'condition' holds."""

        def stepped() -> Any:
            self.step()
            return condition()

        return wait_until(stepped, what)

    def dump(self, *, counts: bool = True) -> dict[str, Any]:
        """Returns the three databases, without heartbeats, beats and questions to OVN.

        Without 'counts' it is so, too, of the number of changes: one that takes over counts
        what it does not know to be counted.
        """
        content = {
            "nb": self.nb.dump(),
            "sb": self.sb.dump(),
            "ovn": self.ovn.dump(),
        }
        # How many are connected, and since when.
        del content["sb"]["Northd"], content["sb"]["Connection"]
        for row in content["nb"]["SVC_Global"] if not counts else ():
            for column in ("content_cfg", "_version"):
                row.pop(column)
        for row in content["sb"]["Chassis_Private"]:
            for column in ("heartbeat", "_version"):
                row.pop(column)
        for row in content["ovn"]["NB_Global"]:
            for column in ("nb_cfg", "sb_cfg", "_version"):
                row.pop(column)
            marks = dict(row["external_ids"][1])
            row["external_ids"] = {key: marks[key] for key in marks if key != RAISE_KEY}
        return content

    def laws(self) -> None:
        """Holds the cloud to what must be true at the end of every scenario."""
        self.settle()
        before = self.dump()
        self.northd.recover()
        self.settle()
        changed = _find_differences(before, self.dump())
        assert not changed, f"a recompute changed {changed}"
        self._hold_places(before["sb"])
        self._hold_history(before["sb"])
        shared = find_shared_links(self.ovn)
        assert not shared, shared
        assert not self.logs.find_warnings(), self.logs.find_warnings()

    def _hold_places(self, sb: Mapping[str, list[dict[str, Any]]]) -> None:
        """Each container serves from one chassis, which OVN gives its port; hosts are as told."""
        active = [row for row in sb["Container_Binding"] if row["role"] == "active"]
        places = {row["container"]: row["chassis"] for row in active}
        assert len(active) == len(places), "a container is active twice"
        assert {row["container"] for row in sb["Container_Binding"]} == places.keys()
        requested = fakechassis.read_requested(self.ovn)
        assert {name: requested[name] for name in places} == places
        assert {chassis for name, chassis in requested.items() if name not in places} <= {"none"}
        rows = {row["name"]: row["chassis"] for row in self.nb.rows("Service_Container")}
        assert {name: rows[name] for name in places} == places
        bound: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for row in sb["Container_Binding"]:
            bound[row["chassis"]][row["container"]] = row["role"]
        assert {(row["container"], row["chassis"]) for row in sb["Port_Binding"]} == {
            (container, chassis) for chassis, each in bound.items() for container in each
        }
        for chassis in self.chassis.values():
            if chassis.alive and chassis.obeys:
                assert chassis.containers == bound[chassis.name]

    def _hold_history(self, sb: Mapping[str, list[dict[str, Any]]]) -> None:
        """What is remembered is of containers that are there, and ends where they are."""
        names = {row["name"] for row in self.nb.rows("Service_Container")}
        assert {row["container"] for row in sb["Avoided_Chassis"]} <= names
        by_container = defaultdict(list)
        for row in sorted(sb["Placement"], key=lambda row: row["number"]):
            by_container[row["container"]].append(row)
        assert by_container.keys() <= names
        for row in sb["Container_Binding"]:
            if row["role"] == "active":
                assert by_container[row["container"]][-1]["chassis"] == row["chassis"]
        for rows in by_container.values():
            numbers = [row["number"] for row in rows]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert len(numbers) <= history.KEPT

    def find_policies(self, router: str, action: str) -> set[str]:
        """Returns the matches of a router's policies that have an action."""
        row = self.find(self.ovn, "Logical_Router", _uuid=["uuid", router])
        members = find_members(row["policies"])
        policies = self.ovn.rows("Logical_Router_Policy", [["action", "==", action]])
        return {each["match"] for each in policies if each["_uuid"][1] in members}

    def find(self, database: Any, table: str, **columns: Any) -> dict[str, Any]:
        """Returns the one row whose columns have these values."""
        where = [[name, "==", value] for name, value in columns.items()]
        rows: list[dict[str, Any]] = database.rows(table, where)
        assert len(rows) == 1, f"{len(rows)} rows of {table} with {columns}: {rows}"
        return rows[0]


def make_router(name: str, *, gateway: str = "1.0.0.2/24", inside: str = "") -> list[Any]:
    """Returns the operations that make a router as Cloud.add_router() does, its row last."""
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
    return [
        _insert("Gateway_Chassis", gateway_chassis, f"gc{tag}"),
        *(_insert("Logical_Router_Port", port, uuid) for uuid, port in ports.items()),
        _insert("Logical_Router_Static_Route", route, f"default{tag}"),
        _insert("NAT", snat, f"snat{tag}"),
        _insert("Logical_Router", row),
    ]


def make_vpn_cloud(databases: Databases, logs: Logs) -> Cloud:
    """Returns a cloud of three chassis with one VPN that has one connection."""
    made = Cloud(databases, logs)
    made.add_chassis("hv1", "hv2", "hv3")
    made.add_router("tenant-router")
    vpn = made.add_vpn("mercury", "tenant-router")
    made.add_connection(vpn, "to-venus")
    return made


def _find_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Any]:
    """Returns the rows that differ, by table, as they were and as they are."""
    return [
        (
            name,
            table,
            [row for row in rows if row not in now],
            [row for row in now if row not in rows],
        )
        for name, tables in before.items()
        for table, rows in tables.items()
        if (now := after[name][table]) != rows
    ]


def _insert(table: str, row: dict[str, Any], uuid_name: str | None = None) -> dict[str, Any]:
    operation: dict[str, Any] = {"op": "insert", "table": table, "row": row}
    if uuid_name is not None:
        operation["uuid-name"] = uuid_name
    return operation


def _block(northds: tuple[Northd, ...]) -> None:
    """Waits for what the svc-northds wait for, a moment at most."""
    poller = ovs.poller.Poller()
    for northd in northds:
        northd.wait(poller)
    poller.timer_wait(5)
    poller.block()
