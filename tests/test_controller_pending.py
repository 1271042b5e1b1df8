"""A service type of which it is not known yet whether it can run here."""

from __future__ import annotations

from typing import Any

import pytest

from ..controller.registration import PENDING
from ..services.api.host import Probe
from .bench import Bench
from .rig import to_map

WAITS = Probe("the kernel has not said yet", pending=True)


def read_chassis(bench: Bench) -> tuple[Any, Any, Any]:
    (row,) = bench.sb.rows("Chassis")
    return row["service_types"], row["service_problems"], row["other_config"]


@pytest.mark.parametrize("probe", [WAITS, Probe(pending=True)])
def test_a_new_chassis_says_what_it_waits_for(bench: Bench, probe: Probe) -> None:
    bench.host.probe = probe
    bench.open_switch()
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    said = to_map({"fake": probe.problem or PENDING})
    assert read_chassis(bench) == (["set", []], said, to_map({}))
    bench.host.probe = Probe(facts={"where": "kernel"})
    bench.until(lambda: read_chassis(bench)[0] == "fake", "the answer", timeout_s=3)
    assert read_chassis(bench) == ("fake", to_map({}), to_map({"where": "kernel"}))
    bench.check_laws()


def test_a_chassis_goes_on_as_it_was_until_it_is_known(chassis: Bench) -> None:
    chassis.host.probe = Probe(facts={"where": "kernel"})
    chassis.bind("c1")
    chassis.settle()
    chassis.restart()
    chassis.settle()
    before, plans = read_chassis(chassis), list(chassis.host.plans)
    assert before == ("fake", to_map({}), to_map({"where": "kernel"}))
    done = list(chassis.host.operations)
    binding = chassis.binding("c1")
    chassis.host.probe = WAITS
    chassis.restart()
    # It beats, and touches nothing: neither its row, nor what runs, nor what is left over.
    chassis.bind("c1", {"addresses": ["1.0.0.101/32"]})
    chassis.until_beats(3)
    chassis.controller.check_all()
    chassis.until_beats(2)
    assert read_chassis(chassis) == before
    assert chassis.host.plans == plans
    assert chassis.host.operations == done
    assert chassis.binding("c1")["status_code"] == binding["status_code"] == "running"
    assert chassis.host.programs["c1"].starts == 1
    chassis.host.probe = Probe(facts={"where": "kernel"})
    chassis.settle()
    assert chassis.host.programs["c1"].starts == 1
    assert chassis.binding("c1")["reached_generation"] == chassis.binding("c1")["generation"]
    chassis.check_laws()


def test_a_container_that_was_unbound_meanwhile_goes(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.bind("c2")
    chassis.settle()
    chassis.host.probe = WAITS
    chassis.restart()
    chassis.until_beats(2)
    chassis.unbind("c1")
    chassis.until(lambda: chassis.host.find_names() == {"c2"}, "c1 to go")
    chassis.until_beats(1)
    assert chassis.host.programs["c2"].starts == 1
    chassis.host.probe = Probe()
    chassis.settle()
    chassis.check_laws()
