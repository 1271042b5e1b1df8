"""A chassis that ends for good: exit --cleanup."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from ..controller import commands
from ..controller.host.kinds import Links
from ..controller.leaving import Situation, find_obstacle
from .bench import Bench
from .ovsdb import wait_until
from .rig import A, B, Rig

TABLES = ("Chassis", "Chassis_Private", "Container_Binding", "Container_Item")


def is_stopping(bench: Bench) -> Any:
    rows = bench.sb.rows("Chassis_Private")
    return rows and rows[0]["stopping"]


def test_a_chassis_leaves_when_its_containers_have_left(chassis: Bench) -> None:
    chassis.bind("c1", {"addresses": [], "tunnels": {"t1": "up"}})
    chassis.settle()
    assert commands.cleanup_status(chassis.controller) == "not asked for"
    chassis.controller.leave()
    chassis.until(lambda: is_stopping(chassis), "the word")
    chassis.until_beats(2)
    assert not chassis.controller.left
    waits = "waits for containers to be moved away: c1"
    assert commands.cleanup_status(chassis.controller) == waits
    assert chassis.host.find_names() == {"c1"}
    chassis.unbind("c1")
    chassis.until(lambda: chassis.controller.left, "the end")
    assert [chassis.sb.rows(table) for table in TABLES] == [[]] * len(TABLES)
    assert (chassis.host.find_names(), chassis.ports()) == (set(), {})
    assert chassis.logs.find_warnings() == []


def test_a_chassis_without_containers_leaves_at_once(chassis: Bench) -> None:
    chassis.controller.leave()
    chassis.until(lambda: chassis.controller.left, "the end")
    assert [chassis.sb.rows(table) for table in TABLES] == [[]] * len(TABLES)


def test_one_that_was_interrupted_comes_back(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    chassis.controller.leave()
    chassis.until(lambda: is_stopping(chassis), "the word")
    chassis.restart()
    chassis.until(lambda: not is_stopping(chassis), "the word to be taken back")
    chassis.check_laws()


def test_it_waits_for_what_cannot_be_removed(chassis: Bench) -> None:
    chassis.logs.allow("busy")
    chassis.bind("c1")
    chassis.settle()
    chassis.host.failures["remove", Links, "c1"] = "busy"
    chassis.controller.leave()
    chassis.until(lambda: is_stopping(chassis), "the word")
    chassis.unbind("c1")
    waits = "waits for what is left of containers to go: c1 (busy)"
    chassis.until(lambda: commands.cleanup_status(chassis.controller) == waits, "the reason")
    assert chassis.sb.rows("Chassis")
    chassis.host.failures.clear()
    chassis.until(lambda: chassis.controller.left, "the end")


def test_it_waits_for_the_southbound(chassis: Bench) -> None:
    chassis.logs.allow("reconnect|connection attempt failed|connection closed|connection dropped")
    chassis.settle()
    chassis.sb.stop()
    chassis.until(lambda: not chassis.controller.sb.connected, "the connection to break")  # type: ignore[union-attr]
    chassis.controller.leave()
    waits = "waits for the southbound, which cannot be reached"
    chassis.until(lambda: commands.cleanup_status(chassis.controller) == waits, "the reason")
    chassis.sb.start()
    chassis.until(lambda: chassis.controller.left, "the end")
    assert chassis.sb.rows("Chassis") == []


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (["b", "a"], "waits for containers to be moved away: a, b"),
        (
            [f"c{n}" for n in range(7)],
            "waits for containers to be moved away: c0, c1, c2, c3, c4 and 2 more",
        ),
    ],
)
def test_what_is_waited_for(bound: Sequence[str], sentence: str) -> None:
    assert find_obstacle(Situation(True, True, bound)) == sentence


def appctl(rig: Rig, *arguments: str) -> subprocess.Popen[str]:
    target = f"--target={rig.directory}/svc-controller.ctl"
    return subprocess.Popen(
        ["ovs-appctl", target, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.system
def test_exit_cleanup_answers_when_it_is_done(rig: Rig) -> None:
    rig.bind(A)
    rig.wait_running(A)
    impatient = appctl(rig, "-T", "1", "exit", "--cleanup")
    impatient.communicate()
    assert impatient.returncode != 0
    patient = appctl(rig, "exit", "--cleanup")
    told, _ = appctl(rig, "cleanup-status").communicate()
    assert told.strip() == f"waits for containers to be moved away: {A.name}"
    _, refused = appctl(rig, "exit", "--now").communicate()
    assert "--now is no option of exit" in refused
    assert patient.poll() is None
    rig.unbind(A)
    assert patient.wait(timeout=20) == 0
    patient.communicate()
    assert rig.controller is not None
    assert rig.controller.wait(timeout=20) == 0
    assert [rig.sb.rows(table) for table in TABLES] == [[]] * len(TABLES)
    assert rig.find_leftovers() == []


@pytest.mark.system
def test_exit_during_a_cleanup_ends_at_once(rig: Rig) -> None:
    for side in (A, B):
        rig.bind(side)
        rig.wait_running(side)
    charons = rig.find_charons()
    patient = appctl(rig, "exit", "--cleanup")
    wait_until(lambda: rig.sb.rows("Chassis_Private")[0]["stopping"], "the word")
    appctl(rig, "exit").communicate()
    patient.communicate()
    assert patient.returncode == 0
    assert rig.controller is not None
    assert rig.controller.wait(timeout=20) == 0
    assert rig.find_charons() == charons
    rig.start_controller()
    wait_until(lambda: not rig.sb.rows("Chassis_Private")[0]["stopping"], "the word taken back")
