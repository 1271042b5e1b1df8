"""svcctl status: what is wrong, the worst first, and what it exits with, whatever is away."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from ..ctl import run
from ..ctl.ask import northd, southbound
from ..ctl.commands import status as status_command
from ..lib import sb, schema
from ..lib.idl import Session
from ..lib.northd_lock import SOUTHBOUND_KEY, SOUTHBOUND_LOCK, make_northbound_lock
from ..services.ipsec.rows import VPNService
from .ovsdb import Databases, wait_until
from .svcctl import WHEN, WHEN_MS, Svcctl, add_router
from .test_northd_takeover import Process

PSK = "--psk=secret"
MINUTE_MS = 60_000


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """A VPN service that is up, with a connection, and two chassis that are alive."""
    add_router(databases, "tenant-router")
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name, hostname=f"{name}.cloud", service_types="ipsec")
        databases.sb.insert("Chassis_Weight", chassis=name, alive=True, since=WHEN_MS)
    svcctl.good("init")
    svcctl.good("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
    assert svcctl("conn-add", "mercury", "to-venus", "1.0.0.3", "10.2.0.0/16", PSK).status == 0
    for table in ("VPN_Service", "IPsec_Connection"):
        databases.nb.update(table, [], status="up", status_message="1 of 1 tunnels up")
    return svcctl


class Active:
    """Something that holds the locks of a svc-northd, and has said that it works."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        lock = make_northbound_lock(schema.NORTHBOUND)
        self._sessions = [
            _hold(databases.sb.remote, schema.SOUTHBOUND, sb.Northd, SOUTHBOUND_LOCK),
            _hold(databases.nb.remote, schema.NORTHBOUND, VPNService, lock),
        ]
        row = {"hostname": "c1", "pid": 7, "since": WHEN_MS, "patience": 2000}
        uuid = databases.sb.insert("Northd", **row)
        databases.nb.update("SVC_Global", [], external_ids=["map", [[SOUTHBOUND_KEY, uuid]]])
        for session in self._sessions:
            wait_until(partial(_has_lock, session), "a lock")
        self.work()

    def work(self, **columns: Any) -> None:
        """Says that a pass ended at this moment, or what 'columns' say."""
        self._databases.sb.update("Northd", [], **{"worked_at": now_ms(), **columns})

    def end(self) -> None:
        """Lets the locks go."""
        for session in self._sessions:
            session.close()
        self._sessions = []


def _hold(remote: str, database: str, row: Any, lock: str) -> Session:
    return Session(remote, database, (row,), schema=schema.load(database), lock=lock)


def _has_lock(session: Session) -> bool:
    session.run()
    return session.has_lock


@pytest.fixture
def active(vpn: Svcctl, databases: Databases) -> Iterator[Active]:
    made = Active(databases)
    yield made
    made.end()


# -- what is wrong -----------------------------------------------------------


def test_all_is_well(vpn: Svcctl, active: Active) -> None:
    active.work()
    assert re.sub(r"\(\d+ d ago\)", "(N d ago)", vpn.tell(0)) == (
        "well\nVPN services: 1 of 1 up\nconnections: 1 of 1 up\ncontainers: 0 of 0 running\n"
        f"chassis: 2 of 2 alive\nsvc-northd: active on c1, pid 7, since {WHEN} (N d ago)\n"
        "nb_cfg 0, sb_cfg 0, hv_cfg 0\n"
    )
    active.work()
    assert vpn.tell(0), "to ask takes nothing away"
    active.work(since=0)
    assert "\nsvc-northd: not active yet on c1, pid 7\n" in vpn.tell(2)


