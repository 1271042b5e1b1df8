"""Changes of a live VPN while guests ping: the fixture's law holds that nothing leaves in clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ...utilities.lab import cloud, tenant, traffic
from ...utilities.lab.central import list_northds
from ...utilities.lab.state import Lab
from .scene import Scene
from .site import SITE_SUBNET, Operator

WATCHED_PINGS = 40
PING_INTERVAL_S = 0.05
NORTHBOUND = "/var/lib/ovnsvc/svcnb_db.db"
YESTERDAY = f"{NORTHBOUND}.yesterday"


def rename_router(operator: Operator) -> None:
    rename(operator, tenant.ROUTER, "renamed")


def make_local_subnets_overlap(operator: Operator) -> None:
    set_service(operator, local_subnets=f"{tenant.SUBNET},192.168.0.0/16")


def misspell_peer_subnets(operator: Operator) -> None:
    set_connection(operator, peer_subnets="192.168.2.0/33")


def duplicate_router(operator: Operator) -> None:
    row = {"name": tenant.ROUTER}
    operator.transact("OVN_Northbound", {"op": "insert", "table": "Logical_Router", "row": row})


def disable_connection(operator: Operator) -> None:
    set_connection(operator, enabled=False)


def change_external_ips(operator: Operator) -> None:
    set_service(operator, external_ips="1.0.0.101")


CHANGES = (
    rename_router,
    make_local_subnets_overlap,
    misspell_peer_subnets,
    duplicate_router,
    disable_connection,
    change_external_ips,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nothing_leaves_in_clear(operator: Operator, change: Callable[[Operator], None]) -> None:
    operator.add_vpn_and_wait()
    pings = [operator.ping(guest, PING_INTERVAL_S) for guest in ("vm1", "vm2")]
    for ping in pings:
        ping.wait_answers(5)
    try:
        change(operator)
        operator.try_svcctl("--wait=hv", "sync")
        # As many requests more, answered or not.
        after = traffic.Ping(operator.lab, "central", "127.0.0.1", PING_INTERVAL_S)
        after.wait_answers(WATCHED_PINGS)
        after.stop()
        assert operator.count_clear() == 0
    finally:
        operator.stop_pings()
        restore_router(operator)


def test_what_a_chassis_refuses_disturbs_nothing(scene: Scene) -> None:
    """What svc-northd lets through, a chassis may refuse; it is written in place of svc-northd."""
    scene.begin("hv2", "vm1")
    operator, central = scene.operator, scene.operator.host("central")
    charon = operator.find_charon("hv2")
    for name in list_northds(central):
        cloud.kill_process(central, name)
    update(operator, "Port_Binding", {"mtu": 500}, "SVC_Southbound", scene.container)
    (row,) = find_bindings(scene)
    broken = {"configuration": "{", "generation": row["generation"] + 1}
    update(operator, "Container_Binding", broken, "SVC_Southbound", scene.container)
    kept = f"still as configured before: port {scene.container}: MTU 500 is not in 576..65535"
    operator.wait(lambda: find_bindings(scene)[0]["status_message"] == kept, "the reason")
    cloud.kill_process(operator.host("hv2"), "svc-controller")
    cloud.start_process(operator.host("hv2"), "svc-controller")
    scene.ping.wait_answers(WATCHED_PINGS)
    (row,) = find_bindings(scene)
    assert (row["status_code"], row["status_message"]) == ("running", kept)
    assert row["reached_generation"] == broken["generation"] - 1
    for name in list_northds(central):
        cloud.start_process(central, name)
    operator.wait(lambda: find_bindings(scene)[0]["status_message"] != kept, "the row mended")
    operator.svcctl("--wait=hv", "sync")
    assert scene.end().lost == 0
    assert operator.find_charon("hv2") == charon
    assert scene.list_places() == ["hv2"]


def test_databases_are_converted_online(scene: Scene) -> None:
    """As upgrades do it: everybody follows, and what is deleted afterwards is put back.

    The guest is silent while its drops are away by somebody's own order: what OVN does until they
    are back is what it was told.
    """
    scene.begin("hv2", "vm1")
    operator = scene.operator
    drops = find_drops(operator)
    for database in ("OVN_Northbound", "OVN_Southbound", "SVC_Northbound", "SVC_Southbound"):
        operator.convert(database)
    scene.ping.wait_answers(WATCHED_PINGS)
    scene.ping.stop()
    rows = operator.rows("OVN_Northbound", "Logical_Router", ["name", "==", tenant.ROUTER])
    delete = {
        "op": "mutate",
        "table": "Logical_Router",
        "where": [["_uuid", "==", rows[0]["_uuid"]]],
        "mutations": [["policies", "delete", rows[0]["policies"]]],
    }
    operator.transact("OVN_Northbound", delete)
    operator.wait(lambda: find_drops(operator) == drops, "the drops")
    operator.svcctl("--wait=hv", "sync")
    scene.ping = operator.ping("vm1")
    # Whoever is not followed is dead by then.
    scene.ping.wait_answers(2 * WATCHED_PINGS)
    assert scene.list_places() == ["hv2"]
    scene.end()


def test_a_northbound_restored_from_an_older_file_ends_nothing(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    operator, central = scene.operator, scene.operator.host("central")
    central.run("cp", NORTHBOUND, YESTERDAY)
    before = find_drops(operator)
    psk = f"--psk-file={operator.psk_file}"
    operator.svcctl(
        "--wait=hv", "conn-add", "mercury", "to-luna", "1.0.0.9", "192.168.99.0/24", psk
    )
    today = find_drops(operator)
    assert before < today
    cloud.kill_process(central, "svcnb_db")
    central.run("mv", YESTERDAY, NORTHBOUND)
    cloud.start_process(central, "svcnb_db")
    sentence = "SVC_Northbound lost content: IPsec_Connection to-luna (and 1 more) goes on"
    operator.wait(lambda: sentence in operator.tell_status(), "the sentence")
    assert "to-luna" not in operator.svcctl("--wide", "conn-list", "mercury")
    operator.svcctl("--wait=hv", "sync")
    scene.ping.wait_answers(WATCHED_PINGS)
    assert find_drops(operator) == today
    operator.svcctl("clear", "SVC_Global", ".", "lost_content_cfg")
    operator.wait(lambda: find_drops(operator) == before, "the end of what was lost")
    assert scene.list_places() == ["hv2"]
    scene.end()


def find_drops(operator: Operator) -> set[str]:
    """Returns the matches of the policies that drop, of all routers."""
    rows = operator.rows("OVN_Northbound", "Logical_Router_Policy", ["action", "==", "drop"])
    return {row["match"] for row in rows}


def find_bindings(scene: Scene) -> list[dict[str, Any]]:
    """Returns the bindings of the first VPN's container."""
    where = ["container", "==", scene.container]
    return scene.operator.rows("SVC_Southbound", "Container_Binding", where)


