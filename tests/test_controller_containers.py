"""svc-controller: the chassis' own rows, and containers that come, change, fail and go."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from ..controller import commands
from ..controller.host.kinds import Link, Links, Namespace
from ..controller.linux import netns
from ..controller.linux.directory import DirectoryDriver, find_directory, find_log
from ..lib import sealing
from ..lib.errors import HostError
from ..services.api.host import Network, Probe
from .bench import ME, PUBLIC_KEY, Bench
from .rig import SEED, to_map

# -- the chassis ---------------------------------------------------------------


def test_registers_and_beats(chassis: Bench) -> None:
    (row,) = chassis.sb.rows("Chassis")
    assert (row["name"], row["service_types"], row["public_key"]) == (ME, "fake", PUBLIC_KEY)
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    first = chassis.sb.rows("Chassis_Private")[0]
    assert first["heartbeat"] >= 1
    assert first["heartbeat_timestamp"] > 0
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["heartbeat"] >= first["heartbeat"] + 3,
        "three beats",
    )
    chassis.check_laws()


def test_says_why_it_cannot_run_a_type(bench: Bench) -> None:
    bench.host.probe = Probe("fake is not installed")
    bench.open_switch(**{"ovn-bridge-mappings": "physnet1:br-ex,physnet2:br-2"})
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    (row,) = bench.sb.rows("Chassis")
    assert row["service_types"] == ["set", []]
    assert row["service_problems"] == to_map({"fake": "fake is not installed"})
    assert row["bridge_mappings"] == ["set", ["physnet1:br-ex", "physnet2:br-2"]]


def test_registers_again_when_its_rows_are_removed(chassis: Bench) -> None:
    for table in ("Chassis", "Chassis_Private"):
        chassis.sb.delete(table)
        chassis.until(lambda table=table: chassis.sb.rows(table), f"its {table} row")  # type: ignore[misc]
    chassis.check_laws()


def test_waits_for_its_identity(bench: Bench) -> None:
    bench.logs.allow("external_ids:svc-remote of the local Open_vSwitch is not set")
    remote = bench.ids.pop("svc-remote")
    bench.open_switch()
    warned = bench.logs.messages
    bench.until(lambda: any(each[0] == "warn" for each in warned), "the warning")
    assert bench.sb.rows("Chassis") == []
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(bench.ids | {"svc-remote": remote}))
    bench.until(lambda: bench.sb.rows("Chassis"), "the chassis to register")
    bench.check_laws()


def test_leaves_other_chassis_alone(chassis: Bench) -> None:
    chassis.sb.insert("Chassis", name="hv2", service_types="fake")
    chassis.sb.insert("Container_Binding", container="c2", chassis="hv2", role="active")
    chassis.sb.insert(
        "Container_Item", container="c2", chassis="hv2", kind="tunnel", name="t", state="up"
    )
    other = chassis.sb.rows("Chassis", [["name", "==", "hv2"]])
    chassis.bind("c1")
    chassis.settle()
    assert chassis.sb.rows("Chassis", [["name", "==", "hv2"]]) == other
    assert chassis.binding("c2")["status_code"] == ["set", []]
    assert len(chassis.sb.rows("Container_Item")) == 1
    assert chassis.host.find_names() == {"c1"}


# -- containers ------------------------------------------------------------------


def test_add_change_remove(chassis: Bench) -> None:
    empty = chassis.ovs.dump()
    chassis.bind("c1", {"addresses": ["1.0.0.100/32"], "tunnels": {"t1": "up"}})
    chassis.until_status("c1", "running")
    row = chassis.binding("c1")
    assert row["reached_generation"] == row["generation"]
    assert row["namespace_name"] == row["interface_name"] == "c1"
    assert chassis.host.find_operations("c1") == ["apply Namespace", "apply Links", "apply Network"]
    assert chassis.host.things[Links, "c1"] == Links(
        (Link("svc0", "c1", "0a:00:00:00:00:01", 1442, False),)
    )
    chassis.until(lambda: "c1" in chassis.ports(), "the port")
    ids = {"ovnsvc": "c1", "iface-id": "c1", "attached-mac": "0a:00:00:00:00:01"}
    assert chassis.ports()["c1"] == ids
    assert [row["name"] for row in chassis.sb.rows("Container_Item")] == ["t1"]
    chassis.check_laws()

    chassis.bind("c1", {"addresses": ["1.0.0.101/32"]})
    chassis.settle()
    assert chassis.host.things[Network, "c1"].loopback == ("1.0.0.101/32",)
    assert chassis.host.programs["c1"].starts == 1
    assert chassis.sb.rows("Container_Item") == []
    chassis.check_laws()

    chassis.unbind("c1")
    chassis.until(lambda: not chassis.host.find_names(), "c1 to go")
    chassis.until(lambda: not chassis.ports(), "its port to go")
    chassis.check_laws()
    assert chassis.host.find_operations("c1")[-2:] == ["remove Links", "remove Namespace"]
    assert empty["Port"] == chassis.ovs.dump()["Port"]


def test_starting_is_told_before_running(chassis: Bench) -> None:
    chassis.host.slow = True
    chassis.bind("c1")
    chassis.until_status("c1", "starting")
    chassis.host.slow = False
    chassis.until_status("c1", "running")
    chassis.check_laws()


def test_secrets_are_unsealed(chassis: Bench) -> None:
    sealed = sealing.seal("open sesame", PUBLIC_KEY, SEED, "t1")
    chassis.bind("c1", secrets=to_map({"t1": sealed}))
    chassis.until_status("c1", "running")
    assert chassis.host.programs["c1"].secrets == {"t1": "open sesame"}
    chassis.check_laws()


def test_port_is_up_when_ovn_has_installed_it(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    chassis.until(chassis.ports, "the port")
    chassis.until(lambda: chassis.sb.rows("Port_Binding")[0]["up"] is False, "up=false")
    ids = chassis.ports()["c1"] | {"ovn-installed": "true"}
    chassis.ovs.update("Interface", [], external_ids=to_map(ids))
    chassis.until(lambda: chassis.sb.rows("Port_Binding")[0]["up"] is True, "up=true")
    chassis.check_laws()


def install(chassis: Bench, installed: bool) -> None:
    """Says in OVN's place whether the port of the one container is installed."""
    ids = {name: each for name, each in chassis.ports()["c1"].items() if name != "ovn-installed"}
    ids |= {"ovn-installed": "true"} if installed else {}
    chassis.ovs.update("Interface", [], external_ids=to_map(ids))


