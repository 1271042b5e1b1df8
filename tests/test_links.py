"""Links of containers on a router: each has addresses of its own, whoever else is there."""

from __future__ import annotations

import ipaddress
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ..lib import nb
from ..lib.addresses import Subnet
from ..lib.router import Router, parse_networks
from ..northd.attach import transit
from ..northd.ovn import rows as ovn
from ..services.ipsec.compile import HALF
from .failing_types import OwnHalf
from .memory_cloud import MemoryCloud
from .population import add_chassis, add_operator_container, add_site

CHASSIS = ("hv1", "hv2")
NAMES = st.sampled_from([f"c{number}-lrp" for number in range(8)])
NETWORKS = st.sampled_from(
    [f"169.254.0.{4 * number + 1}/30" for number in range(10)]
    + ["169.254.0.1/24", "10.0.0.1/30", "169.254.169.253/30", "fd00::1/64", "nothing", ""]
)
FOREIGN = ("169.254.0.4/30", "169.254.0.16/29", "0.0.0.0/0", "192.168.1.0/24", "fd00::/64")


def make_router(networks: tuple[Subnet, ...]) -> Router:
    return Router(UUID(int=1), "r", networks, frozenset(), (), frozenset(), (), False)


@given(
    st.sets(st.sampled_from(FOREIGN)),
    st.dictionaries(NAMES, NETWORKS),
    st.sets(NAMES),
)
def test_each_link_has_what_nobody_else_has(
    foreign: set[str], present: dict[str, str], wanted: set[str]
) -> None:
    router = make_router(parse_networks(foreign))
    found = transit.allocate(router, present, wanted)
    assert found.keys() == wanted
    assert len(set(found.values())) == len(wanted)
    for network in found.values():
        assert network.prefixlen == 30
        assert network.subnet_of(transit.RANGE)
        others = (net for net in router.networks if net.prefixlen and net.version == 4)
        assert not any(net.overlaps(network) for net in others)
    for name, text in present.items():
        if name not in wanted and text.endswith("/30") and text.startswith("169.254.0."):
            kept_network = ipaddress.IPv4Interface(text).network
            assert kept_network not in found.values(), "somebody who does not move has it"
    # What was given out stays, whatever else comes.
    kept = {name: f"{network[1]}/30" for name, network in found.items()}
    assert transit.allocate(router, kept, {*wanted, "another-lrp"}).items() >= found.items()


def test_a_router_without_room() -> None:
    router = make_router(parse_networks(["169.254.0.0/16"]))
    assert transit.allocate(router, {}, {"c1-lrp"}) == {}


def make_cloud() -> MemoryCloud:
    cloud = MemoryCloud({"ipsec": HALF, "own": OwnHalf()})
    for name in CHASSIS:
        add_chassis(cloud, name, service_types=("ipsec", "own"))
    return cloud


def find_networks(cloud: MemoryCloud) -> dict[str, str]:
    """Returns the networks of our ports by name."""
    ports = cloud.rows(ovn.LogicalRouterPort)
    return {row.name: row.networks[0] for row in ports if ovn.find_key(row.external_ids)}


def test_a_container_beside_a_vpn_takes_nothing_of_it() -> None:
    cloud = make_cloud()
    site = add_site(cloud, "tenant", "203.0.1")
    cloud.settle(CHASSIS)
    before = find_networks(cloud)
    policies = {row.uuid: row for row in cloud.rows(ovn.RouterPolicy)}
    uuids = [add_operator_container(cloud, name, "own", router="tenant") for name in ("a", "z")]
    cloud.settle(CHASSIS)
    networks = find_networks(cloud)
    assert before.items() <= networks.items()
    assert sorted(networks.values()) == ["169.254.0.1/30", "169.254.0.5/30", "169.254.0.9/30"]
    assert {row.uuid: row for row in cloud.rows(ovn.RouterPolicy)} == policies
    # The link of one that goes is free for the next.
    cloud.remove(nb.ServiceContainer, uuids[0])
    cloud.settle(CHASSIS)
    add_operator_container(cloud, "m", "own", router="tenant")
    cloud.settle(CHASSIS)
    assert find_networks(cloud)["m-lrp"] == networks["a-lrp"]
    assert find_networks(cloud)[f"{site.container}-lrp"] == before[f"{site.container}-lrp"]


def test_links_that_share_a_network_are_parted() -> None:
    cloud = make_cloud()
    site = add_site(cloud, "tenant", "203.0.1")
    add_operator_container(cloud, "a", "own", router="tenant")
    cloud.settle(CHASSIS)
    networks = find_networks(cloud)
    for row in cloud.rows(ovn.LogicalRouterPort):
        if row.name == "a-lrp":
            cloud.change(
                ovn.LogicalRouterPort, row.uuid, networks=(networks[f"{site.container}-lrp"],)
            )
    cloud.settle(CHASSIS)
    assert len(set(find_networks(cloud).values())) == 2
