"""What a chassis cannot remove is told; a chassis that ends for good: exit --cleanup."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ..controller import commands
from ..controller.host.kinds import Links
from ..controller.leaving import Situation, find_obstacle
from ..lib import loop
from .bench import Bench
from .ovsdb import wait_until
from .rig import VSWITCH_SCHEMA, A, B, Rig
from .sessions import OUTAGE

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


def find_warnings(bench: Bench) -> Any:
    return bench.sb.rows("Chassis_Private")[0]["warnings"]


NONE = ["set", []]


def test_a_removal_that_fails_is_told_until_it_worked(chassis: Bench) -> None:
    chassis.logs.allow("busy")
    for name in ("c1", "c2"):
        chassis.bind(name)
    chassis.settle()
    assert find_warnings(chassis) == NONE
    for name in ("c1", "c2"):
        chassis.host.failures["remove", Links, name] = "busy"
        chassis.unbind(name)
    told = "what is left of c1 cannot be removed: busy (and 1 more)"
    chassis.until(lambda: find_warnings(chassis) == told, "both to be told")
    # Another svc-controller finds it as well.
    chassis.restart()
    chassis.until(lambda: find_warnings(chassis) == NONE, "nothing to be known")
    chassis.until(lambda: find_warnings(chassis) == told, "both to be told again")
    del chassis.host.failures["remove", Links, "c1"]
    told = "what is left of c2 cannot be removed: busy"
    chassis.until(lambda: find_warnings(chassis) == told, "one to be told")
    # One that is wanted again is none that is to go.
    chassis.bind("c2")
    chassis.until(lambda: find_warnings(chassis) == NONE, "nothing to be told")
    chassis.host.failures.clear()
    chassis.check_laws()


def test_a_port_that_open_vswitch_keeps_is_told(chassis: Bench) -> None:
    """The server is one that does not take a bridge without a port."""
    for pattern in ("does not let go of its ports", "transaction refused", OUTAGE):
        chassis.logs.allow(pattern)
    chassis.bind("c1")
    chassis.settle()
    switch = json.loads(Path(VSWITCH_SCHEMA).read_text(encoding="utf-8"))
    ports = switch["tables"]["Bridge"]["columns"]["ports"]["type"]
    ports["min"] = 1
    chassis.ovs.convert(switch)
    chassis.unbind("c1")
    told = "what is left of c1 cannot be removed: Open vSwitch does not let go of its ports: "
    chassis.until(lambda: str(find_warnings(chassis)).startswith(told), "it to be told")
    ports["min"] = 0
    chassis.ovs.convert(switch)
    chassis.until(lambda: find_warnings(chassis) == NONE, "it to go", 30)
    assert chassis.ports() == {}
    chassis.check_laws()


def test_what_takes_long_to_go_is_told(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    chassis.host.slow = True
    chassis.unbind("c1")
    reconciler = chassis.controller.containers.reconciler
    chassis.until(lambda: "c1" in reconciler.removing, "the end to begin")
    chassis.until_beats(1)
    assert find_warnings(chassis) == NONE
    loop.warp(10_000)
    told = "what is left of c1 cannot be removed: its programs have not ended"
    chassis.until(lambda: find_warnings(chassis) == told, "it to be told")
    chassis.host.slow = False
    chassis.until(lambda: find_warnings(chassis) == NONE, "it to go")
    chassis.check_laws()


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


def test_one_whose_rows_were_removed_by_hand_leaves(chassis: Bench) -> None:
    """As 'svcctl chassis-del' does while it ends."""
    chassis.controller.leave()
    chassis.until(lambda: is_stopping(chassis), "the word")
    for table in ("Chassis", "Chassis_Private"):
        chassis.sb.delete(table, [])
    chassis.until(lambda: chassis.controller.left, "the end")
    assert [chassis.sb.rows(table) for table in TABLES] == [[]] * len(TABLES)
