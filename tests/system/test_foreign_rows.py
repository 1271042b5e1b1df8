"""Foreign rows on the router beside a VPN: its traffic goes through the tunnel all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ...utilities.lab import tenant, traffic
from .site import SITE_HOST, SITE_LAN, SITE_SUBNET, VM1, Operator

NBCTL = ("ovn-nbctl", "--wait=hv")
UPSTREAM = "1.0.0.1"
HALF, OTHER_HALF = "192.168.2.0/25", "192.168.2.128/25"

OVN = Callable[..., None]


@pytest.fixture
def ovn(operator: Operator) -> Iterator[OVN]:
    """Somebody else with ovn-nbctl; the router is as it was afterwards."""
    central = operator.host("central")
    added: list[tuple[str, ...]] = []

    def run(*words: str, undo: tuple[str, ...] = ()) -> None:
        central.run(*NBCTL, *words)
        if undo:
            added.append(undo)

    yield run
    for undo in added:
        central.run(*NBCTL, *undo)


def _add_route(ovn: OVN, prefix: str, next_hop: str) -> None:
    words = ("lr-route-add", tenant.ROUTER, prefix, next_hop)
    ovn(*words, undo=("--if-exists", "lr-route-del", tenant.ROUTER, prefix, next_hop))


@pytest.mark.parametrize(
    ("prefix", "next_hop"),
    [
        ("192.168.0.0/16", "discard"),
        (SITE_SUBNET, "discard"),
        (SITE_SUBNET, "1.0.0.9"),
        (HALF, "1.0.0.9"),
        (OTHER_HALF, "discard"),
    ],
)
def test_foreign_routes_take_no_traffic(
    operator: Operator, ovn: OVN, prefix: str, next_hop: str
) -> None:
    operator.add_vpn_and_wait()
    _add_route(ovn, prefix, next_hop)
    operator.svcctl("--wait=hv", "sync")
    # Of routes that share traffic each flow takes one.
    for _ in range(4):
        traffic.wait_reachable(operator.lab, "vm1", SITE_HOST, 5)
        traffic.transfer(operator.lab, "vm2", SITE_LAN, SITE_HOST, 1)


def test_a_longer_discard_is_told(operator: Operator, ovn: OVN) -> None:
    operator.add_vpn_and_wait()
    _add_route(ovn, HALF, "discard")
    sentence = f"a route of router {tenant.ROUTER} discards traffic to {HALF}"
    operator.wait(
        lambda: operator.row("IPsec_Connection")["status_message"].startswith(sentence), "the words"
    )
    assert sentence in operator.svcctl("--wide", "vpn-list")
    assert not traffic.is_reachable(operator.lab, "vm1", SITE_HOST)


def test_port_with_a_route_table_of_its_own(operator: Operator, ovn: OVN) -> None:
    operator.add_vpn_and_wait()
    port = f"{tenant.ROUTER}-tenant"
    ovn("lrp-set-options", port, "route_table=guests", undo=("lrp-set-options", port))
    operator.wait(
        lambda: traffic.is_reachable(operator.lab, "vm1", SITE_HOST), "the site from that table"
    )
    traffic.wait_reachable(operator.lab, SITE_LAN, VM1, 5)


def test_a_high_foreign_policy_leads_nothing_around(operator: Operator, ovn: OVN) -> None:
    operator.add_vpn_and_wait()
    _add_policy(ovn, "32700")
    for guest in ("vm1", "vm2"):
        traffic.wait_reachable(operator.lab, guest, SITE_HOST, 5)
        traffic.transfer(operator.lab, guest, SITE_LAN, SITE_HOST, 1)
    operator.svcctl("--wait=hv", "set", "IPsec_Connection", "to-venus", "enabled=false")
    for guest in ("vm1", "vm2"):
        assert not traffic.is_reachable(operator.lab, guest, SITE_HOST)
    message = operator.row("IPsec_Connection")["status_message"]
    assert message == "the connection is disabled; traffic to its peer subnets is dropped"


@pytest.mark.parametrize(
    ("match", "action"),
    [
        (f"ip4.dst == {tenant.SUBNET}", ("reroute", UPSTREAM)),
        (f"ip4.src == {SITE_SUBNET}", ("reroute", UPSTREAM)),
        (f"ip4.src == {SITE_SUBNET}", ("drop",)),
    ],
)
def test_a_foreign_policy_takes_nothing_that_came_out_of_the_tunnel(
    operator: Operator, ovn: OVN, match: str, action: tuple[str, ...]
) -> None:
    operator.add_vpn_and_wait()
    words = (tenant.ROUTER, "1000", match)
    ovn("lr-policy-add", *words, *action, undo=("lr-policy-del", *words))
    traffic.wait_reachable(operator.lab, SITE_LAN, VM1, 5)
    traffic.transfer(operator.lab, "vm1", SITE_LAN, SITE_HOST, 1)


def test_what_a_foreign_route_leads_back_out_is_dropped(operator: Operator, ovn: OVN) -> None:
    """That nothing of it passes in clear is looked at after each test."""
    operator.add_vpn_and_wait()
    _add_route(ovn, f"{VM1}/32", UPSTREAM)
    operator.wait(
        lambda: not traffic.is_reachable(operator.lab, SITE_LAN, VM1), "the route to count"
    )
    assert not traffic.is_reachable(operator.lab, SITE_LAN, VM1)


def test_a_policy_as_high_as_ours_is_told(operator: Operator, ovn: OVN) -> None:
    operator.add_vpn_and_wait()
    _add_policy(ovn, "32766", "ip4.dst == 9.9.9.9")
    operator.wait(
        lambda: operator.row("IPsec_Connection")["status_message"].startswith(
            f"policy 32766 ip4.dst == 9.9.9.9 of router {tenant.ROUTER} may lead traffic around"
        ),
        "the words",
    )


def _add_policy(ovn: OVN, priority: str, match: str = f"ip4.src == {tenant.SUBNET}") -> None:
    words = (tenant.ROUTER, priority, match)
    ovn("lr-policy-add", *words, "allow", undo=("lr-policy-del", *words))
