"""Whose the name of a chassis is, on a real southbound: restarts, rivals, copies, edited rows."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..controller import commands
from ..controller.claim import RIVAL, WATCHED
from ..controller.controller import Controller
from ..controller.kept_names import Host
from ..lib import sb, schema
from ..lib.idl import Session
from .bench import HOST, ME, Bench
from .cluster import start_cluster
from .ovsdb import Database, wait_until
from .rig import VSWITCH_SCHEMA, to_map

CLAIMS = f"another svc-controller claims the chassis name {ME}"
REBOOTED = Host(HOST.machine, "the next boot")
LONG_S = 20


@pytest.fixture
def chassis(chassis: Bench) -> Bench:
    """A bench whose chassis has registered and runs a container."""
    chassis.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    chassis.bind("c1")
    chassis.until_status("c1", "running")
    chassis.until_beats(1)
    return chassis


def read_row(bench: Bench) -> dict[str, Any]:
    (row,) = bench.sb.rows("Chassis_Private", [["name", "==", ME]])
    return row


def find_incarnation(controller: Controller) -> str:
    return controller.chassis.heartbeat.incarnation


def until_has(bench: Bench, controller: Controller) -> None:
    """Runs until a svc-controller has the name, and has beaten."""

    def has() -> bool:
        rows = bench.sb.rows("Chassis_Private", [["name", "==", ME]])
        beaten = [row["incarnation"] for row in rows if row["heartbeat"]]
        return beaten == [find_incarnation(controller)]

    bench.until(has, "the name", timeout_s=LONG_S)


def until_beaten_by(bench: Bench, controller: Controller, count: int) -> None:
    """Runs until it has beaten, and nobody else meanwhile."""
    first = read_row(bench)["heartbeat"]

    def beaten() -> bool:
        row = read_row(bench)
        assert row["incarnation"] == find_incarnation(controller)
        return bool(row["heartbeat"] >= first + count)

    bench.until(beaten, "heartbeats")


def add_rival(bench: Bench) -> Controller:
    """Runs a svc-controller of another host beside, until it says what it waits for."""
    bench.logs.allow("waiting: another svc-controller claims")
    rival = bench.make_rival()
    bench.beside.append(rival)
    before = bench.logs.count(CLAIMS)
    bench.until(lambda: bench.logs.count(CLAIMS) > before, "the warning")
    return rival


# -- one host ---------------------------------------------------------------------


def test_one_that_was_killed_has_its_name_at_once(chassis: Bench) -> None:
    for _ in range(3):
        # Nothing is given back at the end of one that is killed, or ends.
        chassis.controller.close()
        chassis.controller = chassis.make_controller()
        until_has(chassis, chassis.controller)
    assert chassis.logs.count("under which nobody beats any more") == 0
    chassis.check_laws()


def test_one_that_was_killed_before_it_registered_has_its_name_at_once(chassis: Bench) -> None:
    chassis.controller.close()
    for _ in range(3):
        chassis.controller = chassis.make_controller()
        chassis.until(lambda: chassis.controller.identity is not None, "the name to be kept")
        chassis.controller.close()
    chassis.controller = chassis.make_controller()
    until_has(chassis, chassis.controller)
    assert chassis.logs.count("under which nobody beats any more") == 0


@pytest.mark.parametrize("cause", ["reboot", "lost file", "killed after a reboot"])
def test_otherwise_it_waits_until_nobody_beats(chassis: Bench, cause: str) -> None:
    chassis.controller.close()
    if cause == "lost file":
        shutil.rmtree(chassis.directory / "etc")
    host = HOST if cause == "lost file" else REBOOTED
    chassis.controller = chassis.make_controller(host=host)
    if cause == "killed after a reboot":
        chassis.until(lambda: chassis.controller.identity is not None, "the name to be kept")
        chassis.controller.close()
        chassis.controller = chassis.make_controller(host=host)
    said = f"the southbound has not given the name {ME} yet: {WATCHED}"
    chassis.until(
        lambda: said in commands.connection_status(chassis.controller), "what it waits for"
    )
    assert not chassis.controller.ready
    until_has(chassis, chassis.controller)
    assert chassis.logs.count("under which nobody beats any more") == 1
    chassis.check_laws()
    # From then on it has its file.
    chassis.controller.close()
    chassis.controller = chassis.make_controller(host=host)
    until_has(chassis, chassis.controller)
    assert chassis.logs.count("under which nobody beats any more") == 1


def test_a_southbound_that_is_restored_is_of_this_host(chassis: Bench) -> None:
    """Its row is of an earlier life in this boot."""
    chassis.logs.allow("reconnect|connection|the southbound lost content")
    chassis.controller.close()
    old = chassis.sb.read_file()
    chassis.controller = chassis.make_controller()
    until_has(chassis, chassis.controller)
    chassis.sb.replace(old)
    until_has(chassis, chassis.controller)
    assert chassis.logs.count("under which nobody beats any more") == 0


def remove(bench: Bench) -> None:
    bench.sb.delete("Chassis_Private")


def rename(bench: Bench) -> None:
    bench.sb.update("Chassis_Private", [], name="x")


def edit(bench: Bench) -> None:
    bench.sb.update("Chassis_Private", [], incarnation="x")


@pytest.mark.parametrize("harm", [remove, rename, edit])
def test_a_row_that_somebody_took_or_edited_is_mended(chassis: Bench, harm: Any) -> None:
    harm(chassis)
    until_has(chassis, chassis.controller)
    until_beaten_by(chassis, chassis.controller, 2)
    assert chassis.logs.count("under which nobody beats any more") == 0
    chassis.sb.delete("Chassis_Private", [["name", "!=", ME]])
    chassis.check_laws()


def test_locks_are_nothing_to_it(chassis: Bench) -> None:
    """Whoever reaches the southbound may hold or steal any."""
    names = (f"svc_chassis_{ME}", "svc_northd")
    thieves = [
        Session(chassis.sb.remote, schema.SOUTHBOUND, [sb.SBGlobal], lock=name) for name in names
    ]
    try:
        for thief in thieves:
            wait_until(lambda: _has_lock(thief), "the lock")  # noqa: B023
        first = read_row(chassis)["heartbeat"]
        until_beaten_by(chassis, chassis.controller, 3)
        assert read_row(chassis)["heartbeat"] > first
        assert all(map(_has_lock, thieves)), "nobody asked for it"
    finally:
        for thief in thieves:
            thief.close()
    chassis.check_laws()


def _has_lock(session: Session) -> bool:
    session.run()
    return session.has_lock


# -- two hosts --------------------------------------------------------------------


def test_the_newcomer_waits_until_the_first_one_ends(chassis: Bench) -> None:
    first, rows = chassis.controller, chassis.sb.rows("Chassis")
    rival = add_rival(chassis)
    assert RIVAL in commands.connection_status(rival)
    assert not rival.ready
    until_beaten_by(chassis, first, 50)
    assert chassis.sb.rows("Chassis") == rows
    assert chassis.logs.count(CLAIMS) == 1
    first.close()
    chassis.controller = chassis.beside.pop()
    chassis.unbind("c1")
    until_has(chassis, rival)
    chassis.until(lambda: not chassis.host.find_names(), "the other one to take over")
    chassis.check_laws()


def test_a_restart_of_the_first_one_lets_no_newcomer_in(chassis: Bench) -> None:
    add_rival(chassis)
    for _ in range(3):
        chassis.controller.close()
        chassis.controller = chassis.make_controller()
        until_has(chassis, chassis.controller)
        until_beaten_by(chassis, chassis.controller, 3)


def test_one_that_was_silent_for_long_stands_down_and_stays_down(chassis: Bench) -> None:
    """As after SIGSTOP.  What it had to write then is not written."""
    rival = add_rival(chassis)
    silent = chassis.controller
    chassis.controller, chassis.beside = rival, []
    until_has(chassis, rival)
    chassis.bind("c1", {"addresses": ["1.0.0.101/32"]})
    before = chassis.logs.count(CLAIMS)
    chassis.beside = [silent]
    chassis.until(lambda: chassis.logs.count(CLAIMS) > before, "it to say so")
    assert not silent.ready
    assert RIVAL in commands.connection_status(silent)
    until_beaten_by(chassis, rival, 60)
    assert chassis.binding("c1")["incarnation"] != find_incarnation(silent)


def test_what_one_writes_that_does_not_know_it_yet_is_not_written(chassis: Bench) -> None:
    row = {"incarnation": "another", "heartbeat": 0}
    chassis.sb.update("Chassis_Private", [], **row)
    chassis.sb.update("Chassis", [], hostname="x")
    silent = chassis.controller
    while silent.ready:
        silent.run()
    assert read_row(chassis)["incarnation"] == "another"
    assert chassis.sb.rows("Chassis")[0]["hostname"] == "x"


def test_a_southbound_that_was_emptied_goes_to_the_one_that_worked(chassis: Bench) -> None:
    chassis.logs.allow("reconnect|connection|the southbound lost content")
    first, _rival = chassis.controller, add_rival(chassis)
    chassis.make_southbound_anew()
    chassis.sb.insert("SB_Global", nb_cfg=0)
    # The rival is there first.
    chassis.controller = chassis.beside[0]
    chassis.beside = []

    def saw() -> bool:
        row = chassis.controller.chassis._row
        return row is not None and row.found is not None and not row.found.exists

    chassis.until(saw, "the newcomer to see it empty")
    chassis.controller, chassis.beside = first, [chassis.controller]
    until_has(chassis, first)


@pytest.mark.parametrize("runs", [True, False])
def test_of_copies_of_a_disk_one_serves(chassis: Bench, runs: bool) -> None:
    """The copy has file and key.  The one that runs goes on, or else the first has the name."""
    chassis.logs.allow("waiting: another svc-controller claims")
    shutil.copytree(chassis.directory / "etc", chassis.directory / "copy")
    if not runs:
        chassis.controller.close()
        chassis.controller = chassis.make_controller(host=REBOOTED)
    first = chassis.controller
    copy = chassis.make_controller(host=Host(HOST.machine, "the boot of the copy"), folder="copy")
    chassis.beside = [copy]
    chassis.until(lambda: chassis.logs.count(CLAIMS), "the other one to say so", timeout_s=LONG_S)
    winner = first if first.ready else copy
    assert first.ready or not runs
    assert not (first.ready and copy.ready)
    until_beaten_by(chassis, winner, 50)


# -- between them and the server ----------------------------------------------------


@pytest.fixture
def relay(bench: Bench) -> Iterator[str]:
    """The remote of a relay of the southbound."""
    path = bench.directory / "relay.sock"
    process = start_relay(bench, path)
    yield f"unix:{path}"
    process.kill()
    process.wait()


def start_relay(bench: Bench, path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "KILL", "--", "ovsdb-server", "-vconsole:off"),
            *(f"--remote=punix:{path}", f"--unixctl={bench.directory}/relay.ctl"),
            f"relay:{schema.SOUTHBOUND}:{bench.sb.remote}",
        ],
        env={**os.environ, "OVS_RUNDIR": str(bench.directory)},
    )
    wait_until(path.exists, "the relay")
    return process


def test_a_relay_passes_it_on(bench: Bench, relay: str) -> None:
    """A relay keeps locks of its own, so that none may matter."""
    bench.sb.update("SB_Global", [], options=to_map({"heartbeat-interval": "100"}))
    bench.open_switch(**{"svc-remote": relay})
    bench.bind("c1", {"addresses": [], "tunnels": {"t1": "up"}})
    bench.until_status("c1", "running", timeout_s=LONG_S)
    until_beaten_by(bench, bench.controller, 3)
    rival = add_rival(bench)
    edit(bench)
    until_has(bench, bench.controller)
    assert not rival.ready
    bench.unbind("c1")
    bench.until(lambda: not bench.sb.rows("Container_Item"), "the tunnel to go")


def test_two_at_different_members_of_a_cluster_do_not_both_write(bench: Bench) -> None:
    """A lock is one server's; each would have it."""
    folder = bench.directory / "cluster"
    folder.mkdir()
    members = start_cluster(folder, schema.SOUTHBOUND)
    other = Database(folder, "Open_vSwitch", VSWITCH_SCHEMA)
    try:
        follower, leader = members
        options = to_map({"heartbeat-interval": "100"})
        row = {"nb_cfg": 0, "options": options}
        leader.transact({"op": "insert", "table": "SB_Global", "row": row})
        bench.open_switch(**{"svc-remote": follower.remote})
        first = bench.controller
        bench.until(lambda: first.registered, "the first to register", timeout_s=LONG_S)
        ids = to_map({"system-id": ME, "svc-remote": leader.remote})
        other.insert("Open_vSwitch", external_ids=ids)
        bench.logs.allow("waiting: another svc-controller claims")
        rival = bench.make_rival(other.remote)
        bench.beside = [rival]
        bench.until(lambda: bench.logs.count(CLAIMS), "the warning", timeout_s=LONG_S)
        select = {"op": "select", "table": "Chassis_Private", "where": []}

        def read() -> Any:
            [result] = leader.transact(select)
            [found] = result["rows"]
            assert found["incarnation"] == find_incarnation(first)
            return found["heartbeat"]

        begun = read()
        bench.until(lambda: read() > begun + 20, "heartbeats of the first", timeout_s=LONG_S)
        assert (first.ready, rival.ready) == (True, False)
    finally:
        other.stop()
        for each in members:
            each.stop()
