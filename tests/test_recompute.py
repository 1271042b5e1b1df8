"""Incremental equals recompute: any operations in any order, and a fresh engine beside.

The operator, OVN, the chassis and the clock do what they can do, and now and
then a row gets a value at random.  After each operation what svc-northd wrote is
in the tables, and everything is computed again in an engine that knows nothing.
"""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ..lib import nb, sb
from ..lib.rows import Row
from ..northd.nodes.tables import KNOWN_PORTS, ONLY
from ..northd.ovn import rows as ovn
from ..northd.ovn import southbound as ovn_sb
from ..services.ipsec.rows import IKEPolicy, IPsecConnection, IPsecPolicy, VPNService
from .memory_cloud import KEY, MemoryCloud
from .population import add_chassis, add_connection, add_router
from .random_rows import Weather

CHASSIS = ("hv1", "hv2", "hv3", "hv4")
_MOST_ROUTERS = 5
_MOST_CONNECTIONS = 8

numbers = st.integers(0, 10_000)
names = st.sampled_from(CHASSIS)


class Operations(RuleBasedStateMachine):
    """A cloud in memory and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.cloud = MemoryCloud()
        self.made = 0

    @initialize()
    def begin(self) -> None:
        """Two chassis, a router with a VPN."""
        for name in CHASSIS[:2]:
            add_chassis(self.cloud, name)
        self.add_router()
        self.add_service(0, 0)
        self.add_connection(0, 0)

    def pick(self, row_class: type[Row], number: int) -> Any:
        """Returns one of the rows of a table, None if there is none."""
        rows = sorted(self.cloud.rows(row_class), key=lambda row: row.uuid)
        return rows[number % len(rows)] if rows else None

    def change(self, row_class: type[Row], number: int, **columns: Any) -> None:
        """Sets columns of one of the rows of a table."""
        row = self.pick(row_class, number)
        if row is not None:
            self.cloud.change(row_class, row.uuid, **columns)

    # -- OVN -----------------------------------------------------------------

    @precondition(lambda self: len(self.cloud.rows(ovn.LogicalRouter)) < _MOST_ROUTERS)
    @rule()
    def add_router(self) -> None:
        self.made += 1
        add_router(self.cloud, f"r{self.made % 4}", f"203.0.{self.made % 250}")

    @rule(number=numbers)
    def remove_router(self, number: int) -> None:
        row = self.pick(ovn.LogicalRouter, number)
        if row is not None and number % 9 == 0:
            self.cloud.remove(ovn.LogicalRouter, row.uuid)

    @rule(number=numbers, name=st.sampled_from(["r0", "r1", "r2", "other", "uuid"]))
    def rename_router(self, number: int, name: str) -> None:
        other = self.pick(ovn.LogicalRouter, number + 1)
        if other is not None:
            given = str(other.uuid) if name == "uuid" else name
            self.change(ovn.LogicalRouter, number, name=given)

    @rule(number=numbers, network=st.sampled_from(["10.200.1.1/24", "203.0.1.2/24", "x"]))
    def renumber_port(self, number: int, network: str) -> None:
        self.change(ovn.LogicalRouterPort, number, networks=(network,))

    @rule(number=numbers, members=st.sampled_from(["", "192.168.1.7:80,9.9.9.9:80", "x"]))
    def balance(self, number: int, members: str) -> None:
        vips = {f"192.168.{number % 4}.9:80": members}
        balancer = self.pick(ovn.LoadBalancer, number)
        if balancer is None or number % 3 == 0:
            uuid = self.cloud.add(ovn.LoadBalancer, vips=vips, protocol="udp")
        else:
            uuid = balancer.uuid
            self.cloud.change(ovn.LoadBalancer, uuid, vips=vips)
        self.change(ovn.LogicalRouter, number, load_balancer=(uuid,) if number % 5 else ())

    @rule(number=numbers)
    def remove_balancer(self, number: int) -> None:
        row = self.pick(ovn.LoadBalancer, number)
        if row is not None:
            self.cloud.remove(ovn.LoadBalancer, row.uuid)

    # -- services ----------------------------------------------------------------

    @rule(number=numbers, mode=st.integers(0, 2))
    def add_service(self, number: int, mode: int) -> None:
        router = self.pick(ovn.LogicalRouter, number)
        if router is None or len(self.cloud.rows(VPNService)) >= _MOST_ROUTERS:
            return
        self.made += 1
        self.cloud.add(
            VPNService,
            name=f"vpn{self.made}",
            router=str(router.uuid) if mode == 1 else router.name,
            external_ips=(f"203.0.{number % 5}.{100 + number % 3}",),
            local_subnets=("192.168.1.0/24",) if mode else (f"192.168.{number % 4}.0/24",),
        )

    @rule(number=numbers)
    def remove_service(self, number: int) -> None:
        row = self.pick(VPNService, number)
        if row is not None and number % 4 == 0:
            self.cloud.remove(VPNService, row.uuid)

    @rule(number=numbers, enabled=st.sampled_from([None, True, False]))
    def enable_service(self, number: int, enabled: bool | None) -> None:
        self.change(VPNService, number, enabled=enabled)

    @rule(number=numbers, address=st.sampled_from(["203.0.1.100", "203.0.2.100", "bad", "fd00::1"]))
    def readdress_service(self, number: int, address: str) -> None:
        self.change(VPNService, number, external_ips=(address,))

    @rule(number=numbers)
    def reroute_service(self, number: int) -> None:
        router = self.pick(ovn.LogicalRouter, number)
        self.change(VPNService, number + 1, router=router.name if router else "nowhere")

    @rule(number=numbers, peer=st.integers(1, 4))
    def add_connection(self, number: int, peer: int) -> None:
        service = self.pick(VPNService, number)
        if service is not None and len(self.cloud.rows(IPsecConnection)) < _MOST_CONNECTIONS:
            self.made += 1
            name = f"c{self.made % 9}"
            uuid = add_connection(self.cloud, peer, name=name, psk=f"secret {number % 2}")
            self.change(VPNService, number, connections=(*service.connections, uuid))

    @rule(number=numbers)
    def share_connection(self, number: int) -> None:
        row, service = self.pick(IPsecConnection, number), self.pick(VPNService, number + 1)
        if row is not None and service is not None and row.uuid not in service.connections:
            self.change(VPNService, number + 1, connections=(*service.connections, row.uuid))

    @rule(number=numbers)
    def remove_connection(self, number: int) -> None:
        row = self.pick(IPsecConnection, number)
        for service in self.cloud.rows(VPNService):
            if row is not None and row.uuid in service.connections:
                kept = tuple(each for each in service.connections if each != row.uuid)
                self.cloud.change(VPNService, service.uuid, connections=kept)
        if row is not None:
            self.cloud.remove(IPsecConnection, row.uuid)

    @rule(
        number=numbers,
        subnet=st.sampled_from(["10.200.1.0/24", "10.200.0.0/16", "10.200.9.0/33", "fd00::/64"]),
    )
    def change_peer_subnets(self, number: int, subnet: str) -> None:
        self.change(IPsecConnection, number, peer_subnets=("10.201.0.0/24", subnet))

    @rule(number=numbers, psk=st.sampled_from([None, "", "secret 0", "new"]))
    def change_key(self, number: int, psk: str | None) -> None:
        self.change(IPsecConnection, number, psk=psk)

    @rule(number=numbers, enabled=st.sampled_from([None, False]))
    def enable_connection(self, number: int, enabled: bool | None) -> None:
        self.change(IPsecConnection, number, enabled=enabled)

    @rule(number=numbers, version=st.sampled_from([None, "v1", "v2"]))
    def set_policies(self, number: int, version: str | None) -> None:
        ike, esp = self.pick(IKEPolicy, number), self.pick(IPsecPolicy, number)
        if ike is None or esp is None:
            self.cloud.add(IKEPolicy, name="ike")
            self.cloud.add(IPsecPolicy, name="esp")
            return
        ciphers = ("aes-128", "aes-128-gcm-16")
        self.change(IKEPolicy, number, ike_version=version, encryption_algorithm=ciphers)
        self.change(IPsecConnection, number, ike_policy=ike.uuid, ipsec_policy=esp.uuid)

    # -- groups, wishes, chassis ------------------------------------------------------

    @rule(
        number=numbers,
        standby=st.sampled_from(["0", "1", "2", "x"]),
        spread=st.sampled_from([None, "rack"]),
    )
    def set_group(self, number: int, standby: str, spread: str | None) -> None:
        group = self.pick(nb.ContainerGroup, number)
        if group is None:
            uuid = self.cloud.add(nb.ContainerGroup, name=f"g{self.made}")
        else:
            uuid = group.uuid
            policy = ("weighted", "least", "random", "load", None)[number % 5]
            self.cloud.change(
                nb.ContainerGroup, uuid, options={"standby": standby}, spread=spread, policy=policy
            )
        self.change(VPNService, number, group=uuid if number % 2 else None)

    @rule(number=numbers, allowed=st.sets(names))
    def set_chassis_group(self, number: int, allowed: set[str]) -> None:
        row = self.pick(nb.ChassisGroup, 0)
        if row is None:
            self.cloud.add(nb.ChassisGroup, name="few")
            return
        self.cloud.change(nb.ChassisGroup, row.uuid, chassis=tuple(sorted(allowed)))
        self.change(nb.ContainerGroup, number, chassis_group=row.uuid if number % 3 else None)

    @rule(number=numbers, up=st.sampled_from([None, True, False]))
    def set_port_group(self, number: int, up: bool | None) -> None:
        row, port = self.pick(nb.PortGroup, 0), self.pick(ovn_sb.PortBinding, 0)
        if row is None or port is None:
            self.cloud.add(nb.PortGroup, name="web", ports=("p",))
            chassis = self.cloud.add(ovn_sb.Chassis, name=CHASSIS[number % 2])
            self.cloud.add(ovn_sb.PortBinding, logical_port="p", chassis=chassis)
            return
        self.cloud.change(ovn_sb.PortBinding, port.uuid, up=up)
        self.cloud.engine.put(KNOWN_PORTS, ONLY, frozenset("p") if number % 4 else None)
        self.change(nb.ContainerGroup, number, port_group=row.uuid if number % 2 else None)

    @rule(number=numbers, name=st.none() | names, asked=st.integers(0, 3))
    def wish(self, number: int, name: str | None, asked: int) -> None:
        container = self.pick(nb.ServiceContainer, number)
        if container is None:
            return
        found = [row for row in self.cloud.rows(nb.ContainerWish) if row.name == container.name]
        columns = (
            {"requested_chassis": name}
            if number % 2
            else {"migrate_chassis": name, "migrate_cfg": asked}
        )
        if found:
            self.cloud.change(nb.ContainerWish, found[0].uuid, **columns)
        else:
            self.cloud.add(nb.ContainerWish, name=container.name, **columns)

    @rule(name=names, alive=st.booleans(), problem=st.sampled_from(["", "", "no OVN"]))
    def judge_chassis(self, name: str, alive: bool, problem: str) -> None:
        self.cloud.set_verdict(name, alive=alive, ovn_problem=problem)

    @rule(name=names, life=st.sampled_from(["1", "2"]))
    def restart_chassis(self, name: str, life: str) -> None:
        self.cloud.set_verdict(name, incarnation=life)

    @rule(name=names, key=st.sampled_from([KEY, KEY, None, "bad"]))
    def register_chassis(self, name: str, key: str | None) -> None:
        found = [row for row in self.cloud.rows(sb.Chassis) if row.name == name]
        if found:
            self.cloud.change(sb.Chassis, found[0].uuid, public_key=key)
        else:
            add_chassis(self.cloud, name, other_config={"rack": name[-1]})

    @rule(name=names, number=numbers)
    def remove_chassis(self, name: str, number: int) -> None:
        for row in self.cloud.rows(sb.Chassis):
            if row.name == name and number % 4 == 0:
                self.cloud.remove(sb.Chassis, row.uuid)

    @rule(
        name=names,
        drain=st.booleans(),
        weight=st.sampled_from([None, 0, 1, 3]),
        limit=st.sampled_from([None, 0, 1]),
    )
    def say_of_chassis(self, name: str, drain: bool, weight: int | None, limit: int | None) -> None:
        found = [row for row in self.cloud.rows(nb.Chassis) if row.name == name]
        columns = {"drain": drain, "container_weight": weight, "container_limit": limit}
        if found:
            self.cloud.change(nb.Chassis, found[0].uuid, **columns)
        else:
            self.cloud.add(nb.Chassis, name=name, **columns)

    @rule(enforce=st.booleans(), moves=st.integers(0, 3))
    def set_options(self, enforce: bool, moves: int) -> None:
        self.cloud.set_options(enforce_container_limit=enforce, drain_moves=moves)

    # -- what the chassis do, time, and anything ----------------------------------------

    @rule(obeying=st.sets(names))
    def obey(self, obeying: set[str]) -> None:
        self.cloud.obey(obeying)

    @rule()
    def work(self) -> None:
        """Everybody does all that there is to do, a few times over."""
        for _ in range(3):
            self.cloud.obey(CHASSIS)
            self.cloud.run()
            self.cloud.write()

    @rule(number=numbers, code=st.sampled_from(["starting", "error", "running", "stopped", None]))
    def report(self, number: int, code: str | None) -> None:
        self.change(
            sb.ContainerBinding, number, status_code=code, status_message="so", incarnation="1"
        )

    @rule(number=numbers, state=st.sampled_from(["up", "connecting"]))
    def report_item(self, number: int, state: str) -> None:
        binding = self.pick(sb.ContainerBinding, number)
        row = self.pick(IPsecConnection, number)
        if binding is not None and row is not None:
            self.cloud.add(
                sb.ContainerItem,
                container=binding.container,
                chassis=binding.chassis,
                kind="tunnel",
                name=str(self.made),
                subject=str(row.uuid),
                state=state,
            )

    @rule(spent_ms=st.sampled_from([1, 500, 2000, 15_000, 700_000]))
    def wait(self, spent_ms: int) -> None:
        self.cloud.run(spent_ms)

    @rule(seed=numbers)
    def write_anything(self, seed: int) -> None:
        """Another value in a column of any row."""
        dice = Random(seed)
        rows = [row for rows in self.cloud.tables.values() for row in rows.values()]
        words = (*CHASSIS, *(getattr(row, "name", "") for row in rows), str(rows[0].uuid))
        weather = Weather(seed, words, self._find_uuids)
        row = dice.choice(sorted(rows, key=lambda row: row.uuid))
        self.cloud.put(weather.change_row(row))

    def _find_uuids(self, table: str) -> list[UUID]:
        return [
            uuid
            for row_class, rows in self.cloud.tables.items()
            if table == row_class.TABLE
            for uuid in sorted(rows)
        ]

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def incremental_is_recompute(self) -> None:
        self.cloud.run()
        self.cloud.write()
        self.cloud.run()
        assert not self.cloud.engine.faults, next(iter(self.cloud.engine.faults.values())).trace
        assert self.cloud.engine.find_differences() == []


Operations.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOperations = Operations.TestCase