def test_the_worst_comes_first_and_what_is_down_is_named(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    assert vpn("conn-add", "mercury", "to-mars", "1.0.0.4", "10.4.0.0/16", PSK).status == 0
    to_mars = [["name", "==", "to-mars"]]
    message = "no answer from 1.0.0.4"
    down = {"status": "down", "status_message": message, "since": now_ms() - 2 * MINUTE_MS}
    databases.nb.update("IPsec_Connection", to_mars, **down)
    databases.nb.update("VPN_Service", [], status="partial", status_message="1 of 2 tunnels up")
    dead = {"alive": False, "problem": "dead", "since": now_ms() - 3 * MINUTE_MS}
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], **dead)
    active.work(problem="a row is refused")
    verdict, *lines = vpn.tell(1).splitlines()
    assert verdict == "degraded (3 problems)"
    assert lines[0].startswith("ERROR svc-northd: a row is refused (its last whole pass ended at ")
    stamp = lines[1].split()[3]
    assert lines[1] == f"DOWN mercury/to-mars since {stamp} (2 min): {message}"
    stamp = lines[2].split()[4]
    assert lines[2] == f"DEAD chassis hv2 since {stamp} (3 min): its heartbeat stopped"
    assert lines[3] == "VPN services: 0 of 1 up (1 partial)", (
        "a service is no worse than its connections"
    )
    # What somebody has ordered is no problem.
    vpn.good("conn-set", "mercury", "to-mars", "--enabled=false")
    message = "the connection is disabled; traffic to its peer subnets is dropped"
    databases.nb.update("IPsec_Connection", to_mars, status="disabled", status_message=message)
    databases.nb.update("VPN_Service", [], status="up", status_message="1 of 1 tunnels up")
    databases.sb.update("Chassis_Weight", [], alive=True, problem="drained")
    active.work(problem="")
    said = vpn.tell(0)
    assert said.startswith("well\nNOTE chassis hv1: drained\nNOTE chassis hv2: drained\n")
    assert "connections: 1 of 1 up (1 disabled)\n" in said


def test_what_does_not_work_at_all(vpn: Svcctl, databases: Databases, active: Active) -> None:
    message = "no answer from 1.0.0.3"
    databases.nb.update("IPsec_Connection", [], status="down", status_message=message)
    databases.nb.update("VPN_Service", [], status="down", status_message="0 of 1 tunnels up")
    active.work()
    said = vpn.tell(2)
    assert said.startswith(f"down: nothing works (1 problem)\nDOWN mercury/to-venus: {message}\n")
    databases.nb.update("IPsec_Connection", [], status="partial", status_message="a route of X")
    databases.nb.update("VPN_Service", [], status="partial", status_message="0 of 1 tunnels up")
    active.work()
    assert "\nPARTIAL mercury/to-venus: a route of X\n" in vpn.tell(1)
    # A service that has nothing to do yet harms nobody.
    vpn.good("conn-del", "mercury", "to-venus")
    databases.nb.update("VPN_Service", [], status="down", status_message="no enabled connection")
    active.work()
    assert "\nNOTE mercury: no enabled connection\n" in vpn.tell(0)