def test_only_an_active_container_with_its_port_serves(chassis: Bench) -> None:
    chassis.bind("c1", role="standby")
    chassis.until_status("c1", "running", "ready; stands by")
    chassis.settle()
    chassis.until(chassis.ports, "the port")
    program, done = chassis.host.programs["c1"], list(chassis.host.operations)
    assert not program.serving
    chassis.bind("c1", role="active")
    chassis.settle()
    assert not program.serving
    install(chassis, True)
    chassis.until(lambda: program.serving, "the service")
    chassis.bind("c1", role="standby")
    chassis.until_status("c1", "running", "ready; stands by")
    assert not program.serving
    install(chassis, False)
    chassis.until(lambda: chassis.sb.rows("Port_Binding")[0]["up"] is False, "up=false")
    assert (program.starts, chassis.host.operations) == (1, done)
    chassis.check_laws()


def test_a_service_that_is_taken_over_knows_its_port(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until(chassis.ports, "the port")
    install(chassis, True)
    program = chassis.host.programs["c1"]
    chassis.until(lambda: program.serving, "the service")
    chassis.restart()
    program.serving = False
    chassis.until(lambda: program.serving, "the service again")
    chassis.check_laws()


@pytest.mark.parametrize("kind", [Namespace, Links, Network])
def test_a_failing_host_harms_one_container(chassis: Bench, kind: Any) -> None:
    chassis.logs.allow("no room")
    chassis.host.failures["apply", kind, "c1"] = "no room"
    chassis.bind("c1")
    chassis.bind("c2")
    chassis.until_status("c1", "error", "no room")
    chassis.until_status("c2", "running")
    chassis.settle()
    chassis.host.failures.clear()
    chassis.until_status("c1", "running")
    chassis.check_laws()


def test_a_failing_removal_is_retried(chassis: Bench) -> None:
    chassis.logs.allow("busy")
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.host.failures["remove", Links, "c1"] = "busy"
    chassis.unbind("c1")
    chassis.settle()
    assert "c1" in chassis.host.find_names()
    chassis.host.failures.clear()
    chassis.until(lambda: not chassis.host.find_names(), "c1 to go")
    chassis.check_laws()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"configuration": "{"}, "the configuration makes no sense"),
        ({"configuration": {"addresses": [], "mistake": 1}}, "RecursionError('a mistake')"),
        ({"service_type": "none"}, "service type none is not installed on this chassis"),
    ],
)
def test_a_bad_row_says_why(chassis: Bench, columns: dict[str, Any], sentence: str) -> None:
    chassis.bind("c1", **columns)
    chassis.until_status("c1", "error", sentence)
    chassis.bind("c2")
    chassis.until_status("c2", "running")
    chassis.settle()
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.check_laws()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"mac": "nonsense"}, "is not a MAC"),
        ({"mtu": 100}, "MTU 100 is not in"),
        ({"addresses": "1.2.3.4.5/30"}, "does not appear to be"),
        ({"addresses": ["set", []]}, "has no address"),
        ({"gateways": "x"}, "does not appear to be"),
        ({"container": "other"}, "has no port on this chassis"),
    ],
)
def test_a_bad_port_says_why(chassis: Bench, columns: dict[str, Any], sentence: str) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    good = chassis.sb.rows("Port_Binding")[0]
    chassis.sb.update("Port_Binding", [], **columns)
    chassis.until_status("c1", "running", "still as configured before: ")
    assert sentence in chassis.binding("c1")["status_message"]
    chassis.settle()
    assert chassis.host.find_names() == {"c1"}
    chassis.sb.update("Port_Binding", [], **{name: good[name] for name in columns})
    chassis.until_status("c1", "running")
    chassis.check_laws()


