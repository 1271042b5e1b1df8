"""A chassis is given other names: it registers under each that it can have, or says why not."""

from __future__ import annotations

import socket
import uuid
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..controller import commands
from ..controller.bridge_watch import PATIENCE_MS as BRIDGE_PATIENCE_MS
from ..controller.bridge_watch import BridgeWatch
from ..controller.claim import RIVAL
from ..controller.host.kinds import Links
from ..controller.identity import Identity, find_identity
from ..controller.linux import switch_rows
from ..controller.overview import format_status
from ..controller.readiness import PATIENCE_MS, Situation, Waiting, find_obstacle
from ..lib import dirs
from ..lib.errors import HostError
from ..lib.remotes import find_remote_problem
from .bench import ME, Bench
from .logs import Logs
from .rig import to_map

KEYS = st.sampled_from(
    ("system-id", "svc-remote", "svc-bridge", "svc-labels", "ovn-bridge-mappings", "ovn-remote")
)
REMOTES = st.sampled_from(("unix:/x", "tcp:127.0.0.1:1", "ssl:127.0.0.1:1", "tcp:[::1]:1", "tcp:"))
READY = Situation(ME, "tcp:1.0.0.1:6652", True, True, True)
UNSET = "external_ids:system-id of the local Open_vSwitch is not set"


def call(bench: Bench, name: str) -> None:
    """Sets external_ids:system-id."""
    bench.ovs.update("Open_vSwitch", [], external_ids=to_map(bench.ids | {"system-id": name}))


def read_heartbeat(bench: Bench, name: str) -> Any:
    """Returns the number of a chassis' last heartbeat, None without one."""
    rows = bench.sb.rows("Chassis_Private", [["name", "==", name]])
    return rows[0]["heartbeat"] if rows else None


def until_registered(bench: Bench, name: str) -> None:
    """Runs until the chassis has registered under a name, and beats."""
    where = [["name", "==", name]]
    bench.until(lambda: bench.sb.rows("Chassis", where), f"chassis {name}")
    first = read_heartbeat(bench, name) or 0
    bench.until(lambda: (read_heartbeat(bench, name) or 0) > first, f"a heartbeat of {name}")


def test_each_name_registers_and_the_first_again(chassis: Bench) -> None:
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    for name in ("hv9", "hv8", ME, "hv9", ME):
        call(chassis, name)
        until_registered(chassis, name)
    chassis.until_status("c1", "running")


def test_names_that_change_before_they_are_registered(chassis: Bench) -> None:
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    for name in ("hv9", "hv8", "hv7", "hv9"):
        call(chassis, name)
        chassis.controller.run()
    until_registered(chassis, "hv9")
    assert {row["name"] for row in chassis.sb.rows("Chassis")} <= {ME, "hv9", "hv8", "hv7"}


def test_a_name_that_is_taken_or_none_says_so(chassis: Bench) -> None:
    chassis.logs.allow(f"another svc-controller claims the chassis name hv9|{UNSET}")
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    mine = chassis.controller
    call(chassis, "hv9")
    other = chassis.controller = chassis.make_rival()
    until_registered(chassis, "hv9")
    chassis.controller = mine

    def warned(sentence: str) -> bool:
        other.run()
        return any(sentence in text for _level, _module, text in chassis.logs.messages)

    chassis.until(lambda: warned("claims the chassis name hv9"), "the reason")
    obstacle = find_obstacle(replace(READY, chassis="hv9", has_name=False))
    said = f"nothing is changed on this host: {obstacle}"
    chassis.until(lambda: warned(said), "what it waits for", timeout_s=20)
    why = f"{obstacle}: {RIVAL} (it is registered by host {socket.gethostname()})"
    assert commands.connection_status(mine) == f"connected\n{why}"
    assert commands.is_ready(mine) == f"false: {why}"
    call(chassis, "")
    chassis.until(lambda: warned(UNSET), "the other reason")
    other.close()
    call(chassis, ME)
    until_registered(chassis, ME)


