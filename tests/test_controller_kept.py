"""A container whose rows make no sense any more stays as it was, over a restart too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller.host.desired import Container
from ..controller.host.driver import Driver, Host
from ..controller.host.kinds import ORDER, Kind, Links, Namespace, SwitchPorts
from ..controller.host.reconcile import Reconciler
from ..controller.host.record import PortRecord, Record, format_record, parse_record
from ..lib import sealing
from .bench import PUBLIC_KEY, Bench
from .fakehost import FakeDriver, FakeHost, FakeLinksDriver, FakePortsDriver
from .rig import SEED, to_map

GOOD = {"addresses": ["1.0.0.100/32"], "tunnels": {"t1": "up"}}
BAD = "{"
KEPT = "still as configured before: the configuration makes no sense"


def spoil(bench: Bench) -> int:
    """Binds c1 and then gives it a configuration that is none; returns the generation it runs."""
    bench.bind("c1", GOOD)
    bench.until_status("c1", "running")
    bench.settle()
    served = bench.binding("c1")["reached_generation"]
    assert served == bench.binding("c1")["generation"]
    bench.bind("c1", configuration=BAD)
    bench.until_status("c1", "running", KEPT)
    bench.settle()
    return int(served)


def hold_kept(bench: Bench, generation: int) -> None:
    """Holds that c1 runs as it was made from 'generation', and that this is what is told."""
    row = bench.binding("c1")
    assert (row["status_code"], row["status_message"]) == ("running", KEPT)
    assert row["reached_generation"] == generation < row["generation"]
    given = bench.host.programs["c1"].given
    assert given is not None
    assert given.generation == generation
    assert given.settings == GOOD["tunnels"]
    assert [row["name"] for row in bench.sb.rows("Container_Item")] == ["t1"]


def test_it_goes_on_as_before(chassis: Bench) -> None:
    chassis.bind("c1", GOOD)
    chassis.until_status("c1", "running")
    since, done = chassis.binding("c1")["since"], list(chassis.host.operations)
    served = spoil(chassis)
    hold_kept(chassis, served)
    assert chassis.binding("c1")["since"] == since
    assert chassis.host.operations == done
    assert chassis.host.programs["c1"].starts == 1
    chassis.check_laws()
    chassis.bind("c1", GOOD)
    chassis.until(
        lambda: chassis.binding("c1")["reached_generation"] > served + 1, "the good configuration"
    )
    assert chassis.binding("c1")["status_message"] == ""
    chassis.check_laws()


def test_a_restart_leaves_it_alone(chassis: Bench) -> None:
    served = spoil(chassis)
    done, row = list(chassis.host.operations), chassis.binding("c1")
    for _ in range(2):
        chassis.restart()
        chassis.until_beats(1)
        chassis.settle()
        hold_kept(chassis, served)
    assert chassis.binding("c1")["since"] == row["since"]
    assert chassis.host.operations == done
    assert chassis.host.programs["c1"].starts == 1
    chassis.check_laws()


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_lost_is_made_as_it_was(chassis: Bench, restarted: bool) -> None:
    served = spoil(chassis)
    before = dict(chassis.host.things)
    if restarted:
        chassis.restart()
        chassis.until_beats(1)
    for kind in (Namespace, Links):
        chassis.host.lose(kind, "c1")
        chassis.until(
            lambda kind=kind: (kind, "c1") in chassis.host.things,  # type: ignore[misc]
            f"{kind} again",
        )
    del chassis.host.programs["c1"]
    chassis.until(lambda: "c1" in chassis.host.programs, "the program again")
    chassis.until_status("c1", "running", KEPT)
    assert chassis.host.things == before
    hold_kept(chassis, served)
    chassis.check_laws()


def test_a_role_is_taken_all_the_same(chassis: Bench) -> None:
    served = spoil(chassis)
    program = chassis.host.programs["c1"]
    for role in ("standby", "active"):
        chassis.bind("c1", configuration=BAD, role=role)
        chassis.until(
            lambda role=role: program.given and program.given.active == (role == "active"),  # type: ignore[misc]
            role,
        )
    hold_kept(chassis, served)
    chassis.check_laws()


def test_one_that_fails_is_an_error(chassis: Bench) -> None:
    chassis.logs.allow("no room")
    spoil(chassis)
    chassis.host.failures["apply", Links, "c1"] = "no room"
    chassis.host.lose(Links, "c1")
    chassis.until_status("c1", "error", f"no room; {KEPT}")
    chassis.settle()
    chassis.host.failures.clear()
    chassis.until_status("c1", "running", KEPT)
    chassis.check_laws()


def test_one_that_never_ran_goes_on_too_once_it_was_understood(chassis: Bench) -> None:
    chassis.host.slow = True
    chassis.bind("c1", GOOD)
    chassis.until_status("c1", "starting")
    chassis.bind("c1", configuration=BAD)
    chassis.until_status("c1", "starting", f"on its way; {KEPT}")
    chassis.host.slow = False
    chassis.until_status("c1", "running", KEPT)
    chassis.check_laws()


def test_one_that_is_bound_again_is_another(chassis: Bench) -> None:
    spoil(chassis)
    chassis.unbind("c1")
    chassis.until(lambda: not chassis.host.find_names(), "c1 to go")
    chassis.bind("c1", configuration=BAD)
    chassis.until_status("c1", "error", "the configuration makes no sense")
    chassis.restart()
    chassis.until_beats(1)
    chassis.settle()
    assert chassis.host.find_names() == set()
    assert not list(chassis.directory.glob("containers/*"))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"mtu": 1}', "\udcff"])
def test_a_record_that_is_none_harms_nothing(chassis: Bench, text: str) -> None:
    spoil(chassis)
    path = find_record(chassis)
    assert json.loads(path.read_text())["ports"][0]["mtu"] == 1442
    path.write_bytes(text.encode(errors="surrogateescape"))
    done = list(chassis.host.operations)
    chassis.restart()
    chassis.until_status("c1", "error", "the configuration makes no sense")
    chassis.settle()
    assert chassis.host.operations == done
    assert set(chassis.host.programs) == {"c1"}
    chassis.bind("c1", GOOD)
    chassis.until_status("c1", "running")
    chassis.check_laws()


def test_the_record_has_no_secret_but_sealed(chassis: Bench) -> None:
    sealed = sealing.seal("tell nobody", PUBLIC_KEY, SEED, "k")
    chassis.bind("c1", GOOD, secrets=to_map({"k": sealed}))
    spoil(chassis)
    path = find_record(chassis)
    assert json.loads(path.read_text())["secrets"] == [["k", sealed]]
    assert "tell nobody" not in path.read_text()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_record_that_was_removed_is_written_again(chassis: Bench) -> None:
    chassis.bind("c1", GOOD)
    chassis.until_status("c1", "running")
    chassis.settle()
    find_record(chassis).unlink()
    chassis.controller.check_all()
    chassis.until(find_record(chassis).exists, "the record")
    chassis.check_laws()


def find_record(bench: Bench) -> Path:
    return bench.directory / "containers" / "c1" / "record.json"


TEXTS = st.lists(st.text()).map(tuple)
PORTS = st.builds(PortRecord, addresses=TEXTS, gateways=TEXTS)
RECORDS = st.builds(
    Record,
    secrets=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    ports=st.lists(PORTS, min_size=1, max_size=3).map(tuple),
)


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert parse_record(format_record(record)) == record


OTHER = st.integers() | st.none() | st.lists(st.integers(), min_size=1)


@given(RECORDS, st.sampled_from(sorted(Record.__dataclass_fields__)), OTHER)
def test_a_record_with_a_value_of_another_kind(record: Record, name: str, value: object) -> None:
    columns = json.loads(format_record(record)) | {name: value}
    found = parse_record(json.dumps(columns))
    assert found is None or (name == "generation" and type(value) is int)


@given(RECORDS, st.sampled_from(sorted(PortRecord.__dataclass_fields__)), OTHER)
def test_a_port_with_a_value_of_another_kind(record: Record, name: str, value: object) -> None:
    columns = json.loads(format_record(record))
    columns["ports"][0][name] = value
    found = parse_record(json.dumps(columns))
    number = name in ("mtu", "tag") and type(value) is int
    assert found is None or number or (name in ("tag", "parent_port") and value is None)


# -- what is told of retries ---------------------------------------------------------


def test_the_next_try_is_told_once_for_each_try() -> None:
    clock, host, name = [0], FakeHost(), "c1"
    host.failures["apply", Namespace, name] = "no room"
    drivers: dict[Kind, Driver] = {kind: FakeDriver(host, kind) for kind in ORDER}
    links, ports = FakeLinksDriver(host, Links), FakePortsDriver(host, SwitchPorts)
    reconciler = Reconciler(Host(drivers, links, ports), clock_ms=lambda: clock[0])
    record = Record("", "", (), 1, ())
    wanted = {name: Container(name, 1, dict.fromkeys(ORDER, name), record)}  # type: ignore[arg-type]
    told = []
    for _ in range(5):
        clock[0] = reconciler.find_next_ms() or clock[0]
        reconciler.mark(wanted)
        reconciler.run(wanted)
        told.append(reconciler.find_problem(name) or "")
        retry_ms = reconciler.find_next_ms()
        for _ in range(3):  # somebody looks at it meanwhile
            reconciler.mark(wanted)
            reconciler.run(wanted)
        assert reconciler.find_problem(name) == told[-1]
        assert reconciler.find_next_ms() == retry_ms
    assert told[:2] == ["no room"] * 2
    assert all(each.startswith("no room; tried again after ") for each in told[2:])
