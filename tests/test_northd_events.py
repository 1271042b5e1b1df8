"""What happened is told in the northbound, once, and outlives what it happened to."""

from __future__ import annotations

import pytest

from ..lib import loop
from ..northd.sync import events
from ..northd.sync.event_ledger import EventLedger
from ..northd.sync.northbound import CONTAINER
from .cloud import Cloud

Line = tuple[str, str, str]


def read(cloud: Cloud, *tables: str) -> list[Line]:
    """Returns the events of some tables as (name, state, message), newest last."""
    rows = sorted(cloud.nb.rows("Event"), key=lambda row: int(row["number"]))
    return [
        (row["name"], row["state"], row["message"])
        for row in rows
        if not tables or row["table"] in tables
    ]


def find_container(cloud: Cloud) -> str:
    name: str = cloud.find(cloud.nb, "Service_Container")["name"]
    return name


def report(cloud: Cloud, state: str, message: str = "") -> None:
    """Has the chassis that serves report on the tunnel."""
    uuid = cloud.find(cloud.nb, "IPsec_Connection")["_uuid"][1]
    chassis = cloud.find(cloud.nb, "Service_Container")["chassis"]
    cloud.chassis[chassis].report_tunnel(uuid, state, message)
    cloud.settle()


def test_a_tunnel_that_comes_up_and_goes(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    report(vpn_cloud, "down", "no answer from 1.0.0.3 since 16:07:14")
    both = read(vpn_cloud, "IPsec_Connection", "VPN_Service")
    assert [each for each in both if each[0] == "mercury/to-venus"] == [
        ("mercury/to-venus", "up", ""),
        ("mercury/to-venus", "down", "no answer from 1.0.0.3 since 16:07:14"),
    ]
    assert [each[1] for each in both if each[0] == "mercury"] == ["up", "down"]
    assert vpn_cloud.logs.count("IPsec_Connection mercury/to-venus: up") == 1
    assert vpn_cloud.logs.count("VPN_Service mercury: down: 0 of 1 tunnels up; to-venus: no") == 1
    for table in ("IPsec_Connection", "VPN_Service"):
        told = [each for each in vpn_cloud.nb.rows("Event") if each["table"] == table]
        last = max(told, key=lambda each: int(each["number"]))
        row = vpn_cloud.find(vpn_cloud.nb, table)
        assert (row["since"], row["_uuid"][1]) == (last["time"], last["row"])


def test_what_only_counts_on_is_no_event(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    report(vpn_cloud, "down", "no answer from 1.0.0.3 since 16:07:14")
    vpn_cloud.warp(events.SETTLING_MS)
    before = read(vpn_cloud)
    for number in range(3):
        counted = f"since 16:07:2{number}; tried {number} times"
        report(vpn_cloud, "down", f"no answer from 1.0.0.3 {counted}")
    assert len(read(vpn_cloud)) == len(before) + 2  # "tried" is another sentence, once for each row
    report(vpn_cloud, "down", "no answer from 1.0.0.4 since 16:07:20; tried 3 times")
    assert len(read(vpn_cloud, "IPsec_Connection")) == 4


def test_how_many_tunnels_are_up_is_an_event(vpn_cloud: Cloud) -> None:
    uuid = vpn_cloud.find(vpn_cloud.nb, "VPN_Service")["_uuid"][1]
    tunnels = [vpn_cloud.find(vpn_cloud.nb, "IPsec_Connection")["_uuid"][1]]
    for number in (4, 5):
        address, subnet = f"1.0.0.{number}", f"192.168.{number}.0/24"
        tunnels.append(
            vpn_cloud.add_connection(
                uuid, f"to-{number}", peer_address=address, peer_subnets=subnet
            )
        )
    vpn_cloud.settle()
    chassis = vpn_cloud.find(vpn_cloud.nb, "Service_Container")["chassis"]
    for tunnel in tunnels:
        vpn_cloud.warp(events.SETTLING_MS)
        vpn_cloud.chassis[chassis].report_tunnel(tunnel, "up", "")
        vpn_cloud.settle()
    told = [each[2].partition(";")[0] for each in read(vpn_cloud) if each[0] == "mercury"]
    assert told == [f"{number} of 3 tunnels up" for number in (0, 1, 2, 3)]


def read_tunnel(cloud: Cloud) -> list[tuple[str, str]]:
    """Returns state and message of the events of the connection."""
    return [each[1:] for each in read(cloud, "IPsec_Connection")]


def test_the_first_cause_takes_the_place_of_none_and_the_next_is_another_event(
    vpn_cloud: Cloud,
) -> None:
    report(vpn_cloud, "up")
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    assert read_tunnel(vpn_cloud) == [("up", ""), ("down", "connecting to 1.0.0.3")]
    report(vpn_cloud, "connecting", "authentication failed: 1.0.0.3 refused")
    both = [("up", ""), ("down", "authentication failed: 1.0.0.3 refused")]
    assert read_tunnel(vpn_cloud) == both
    # It is begun anew, and nothing else is known of it by that.
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    assert read_tunnel(vpn_cloud) == both
    report(vpn_cloud, "connecting", "no proposal chosen")
    assert read_tunnel(vpn_cloud) == [*both, ("down", "no proposal chosen")]
    services = [each for each in read(vpn_cloud, "VPN_Service") if each[1] == "down"]
    assert [each[2].rpartition("to-venus: ")[2] for each in services] == [
        "authentication failed: 1.0.0.3 refused",
        "no proposal chosen",
    ]


def test_a_cause_that_comes_late_is_another_event(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    vpn_cloud.warp(events.SETTLING_MS)
    report(vpn_cloud, "connecting", "authentication failed: 1.0.0.3 refused")
    assert [each[1] for each in read_tunnel(vpn_cloud)] == [
        "",
        "connecting to 1.0.0.3",
        "authentication failed: 1.0.0.3 refused",
    ]


def test_one_that_never_came_up_says_why(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    assert read(vpn_cloud, "IPsec_Connection", "VPN_Service") == []
    report(vpn_cloud, "connecting", "authentication failed: 1.0.0.3 refused")
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    vpn_cloud.warp(events.SETTLING_MS)
    assert read_tunnel(vpn_cloud) == [("down", "authentication failed: 1.0.0.3 refused")]
    service = read(vpn_cloud, "VPN_Service")
    assert [each[:2] for each in service] == [("mercury", "down")]
    assert service[0][2].endswith("to-venus: authentication failed: 1.0.0.3 refused")


@pytest.mark.parametrize("changes_over", [False, True])
def test_one_that_stays_as_it_was_made_is_told_after_a_minute(
    vpn_cloud: Cloud, changes_over: bool
) -> None:
    report(vpn_cloud, "down", "waiting for 1.0.0.3 to initiate")
    assert read_tunnel(vpn_cloud) == []
    if changes_over:
        vpn_cloud.northd.close()
        vpn_cloud.northd = vpn_cloud.start_northd()
        vpn_cloud.settle()
    vpn_cloud.warp(events.SETTLING_MS)
    assert read_tunnel(vpn_cloud) == [("down", "waiting for 1.0.0.3 to initiate")]
    vpn_cloud.warp(events.SETTLING_MS)
    assert len(read_tunnel(vpn_cloud)) == 1
    # Who deletes it has it deleted.
    vpn_cloud.nb.delete("Event")
    vpn_cloud.warp(events.SETTLING_MS)
    assert read(vpn_cloud) == []


def test_what_is_made_and_comes_up_is_told_as_that_only(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "connecting", "connecting to 1.0.0.3")
    report(vpn_cloud, "up")
    vpn_cloud.warp(events.SETTLING_MS)
    assert [each[0] for each in read_tunnel(vpn_cloud)] == ["up"]


def test_a_program_that_died_and_was_started_again(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    vpn_cloud.warp(events.SETTLING_MS)
    before = read(vpn_cloud, "Service_Container")
    row = vpn_cloud.find(vpn_cloud.nb, "Service_Container")
    where = [["chassis", "==", row["chassis"]]]
    # What it says of the container is said here.
    vpn_cloud.chassis[row["chassis"]].obeys = False
    sentence = "charon was killed by signal 9; restarted"
    for number in range(1, 6):
        columns = {"restarts": number, "status_message": sentence, "status_code": "starting"}
        vpn_cloud.sb.update("Container_Binding", where, **columns)
        vpn_cloud.settle()
        told = read(vpn_cloud, "Service_Container")[len(before) :]
        assert told == [(row["name"], "restarted", sentence)] * min(number, 3)
    again = vpn_cloud.nb.rows("Event", [["state", "==", "restarted"]])
    assert sorted(each["count"] for each in again) == [1, 1, 3]
    assert {each["chassis"] for each in again} == {row["chassis"]}
    # What is told in no column of the northbound is told once.
    vpn_cloud.northd.close()
    vpn_cloud.northd = vpn_cloud.start_northd()
    vpn_cloud.settle()
    assert len(read(vpn_cloud, "Service_Container")) == len(before) + 3


def test_a_chassis_that_is_unfit(vpn_cloud: Cloud) -> None:
    vpn_cloud.logs.allow("hv7 is unfit")
    vpn_cloud.add_chassis("hv7")
    vpn_cloud.chassis["hv7"].alive = False
    vpn_cloud.settle()
    vpn_cloud.chassis["hv7"].alive = True
    vpn_cloud.settle()
    problem = "ovn-controller is not running"
    [began] = vpn_cloud.nb.rows("Event", [["name", "==", "hv7"]])
    assert began["state"] == "alive"
    for columns in (
        {"ovn_problem": problem},
        {"ovn_problem": ""},
        {"stopping": True},
        {"stopping": False},
    ):
        vpn_cloud.chassis["hv7"].tell(**columns)
        vpn_cloud.pass_time(1000)
    vpn_cloud.nb.insert("Chassis", name="hv7", drain=True)
    vpn_cloud.settle()
    told = [each[1:] for each in read(vpn_cloud, "Chassis") if each[0] == "hv7"]
    assert told == [
        ("alive", ""),
        ("unfit", problem),
        ("alive", ""),
        ("unfit", "stopping"),
        ("alive", ""),
        ("unfit", "drained"),
    ]
    assert began in vpn_cloud.nb.rows("Event", [["name", "==", "hv7"]])


def test_a_flapping_peer_is_counted(vpn_cloud: Cloud) -> None:
    for _ in range(8):
        report(vpn_cloud, "up")
        report(vpn_cloud, "down", "no answer from 1.0.0.3")
    rows = [row for row in vpn_cloud.nb.rows("Event") if row["table"] == "IPsec_Connection"]
    assert len(rows) == 6
    rows.sort(key=lambda row: int(row["number"]))
    assert [(row["state"], row["count"]) for row in rows[-2:]] == [("up", 6), ("down", 6)]
    assert rows[-1]["since"] < rows[-1]["time"]
    assert vpn_cloud.logs.count("no answer from 1.0.0.3 (6 times)") == 2


def test_a_chassis_that_comes_did_not_die(vpn_cloud: Cloud) -> None:
    """It is registered a moment before it is heard."""
    before = read(vpn_cloud, "Chassis")
    vpn_cloud.add_chassis("hv7")
    vpn_cloud.chassis["hv7"].alive = False
    vpn_cloud.settle()
    vpn_cloud.chassis["hv7"].alive = True
    vpn_cloud.settle()
    told = read(vpn_cloud, "Chassis")[len(before) :]
    assert [each for each in told if each[:2] == ("hv7", "dead")] == []


def test_a_chassis_dies(vpn_cloud: Cloud) -> None:
    vpn_cloud.logs.allow("hv. is dead: its heartbeat stopped")
    report(vpn_cloud, "up")
    name, first = find_container(vpn_cloud), vpn_cloud.find(vpn_cloud.nb, "Service_Container")
    vpn_cloud.chassis[first["chassis"]].alive = False
    vpn_cloud.pass_time(6000)
    row = vpn_cloud.find(vpn_cloud.nb, "Service_Container")
    placed = [each for each in vpn_cloud.nb.rows("Event") if each["state"] == events.PLACED]
    placed.sort(key=lambda each: int(each["number"]))
    assert [(each["chassis"], each["from_chassis"]) for each in placed] == [
        (first["chassis"], ["set", []]),
        (row["chassis"], first["chassis"]),
    ]
    assert "dead" in placed[-1]["message"]
    assert (first["chassis"], "dead", "") in read(vpn_cloud, "Chassis")
    line = f"{name} (mercury): placed on {row['chassis']}, from {first['chassis']}: "
    assert vpn_cloud.logs.count(line) == 1
    vpn_cloud.chassis[first["chassis"]].alive = True
    vpn_cloud.settle()
    assert read(vpn_cloud, "Chassis")[-1] == (first["chassis"], "alive", "")


def test_a_container_fails_on_a_chassis(vpn_cloud: Cloud) -> None:
    first = vpn_cloud.find(vpn_cloud.nb, "Service_Container")["chassis"]
    vpn_cloud.chassis[first].failing[""] = "charon cannot be started"
    vpn_cloud.pass_time(4000)
    states = [each[1] for each in read(vpn_cloud, "Service_Container")]
    assert events.FAILED in states
    assert states.count(events.PLACED) == 2
    failed = next(each for each in vpn_cloud.nb.rows("Event") if each["state"] == events.FAILED)
    assert failed["chassis"] == first
    assert "charon cannot be started" in failed["message"]
    vpn_cloud.chassis[first].failing.clear()
    vpn_cloud.settle()


def test_events_outlive_what_they_are_about(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    name = find_container(vpn_cloud)
    vpn_cloud.nb.delete("VPN_Service")
    vpn_cloud.settle()
    assert vpn_cloud.nb.rows("Service_Container") == []
    last = {each[0]: each[1] for each in read(vpn_cloud)}
    assert last["mercury"] == last["mercury/to-venus"] == last[name] == events.REMOVED
    assert ("mercury/to-venus", "up", "") in read(vpn_cloud)
    # They are told once, whoever computes it.
    before = read(vpn_cloud)
    vpn_cloud.northd.close()
    vpn_cloud.northd = vpn_cloud.start_northd()
    vpn_cloud.settle()
    assert read(vpn_cloud) == before


def test_what_goes_while_nobody_is_active_is_told_afterwards(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    vpn_cloud.northd.close()
    vpn_cloud.nb.delete("VPN_Service")
    vpn_cloud.northd = vpn_cloud.start_northd()
    vpn_cloud.settle()
    last = {each[0]: each[1] for each in read(vpn_cloud)}
    assert set(last.values()) == {events.REMOVED}


def test_another_svc_northd_neither_repeats_nor_loses_anything(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    before = read(vpn_cloud)
    standby = vpn_cloud.start_northd()
    vpn_cloud.settle(vpn_cloud.northd, standby)
    report_down = vpn_cloud.find(vpn_cloud.nb, "IPsec_Connection")["_uuid"][1]
    chassis = vpn_cloud.find(vpn_cloud.nb, "Service_Container")["chassis"]
    vpn_cloud.northd.close()
    vpn_cloud.chassis[chassis].report_tunnel(report_down, "down", "no answer from 1.0.0.3")
    vpn_cloud.northd = standby
    vpn_cloud.settle()
    after = read(vpn_cloud)
    assert after[: len(before)] == before
    assert sorted(each[:2] for each in after[len(before) :]) == [
        ("mercury", "down"),
        ("mercury/to-venus", "down"),
    ]


def test_rows_of_ours_that_are_mended(vpn_cloud: Cloud) -> None:
    name = find_container(vpn_cloud)
    vpn_cloud.ovn.delete("Logical_Switch", [["name", "==", f"svc-{name}"]])
    vpn_cloud.settle()
    mended = [each for each in read(vpn_cloud) if each[1] == events.MENDED]
    assert [each[0] for each in mended] == [name]
    assert "OVN_Northbound: Logical_Switch" in mended[0][2]
    assert "was gone" in mended[0][2]
    vpn_cloud.ovn.update("Logical_Router_Policy", [["action", "==", "drop"]], priority=7)
    vpn_cloud.settle()
    last = read(vpn_cloud)[-1]
    assert last[:2] == (name, events.MENDED)
    assert "had another priority" in last[2]
    assert vpn_cloud.logs.count(f"Service_Container {name} (mercury): mended: OVN_North") == 2


def test_what_is_told_at_great_length_is_told_once(vpn_cloud: Cloud) -> None:
    """Each time that somebody does it again, and not each time that anything is looked at."""
    first = vpn_cloud.find(vpn_cloud.nb, "Service_Container")["chassis"]
    vpn_cloud.chassis[first].failing[""] = "charon cannot be started: " + "why " * 1000
    vpn_cloud.pass_time(4000)
    failed = [each for each in vpn_cloud.nb.rows("Event") if each["state"] == events.FAILED]
    assert [each["count"] for each in failed] == [1]
    assert len(failed[0]["message"]) == 500
    vpn_cloud.chassis[first].failing.clear()
    for number in range(1, 6):
        vpn_cloud.ovn.delete("Logical_Switch", [["name", "==", f"svc-{find_container(vpn_cloud)}"]])
        vpn_cloud.settle()
        mended = [each for each in vpn_cloud.nb.rows("Event") if each["state"] == events.MENDED]
        assert sum(each["count"] for each in mended) == number
        assert len(mended) == min(number, 3)


def test_what_an_operator_orders_is_no_mending(vpn_cloud: Cloud) -> None:
    report(vpn_cloud, "up")
    vpn_cloud.nb.update("IPsec_Connection", [], peer_subnets="192.168.7.0/24")
    vpn_cloud.settle()
    vpn_cloud.ovn.delete("Logical_Router")
    vpn_cloud.settle()
    assert events.MENDED not in {each[1] for each in read(vpn_cloud)}


def test_all_together_are_bounded(vpn_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", 5)
    for number in range(6):
        vpn_cloud.add_vpn(f"vpn{number}", f"nowhere{number}", external_ips=f"1.0.0.{110 + number}")
        vpn_cloud.settle()
    told = read(vpn_cloud)
    assert [each[:2] for each in told] == [(f"vpn{number}", "error") for number in range(1, 6)]


def test_they_are_bounded_however_many_come_at_once(
    vpn_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST", 10)
    number = 0
    for batch in (8, 8, 2):
        for _ in range(batch):
            number += 1
            external = f"1.0.0.{110 + number}"
            vpn_cloud.add_vpn(f"vpn{number}", f"nowhere{number}", external_ips=external)
        vpn_cloud.settle()
        assert len(read(vpn_cloud)) == min(10, number + 1)
    last = {f"vpn{number}" for number in range(9, 19)}
    assert {each[0] for each in read(vpn_cloud)} == last


def test_a_number_that_somebody_else_takes_first_costs_a_second(vpn_cloud: Cloud) -> None:
    """Its index refuses the one that was to be written, which is another one the next time."""
    vpn_cloud.logs.allow("transaction refused: .* identical values")
    name = find_container(vpn_cloud)
    number = max(row["number"] for row in vpn_cloud.nb.rows("Event"))
    taken = [
        {"table": "Service_Container", "name": name, "number": each}
        for each in range(number + 1, number + 6)
    ]
    vpn_cloud.nb.transact(*({"op": "insert", "table": "Event", "row": each} for each in taken))
    writers = vpn_cloud.northd.writers
    news = events.News("Service_Container", name, events.FAILED, "it burns")
    ledger = writers.ledgers["nb"]
    assert isinstance(ledger, EventLedger)
    ledger.add_news((CONTAINER, name), news)
    writers.run(loop.monotonic_ms())
    vpn_cloud.pass_time(1500)
    told = vpn_cloud.nb.rows("Event", [["message", "==", "it burns"]])
    assert [row["number"] > number + 5 for row in told] == [True]
    assert writers.refused == {}


def test_a_row_that_somebody_else_wrote_harms_nothing(vpn_cloud: Cloud) -> None:
    uuid = vpn_cloud.find(vpn_cloud.nb, "VPN_Service")["_uuid"][1]
    row = {"table": "VPN_Service", "row": "nobody", "number": 2**53 - 1}
    rows = [row, {**row, "row": uuid, "name": "x" * 5000, "count": 2**53 - 1}]
    rows += [{**rows[1], "number": number} for number in (2**52, 2**52 - 1)]
    vpn_cloud.nb.transact(*({"op": "insert", "table": "Event", "row": each} for each in rows))
    report(vpn_cloud, "up")
    assert ("mercury", "up", "1 of 1 tunnels up") in read(vpn_cloud)
    assert (
        max(each["number"] for each in vpn_cloud.nb.rows("Event", [["name", "==", "mercury"]])) < 99
    )


def test_events_are_no_orders_of_an_operator(vpn_cloud: Cloud) -> None:
    before = vpn_cloud.find(vpn_cloud.nb, "SVC_Global")["content_cfg"]
    report(vpn_cloud, "up")
    vpn_cloud.nb.delete("Event")
    vpn_cloud.settle()
    assert vpn_cloud.find(vpn_cloud.nb, "SVC_Global")["content_cfg"] == before
