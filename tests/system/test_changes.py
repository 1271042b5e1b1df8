"""Changes of a live VPN while guests ping: the fixture's law holds that nothing leaves in clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ...utilities.lab import tenant, traffic
from ...utilities.lab.state import Lab
from .site import SITE_SUBNET, Operator

WATCHED_PINGS = 40
PING_INTERVAL_S = 0.05


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
def test_nothing_leaves_in_clear(
    operator: Operator, change: Callable[[Operator], None]
) -> None:
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


def update(operator: Operator, table: str, columns: dict[str, object]) -> None:
    """Writes past svcctl, which would refuse a part of this."""
    operation = {"op": "update", "table": table, "where": [], "row": columns}
    operator.transact("SVC_Northbound", operation)
