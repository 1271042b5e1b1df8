"""svc-northd where what OVN or the northbound knew of ports is lost: no container moves for it."""

from __future__ import annotations

import pytest

from ..northd.nodes.tables import OVN_PORT_BINDING
from .cloud import Cloud
from .logs import Logs
from .ovsdb import Database, Databases
from .test_northd_replaced import (
    EXPECTED,
    find_containers,
    find_running,
    make_other,
    replace,
    run_long,
    run_until,
)


def bind_port(server: Database, port: str, chassis: str) -> None:
    """Binds a port to a chassis, as ovn-controller does."""
    encap = {"type": "geneve", "ip": "192.0.2.1", "chassis_name": chassis}
    server.transact(
        {"op": "insert", "table": "Encap", "uuid-name": "e", "row": encap},
        {
            "op": "insert",
            "table": "Chassis",
            "uuid-name": "c",
            "row": {"name": chassis, "encaps": ["named-uuid", "e"]},
        },
        {"op": "insert", "table": "Datapath_Binding", "uuid-name": "d", "row": {"tunnel_key": 1}},
        {
            "op": "insert",
            "table": "Port_Binding",
            "row": {
                "logical_port": port,
                "datapath": ["named-uuid", "d"],
                "tunnel_key": 1,
                "chassis": ["named-uuid", "c"],
                "up": True,
            },
        },
    )


def make_near_cloud(databases: Databases, logs: Logs, server: Database) -> Cloud:
    """Returns a cloud with a VPN whose container is to be where the port vm1 is."""
    cloud = Cloud(databases, logs)
    cloud.northd.close()
    cloud.ovn_sb_remote = server.remote
    cloud.northd = cloud.start_northd()
    cloud.add_chassis("hv1", "hv2", "hv3")
    cloud.add_router("tenant-router")
    group = cloud.nb.insert("Port_Group", name="web", ports="vm1")
    own = cloud.nb.insert("Container_Group", name="gold", port_group=["uuid", group])
    vpn = cloud.add_vpn("mercury", "tenant-router", group=["uuid", own])
    cloud.add_connection(vpn, "to-venus")
    cloud.wait_for(lambda: len(find_containers(cloud)) == 1, "the container")
    cloud.settle()
    return cloud


@pytest.mark.parametrize("kind", ["removed", "empty"])
def test_lost_places_of_ports_move_nothing(databases: Databases, logs: Logs, kind: str) -> None:
    for words in EXPECTED:
        logs.allow(words)
    server = Database(databases.directory, "OVN_Southbound", "/usr/share/ovn/ovn-sb.ovsschema")
    bind_port(server, "vm1", "hv2")
    cloud = make_near_cloud(databases, logs, server)
    before = find_running(cloud)
    assert "'chassis': 'hv2'" in before["bindings"][0]
    right = server.read_file()
    known = cloud.northd.engine.get_all
    if kind == "removed":
        server.detach()
        run_until(cloud, lambda: not cloud.northd.ports.connected, "the end of the connection")
    else:
        server.replace(server.make_empty_file())
        run_until(cloud, lambda: not known(OVN_PORT_BINDING), "the empty content")
    run_long(cloud, cloud.step_chassis)
    assert find_running(cloud) == before
    if kind == "removed":
        server.attach()
    else:
        server.replace(right)
    run_until(
        cloud, lambda: cloud.northd.ports.connected and known(OVN_PORT_BINDING), "the content again"
    )
    cloud.settle()
    assert find_running(cloud) == before
    cloud.laws()
    cloud.northd.close()
    server.stop()


def test_a_group_that_is_lost_counts_with_its_ports(databases: Databases, logs: Logs) -> None:
    for words in (*EXPECTED, "is dead"):
        logs.allow(words)
    server = Database(databases.directory, "OVN_Southbound", "/usr/share/ovn/ovn-sb.ovsschema")
    bind_port(server, "vm1", "hv2")
    empty = make_other(databases.nb)
    cloud = make_near_cloud(databases, logs, server)
    replace(cloud, "nb", empty)
    run_long(cloud, cloud.step_chassis)
    assert "'chassis': 'hv2'" in find_running(cloud)["bindings"][0]
    # The guest comes up again on another chassis than the one that dies.
    cloud.chassis["hv2"].alive = False
    server.update("Chassis", [["name", "==", "hv2"]], name="hv3")
    cloud.wait_for(
        lambda: [row["chassis"] for row in cloud.sb.rows("Container_Binding")] == ["hv3"],
        "the container to follow",
    )
    cloud.laws()
    cloud.northd.close()
    server.stop()
