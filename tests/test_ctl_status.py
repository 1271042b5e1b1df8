"""svcctl status: what is wrong, the worst first, and what it exits with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from .active_northd import MINUTE_MS, PSK, Active, make_vpn, now_ms
from .ovsdb import Databases
from .svcctl import WHEN, WHEN_MS, Svcctl, bind


@pytest.fixture
def vpn(databases: Databases, svcctl: Svcctl) -> Svcctl:
    return make_vpn(databases, svcctl)


@pytest.fixture
def active(vpn: Svcctl, databases: Databases) -> Iterator[Active]:
    made = Active(databases)
    yield made
    made.end()


# -- what is wrong -----------------------------------------------------------


def test_all_is_well(vpn: Svcctl, active: Active) -> None:
    active.work()
    assert re.sub(r"\(\d+ d\)", "(N d)", vpn.tell(0)) == (
        "well\nVPN services: 1 of 1 up\nconnections: 1 of 1 up\ncontainers: 0 of 0 running\n"
        f"chassis: 2 of 2 alive\nsvc-northd: active on c1, pid 7, since {WHEN} (N d)\n"
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


def test_a_drain_is_over_when_nothing_is_left(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    drained = {"problem": "drained", "drain": True}
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv1"]], **drained)
    event = {"table": "Chassis", "name": "hv1", "state": "alive", "message": "drained"}
    databases.nb.transact({"op": "insert", "table": "Event", "row": {**event, "time": now_ms()}})
    [service] = databases.nb.rows("VPN_Service")
    row = {"service_type": "ipsec", "chassis": "hv1", "status_code": "running"}
    serves = service["_uuid"][1]
    databases.nb.insert("Service_Container", name="vpn-1", serves=serves, **row)
    databases.nb.insert("Container_Wish", name="vpn-1", requested_chassis="hv1")
    bind(databases, "vpn-1", "hv1")
    active.work()
    left = "\nNOTE chassis hv1: drain ordered; 1 container is still there: vpn-1 (mercury)"
    assert f"{left}, pinned to it\n" in vpn.tell(0)
    assert "NOTE chassis hv1: drain ordered; 1 container is still there: vpn-1\n" in (
        _tell_without(vpn, databases)
    )
    databases.nb.delete("Container_Wish")
    databases.nb.update("Service_Container", [], status_message="it waits for its turn to move")
    active.work()
    assert f"{left}: it waits for its turn to move\n" in vpn.tell(0)
    for number in range(2, 6):
        bind(databases, f"vpn-{number}", "hv1", "standby")
    active.work()
    said = vpn.tell(0)
    assert "\nNOTE chassis hv1: drain ordered; 5 containers are still there: vpn-1 " in said
    assert "; vpn-2; vpn-3; and 2 more\n" in said
    databases.sb.delete("Container_Binding")
    active.work()
    assert "\nNOTE chassis hv1: drained\n" in vpn.tell(0)


def _tell_without(vpn: Svcctl, databases: Databases) -> str:
    """Returns what status tells where the northbound cannot be read."""
    nowhere = ("--db=unix:/nonexistent", f"--sb-db={databases.sb.remote}")
    result = vpn(*nowhere, "status")
    assert (result.status, result.stderr) == (2, "")
    return result.stdout


def test_a_chassis_that_the_operator_has_no_word_on(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    databases.nb.insert("Chassis", name="hv7", container_weight=1, container_limit=-1)
    over = {"delete_cfg": 1, "deleted_cfg": 1, "delete_status": "deleted"}
    databases.nb.insert("Chassis", name="hv8", **over)
    vpn.good("--no-check", "chassis-drain", "hv9")
    active.work()
    assert "\nUNKNOWN chassis hv9: it has not registered in the southbound\n" in vpn.tell(1)
    vpn.good("chassis-undrain", "hv9")
    active.work()
    assert vpn.tell(0).startswith("well\nVPN services:")
    assert "hv7" not in vpn.good("chassis-list")
    databases.nb.update("Chassis", [["name", "==", "hv8"]], container_weight=5)
    active.work()
    assert vpn.tell(0).startswith(
        "well\nNOTE chassis hv8: deleted; what was set for it stays: svcctl destroy Chassis hv8\n"
    )
    vpn.good("destroy", "Chassis", "hv8")
    active.work()
    assert "hv8" not in vpn.tell(0)
    vpn.good("--no-check", "set", "Chassis", "hv7", "external_ids:rack=7")
    active.work()
    assert "\nUNKNOWN chassis hv7: " in vpn.tell(1)


def test_what_is_not_heard_of_may_well_run(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    message = "chassis hv1 is dead, and no chassis can run it: both chassis are dead"
    row = {"service_type": "ipsec", "status_code": "error", "status_message": message}
    databases.nb.insert("Service_Container", name="vpn-1", chassis="hv1", **row)
    for table in ("VPN_Service", "IPsec_Connection"):
        databases.nb.update(table, [], status="error", status_message=f"container error: {message}")
    dead = {"alive": False, "problem": "dead", "since": now_ms() - 3 * MINUTE_MS}
    databases.sb.update("Chassis_Weight", [], **dead)
    active.work()
    said = vpn.tell(2)
    assert re.match(
        r"down: not heard of since \S+Z \(3 min\); it may well run \(\d problems\)\n", said
    )
    # One that has another reason does not run for all that is known.
    databases.nb.insert("Service_Container", name="vpn-2", **row)
    active.work()
    assert vpn.tell(2).startswith("down: nothing works (")
    databases.nb.update("Service_Container", [["name", "==", "vpn-2"]], chassis="hv2")
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], alive=True)
    active.work()
    assert vpn.tell(2).startswith("down: nothing works (")


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
    databases.nb.insert("Chassis", name="hv9", drain=True)
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
    vpn.good("set", "VPN_Service", "mercury", "options:mtuu=1400")
    vpn.good("set", "IPsec_Connection", "to-venus", "options:a=1", "options:b=1")
    databases.nb.insert(
        "Service_Container", name="c", service_type="x", options=["map", [["c", "d"]]]
    )
    active.work()
    said = vpn.tell(1)
    words = (
        "group vpns: options:standby is 'tow', not 0 to 8;"
        " each container has as many standbys as before"
    )
    assert f"\nWARNING: {words}\n" in said
    assert "\nWARNING SVC_Global: options:chassis-dead-after is " in said
    assert "\nWARNING mercury: options:mtuu is no option\n" in said
    assert "\nWARNING mercury/to-venus: options:a and 1 more are no options\n" in said
    assert "\nWARNING container c: options:c is no option\n" in said


def test_what_a_chassis_warns_of(vpn: Svcctl, databases: Databases, active: Active) -> None:
    warnings = ["set", ["file system /run is full (less than 1 MB left)", "a second"]]
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis_Private", name=name, warnings=warnings)
    where = [["chassis", "==", "hv2"]]
    databases.sb.update("Chassis_Weight", where, alive=False)
    said = vpn.tell(1)
    assert "\nWARNING chassis hv1: a second\nWARNING chassis hv1: file system /run is full" in said
    # What a dead one said is of another time.
    assert "WARNING chassis hv2" not in said
    assert "a second; file system /run is full (less than 1 MB left)" in vpn.good("chassis-list")


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


def test_a_database_that_is_open_to_others_is_noted(
    vpn: Svcctl, databases: Databases, active: Active
) -> None:
    active.work()
    remote = "ptcp:0"
    for database, sentence in (
        (databases.nb, "whoever reaches it reads pre-shared keys and can change everything"),
        (databases.sb, "whoever reaches it can change everything"),
    ):
        row = {"op": "insert", "table": "Connection", "uuid-name": "c", "row": {"target": remote}}
        root = "SVC_Global" if database is databases.nb else "SB_Global"
        columns = {"connections": ["named-uuid", "c"]}
        given = {"op": "update", "table": root, "where": [], "row": columns}
        database.transact(
            row, given if database.rows(root) else {"op": "insert", "table": root, "row": columns}
        )
        assert f"\nNOTE: {database.name} is open without TLS on {remote}: {sentence}" in vpn.tell(0)


def test_the_history_tells_since_when(vpn: Svcctl, databases: Databases, active: Active) -> None:
    row = {"service_type": "x", "status_code": "error", "status_message": "no place"}
    databases.nb.insert("Service_Container", name="c1", **row)
    databases.nb.insert("Service_Container", name="c2", **row)
    problem = "unfit (ovn-controller does not answer)"
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], problem=problem)
    long_ago, lately = now_ms() - 90 * MINUTE_MS, now_ms() - 3 * MINUTE_MS
    for number, (table, name, state, message, moment) in enumerate(
        (
            ("Service_Container", "c1", "error", "no room", long_ago),
            ("Service_Container", "c1", "running", "", long_ago),
            ("Service_Container", "c1", "error", "no room", lately),
            ("Service_Container", "c1", "error", "no place", now_ms()),
            ("Service_Container", "c1", "failed", "no memory", now_ms()),
            ("Service_Container", "c2", "error", "no place", long_ago),
            ("Service_Container", "c2", "running", "", lately),
            ("Chassis", "hv2", "alive", "", long_ago),
            ("Chassis", "hv2", "unfit", "overloaded", long_ago),
            ("Chassis", "hv2", "unfit", "ovn-controller does not answer", lately),
            ("Chassis", "c1", "dead", "", now_ms()),
        )
    ):
        event = {"table": table, "name": name, "state": state, "message": message}
        columns: dict[str, Any] = {"number": number, "since": long_ago, "time": moment, **event}
        databases.nb.transact({"op": "insert", "table": "Event", "row": columns})
    active.work()
    said = vpn.tell(1)
    assert re.search(r"\nERROR container c1 since \S+Z \(3 min\): no place\n", said)
    assert "\nERROR container c2: no place\n" in said, "the history has another state"
    assert re.search(r"\nUNFIT chassis hv2 since \S+Z \(3 min\): unfit \(ovn-", said)
    # What was told of it when it came is of another time.
    databases.nb.delete("Event", [["state", "==", "unfit"]])
    databases.nb.update("Event", [["name", "==", "hv2"]], message=problem)
    active.work()
    assert f"\nUNFIT chassis hv2: {problem}\n" in vpn.tell(1)


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