def test_a_chassis_says_how_it_is(chassis: Bench) -> None:
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.until(lambda: chassis.controller.registered, "the row of the chassis")
    remote = chassis.sb.remote
    assert format_status(chassis.controller).splitlines() == [
        f"Chassis: {ME}",
        "Registered: yes",
        f"Southbound: {remote}, connected",
        "Containers: 1 (1 running)",
        "Dead after: 4 s without a heartbeat",
    ]
    assert commands.connection_status(chassis.controller) == "connected"
    assert commands.is_ready(chassis.controller) == "true"
    chassis.host.failures["apply", Links, "c2"] = "no memory"
    chassis.bind("c2")
    chassis.until_status("c2", "error")
    chassis.host.probe = replace(chassis.host.probe, problem="no charon")
    chassis.controller.chassis._registration.probe()
    chassis.host.full_disks = ("/var is full",)
    chassis.until(lambda: chassis.controller.chassis.heartbeat.warnings, "a look at the disks")
    counted, _, *problems = format_status(chassis.controller).splitlines()[3:]
    assert counted == "Containers: 2 (1 error, 1 running)"
    assert problems == [
        *("Problem: /var is full", "Problem: fake: no charon", "Problem: c2: no memory"),
    ]


@pytest.mark.usefixtures("tls_streams")
@pytest.mark.parametrize(
    ("remote", "sentence"),
    [
        ("unix:{dir}/none.sock", "{dir}/none.sock was not read yet: No such file or directory"),
        ("tcp:127.0.0.1:1", "tcp:127.0.0.1:1 was not read yet: Connection refused"),
        ("unix:{dir}/Open_vSwitch.sock", "it serves Open_vSwitch, and not SVC_Southbound"),
        ("tcp:127.0.0.1", "'tcp:127.0.0.1' has no port: it must be tcp:IP:PORT"),
        ("ssl:127.0.0.1:1", "TLS needs --private-key and --certificate and --ca-cert"),
        ("tcp:central:1", "'central' is not an IP address"),
        ("\u2028", "is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT"),
        ("", "external_ids:svc-remote of the local Open_vSwitch is not set"),
    ],
)
def test_a_chassis_that_cannot_register_says_why(
    tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch, remote: str, sentence: str
) -> None:
    monkeypatch.setattr(dirs, "SYSCONFDIR", str(tmp_path / "etc"))
    logs.allow("waiting: |connection attempt failed|TLS needs")
    bench = Bench(tmp_path, logs)
    try:
        bench.open_switch(**{"svc-remote": remote.format(dir=tmp_path)})
        expected = sentence.format(dir=tmp_path)
        bench.until(
            lambda: expected in commands.connection_status(bench.controller), "why", timeout_s=10
        )
        said = commands.connection_status(bench.controller).splitlines()
        assert said[0] == "not connected"
        assert len(said) == 2
        assert "Registered: no" in format_status(bench.controller).splitlines()
        assert commands.is_ready(bench.controller) == f"false: {said[1]}"
    finally:
        bench.stop()


def test_what_is_no_name_any_more_leaves_a_chassis_as_it_is(chassis: Bench) -> None:
    chassis.logs.allow("waiting: ")
    chassis.until(lambda: chassis.controller.registered, "the row of the chassis")
    chassis.ovs.update("Open_vSwitch", [], external_ids=to_map(chassis.ids | {"svc-remote": "x"}))
    chassis.until(lambda: chassis.controller.identity_problem, "the change")
    problem = "'x' is not unix:PATH, tcp:IP:PORT or ssl:IP:PORT; it goes on as before"
    assert problem in format_status(chassis.controller)
    assert chassis.controller.registered
    chassis.ovs.update("Open_vSwitch", [], external_ids=to_map(chassis.ids))
    chassis.until(lambda: not chassis.controller.identity_problem, "the end of it")


def test_a_host_without_the_bridge_says_so_and_is_unfit(chassis: Bench) -> None:
    chassis.until(lambda: chassis.controller.registered, "the row of the chassis")
    ids = chassis.ids | {"svc-bridge": "br-x"}
    chassis.ovs.update("Open_vSwitch", [], external_ids=to_map(ids))

    def told() -> Any:
        return chassis.sb.rows("Chassis_Private")[0]["ovn_problem"]

    sentence = "there is no bridge br-x (external_ids:svc-bridge of the local Open_vSwitch)"
    chassis.until(lambda: told() == sentence, "the sentence")
    assert f"Problem: {sentence}" in format_status(chassis.controller)
    chassis.ovs.update("Open_vSwitch", [], external_ids=to_map(chassis.ids))
    chassis.until(lambda: not told(), "the end of it")


