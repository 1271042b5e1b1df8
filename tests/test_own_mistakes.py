"""A mistake of ours, or of a type, in any node: what runs goes on, and its traffic with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ..lib import nb, sb
from ..northd import graph
from ..northd.ovn import rows as ovn
from ..northd.scheduler.clock import Clock
from ..northd.scheduler.health import Memory
from ..northd.scheduler.mistakes import find_mistakes
from ..services.api.node import Node, Read
from ..services.ipsec.compile import HALF
from ..services.ipsec.rows import VPNService
from .memory_cloud import MemoryCloud
from .population import add_chassis, add_connection, add_site

CHASSIS = ("hv1", "hv2")
NODES = [
    node.datum.name
    for node in graph.make_nodes({"ipsec": HALF}, Memory(Clock()))
    if isinstance(node, Node)
]


def _make_cloud() -> MemoryCloud:
    """Returns a cloud with a VPN that runs."""
    cloud = MemoryCloud()
    for name in CHASSIS:
        add_chassis(cloud, name)
    add_site(cloud, "tenant", "203.0.1")
    cloud.settle(CHASSIS)
    return cloud


def _see(cloud: MemoryCloud) -> Mapping[str, Any]:
    """Returns what serves: policies, ports, and what containers were given."""
    policies = cloud.rows(ovn.RouterPolicy)
    return {
        "policies": sorted((row.action, row.priority, row.match) for row in policies),
        "ports": sorted(row.name for row in cloud.rows(ovn.LogicalSwitchPort)),
        "bound": [(row.chassis, row.configuration) for row in cloud.rows(sb.ContainerBinding)],
    }


def _break(cloud: MemoryCloud, name: str, only: Any = None) -> None:
    """Makes a node raise for every key, or for one."""

    def fail(_value: Any) -> Any:
        raise RuntimeError("a mistake")

    _bend(cloud, name, fail, only)


def _bend(cloud: MemoryCloud, name: str, bend: Callable[[Any], Any], only: Any = None) -> None:
    """Makes a node return something else for every key, or for one."""
    (state,) = (each for each in cloud.engine._states if each.store.name == name)
    well = state.node.run

    def run(read: Read, key: Any) -> Any:
        value = well(read, key)
        return bend(value) if only in (None, key) else value

    state.node = replace(state.node, run=run)
    cloud.engine.recompute()


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_raises_ends_nothing(name: str) -> None:
    cloud = _make_cloud()
    before = _see(cloud)
    actions = [action for action, _, _ in before["policies"]]
    assert (actions.count("drop"), actions.count("reroute")) == (8, 2)
    _break(cloud, name)
    cloud.settle(CHASSIS)
    assert _see(cloud) == before


@pytest.mark.parametrize("name", ["home", "service_own_problem", "service_problem"])
@pytest.mark.parametrize("number", [0, 1])
def test_services_of_one_router_go_on_when_a_node_raises_for_one(name: str, number: int) -> None:
    cloud = _make_cloud()
    (first,) = cloud.rows(VPNService)
    second = cloud.add(
        VPNService,
        name="second",
        router=first.router,
        external_ips=("203.0.1.101",),
        local_subnets=("192.168.1.0/24",),
        connections=(add_connection(cloud, 7),),
    )
    cloud.settle(CHASSIS)
    before = _see(cloud)
    assert len(before["policies"]) == 18
    _break(cloud, name, (first.uuid, second)[number])
    cloud.settle(CHASSIS)
    assert _see(cloud) == before


def test_one_that_no_plan_can_be_made_for_holds_up_nobody() -> None:
    cloud = _make_cloud()
    add_site(cloud, "another", "203.0.2")
    cloud.settle(CHASSIS)
    places = {row.container: row for row in cloud.rows(sb.ContainerBinding)}
    first, second = sorted(places)
    _bend(cloud, "request", lambda request: replace(request, policy="of no name"), first)
    cloud.settle(CHASSIS)
    for name in ("hv3", "hv4"):
        add_chassis(cloud, name)
    for name in CHASSIS:
        cloud.set_verdict(name, alive=False)
    cloud.settle(("hv3", "hv4"))
    now = {row.container: row for row in cloud.rows(sb.ContainerBinding)}
    assert now[first].chassis == places[first].chassis
    assert now[second].chassis in ("hv3", "hv4")
    fault = cloud.engine.faults["placement", first]
    assert "no plan can be made for it: KeyError in " in fault.sentence
    assert "northd/scheduler/schedule.py" in fault.trace
    status = find_status(cloud, first)
    assert status.status_code == "error"
    assert status.status_message.startswith(f"chassis {places[first].chassis}: dead; ")
    assert "no plan can be made for it: KeyError in " in status.status_message


def test_one_that_no_plan_can_be_made_for_takes_its_room() -> None:
    cloud = _make_cloud()
    (first,) = (row.container for row in cloud.rows(sb.ContainerBinding))
    (here,) = (row.chassis for row in cloud.rows(sb.ContainerBinding))
    spread: Any = ["no", "label"]
    _bend(
        cloud,
        "request",
        lambda request: replace(request, policy="of no name", standby=1, spread=spread),
        first,
    )
    add_site(cloud, "another", "203.0.2")
    cloud.settle(CHASSIS)
    second = next(row for row in cloud.rows(sb.ContainerBinding) if row.container != first)
    assert second.chassis != here


def test_mistakes_are_found_by_halves() -> None:
    calls: list[int] = []

    def plan(names: Sequence[str]) -> None:
        calls.append(len(names))
        for name in names:
            if name in ("c17", "c900"):
                raise RuntimeError(name)

    found = find_mistakes(plan, [f"c{number}" for number in range(1024)])
    assert {name: each.sentence for name, each in found.items()} == {
        "c17": "RuntimeError('c17')",
        "c900": "RuntimeError('c900')",
    }
    assert len(calls) <= 2 * 2 * 10 + 1


def test_those_that_cannot_be_planned_together_hold_up_nobody_else() -> None:
    def plan(names: Sequence[str]) -> None:
        if {"c3", "c60"} <= set(names):
            raise RuntimeError("both")

    assert find_mistakes(plan, [f"c{number}" for number in range(100)]).keys() == {"c60"}


def find_status(cloud: MemoryCloud, name: str) -> nb.ServiceContainer:
    """Returns the northbound row of a container."""
    rows: list[nb.ServiceContainer] = cloud.rows(nb.ServiceContainer)
    (row,) = (row for row in rows if row.name == name)
    return row


@pytest.mark.parametrize("enabled", [True, False])
def test_a_type_that_is_not_installed_any_more_ends_nothing(enabled: bool) -> None:
    cloud = _make_cloud()
    (service,) = cloud.rows(VPNService)
    cloud.change(VPNService, service.uuid, enabled=enabled)
    cloud.settle(CHASSIS)
    before = _see(cloud)
    # Without a container its traffic is dropped all the same.
    assert (len(before["policies"]), len(before["bound"])) == ((12, 1) if enabled else (6, 0))
    another = MemoryCloud({})
    for row_class in another.tables:
        for row in cloud.rows(row_class):
            another.put(row)
    for name in CHASSIS:
        another.set_verdict(name)
    another.settle(CHASSIS)
    assert _see(another) == before
