"""Somebody has the key of one chassis, while VPNs on the others pass traffic: nothing is lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ...utilities.lab import transport
from .scene import Scene

THIEF = "hv2"
ATTACK_S = 15
_PROGRAM = Path(__file__).with_name("thief.py")


def test_no_packet_of_others_is_lost_and_the_thief_is_named(scene: Scene) -> None:
    scene.begin("hv1", "vm1")
    operator = scene.operator
    address = operator.host(THIEF).settings["central"]
    words = (address, str(transport.SVC_SB_PORT), THIEF, str(ATTACK_S))
    counts = json.loads(
        operator.host(THIEF).run(sys.executable, "-", *words, stdin=_PROGRAM.read_text())
    )
    assert counts["refused"] > 0
    assert counts["stolen"] > 0
    assert counts["taken"] == 0
    operator.wait(lambda: not _list_items(scene), "what the thief wrote to go")
    (row,) = operator.rows("SVC_Southbound", "Northd")
    assert f"chassis {THIEF} writes what it is not to" in row["problem"]
    assert scene.list_places() == ["hv1"]
    assert scene.end().lost == 0


def _list_items(scene: Scene) -> list[object]:
    where = ["chassis", "==", THIEF]
    return [*scene.operator.rows("SVC_Southbound", "Container_Item", where)]
