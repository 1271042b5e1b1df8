"""Port groups: on which chassis OVN has their ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ..lib import nb
from ..northd.engine.engine import Engine
from ..northd.nodes import en_port_group
from ..northd.nodes.en_port_group import HOLDERS, Holders
from ..northd.nodes.tables import (
    INDEXES,
    KNOWN_PORTS,
    ONLY,
    OVN_CHASSIS,
    OVN_PORT_BINDING,
    PORT_GROUP,
)
from ..northd.ovn import southbound as ovn_sb
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Database, Databases

HV1, HV2, GONE = UUID(int=1), UUID(int=2), UUID(int=3)
WEB, DB = UUID(int=11), UUID(int=12)
CHASSIS = {HV1: ovn_sb.Chassis(HV1, "hv1"), HV2: ovn_sb.Chassis(HV2, "hv2")}


def _make_groups(**ports: tuple[str, ...]) -> Mapping[UUID, nb.PortGroup]:
    uuids = {"web": WEB, "db": DB}
    return {uuids[name]: nb.PortGroup(uuids[name], name, each) for name, each in ports.items()}


def _bind(**places: tuple[UUID | None, bool | None]) -> Mapping[UUID, ovn_sb.PortBinding]:
    rows = [
        ovn_sb.PortBinding(UUID(int=100 + number), port, chassis, up)
        for number, (port, (chassis, up)) in enumerate(places.items())
    ]
    return {row.uuid: row for row in rows}


def _held(*chassis: str) -> Holders:
    return Holders(frozenset(chassis), frozenset(chassis))


def _find(
    groups: Mapping[UUID, nb.PortGroup],
    known: frozenset[str] | None,
    ports: Mapping[UUID, ovn_sb.PortBinding],
) -> Mapping[UUID, Holders]:
    """Returns the holders of each group that are known."""
    engine = Engine((*INDEXES, *en_port_group.NODES))
    sources: tuple[tuple[Any, Any], ...] = (
        (PORT_GROUP, groups),
        (OVN_PORT_BINDING, ports),
        (OVN_CHASSIS, CHASSIS),
    )
    for datum, values in sources:
        for key, value in values.items():
            engine.put(datum, key, value)
    engine.put(KNOWN_PORTS, ONLY, known)
    engine.run(0)
    return engine.get_all(HOLDERS)


def _make_container_group(port_group: UUID | None) -> nb.ContainerGroup:
    return nb.ContainerGroup(UUID(int=21), "vpns", None, None, port_group, None, {})


def test_ports_count_where_they_are_bound_and_up() -> None:
    groups = _make_groups(web=("a", "b", "c"), db=("d", "e", "unheard-of"))
    ports = _bind(a=(HV1, True), b=(HV2, None), c=(HV1, True), d=(None, None), e=(HV2, False))
    known = frozenset("abcde") | {"unheard-of"}
    found = _find(groups, known, ports)
    # A chassis that does not say "up" is one of an OVN before 21.03.
    assert found == {WEB: _held("hv1", "hv2"), DB: Holders(frozenset({"hv2"}), frozenset())}


def test_a_group_whose_ports_were_not_all_read_is_not_known() -> None:
    groups = _make_groups(web=("a", "b"), db=("a",))
    ports = _bind(a=(HV1, True))
    assert _find(groups, frozenset("a"), ports) == {DB: _held("hv1")}
    assert _find(groups, None, {}) == {}


def test_a_port_on_a_chassis_that_is_gone_counts_nowhere() -> None:
    groups = _make_groups(web=("a",))
    ports = _bind(a=(GONE, True))
    assert _find(groups, frozenset("a"), ports) == {WEB: _held()}


def test_ports_are_wanted_of_groups_that_a_container_group_names() -> None:
    groups = _make_groups(web=("a", "b"), db=("c",))
    for port_group, wanted in ((None, None), (WEB, {"a", "b"}), (DB, {"c"}), (GONE, None)):
        row = _make_container_group(port_group)
        assert en_port_group.find_ports({row.uuid: row}, groups) == wanted
    assert en_port_group.find_ports({}, groups) is None
    row = _make_container_group(WEB)
    assert en_port_group.find_ports({row.uuid: row}, _make_groups(web=())) == frozenset()


# -- with OVN_Southbound ------------------------------------------------------


def test_ports_of_a_group_are_followed_while_a_group_is_used(
    logs: Logs, databases: Databases
) -> None:
    server = Database(databases.directory, "OVN_Southbound", "/usr/share/ovn/ovn-sb.ovsschema")
    cloud = Cloud(databases, logs)
    cloud.northd.close()
    cloud.ovn_sb_remote = server.remote
    cloud.northd = cloud.start_northd()
    cloud.settle()
    assert [cloud.northd.ports.connected] == [False]
    for name in ("hv1", "hv2"):
        _bind_port(server, name)
    ports = ["set", ["port-hv1", "unheard-of"]]
    group = cloud.nb.insert("Port_Group", name="web", ports=ports)
    other = cloud.nb.insert("Container_Group", name="gold", port_group=["uuid", group])
    uuid = UUID(group)

    def find() -> Any:
        holders = cloud.northd.engine.get(HOLDERS, uuid)
        return holders and holders.up

    cloud.wait_for(lambda: find() == {"hv1"}, "the chassis of the port")
    assert [cloud.northd.ports.connected] == [True]
    cloud.nb.update("Port_Group", [], ports=["set", ["port-hv1", "port-hv2"]])
    cloud.wait_for(lambda: find() == {"hv1", "hv2"}, "the chassis of both")
    server.update("Port_Binding", [["logical_port", "==", "port-hv1"]], up=False)
    cloud.wait_for(lambda: find() == {"hv2"}, "the port to be down")
    logs.allow(r"OVN_Southbound\.sock: (connection (attempt failed|closed by peer)|.*error)")
    server.stop()
    cloud.wait_for(lambda: not cloud.northd.ports.connected, "the loss of the connection")
    cloud.settle()
    assert find() == {"hv2"}, "what was last read counts"
    cloud.nb.update("Port_Group", [], ports="port-hv3")
    cloud.wait_for(lambda: find() is None, "the group not to be known")
    server.start()
    _bind_port(server, "hv3")
    cloud.wait_for(lambda: find() == {"hv3"}, "the connection")
    cloud.nb.delete("Container_Group", [["_uuid", "==", ["uuid", other]]])
    cloud.wait_for(lambda: find() is None, "the group to be forgotten")
    assert not cloud.northd.ports.connected
    cloud.laws()
    cloud.northd.close()
    server.stop()


def _bind_port(server: Database, chassis: str) -> None:
    """Adds to OVN_Southbound a chassis and a port on it that is up."""
    encap = {"type": "geneve", "ip": chassis, "chassis_name": chassis}
    port = {
        "logical_port": f"port-{chassis}",
        "datapath": ["named-uuid", "datapath"],
        "tunnel_key": len(server.rows("Port_Binding")) + 1,
        "chassis": ["named-uuid", "chassis"],
        "up": True,
    }
    number = 1 + len(server.rows("Datapath_Binding"))
    tables = (
        ("Encap", "encap", encap),
        ("Chassis", "chassis", {"name": chassis, "encaps": ["named-uuid", "encap"]}),
        ("Datapath_Binding", "datapath", {"tunnel_key": number}),
        ("Port_Binding", "port", port),
    )
    server.transact(
        *(
            {"op": "insert", "table": table, "uuid-name": uuid, "row": row}
            for table, uuid, row in tables
        )
    )