@pytest.mark.parametrize("name", ["", "..", ".", "../precious", "a/b", "x" * 16, "c1\n"])
def test_a_name_that_is_none_touches_nothing(chassis: Bench, name: str) -> None:
    precious = chassis.directory / "precious"
    precious.write_text("")
    precious.with_suffix(".log").write_text("")
    before = set(chassis.directory.rglob("*"))
    chassis.bind(name)
    chassis.until_status(name, "error", "cannot be an interface name")
    chassis.unbind(name)
    chassis.settle()
    assert set(chassis.directory.rglob("*")) == before
    assert chassis.host.operations == []
    chassis.check_laws()


def test_what_nobody_marked_is_not_removed(chassis: Bench) -> None:
    """A binding comes and goes before anything was made of it."""
    chassis.bind("c1", service_type="none")
    chassis.until_status("c1", "error")
    log = chassis.directory / "logs/c1.log"
    log.parent.mkdir()
    log.write_text("")
    chassis.unbind("c1")
    chassis.settle()
    assert log.exists()


@pytest.mark.parametrize("name", ["", "..", "../../tmp/x", "a/b"])
def test_no_path_is_made_of_what_is_no_name(name: str) -> None:
    for make in (netns.find_path, netns.remove, find_directory, find_log):
        with pytest.raises(HostError, match="cannot be the name of a container"):
            make(name)


def test_log_of_a_host_that_died_is_removed(chassis: Bench) -> None:
    """The state directory went with /run."""
    logs = chassis.directory / "logs/containers"
    chassis.bind("c1")
    chassis.settle()
    logs.mkdir(parents=True)
    for name in ("c1.log", "c2.log", "c2.log.1", "c3.text", ".log", "a b.log"):
        (logs / name).write_text("")
    (logs / "c4.log").mkdir()
    (logs / "c5.log").symlink_to(logs / "c3.text")
    chassis.controller.check_all()
    chassis.until(lambda: not (logs / "c2.log").exists(), "the log to go")
    left = {"c1.log", "c3.text", ".log", "a b.log", "c4.log", "c5.log"}
    assert {each.name for each in logs.iterdir()} == left
    chassis.check_laws()


