"""Rules that OVN was given and has not compiled: whoever needs them is not up, and is told."""

from __future__ import annotations

import pytest

from ..lib import loop
from ..northd.northd import Northd
from ..northd.ovn.progress import EXHAUSTED, MOST
from ..services.api.compile import NOT_COMPILED
from .cloud import Cloud
from .sessions import OUTAGE

LATE_MS = 4000
# Until OVN was asked, after it was asked before, and is late.
_ROUNDS = 6


@pytest.fixture
def cloud(vpn_cloud: Cloud) -> Cloud:
    """A cloud whose VPN has a tunnel that is up."""
    vpn_cloud.warp(LATE_MS)  # OVN has compiled the first connection
    _report(vpn_cloud)
    return vpn_cloud


def _report(cloud: Cloud) -> None:
    """Has every chassis say that the tunnels of all connections are up."""
    for row in cloud.nb.rows("IPsec_Connection"):
        for chassis in cloud.chassis.values():
            chassis.report_tunnel(row["_uuid"][1])
    cloud.settle()


def _add_connection(cloud: Cloud) -> None:
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    address = {"peer_address": "1.0.0.4", "peer_subnets": "192.168.4.0/24"}
    cloud.add_connection(vpn, "second", **address)
    cloud.settle()
    _report(cloud)


def _find_statuses(cloud: Cloud) -> dict[str, str]:
    return {row["name"]: row["status"] for row in cloud.nb.rows("IPsec_Connection")}


def _find_first(cloud: Cloud) -> str:
    return next(name for name in _find_statuses(cloud) if name != "second")


def _wait_late(cloud: Cloud) -> None:
    for _ in range(_ROUNDS):
        cloud.warp(LATE_MS)


def _is_waiting(northd: Northd) -> bool:
    return northd.progress.rules.waits


def test_a_connection_that_ovn_did_not_compile_is_not_up(cloud: Cloud) -> None:
    first = _find_first(cloud)
    cloud.ovn_follows = False
    _add_connection(cloud)
    _wait_late(cloud)
    assert _find_statuses(cloud) == {first: "up", "second": "down"}
    row = cloud.find(cloud.nb, "IPsec_Connection", name="second")
    assert row["status_message"].startswith(NOT_COMPILED)
    service = cloud.find(cloud.nb, "VPN_Service")
    assert service["status"] == "partial"
    assert f"second: {NOT_COMPILED}" in service["status_message"]
    assert NOT_COMPILED in cloud.find(cloud.nb, "Service_Container")["status_message"]
    cloud.ovn_follows = True
    cloud.settle()
    assert _find_statuses(cloud) == {first: "up", "second": "up"}
    assert NOT_COMPILED not in cloud.find(cloud.nb, "Service_Container")["status_message"]


def test_a_subnet_that_ovn_did_not_compile_is_not_up(cloud: Cloud) -> None:
    cloud.ovn_follows = False
    subnets = ["set", ["192.168.2.0/24", "192.168.9.0/24"]]
    cloud.nb.update("IPsec_Connection", [], peer_subnets=subnets)
    cloud.settle()
    _wait_late(cloud)
    assert set(_find_statuses(cloud).values()) == {"down"}
    cloud.ovn_follows = True
    cloud.settle()
    assert set(_find_statuses(cloud).values()) == {"up"}


def test_one_that_is_disabled_says_so_too(cloud: Cloud) -> None:
    cloud.ovn_follows = False
    _add_connection(cloud)
    cloud.nb.update("IPsec_Connection", [["name", "==", "second"]], enabled=False)
    cloud.settle()
    _wait_late(cloud)
    message = cloud.find(cloud.nb, "IPsec_Connection", name="second")["status_message"]
    assert "is disabled" in message
    assert NOT_COMPILED in message
    cloud.ovn_follows = True
    cloud.settle()


def test_what_is_gone_is_waited_for_no_more(cloud: Cloud) -> None:
    cloud.ovn_follows = False
    _add_connection(cloud)
    _wait_late(cloud)
    row = cloud.find(cloud.nb, "IPsec_Connection", name="second")
    mutation = ["connections", "delete", ["set", [row["_uuid"]]]]
    cloud.nb.transact(
        {"op": "mutate", "table": "VPN_Service", "where": [], "mutations": [mutation]}
    )
    cloud.settle()
    assert set(_find_statuses(cloud).values()) == {"up"}
    cloud.ovn_follows = True
    cloud.settle()
    _wait_late(cloud)
    assert NOT_COMPILED not in cloud.find(cloud.nb, "Service_Container")["status_message"]