def test_an_error_of_a_service_stands_for_its_connections(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    databases.nb.update("VPN_Service", [], status="error", status_message="no router")
    databases.nb.update("IPsec_Connection", [], status="error", status_message="of no router")
    databases.nb.insert("Service_Container", name="a", service_type="x", status_code="running")
    active.work()
    assert "ERROR mercury: no router\nVPN services" in vpn.tell(1), "a container runs"
    kept = "still as configured before: a mistake"
    databases.nb.update("IPsec_Connection", [], status="up", status_message=kept)
    databases.nb.update("VPN_Service", [], status="up", status_message="1 of 1 tunnels up")
    active.work()
    assert f"\nKEPT mercury/to-venus: {kept}\n" in vpn.tell(1)


def test_containers_are_told_with_what_they_serve(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    [service] = databases.nb.rows("VPN_Service")
    row = {"service_type": "ipsec", "status_code": "error", "status_message": "no chassis"}
    serves = service["_uuid"][1]
    databases.nb.insert("Service_Container", name="vpn-1", serves=serves, since=WHEN_MS, **row)
    active.work()
    said = f"\nERROR container vpn-1 (mercury) since {WHEN} ("
    assert said in vpn.tell(1)
    # Told once, where it stands on the row of what it serves.
    message = "container error: no chassis"
    databases.nb.update("IPsec_Connection", [], status="down", status_message=message)
    active.work()
    assert "\nERROR container" not in vpn.tell(2)


def test_one_screen_however_much_is_wrong(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    vpn.good("chassis-set-weight", "hv1", "1")
    names = [f"c{number:02}" for number in range(40)]
    for name in names:
        row = {"service_type": "x", "status_code": "error", "status_message": f"{name} " * 200}
        databases.nb.insert("Service_Container", name=name, since=WHEN_MS, **row)
    databases.nb.insert("Chassis", name="hv9")
    active.work()
    lines = vpn.tell(1).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) < 320
    told = [line for line in lines if line.startswith("ERROR")]
    assert len(told) == 9
    assert "UNKNOWN chassis hv9: it has not registered in the southbound" in lines
    assert "and 31 more: 31 error (svcctl status --all)" in lines
    active.work()
    lines = vpn.tell(1, "--all").splitlines()
    assert [line for line in lines if line.startswith("ERROR")][-1].endswith("c39 " * 200)


def test_options_that_do_not_count(vpn: Svcctl, databases: Databases, active: Active) -> None:
    vpn.good("group-add", "vpns", "least")
    databases.nb.update("Container_Group", [], options=["map", [["standby", "tow"]]])
    vpn.good("set", "SVC_Global", ".", "options:chassis-dead-after=soon")
    active.work()
    said = vpn.tell(1)
    words = (
        "group vpns: options:standby is 'tow', not 0 to 8;"
        " each container has as many standbys as before"
    )
    assert f"\nWARNING: {words}\n" in said
    assert "\nWARNING SVC_Global: options:chassis-dead-after is " in said


def test_what_a_chassis_warns_of(vpn: Svcctl, databases: Databases, active: Active) -> None:
    warnings = ["set", ["file system /run is full (0 KB left)", "a second"]]
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis_Private", name=name, warnings=warnings)
    where = [["chassis", "==", "hv2"]]
    databases.sb.update("Chassis_Weight", where, alive=False)
    said = vpn.tell(1)
    assert "\nWARNING chassis hv1: a second\nWARNING chassis hv1: file system /run is full" in said
    # What a dead one said is of another time.
    assert "WARNING chassis hv2" not in said
    assert "a second; file system /run is full (0 KB left)" in vpn.good("chassis-list")


def test_which_chassis_is_unfit(vpn: Svcctl, databases: Databases, active: Active) -> None:
    problem = "unfit (ovn-controller does not answer)"
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], problem=problem)
    types = ["map", [["ipsec", "charon-systemd is not installed"]]]
    databases.sb.update("Chassis", [["name", "==", "hv1"]], service_problems=types)
    active.work()
    said = vpn.tell(1)
    assert f"\nUNFIT chassis hv2: {problem}\n" in said
    assert "\nNOTE chassis hv1: ipsec: charon-systemd is not installed\n" in said
    databases.sb.delete("Chassis")
    active.work()
    assert "\nNOTE: no chassis has registered in the southbound\n" in vpn.tell(0)


def test_who_has_not_answered(vpn: Svcctl, databases: Databases, active: Active) -> None:
    databases.nb.update("VPN_Service", [], status=["set", []])
    active.work()
    silent = "WAITING: svc-northd has not answered"
    assert f"\n{silent}: VPN service mercury has no status yet\n" in vpn.tell(1)
    databases.nb.update("VPN_Service", [], status="up")
    databases.nb.update("SVC_Global", [], nb_cfg=5, sb_cfg=4)
    active.work()
    assert f"\n{silent}: nb_cfg 5, sb_cfg 4\n" in vpn.tell(1)
    for name, number in (("hv1", 5), ("hv2", 4)):
        databases.sb.insert("Chassis_Private", name=name, nb_cfg=number)
    # That takes its time, but not for ever.
    words = "not all chassis have answered: sb_cfg 5, hv_cfg 4 (hv2)\n"
    databases.nb.update("SVC_Global", [], sb_cfg=5, hv_cfg=4, sb_cfg_timestamp=now_ms())
    active.work()
    assert f"\nNOTE: {words}" in vpn.tell(0)
    databases.nb.update("SVC_Global", [], sb_cfg_timestamp=now_ms() - MINUTE_MS)
    active.work()
    assert f"\nWAITING: {words}" in vpn.tell(1)


# -- what is away ------------------------------------------------------------


def test_no_svc_northd(vpn: Svcctl, databases: Databases, active: Active) -> None:
    active.work(worked_at=now_ms() - 3 * MINUTE_MS, problem="2 rows cannot be served")
    active.end()
    said = vpn.tell(2)
    verdict, first, second, *_ = said.splitlines()
    assert verdict == "down (2 problems)"
    assert first.startswith("HALTED svc-northd since ")
    assert first.endswith(
        " (3 min): none is active; the last one was on c1, pid 7;"
        " what is told of anything is of that time"
    )
    assert second.startswith("ERROR svc-northd: the last one said: 2 rows cannot be served (")
    assert "Z (3 min ago):\nVPN services: 1 of 1 up\n" in said
    assert "\nsvc-northd: none is active; the last was on c1\n" in said
    databases.sb.delete("Northd")
    assert "\nHALTED svc-northd: none is active, and none ever was\n" in vpn.tell(2)