def test_logs_of_daemons_are_nobody_s_container(chassis: Bench) -> None:
    """A container may have the name of a daemon whose log lies beside."""
    log = chassis.directory / "logs/svc-northd.log"
    log.parent.mkdir()
    log.write_text("theirs")
    chassis.bind("svc-northd")
    chassis.settle()
    chassis.unbind("svc-northd")
    chassis.settle()
    assert log.read_text() == "theirs"
    chassis.check_laws()


@pytest.mark.parametrize("directory", ["containers", "logs/containers"])
def test_a_file_where_our_directory_should_be(chassis: Bench, directory: str) -> None:
    path = chassis.directory / directory
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    chassis.controller.check_all()
    chassis.bind("c1")
    if directory == "containers":
        chassis.logs.allow("the state directory cannot be made")
        chassis.until_status("c1", "error", "the state directory cannot be made")
    else:
        chassis.settle()
    path.unlink()
    chassis.until_status("c1", "running", "")
    chassis.check_laws()


def test_only_directories_of_ours_are_marks(chassis: Bench) -> None:
    root = chassis.directory / "containers"
    root.mkdir()
    (root / "file").write_text("")
    (root / ".hidden").mkdir()
    (root / "a-name-that-is-too-long").mkdir()
    (root / "link").symlink_to(chassis.directory)
    (root / "theirs").mkdir()
    os.chown(root / "theirs", 12345, -1)
    assert DirectoryDriver().owned() == set()
    (root / "c1").mkdir()
    assert DirectoryDriver().owned() == {"c1"}


def test_what_is_lost_is_made_again(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    for kind in (Namespace, Links):
        chassis.host.lose(kind, "c1")
        chassis.until(
            lambda kind=kind: (kind, "c1") in chassis.host.things,  # type: ignore[misc]
            f"{kind} again",
        )
    chassis.check_laws()


# -- what is told -----------------------------------------------------------------------


def test_runtime_commands(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    assert commands.connection_status(chassis.controller) == "connected"
    assert commands.list_containers(chassis.controller) == "c1: running, port down"
    chassis.host.things.pop((Links, "c1"))
    assert commands.reconcile(chassis.controller) == ""
    chassis.until(lambda: (Links, "c1") in chassis.host.things, "the link again")
    chassis.check_laws()


# -- failures of one service --------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError("no space left"), RecursionError("too deep")])
def test_a_failing_service_harms_one_container(chassis: Bench, error: Exception) -> None:
    chassis.logs.allow("the service cannot go on|unexpected failure of the service")
    chassis.bind("c1")
    chassis.settle()
    chassis.host.raised["c1"] = error
    chassis.bind("c2")
    chassis.until_status("c1", "error", str(error))
    chassis.until_status("c2", "running")
    beats = chassis.sb.rows("Chassis_Private")[0]["heartbeat"]
    chassis.until(
        lambda: chassis.sb.rows("Chassis_Private")[0]["heartbeat"] >= beats + 2, "two heartbeats"
    )
    chassis.host.raised.clear()
    chassis.until_status("c1", "running")
    chassis.check_laws()


def test_a_lost_state_directory_is_made_again(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.settle()
    shutil.rmtree(chassis.directory / "containers")
    chassis.controller.check_all()
    chassis.until((chassis.directory / "containers" / "c1" / "service_type").exists, "the mark")
    chassis.check_laws()


def test_what_ends_slowly_is_no_failure(chassis: Bench) -> None:
    """The container comes back while the programs of before still end."""
    chassis.bind("c1")
    chassis.settle()
    chassis.host.slow = True
    chassis.unbind("c1")
    reconciler = chassis.controller.containers.reconciler
    chassis.until(lambda: "c1" in reconciler.removing, "the end to begin")
    chassis.bind("c1")
    chassis.until_status("c1", "starting")
    chassis.until(lambda: "c1" in reconciler.waiting, "the wait")
    assert reconciler.failures == {}
    chassis.host.slow = False
    chassis.until_status("c1", "running")
    chassis.check_laws()
