"""What goes on as it was has what it runs with, whatever its row says: nobody else gets that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..lib import sb
from ..lib.container import KEPT
from ..northd.ovn import rows as ovn
from ..services.ipsec.rows import IPsecConnection, VPNService
from .memory_cloud import MemoryCloud
from .population import Site, add_chassis, add_router, add_site

CHASSIS = ("hv1", "hv2")


@pytest.fixture
def cloud() -> MemoryCloud:
    """A cloud of two chassis."""
    made = MemoryCloud()
    for name in CHASSIS:
        add_chassis(made, name)
    return made


def _read_configuration(cloud: MemoryCloud, site: Site) -> Any:
    (binding,) = (row for row in cloud.rows(sb.ContainerBinding) if row.container == site.container)
    return json.loads(binding.configuration)


def _find_peers(cloud: MemoryCloud, site: Site) -> list[str]:
    """Returns the third octet of each connection's peer subnet, as the container was given it."""
    entries = {each["id"]: each for each in _read_configuration(cloud, site)["connections"]}
    return [entries[str(uuid)]["peer_subnets"][0].split(".")[2] for uuid in site.connections]


def _set_peers(cloud: MemoryCloud, site: Site, wanted: dict[int, int]) -> None:
    for number, octet in wanted.items():
        uuid = site.connections[number - 1]
        cloud.change(IPsecConnection, uuid, peer_subnets=(f"10.200.{octet}.0/24",))
    cloud.settle(CHASSIS)


def _find_kept(cloud: MemoryCloud) -> list[str]:
    rows = cloud.rows(IPsecConnection)
    return [row.name for row in rows if row.status_message.startswith(KEPT)]


def test_a_subnet_that_is_kept_is_not_free_for_another(cloud: MemoryCloud) -> None:
    site = add_site(cloud, "site", "203.0.113", connections=4)
    cloud.settle(CHASSIS)
    _set_peers(cloud, site, {4: 1})
    _set_peers(cloud, site, {3: 4})
    _set_peers(cloud, site, {2: 3})
    assert _find_peers(cloud, site) == ["1", "2", "3", "4"]
    assert _find_kept(cloud) == ["c2", "c3", "c4"]
    # Once the first of them can go, all do.
    _set_peers(cloud, site, {1: 9})
    assert _find_peers(cloud, site) == ["9", "3", "4", "1"]
    assert _find_kept(cloud) == []


def test_subnets_are_swapped_beside_a_mistake(cloud: MemoryCloud) -> None:
    site = add_site(cloud, "site", "203.0.113", connections=3)
    cloud.settle(CHASSIS)
    cloud.change(IPsecConnection, site.connections[2], peer_address="nowhere")
    _set_peers(cloud, site, {1: 2, 2: 1})
    assert _find_peers(cloud, site) == ["2", "1", "3"]
    assert _find_kept(cloud) == ["c3"]


def test_a_shift_ends_at_one_that_is_kept(cloud: MemoryCloud) -> None:
    site = add_site(cloud, "site", "203.0.113", connections=4)
    cloud.settle(CHASSIS)
    cloud.change(IPsecConnection, site.connections[3], peer_address="nowhere")
    _set_peers(cloud, site, {1: 2, 2: 3, 3: 4})
    assert _find_peers(cloud, site) == ["1", "2", "3", "4"]


# -- external addresses ----------------------------------------------------------


def _find_addresses(cloud: MemoryCloud, *sites: Site) -> list[str]:
    """Returns the last octet of the address that each router has in OVN."""
    keys = {ovn.find_key(row.external_ids): row.external_ip for row in cloud.rows(ovn.NAT)}
    found = []
    for site in sites:
        (address,) = (keys[key] for key in keys if (key or "").startswith(site.container))
        found.append(address.split(".")[3])
    return found


def _add_sites(cloud: MemoryCloud, *names: str) -> list[Site]:
    """Adds sites on one network outside, with the addresses .100, .101..."""
    sites = [
        add_site(cloud, name, "203.0.113", 1, external_ips=(f"203.0.113.{100 + number}",))
        for number, name in enumerate(names)
    ]
    cloud.settle(CHASSIS)
    return sites