def test_law_sees_what_leaves_in_clear(lab: Lab, tmp_path: Path) -> None:
    capture = traffic.Capture(lab, tmp_path / "provider.pcap")
    try:
        assert not traffic.is_reachable(lab, "vm1", "192.168.2.10")
        assert not traffic.is_reachable(lab, "vm2", "192.168.2.10")
    finally:
        capture.stop()
    assert capture.count(traffic.format_clear(tenant.SUBNET, SITE_SUBNET)) >= 2


def rename(operator: Operator, before: str, after: str) -> None:
    where = [["name", "==", before]]
    operation = {"op": "update", "table": "Logical_Router", "where": where, "row": {"name": after}}
    operator.transact("OVN_Northbound", operation)


def restore_router(operator: Operator) -> None:
    """Gives the tenant's router its name back and removes the other."""
    rename(operator, "renamed", tenant.ROUTER)
    empty = [["name", "==", tenant.ROUTER], ["ports", "==", ["set", []]]]
    operation = {"op": "delete", "table": "Logical_Router", "where": empty}
    operator.transact("OVN_Northbound", operation)


def set_service(operator: Operator, **columns: object) -> None:
    update(operator, "VPN_Service", columns)


def set_connection(operator: Operator, **columns: object) -> None:
    update(operator, "IPsec_Connection", columns)


def update(
    operator: Operator,
    table: str,
    columns: dict[str, object],
    database: str = "SVC_Northbound",
    container: str = "",
) -> None:
    """Writes past svcctl, which would refuse a part of this; to the rows of 'container', if any."""
    where = [["container", "==", container]] if container else []
    operation = {"op": "update", "table": table, "where": where, "row": columns}
    operator.transact(database, operation)