def test_a_svc_northd_that_hangs(
    vpn: Svcctl, active: Active, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(northd, "_LONGEST_WAIT_MS", 100)
    active.work(worked_at=WHEN_MS, patience=50)
    assert ": it hangs: no beat in 0.1 s; it is on c1, pid 7; " in vpn.tell(2)
    active.work(worked_at=WHEN_MS, patience=2000)
    assert ": busy: no beat in 0.1 s; it may take 2 s; " in vpn.tell(2)


@pytest.mark.parametrize(
    ("columns", "status", "word"),
    [(("heartbeat", "worked_at"), 0, "well\n"), (("heartbeat",), 2, "no pass of it succeeds")],
)
def test_another_clock_than_ours(
    vpn: Svcctl, active: Active, columns: tuple[str, ...], status: int, word: str
) -> None:
    """Its beats are seen to come, whatever the time is there."""
    active.work(worked_at=WHEN_MS, heartbeat=1)
    over = threading.Event()

    def beat() -> None:
        number = 1
        while not over.wait(0.02):
            number += 1
            moments = {"worked_at": WHEN_MS + number, "heartbeat": number}
            active.work(**{"worked_at": WHEN_MS, **{each: moments[each] for each in columns}})

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        assert word in vpn.tell(status)
    finally:
        over.set()
        thread.join()


def test_without_the_southbound(vpn: Svcctl, databases: Databases, active: Active) -> None:
    databases.sb.stop()
    said = vpn.tell(1)
    words = "not reached from here, but by svc-northd; chassis and standbys are not known: unix:"
    assert f"\nWARNING SVC_Southbound: {words}" in said
    assert "\nVPN services: 1 of 1 up\n" in said
    assert "\nchassis: not known\nsvc-northd: not known\n" in said
    active.end()
    said = vpn.tell(2)
    words = "no svc-northd is active without, so what is told is old; "
    assert f"\nAWAY SVC_Southbound: {words}" in said


def test_a_southbound_that_does_not_answer(
    vpn: Svcctl, databases: Databases, active: Active, monkeypatch: pytest.MonkeyPatch
) -> None:
    """svc-northd, which holds its locks yet, can do nothing either."""
    for module in (northd, southbound):
        monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    databases.sb.pause()
    try:
        words = "it does not answer, so what is told is old; chassis and standbys are not known: "
        assert f"\nAWAY SVC_Southbound: {words}unix:" in vpn.tell(2)
        said = vpn("vpn-list").stderr
    finally:
        databases.sb.resume()
    assert ": what is listed is not of this moment: SVC_Southbound does not answer: unix:" in said


def test_a_northbound_that_is_not_served(vpn: Svcctl, databases: Databases, active: Active) -> None:
    databases.nb.detach()
    assert "the server has no database SVC_Northbound\n" in vpn.tell(2)
    databases.nb.attach()
    active.work()
    assert vpn.tell(0)


def test_without_ovn(vpn: Svcctl, databases: Databases, active: Active) -> None:
    databases.ovn_nb.stop()
    active.work()
    assert vpn.tell(0), "svc-northd says itself what it cannot reach"
    active.end()
    assert "\nAWAY OVN_Northbound: not reached from here: " in vpn.tell(2)


def test_without_the_northbound(vpn: Svcctl, databases: Databases, active: Active) -> None:
    row = {"service_type": "ipsec", "role": "active", "status_code": "running"}
    databases.sb.insert("Container_Binding", container="vpn-1", chassis="hv1", **row)
    row |= {"status_code": "error", "status_message": "no room"}
    databases.sb.insert("Container_Binding", container="vpn-2", chassis="hv1", **row)
    for name, state in (("a", "up"), ("b", "up"), ("c", "down")):
        item = {"container": "vpn-1", "chassis": "hv1", "kind": "tunnel", "name": name}
        databases.sb.insert("Container_Item", state=state, **item)
    databases.nb.stop()
    active.work()
    said = vpn.tell(2)
    assert said.startswith("down (2 problems)\nAWAY SVC_Northbound: ")
    assert "SVC_Northbound: services, connections and what is wanted of " in said
    assert "\nERROR container vpn-2: no room\n" in said
    for line in (
        "containers: 1 of 2 running, as their chassis say",
        "tunnel: 1 down, 2 up, as chassis say",
        "chassis: 2 of 2 alive",
    ):
        assert f"\n{line}\n" in said
    assert f"\nsvc-northd: active on c1, pid 7, since {WHEN} (" in said
    databases.sb.stop()
    said = vpn.tell(2)
    assert "\nAWAY SVC_Southbound: " in said
    assert "\nchassis: not known\nsvc-northd: not known\n" in said
    result = vpn("vpn-list")
    assert (result.status, result.stdout) == (1, "")


@pytest.mark.parametrize("name", ["nb", "sb", "ovn_nb"])
def test_a_database_that_hangs_is_waited_for_in_vain(
    vpn: Svcctl, databases: Databases, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, constant in (
        (run, "_PATIENCE_S"),
        (southbound, "PATIENCE_S"),
        (status_command, "PATIENCE_S"),
    ):
        monkeypatch.setattr(module, constant, 0.2)
    getattr(databases, name).pause()
    try:
        said = vpn.tell(2)
    finally:
        getattr(databases, name).resume()
    called = {"nb": "SVC_Northbound", "sb": "SVC_Southbound", "ovn_nb": "OVN_Northbound"}[name]
    assert f"\nAWAY {called}: " in said
    assert "timed out" in said


def test_status_beside_another_command(vpn: Svcctl, active: Active) -> None:
    """The run exits with what status says; without the northbound it is told for itself only."""
    active.end()
    result = vpn("status", "--", "group-list")
    assert result.status == 2
    assert "\nname policy" in result.stdout


# -- lists -------------------------------------------------------------------

LISTS = ("vpn-list", "conn-list mercury", "chassis-list", "container-list")


@pytest.mark.parametrize("words", LISTS)
def test_each_list_says_that_it_is_old(
    vpn: Svcctl, databases: Databases, active: Active, words: str
) -> None:
    active.work(worked_at=now_ms() - 3 * MINUTE_MS)
    active.end()
    result = vpn(*words.split())
    assert result.status == 0
    assert result.stderr.startswith(
        "svcctl: warning: what is listed is not of this moment: svc-northd: none is active; "
        "last at work 20"
    )
    assert result.stderr.endswith("Z (3 min ago)\n")


@pytest.mark.parametrize("words", LISTS)
def test_a_list_of_this_moment_says_nothing(vpn: Svcctl, active: Active, words: str) -> None:
    active.work()
    vpn.good(*words.split())


def test_a_list_without_the_southbound(vpn: Svcctl, databases: Databases, active: Active) -> None:
    databases.sb.stop()
    vpn.good("vpn-list")  # whoever holds the lock of the northbound reaches the southbound
    active.end()
    said = vpn("vpn-list", "--", "conn-list", "mercury").stderr
    assert said.startswith("svcctl: warning: what is listed is not of this moment: no svc-northd ")
    assert said.count("\n") == 1


# -- a real svc-northd -------------------------------------------------------


def test_a_real_svc_northd_that_works_stops_and_is_gone(databases: Databases) -> None:
    svcctl = Svcctl(databases)
    remotes = {
        "svcnb-db": databases.nb.remote,
        "svcsb-db": databases.sb.remote,
        "ovnnb-db": databases.ovn_nb.remote,
        "ovnsb-db": f"unix:{databases.directory}/none.sock",
    }
    process = Process(databases.directory, "svc-northd", remotes)
    try:
        wait_until(lambda: process.status == "active", "svc-northd to be active", 30)
        svcctl.good("vpn-list")
        assert wait_until(lambda: not svcctl("status").status, "all to be well")
        process.signal(signal.SIGSTOP)
        hangs = "svc-northd: it hangs: no beat in 2.5 s; last at work "
        # What it did a moment ago is of this moment.
        wait_until(lambda: hangs in svcctl("vpn-list").stderr, "the list to say that it is old")
        process.signal(signal.SIGCONT)
        assert wait_until(lambda: not svcctl("status").status, "all to be well again")
        process.signal(signal.SIGKILL)
        assert "svc-northd: none is active; last at work " in svcctl("vpn-list").stderr
        assert ": none is active; the last one was on " in svcctl.tell(2)
    finally:
        process.stop()