def test_a_standby_that_takes_over_knows_it_too(cloud: Cloud) -> None:
    standby = cloud.start_northd()
    cloud.settle(cloud.northd, standby)
    cloud.ovn_follows = False
    _add_connection(cloud)
    for _ in range(_ROUNDS):
        loop.warp(LATE_MS)
        cloud.settle(cloud.northd, standby)
    cloud.northd.close()
    cloud.northd = standby
    cloud.settle()
    assert _find_statuses(cloud) == {_find_first(cloud): "up", "second": "down"}
    cloud.ovn_follows = True
    cloud.settle()
    assert set(_find_statuses(cloud).values()) == {"up"}


def test_a_standby_forgets_what_ovn_has_compiled(cloud: Cloud) -> None:
    standby = cloud.start_northd()
    cloud.settle(cloud.northd, standby)
    _add_connection(cloud)
    cloud.settle(cloud.northd, standby)
    assert _is_waiting(standby)
    _wait_late(cloud)
    cloud.settle(cloud.northd, standby)
    assert not _is_waiting(standby)
    standby.close()


def test_where_ovn_cannot_be_asked_nobody_is_down_for_it(cloud: Cloud) -> None:
    first = _find_first(cloud)
    cloud.ovn.update("NB_Global", [], nb_cfg=MOST, sb_cfg=MOST)
    _add_connection(cloud)
    _wait_late(cloud)
    assert _find_statuses(cloud) == {first: "up", "second": "up"}
    assert cloud.find(cloud.sb, "Northd")["problem"] == EXHAUSTED
    cloud.ovn.update("NB_Global", [], nb_cfg=1)
    _wait_late(cloud)
    assert cloud.find(cloud.sb, "Northd")["problem"] == ""
    assert not cloud.northd.progress.rules.waits


@pytest.mark.parametrize("name", ["nb", "sb", "ovn"])
def test_what_is_not_compiled_is_so_after_an_outage(cloud: Cloud, name: str) -> None:
    cloud.logs.allow(OUTAGE)
    cloud.ovn_follows = False
    _add_connection(cloud)
    _wait_late(cloud)
    server = getattr(cloud, name)
    server.stop()
    server.start()
    cloud.wait_for(lambda: cloud.northd.active, "an active svc-northd")
    cloud.settle()
    assert _find_statuses(cloud)["second"] == "down"
    cloud.ovn_follows = True
    cloud.settle()
    assert _find_statuses(cloud)["second"] == "up"


def test_what_was_away_while_ovn_answered_is_not_late(cloud: Cloud) -> None:
    """Nothing is said of OVN by a replica that is not being updated."""
    cloud.logs.allow(OUTAGE)
    _add_connection(cloud)
    cloud.ovn.stop()
    for _ in range(10):
        loop.warp(LATE_MS)
        cloud.northd.run()
    cloud.ovn.start()
    cloud.wait_for(lambda: cloud.northd.active, "an active svc-northd")
    assert set(_find_statuses(cloud).values()) == {"up"}


def test_one_that_is_changed_while_it_is_late_is_not_up(cloud: Cloud) -> None:
    cloud.ovn_follows = False
    _add_connection(cloud)
    _wait_late(cloud)
    where = [["name", "==", "second"]]
    for _ in range(3):
        cloud.ovn.update("Logical_Router", [], policies=["set", []])
        cloud.warp(2000)
        assert _find_statuses(cloud)["second"] == "down"
    cloud.nb.update("IPsec_Connection", where, peer_subnets="192.168.44.0/24")
    cloud.settle()
    _report(cloud)
    assert _find_statuses(cloud)["second"] == "down"
    cloud.ovn_follows = True
    cloud.settle()
    _wait_late(cloud)
    assert set(_find_statuses(cloud).values()) == {"up"}


def test_a_standby_that_takes_over_knows_what_is_compiled(cloud: Cloud) -> None:
    """Also of what came in one transaction with a raise, as svcctl --wait makes it."""
    standby = cloud.start_northd()
    both = cloud.northd, standby
    cloud.settle(*both)
    asked = cloud.find(cloud.nb, "SVC_Global")["nb_cfg"] + 1
    cloud.nb.update("SVC_Global", [], nb_cfg=asked)
    vpn = cloud.find(cloud.nb, "VPN_Service")["_uuid"][1]
    cloud.add_connection(vpn, "second", peer_address="1.0.0.4", peer_subnets="192.168.4.0/24")
    cloud.settle(*both)
    _report(cloud)
    cloud.settle(*both)
    assert not _is_waiting(standby)
    cloud.ovn_follows = False
    (row,) = cloud.ovn.rows("NB_Global")
    cloud.ovn.update("NB_Global", [], nb_cfg=row["nb_cfg"] + 1)
    for _ in range(_ROUNDS):
        loop.warp(LATE_MS)
        cloud.settle(*both)
    cloud.northd.close()
    cloud.northd = standby
    cloud.settle()
    assert set(_find_statuses(cloud).values()) == {"up"}
    cloud.ovn_follows = True
    cloud.settle()
