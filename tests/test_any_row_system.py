"""Rows at random in real databases, under a svc-northd that runs: nobody else sees any of it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import pytest

from ..lib import nb, sb
from ..lib.rows import Row
from ..northd.ovn import rows as ovn
from ..services.ipsec.rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Database, Databases, request
from .random_rows import Weather, format_row

ROWS = 300
HEALTHY = ("Container_Binding", "Port_Binding", "Redirect_Flow")

# Beside the root rows those that a test can make without those that they hang on.
NORTHBOUND: tuple[type[Row], ...] = (
    nb.Chassis,
    nb.ChassisGroup,
    nb.ContainerGroup,
    nb.ContainerWish,
    nb.PortGroup,
    nb.ServiceContainer,
    IKEPolicy,
    IPsecPolicy,
    VPNService,
)
SOUTHBOUND: tuple[type[Row], ...] = (
    sb.AvoidedChassis,
    sb.Chassis,
    sb.ChassisPrivate,
    sb.ChassisWeight,
    sb.ContainerItem,
    sb.PortBinding,
    sb.RedirectFlow,
)
# Each with what holds it.
HELD: tuple[tuple[type[Row], str, str], ...] = (
    (ovn.LogicalRouterPort, "Logical_Router", "ports"),
    (ovn.StaticRoute, "Logical_Router", "static_routes"),
    (ovn.RouterPolicy, "Logical_Router", "policies"),
    (ovn.NAT, "Logical_Router", "nat"),
    (ovn.LogicalSwitchPort, "Logical_Switch", "ports"),
)


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Cloud]:
    """A cloud with a VPN that runs, and one that is in the way of what comes."""
    made = Cloud(databases, logs)
    made.checking = made.northd.checking = False
    made.add_chassis("good-hv1", "good-hv2")
    for name, network in (("good", "203.0.113"), ("bad", "100.64.0")):
        made.add_router(name, gateway=f"{network}.2/24")
        vpn = made.add_vpn(name, name, external_ips=f"{network}.100")
        made.add_connection(vpn, "to-venus")
    made.settle()
    yield made
    made.northd.close()


class _Rain:
    """Puts rows at random into a cloud; what the server does not take counts as well."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self._cloud = cloud
        self._random = Random(seed)
        names = [row["name"] for row in cloud.nb.rows("Service_Container")]
        good = self._find_good()
        words = ["bad", "bad-hv1", "svc0", "ipsec", *(each for each in names if each != good)]
        self._weather = Weather(seed, words, lambda _table: [])
        self.taken = 0

    def _find_good(self) -> str:
        router = self._cloud.find(self._cloud.ovn, "Logical_Router", name="good")["_uuid"][1]
        return f"vpn-{router.replace('-', '')[:11]}"

    def fall(self) -> None:
        """Adds one row, or a few that hang together."""
        kind = self._random.randrange(4)
        if kind == 0:
            self._insert(self._cloud.nb, self._random.choice(NORTHBOUND))
        elif kind == 1:
            self._insert(self._cloud.sb, self._random.choice(SOUTHBOUND))
        elif kind == 2:
            self._insert(self._cloud.ovn, *self._random.choice(HELD))
        else:
            self._insert(self._cloud.nb, IPsecConnection, "VPN_Service", "connections")

    def _insert(
        self, database: Database, row_class: type[Row], holder: str = "", column: str = ""
    ) -> None:
        row = self._weather.draw_row(row_class, UUID(int=0))
        operations: list[dict[str, Any]] = [
            {"op": "insert", "table": row_class.TABLE, "uuid-name": "new", "row": format_row(row)}
        ]
        if holder:
            name = self._weather.draw_text()
            whole = {"name": name, column: ["named-uuid", "new"]}
            operations.append({"op": "insert", "table": holder, "row": whole})
        results = request(database.socket, "transact", [database.name, *operations])
        self.taken += not any(each and "error" in each for each in results)


def _see(cloud: Cloud, container: str) -> dict[str, Any]:
    """Returns what stands of a container, and of its rows in OVN."""
    where = [["container", "==", container]]
    found: dict[str, Any] = {table: cloud.sb.rows(table, where) for table in HEALTHY}
    for table in ("Logical_Switch", "Logical_Switch_Port", "Logical_Router_Policy", "NAT"):
        found[table] = [
            row
            for row in cloud.ovn.rows(table)
            if dict(row["external_ids"][1]).get("ovnsvc-key", "").startswith(container)
        ]
    found["VPN_Service"] = cloud.nb.rows("VPN_Service", [["name", "==", "good"]])
    return {table: sorted(str(row) for row in rows) for table, rows in found.items()}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(2))
def test_rows_at_random_under_a_svc_northd_that_runs(cloud: Cloud, logs: Logs, seed: int) -> None:
    for pattern in (
        "transaction refused",
        "is alive|is dead|is unfit",
        "it counts as not set",
        "not a number",
    ):
        logs.allow(pattern)
    rain = _Rain(cloud, seed)
    good = rain._find_good()
    before = _see(cloud, good)
    assert before["Logical_Router_Policy"]
    for number in range(ROWS):
        rain.fall()
        if number % 10 == 0:
            cloud.step()
    cloud.settle()
    assert rain.taken > ROWS // 3
    assert not cloud.northd.engine.faults
    assert _see(cloud, good) == before
    assert cloud.northd.engine.find_differences() == []
    # Whoever serves goes on to be looked after.
    logs.allow("is dead: its heartbeat stopped")
    place = cloud.find(cloud.sb, "Container_Binding", container=good)["chassis"]
    cloud.chassis[place].alive = False
    cloud.pass_time(6000)
    assert cloud.find(cloud.sb, "Container_Binding", container=good)["chassis"] != place
    _remove_switches_of_others(cloud)
    cloud.laws()


def _remove_switches_of_others(cloud: Cloud) -> None:
    """Removes the ports that the laws would take for those of containers."""
    for row in cloud.ovn.rows("Logical_Switch"):
        if dict(row["external_ids"][1]).get("ovnsvc") != "svc-northd":
            cloud.ovn.delete("Logical_Switch", [["_uuid", "==", row["_uuid"]]])
