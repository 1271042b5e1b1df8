"""Planned moves: migration, drain, weight 0, a chassis that leaves; none of them breaks a VPN."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .scene import ENOUGH_ANSWERS, Scene

# Traffic may stop while a peer finds its way to the new place, 0.5 s by the aim; this leaves room
# for a busy machine, and none for a tunnel that is made anew when its peer finds out.
BEARABLE_S = 2.0


def migrate(scene: Scene) -> None:
    scene.operator.svcctl("container-migrate", scene.container, "hv3")


def drain(scene: Scene) -> None:
    scene.operator.svcctl("chassis-drain", "--wait", "hv2")
    assert "hv2" not in scene.list_places()


def set_weight_0(scene: Scene) -> None:
    scene.operator.svcctl("chassis-set-weight", "hv2", "0")


@pytest.mark.parametrize("move", [migrate, drain, set_weight_0], ids=lambda each: each.__name__)
def test_planned_move_breaks_nothing(scene: Scene, move: Callable[[Scene], None]) -> None:
    scene.begin("hv2", "vm1")
    move(scene)
    place = scene.wait_moved("hv2")
    scene.operator.wait(lambda: scene.list_places() == [place], "the end of the move")
    scene.operator.wait(lambda: not scene.has_debris("hv2"), "the old place to be empty")
    assert scene.end().longest_gap_s < BEARABLE_S


def test_chassis_leaves_for_good_and_comes_back(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    operator = scene.operator
    host = operator.host("hv2")
    script = "ovs-appctl -t /run/ovnsvc/svc-controller.$(cat /run/ovnsvc/svc-controller.pid).ctl"
    host.run("sh", "-c", f"{script} exit --cleanup")
    operator.wait(lambda: not host.find_processes("svc-controller"), "the end of svc-controller")
    assert scene.find_active() not in ("", "hv2")
    assert not scene.has_debris("hv2")
    for table, column in (("Chassis", "name"), ("Chassis_Private", "name")):
        assert not operator.rows("SVC_Southbound", table, [column, "==", "hv2"])
    scene.ping.wait_answers(ENOUGH_ANSWERS)
    assert scene.end().longest_gap_s < BEARABLE_S
