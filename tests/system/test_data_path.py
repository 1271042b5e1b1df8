"""What packets of a container depend on fails on its chassis: a daemon dies, hangs, is restarted.

Guest vm1 on hv1 pings through a container on hv2, while another tenant's traffic, all on hv3, must
not lose a packet.
"""

from __future__ import annotations

import signal

import pytest

from ...utilities.lab import cloud
from .scene import Scene

# What an operator would wait for: finding out, and the start of another container.
MOST_GAP_S = 12.0


def find_problem(scene: Scene, chassis: str) -> str:
    """Returns what svc-northd says is wrong with a chassis."""
    rows = scene.operator.rows("SVC_Southbound", "Chassis_Weight", ["chassis", "==", chassis])
    return str(rows[0]["problem"])


@pytest.mark.parametrize(
    ("name", "number", "problem"),
    [
        ("ovs-vswitchd", signal.SIGKILL, "is not running"),
        ("ovs-vswitchd", signal.SIGSTOP, "is stopped"),
        ("ovn-controller", signal.SIGSTOP, "is stopped"),
        ("ovsdb-server", signal.SIGKILL, "is not running"),
        ("ovsdb-server", signal.SIGSTOP, "is stopped"),
    ],
)
def test_a_chassis_without_a_data_path_is_left(
    scene: Scene, name: str, number: signal.Signals, problem: str
) -> None:
    scene.begin("hv2", "vm1")
    cloud.kill_process(scene.operator.host("hv2"), name, number)
    place = scene.wait_moved("hv2")
    scene.wait_traffic()
    sentence = f"unfit ({name} {problem})"
    assert find_problem(scene, "hv2") == sentence
    [said] = [line for line in scene.operator.tell_status().splitlines() if "UNFIT" in line]
    assert said.startswith("UNFIT chassis hv2 since ")
    assert said.endswith(f": {sentence}")
    scene.operator.wait_whole()
    scene.operator.wait(lambda: not find_problem(scene, "hv2"), "hv2 to be fit again")
    assert "hv2" not in scene.operator.tell_status()
    answers = scene.end()
    assert scene.list_places() == [place]
    assert answers.longest_gap_s < MOST_GAP_S
    print(f"{name} {number.name}: {answers.longest_gap_s:.2f} s without traffic")


def test_a_restart_of_the_switch_moves_nothing(scene: Scene) -> None:
    scene.begin("hv2", "vm1")
    host = scene.operator.host("hv2")
    cloud.kill_process(host, "ovs-vswitchd")
    cloud.start_process(host, "ovs-vswitchd")
    answers = scene.end()
    assert scene.list_places() == ["hv2"]
    placed = scene.operator.rows(
        "SVC_Southbound", "Placement", ["container", "==", scene.container]
    )
    last = max(placed, key=lambda row: int(row["number"]))
    assert "unfit" not in last["reason"]
    print(f"ovs-vswitchd restarted: {answers.longest_gap_s:.2f} s without traffic")
