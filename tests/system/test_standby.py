"""A warm standby takes over."""

from __future__ import annotations

from .scene import Scene


def test_standby_takes_over_from_a_dead_chassis(scene: Scene) -> None:
    scene.begin("hv2", "vm1", standbys=1)
    standby = scene.find_ready_standby()
    charon = scene.operator.find_charon(standby)
    assert charon
    scene.operator.host("hv2").kill()
    assert scene.wait_moved("hv2") == standby
    scene.wait_traffic()
    assert set(charon) <= set(scene.operator.find_charon(standby))
    scene.end()


def test_standby_serves_nothing(scene: Scene) -> None:
    scene.begin("hv2", "vm1", standbys=1)
    standby = scene.find_ready_standby()
    capture = scene.operator.capture_on(standby, "ip")
    scene.ping.wait_answers(20)
    capture.stop()
    assert not capture.list_times(scene.container)
    assert scene.end().lost == 0
