"""container-forgive, and orders that imply it."""

from __future__ import annotations

import pytest

from .ovsdb import Databases
from .svcctl import Svcctl, add_container, find_wish


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """Three chassis that are alive, and container vpn-1 on hv1, which avoids the others."""
    add_container(databases)
    for chassis in ("hv2", "hv3"):
        databases.sb.insert("Avoided_Chassis", container="vpn-1", chassis=chassis)
    return svcctl


def _find_numbers(databases: Databases) -> dict[str, int]:
    row = find_wish(databases)
    return dict(row["forgive_cfg"][1]) if row else {}


def test_requests_are_counted(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-forgive", "vpn-1", "hv2")
    assert _find_numbers(databases) == {"hv2": 1}
    cloud.good("container-forgive", "vpn-1", "hv3", "--", "container-forgive", "vpn-1", "hv2")
    assert _find_numbers(databases) == {"hv2": 3, "hv3": 2}
    cloud.good("container-forgive", "vpn-1")
    assert _find_numbers(databases) == {"": 4}
    # The number stays, so that the next request is another one.
    cloud.good("container-pin", "vpn-1", "hv1", "--", "container-unpin", "vpn-1")
    assert _find_numbers(databases) == {"": 4}


def test_what_is_not_avoided(cloud: Svcctl, databases: Databases) -> None:
    said = cloud.bad("container-forgive", "vpn-1", "hv1")
    assert said == "hv1: not avoided by container vpn-1"
    cloud.good("--if-exists", "container-forgive", "vpn-1", "hv1")
    databases.sb.delete("Avoided_Chassis")
    cloud.good("container-forgive", "vpn-1")
    assert find_wish(databases) == {}
    assert cloud.bad("container-forgive", "nono") == "nono: container not found"
    databases.sb.stop()
    said = cloud.bad("container-forgive", "vpn-1", "hv2")
    assert said.startswith("what container vpn-1 avoids cannot be looked up (--no-check omits")
    cloud.good("--no-check", "container-forgive", "vpn-1", "hv2")
    assert _find_numbers(databases) == {"hv2": 1}


def test_to_pin_it_where_it_is_pinned_is_an_order_too(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-pin", "vpn-1", "hv2")
    assert _find_numbers(databases) == {}
    cloud.good("container-pin", "vpn-1", "hv2")
    assert _find_numbers(databases) == {"hv2": 1}
    assert find_wish(databases)["requested_chassis"] == "hv2"
