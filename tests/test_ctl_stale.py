"""svcctl while svc-northd or a database is away: what it tells all the same, and what is old."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from ..ctl import run
from ..ctl.ask import northd, southbound
from ..ctl.commands import status as status_command
from .active_northd import MINUTE_MS, Active, make_vpn, now_ms
from .ovsdb import Databases, wait_until
from .svcctl import WHEN, WHEN_MS, Svcctl
from .test_northd_takeover import Process


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl) -> Svcctl:
    return make_vpn(databases, svcctl)


@pytest.fixture
def active(vpn: Svcctl, databases: Databases) -> Iterator[Active]:
    made = Active(databases)
    yield made
    made.end()


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
    assert "Z (3 min):\nVPN services: 1 of 1 up\n" in said
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


def test_a_svc_northd_that_gave_way(vpn: Svcctl, active: Active) -> None:
    """Its row is nobody's, whatever lock is held."""
    active.work(incarnation="")
    said = vpn.tell(2)
    assert ": none is active; the last one was on c1, pid 7; " in said
    assert "\nsvc-northd: none is active; the last was on c1\n" in said


def test_a_svc_northd_of_which_the_southbound_alone_tells(
    vpn: Svcctl, databases: Databases, active: Active, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(northd, "_LONGEST_WAIT_MS", 100)
    databases.nb.stop()
    active.work(worked_at=WHEN_MS, patience=50)
    assert ": it ended, or hangs: no beat in 0.1 s; it is on c1, pid 7; " in vpn.tell(2)


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
    wait_until(lambda: vpn("vpn-list").status == 0, "the server to serve it")
    active.lead_again()
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
    assert result.stderr.endswith("Z (3 min)\n")


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
