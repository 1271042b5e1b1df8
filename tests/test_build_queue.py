"""From when on the time of containers counts that their chassis is yet to build."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from hypothesis import given

from ..lib import sb
from ..northd.scheduler.build_queue import BuildQueue, Spot
from .placements import Dice, dice, many

NOW = 1_000_000
BUILT = {"status_code": "running", "reached_generation": 1}


def _binding(container: str, chassis: str = "hv1", **columns: Any) -> sb.ContainerBinding:
    row: dict[str, Any] = {
        "service_type": "ipsec",
        "role": "active",
        "configuration": "",
        "secrets": {},
        "generation": 1,
        "status_code": None,
        "status_message": "",
        "reached_generation": 0,
        "namespace_name": None,
        "interface_name": None,
        "restarts": 0,
        "since": None,
        "incarnation": "1",
        "unwell_since": None,
        **columns,
    }
    return sb.ContainerBinding(
        uuid=uuid.uuid5(uuid.NAMESPACE_DNS, container + chassis),
        container=container,
        chassis=chassis,
        **row,
    )


class Chassis:
    """Chassis hv1: what is bound to it, and what the queue is told of that."""

    def __init__(self) -> None:
        self.queue = BuildQueue()
        self.rows: dict[str, sb.ContainerBinding] = {}

    def turn(self, now_ms: int, names: Iterable[str], **columns: Any) -> set[Spot]:
        """Gives bindings these columns, all in one pass."""
        changes: list[tuple[sb.ContainerBinding | None, sb.ContainerBinding | None]] = []
        for name in names:
            changes.append((self.rows.get(name), _binding(name, **columns)))
            self.rows[name] = _binding(name, **columns)
        return self.queue.update(now_ms, changes)

    def remove(self, now_ms: int, name: str) -> set[Spot]:
        """Takes a binding away."""
        return self.queue.update(now_ms, [(self.rows.pop(name), None)])

    def find_start(self, name: str) -> int:
        """Returns when the time of a container began anew."""
        return self.queue.find_start((name, "hv1"))


def test_what_is_queued_waits_while_its_chassis_builds_others() -> None:
    chassis = Chassis()
    elsewhere = _binding("vpn-3", "hv2")
    assert chassis.turn(NOW, ["vpn-1", "vpn-2"]) == set()
    assert chassis.queue.update(NOW, [(None, elsewhere)]) == set()
    assert chassis.turn(NOW + 9000, ["vpn-1"], **BUILT) == {("vpn-2", "hv1")}
    assert chassis.find_start("vpn-2") == NOW + 9000
    assert chassis.find_start("vpn-1") == chassis.queue.find_start(("vpn-3", "hv2")) == 0


def test_those_that_came_later_are_no_reason_to_wait() -> None:
    chassis = Chassis()
    chassis.turn(NOW, ["stuck"])
    for number in range(1, 50):
        moment = NOW + 1000 * number
        chassis.turn(moment, [f"vpn-{number}"])
        assert chassis.turn(moment + 500, [f"vpn-{number}"], **BUILT) == set()
    assert chassis.find_start("stuck") == 0


def test_one_that_is_restarted_again_and_again_gives_nobody_time() -> None:
    chassis = Chassis()
    chassis.turn(NOW, ["vpn-1", "vpn-2"])
    chassis.turn(NOW + 1, ["vpn-1"], **BUILT)
    for moment in range(NOW + 10, NOW + 100, 10):
        chassis.turn(moment, ["vpn-1"], status_code="starting", reached_generation=1)
        assert chassis.turn(moment + 1, ["vpn-1"], **BUILT) == set()
        # Nor does one that is built from nothing, since it has come anew.
        chassis.turn(moment + 2, ["vpn-1"])
        assert chassis.turn(moment + 3, ["vpn-1"], **BUILT) == set()
    assert chassis.find_start("vpn-2") == NOW + 1


def test_a_binding_that_goes_was_not_finished_and_is_forgotten() -> None:
    chassis = Chassis()
    chassis.turn(NOW, ["vpn-1", "vpn-2", "vpn-3"])
    assert chassis.remove(NOW + 1, "vpn-1") == set()
    assert chassis.find_start("vpn-2") == 0
    chassis.turn(NOW + 2, ["vpn-2"], **BUILT)
    assert chassis.find_start("vpn-3") == NOW + 2
    assert chassis.remove(NOW + 3, "vpn-3") == {("vpn-3", "hv1")}
    assert chassis.find_start("vpn-3") == 0
    chassis.turn(NOW + 4, ["vpn-3"])
    assert chassis.find_start("vpn-3") == 0


def test_whoever_begins_to_watch_knows_nothing_of_before() -> None:
    chassis = Chassis()
    chassis.turn(NOW, ["vpn-1", "vpn-2"])
    chassis.turn(NOW + 1, ["vpn-1"], **BUILT)
    chassis.queue.begin()
    assert chassis.find_start("vpn-2") == 0
    chassis.turn(NOW + 2, ["vpn-1"], **BUILT)
    assert chassis.find_start("vpn-2") == 0


@many
@given(dice)
def test_one_that_is_stuck_gets_time_from_so_many_only(dice: Dice) -> None:
    chassis, renewals = Chassis(), 0
    before = [f"early-{number}" for number in range(dice.randint(0, 5))]
    chassis.turn(NOW, [*before, "stuck"])
    for moment in range(NOW + 1, NOW + 60):
        name = dice.some(*before, f"late-{dice.randint(0, 9)}")
        built = BUILT if dice.one_in(2) else {}
        renewed = ("stuck", "hv1") in chassis.turn(moment, [name], **built)
        assert chassis.find_start("stuck") == moment or not renewed
        renewals += renewed
    assert renewals <= len(before)
