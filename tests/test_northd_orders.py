"""What an operator orders is tried at once, though the chassis is avoided; forgiveness."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..northd.scheduler.failures import FIRST_PAUSE_MS
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, View, run_scenario


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


@pytest.fixture
def container(cloud: Scenario) -> str:
    """A container that serves from hv3, since it failed on hv1 and hv2."""
    for name in ("hv1", "hv2"):
        cloud.chassis[name].failing = {"": "no memory"}
    (name,) = cloud.add_services(1)
    cloud.settle()
    cloud.warp(2500)
    cloud.warp(2500)
    assert cloud.look(name) == _on("hv3")
    assert set(cloud.list_avoided(name)) == {"hv1", "hv2"}
    return name


def _on(chassis: str) -> View:
    return View(chassis, ready=(chassis,), up=(chassis,), requested=chassis)


def _fail_again(cloud: Scenario, container: str) -> None:
    """Lets it fail on hv1, where it was tried for an order; it goes back and is avoided there."""
    assert cloud.look(container).standby == ("hv1",)
    cloud.warp(2500)
    assert cloud.look(container) == _on("hv3")
    row = cloud.list_avoided(container)["hv1"]
    assert row["failures"] == 1
    assert row["retry_at"] - row["since"] == FIRST_PAUSE_MS


@pytest.mark.parametrize("order", ["pin", "migrate"])
def test_an_order_is_followed_where_it_failed(cloud: Scenario, container: str, order: str) -> None:
    def give() -> None:
        if order == "migrate":
            cloud.migrate(container, "hv1")
        else:
            cloud.set_wish(container, requested_chassis="hv1")
        cloud.settle()

    give()
    _fail_again(cloud, container)
    assert "hv2" in cloud.list_avoided(container)
    said = cloud.find_wish(container)["migrate_status"] if order == "migrate" else ""
    assert "avoided since it failed there (no memory)" in said + cloud.message(container)
    # To take the pin back is no reason to try again, and to pin it anew is one.
    cloud.set_wish(container, requested_chassis=["set", []])
    cloud.settle()
    assert cloud.look(container) == _on("hv3")
    cloud.chassis["hv1"].failing = {}
    give()
    assert cloud.look(container) == _on("hv1")


@pytest.mark.parametrize("key", ["hv1", ""])
def test_a_chassis_is_forgiven_and_avoided_again_if_it_fails(
    cloud: Scenario, container: str, key: str
) -> None:
    cloud.set_wish(container, forgive_cfg=["map", [[key, 1]]])
    cloud.settle()
    assert set(cloud.list_avoided(container)) == (set() if key == "" else {"hv2"})
    assert cloud.look(container) == _on("hv3")
    # hv1 is tried first again, and fails.
    cloud.set_chassis("hv3", drain=True)
    cloud.settle()
    _fail_again_on_drain(cloud, container, key)


def _fail_again_on_drain(cloud: Scenario, container: str, key: str) -> None:
    assert cloud.look(container).standby == ("hv1",)
    cloud.warp(2500)
    row = cloud.list_avoided(container)["hv1"]
    assert row["failures"] == 1
    assert row["orders"] == ("forgive all 1" if key == "" else "forgive 1")
    cloud.chassis["hv1"].failing = {}
    cloud.chassis["hv2"].failing = {}
    cloud.set_wish(container, forgive_cfg=["map", [["", 2]]])
    cloud.settle()
    assert cloud.look(container).active in ("hv1", "hv2")
    assert cloud.look(container).serving