def _set_address(cloud: MemoryCloud, site: Site, address: str) -> None:
    cloud.change(VPNService, site.service, external_ips=(address,))
    cloud.settle(CHASSIS)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_an_address_in_use_is_not_free_for_one_that_runs(
    cloud: MemoryCloud, names: tuple[str, str]
) -> None:
    first, second = _add_sites(cloud, *names)
    _set_address(cloud, second, "203.0.113.100")
    assert _find_addresses(cloud, first, second) == ["100", "101"]
    # Once it is given back the other has it.
    _set_address(cloud, first, "203.0.113.102")
    assert _find_addresses(cloud, first, second) == ["102", "100"]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_an_address_that_is_kept_is_not_free_for_another(
    cloud: MemoryCloud, names: tuple[str, str]
) -> None:
    first, second = _add_sites(cloud, *names)
    _set_address(cloud, first, "203.0.113.1000")
    _set_address(cloud, second, "203.0.113.100")
    assert _find_addresses(cloud, first, second) == ["100", "101"]
    newcomer = add_site(cloud, "c", "203.0.113", 1, external_ips=("203.0.113.100",))
    cloud.settle(CHASSIS)
    assert cloud.tables[VPNService][newcomer.service].status == "error"
    _set_address(cloud, first, "203.0.113.102")
    assert _find_addresses(cloud, first, second) == ["102", "100"]


def test_an_address_kept_for_another_ones_sake_is_not_free(cloud: MemoryCloud) -> None:
    first, second, third = _add_sites(cloud, "c", "b", "a")
    _set_address(cloud, second, "203.0.113.100")
    _set_address(cloud, third, "203.0.113.101")
    assert _find_addresses(cloud, first, second, third) == ["100", "101", "102"]


def test_addresses_are_swapped(cloud: MemoryCloud) -> None:
    first, second = _add_sites(cloud, "a", "b")
    cloud.change(VPNService, first.service, external_ips=("203.0.113.101",))
    cloud.change(VPNService, second.service, external_ips=("203.0.113.100",))
    cloud.settle(CHASSIS)
    assert _find_addresses(cloud, first, second) == ["101", "100"]


# -- routers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mistake",
    [{"external_ips": ("nothing",)}, {"local_subnets": ()}, {"address_mode": "proxy-arp"}],
)
def test_a_service_stays_while_it_cannot_be_served_elsewhere(
    cloud: MemoryCloud, mistake: dict[str, Any]
) -> None:
    site = add_site(cloud, "site", "203.0.113", connections=1)
    other = add_router(cloud, "other", "203.0.113")
    cloud.settle(CHASSIS)
    before, row = _read_configuration(cloud, site), cloud.tables[VPNService][site.service]
    cloud.change(VPNService, site.service, router="other", **mistake)
    cloud.settle(CHASSIS)
    assert _read_configuration(cloud, site) == before
    assert cloud.tables[VPNService][site.service].status_message.startswith(KEPT)
    cloud.change(VPNService, site.service, **{name: getattr(row, name) for name in mistake})
    cloud.settle(CHASSIS)
    moved = {row.container for row in cloud.rows(sb.ContainerBinding)}
    assert moved == {Site(other, site.service, site.connections).container}
    assert not _find_drops(cloud, site.router)


def test_a_service_that_stays_is_guarded_where_it_is_to_go(cloud: MemoryCloud) -> None:
    site = add_site(cloud, "site", "203.0.113", connections=1)
    other = add_router(cloud, "other", "203.0.113")
    for port in cloud.tables[ovn.LogicalRouter][other].ports:
        cloud.change(ovn.LogicalRouterPort, port, gateway_chassis=())
    cloud.settle(CHASSIS)
    cloud.change(VPNService, site.service, router="other")
    cloud.settle(CHASSIS)
    assert _read_configuration(cloud, site)["connections"]
    assert len(_find_drops(cloud, site.router)) == 4
    assert len(_find_drops(cloud, other)) == 1


def test_a_service_moves_with_the_names_of_routers(cloud: MemoryCloud) -> None:
    first, second = _add_sites(cloud, "a", "b")
    cloud.change(ovn.LogicalRouter, first.router, name="b")
    cloud.change(ovn.LogicalRouter, second.router, name="a")
    cloud.settle(CHASSIS)
    assert _find_addresses(cloud, first, second) == ["101", "100"]


def _find_drops(cloud: MemoryCloud, router: Any) -> list[str]:
    policies = cloud.tables[ovn.LogicalRouter][router].policies
    rows = (cloud.tables[ovn.RouterPolicy][uuid] for uuid in policies)
    return [row.match for row in rows if row.action == "drop"]
