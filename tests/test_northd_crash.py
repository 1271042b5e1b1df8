"""A svc-northd that ends in the middle of a move: the next one goes on from what the rows say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any

import pytest

from ..lib.delta import Change
from ..northd.northd import Northd
from .logs import Logs
from .ovsdb import Databases
from .scenario import Scenario, View, run_scenario

_MOST_LIVES = 200


class Crash(BaseException):
    """The svc-northd ended here."""


@pytest.fixture
def cloud(databases: Databases, logs: Logs) -> Iterator[Scenario]:
    """A cloud of three chassis, held to the laws at the end."""
    yield from run_scenario(databases, logs)


def _end_after(northd: Northd, commits: int) -> None:
    """Makes 'northd' end in place of the transaction after so many."""
    left = commits

    def make(commit: Callable[[Sequence[Change], str], None]) -> Any:
        def mortal(changes: Sequence[Change], comment: str) -> None:
            nonlocal left
            if changes and left == 0:
                raise Crash
            left -= bool(changes)
            commit(changes, comment)

        return mortal

    for session in northd.sessions.values():
        session.commit = make(session.commit)  # type: ignore[method-assign]


def _live_and_die(cloud: Scenario, lives: Sequence[int], note: Callable[[], None]) -> int:
    """Settles with svc-northds that end after so many transactions each; returns their number."""
    for number, commits in zip(range(_MOST_LIVES), cycle(lives), strict=False):
        cloud.northd.close()
        cloud.northd = cloud.start_northd()
        _end_after(cloud.northd, commits)
        try:
            cloud.settle()
        except Crash:
            note()
        else:
            return number
    raise AssertionError("the cloud does not settle")


def _note_views(cloud: Scenario, container: str) -> tuple[list[View], Callable[[], None]]:
    views: list[View] = []

    def note() -> None:
        cloud.step_chassis()
        views.append(cloud.look(container))

    return views, note


@pytest.mark.parametrize("lives", [(1,), (2,), (1, 3, 2)])
def test_move_by_svc_northds_that_end_one_after_the_other(
    cloud: Scenario, lives: tuple[int, ...]
) -> None:
    (container,) = cloud.add_services(1)
    cloud.settle()
    views, note = _note_views(cloud, container)
    cloud.set_chassis("hv1", drain=True)
    assert _live_and_die(cloud, lives, note) > 1
    assert all(view.redirected for view in views)
    # Until the new place serves, the old one is kept.
    assert all(view.serving or {"hv1", "hv2"} == {view.active, *view.standby} for view in views)
    there = View("hv2", ready=("hv2",), up=("hv2",), requested="hv2")
    assert cloud.look(container) == there
    assert cloud.list_history(container) == [
        (1, "hv1", "its first place"),
        (2, "hv2", "chassis hv1 is drained"),
    ]


def test_failed_move_by_svc_northds_that_end_one_after_the_other(cloud: Scenario) -> None:
    (container,) = cloud.add_services(1)
    cloud.settle()
    views, note = _note_views(cloud, container)
    cloud.chassis["hv2"].installs = False
    cloud.set_chassis("hv1", drain=True)
    _live_and_die(cloud, (1,), note)
    assert cloud.look(container) == View("hv2", ("hv1",), ("hv1", "hv2"), (), "hv2")
    cloud.northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    # Each svc-northd gives the full time again.
    cloud.warp(13_000)
    _live_and_die(cloud, (1,), note)
    cloud.northd.close()
    cloud.northd = cloud.start_northd()
    cloud.settle()
    cloud.warp(13_000)
    assert cloud.look(container).active == "hv2"
    cloud.warp(3000)
    assert all(view.redirected for view in views)
    assert cloud.look(container) == View("hv3", ready=("hv3",), up=("hv3",), requested="hv3")
    chassis = [chassis for _, chassis, _ in cloud.list_history(container)]
    assert chassis == ["hv1", "hv2", "hv1", "hv3"]


def test_first_placement_by_svc_northds_that_end_one_after_the_other(cloud: Scenario) -> None:
    group = cloud.add_group("pair", {"standby": "1"})
    (container,) = cloud.add_services(1, group=group)
    _live_and_die(cloud, (1,), lambda: None)
    assert cloud.look(container).standby == ("hv2",)
    assert [number for number, _, _ in cloud.list_history(container)] == [1]


@pytest.mark.parametrize("turned", [True, False])
def test_another_svc_northd_goes_on_with_a_move(cloud: Scenario, turned: bool) -> None:
    (container,) = cloud.add_services(1)
    cloud.settle()
    hv2 = cloud.chassis["hv2"]
    hv2.installs = False
    hv2.slow = set() if turned else {""}
    cloud.set_chassis("hv1", drain=True)
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    before = cloud.look(container)
    assert before.active == ("hv2" if turned else "hv1")
    cloud.northd.close()
    cloud.northd = second
    assert cloud.follow(container) == [before]
    hv2.installs, hv2.slow = True, set()
    views = cloud.follow(container)
    assert all(view.redirected for view in views)
    assert views[-1] == View("hv2", ready=("hv2",), up=("hv2",), requested="hv2")
    assert len(cloud.list_history(container)) == 2


@pytest.mark.parametrize("commits", [1, 2, 3])
def test_northbound_without_a_root_row_gets_it_before_anything_is_built(
    databases: Databases, logs: Logs, commits: int
) -> None:
    cloud = Scenario(databases, logs)
    cloud.add_chassis("hv1")
    cloud.add_services(1)
    _live_and_die(cloud, (commits,), lambda: None)
    cloud.laws()
    cloud.northd.close()
