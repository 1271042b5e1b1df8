"""What goes on as it was has what it runs with, whatever its row says: nobody else gets that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ..lib import sb
from ..lib.container import KEPT
from ..services.ipsec.rows import IPsecConnection
from .memory_cloud import MemoryCloud
from .population import Site, add_chassis, add_site

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
