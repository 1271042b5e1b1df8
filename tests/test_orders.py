"""An order of the operator is followed at once where the container failed before, and once."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from ..lib import nb
from ..northd.scheduler.health import ERROR_PATIENCE_MS
from ..northd.scheduler.orders import find_orders
from .healthworld import HERE, NOW, World, make_avoided, make_binding


def _wish(**columns: Any) -> nb.ContainerWish:
    row = nb.ContainerWish(uuid.uuid4(), "vpn-1", None, None, 0, 0, "", {})
    return replace(row, **columns)


@pytest.mark.parametrize(
    ("columns", "orders"),
    [
        ({}, set()),
        ({"requested_chassis": "hv2", "migrate_chassis": "hv2", "migrate_cfg": 3}, set()),
        ({"requested_chassis": "hv1"}, {"pin"}),
        ({"migrate_chassis": "hv1"}, set()),
        ({"migrate_chassis": "hv1", "migrate_cfg": 3, "migrated_cfg": 3}, {"migrate 3"}),
        ({"forgive_cfg": {"hv2": 1, "": 2}}, {"forgive all 2"}),
        ({"forgive_cfg": {"hv1": 1, "": 2}}, {"forgive 1", "forgive all 2"}),
    ],
)
def test_orders(columns: dict[str, Any], orders: set[str]) -> None:
    assert find_orders(_wish(**columns), "hv1") == orders


def test_without_a_wish_there_is_none() -> None:
    assert find_orders(None, "hv1") == frozenset()


def _order(world: World, *orders: str) -> set[tuple[str, str]]:
    """Gives the orders that there are from here on; returns which failures count still."""
    world.orders = {HERE: frozenset(orders)}
    seen = world.look()
    world.write(seen)
    return set(seen.avoided)


def test_a_failure_counts_until_there_is_another_order() -> None:
    world = World()
    world.avoided = [make_avoided(orders=("migrate 1",))]
    assert _order(world, "migrate 1") == {HERE}
    assert _order(world, "migrate 2") == set()


def test_an_order_that_is_taken_back_forgives_nothing_and_given_again_does() -> None:
    world = World()
    world.avoided = [make_avoided(orders=("pin",))]
    assert _order(world) == {HERE}
    assert world.avoided[0].orders == ()
    assert _order(world, "pin") == set()


def test_to_give_one_of_two_orders_back_forgives_nothing() -> None:
    world = World()
    world.avoided = [make_avoided(orders=("migrate 1", "pin"))]
    assert _order(world, "migrate 1") == {HERE}


def test_one_that_fails_again_is_avoided_from_the_start_under_the_order() -> None:
    world = World(make_binding(status_code="error", unwell_since=NOW))
    world.avoided = [make_avoided(failures=6)]
    world.orders = {HERE: frozenset({"forgive 1"})}
    assert world.look().avoided == {}
    found = world.look(NOW + ERROR_PATIENCE_MS)
    assert (found.avoided[HERE].failures, found.avoided[HERE].orders) == (1, ("forgive 1",))
    world.write(found)
    assert world.look(NOW + ERROR_PATIENCE_MS).pending == {HERE}
    # Another svc-northd sees it alike.
    world.take_over()
    assert world.look(NOW + ERROR_PATIENCE_MS).pending == {HERE}