@given(st.dictionaries(KEYS, st.text(max_size=40) | REMOTES))
def test_whatever_the_local_open_vswitch_says_is_an_identity_or_a_sentence(
    ids: dict[str, str],
) -> None:
    found = _find_identity(ids)
    if isinstance(found, str):
        assert found.isprintable()
        return
    assert find_remote_problem(found.remote, has_keys=True) is None
    assert found.chassis
    assert found.bridge


def _find_identity(ids: dict[str, str]) -> Identity | str:
    row = switch_rows.OpenvSwitch(uuid.uuid4(), external_ids=ids, next_cfg=0, cur_cfg=0)
    try:
        return find_identity([row], [])
    except HostError as error:
        return str(error)


def test_a_bridge_that_is_made_anew_is_no_problem() -> None:
    watch = BridgeWatch()
    assert watch.find_problem("br", True, "", 0) == ""
    assert watch.find_problem("br", False, "", 1000) == ""
    assert watch.find_problem("br", False, "", 999 + BRIDGE_PATIENCE_MS) == ""
    told = watch.find_problem("br", False, "", 1000 + BRIDGE_PATIENCE_MS)
    assert told.startswith("there is no bridge br ")
    # Another svc-controller goes on with what was told.
    assert BridgeWatch().find_problem("br", False, f"{told}; x", 0) == told
    assert watch.find_problem("br", True, told, 9000) == ""
    assert watch.find_problem("br", False, "", 9001) == ""


@pytest.mark.parametrize("field", [each.name for each in fields(Situation)])
def test_each_obstacle_has_words(field: str) -> None:
    assert find_obstacle(READY) == ""
    missing = replace(READY, **{field: type(getattr(READY, field))()})
    assert bool(find_obstacle(missing)) == (field != "remote")


def test_an_ovn_controller_that_does_not_follow_is_told_of(chassis: Bench) -> None:
    """As after another name, which OVN takes once the old chassis is gone from its southbound."""

    def follow(number: int) -> None:
        chassis.ovs.update("Bridge", [], external_ids=to_map({"ovn-nb-cfg": str(number)}))

    def told(sentence: str) -> bool:
        return any(sentence in text for _level, _module, text in chassis.logs.messages)

    def read() -> str:
        bridge = chassis.controller.ports.rows.find_bridge("br-int")
        return bridge.external_ids.get("ovn-nb-cfg", "") if bridge else ""

    follow(6)
    # Two servers answer in any order: it has seen that before it is asked.
    chassis.until(lambda: read() == "6", "the bridge as it is")
    chassis.sb.update("SB_Global", [], nb_cfg=100, ovn_nb_cfg=7)
    said = "what is asked is not acknowledged: ovn-controller does not follow"
    chassis.until(lambda: told(said), "the reason", timeout_s=40)
    assert chassis.sb.rows("Chassis_Private")[0]["nb_cfg"] < 100
    follow(7)
    chassis.until(lambda: told("what is asked is not acknowledged: no more"), "the end of it")
    chassis.check_laws()


def test_what_takes_long_is_told_once_and_so_is_its_end(logs: Logs) -> None:
    waiting, waits = Waiting("nothing"), "it has not given the lock"
    moments = (0, PATIENCE_MS - 1, PATIENCE_MS, PATIENCE_MS + 1, PATIENCE_MS + 2)
    said = []
    for now_ms in moments:
        before = len(logs.messages)
        waiting.note("" if now_ms == moments[-1] else waits, now_ms)
        said.append([text for _level, _module, text in logs.messages[before:]])
    assert [len(each) for each in said] == [0, 0, 1, 0, 1]
    assert said[2:] == [[f"nothing: {waits}"], [], ["nothing: no more"]]
    # What is over before is told of to nobody.
    for now_ms, now in ((0, waits), (PATIENCE_MS - 1, "")):
        before = len(logs.messages)
        waiting.note(now, 10 * PATIENCE_MS + now_ms)
        assert len(logs.messages) == before
