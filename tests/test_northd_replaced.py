"""svc-northd where a database is taken away, replaced or restored: what runs goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..lib import loop, sb
from . import fakechassis
from .cloud import Cloud
from .ovsdb import Database
from .sessions import OUTAGE

NAMES = ("nb", "sb", "ovn")
# Longer than a chassis may be silent, and than svc-northd waits for a northbound.
LONG_S = 12
EXPECTED = (
    OUTAGE,
    "cannot be reached|leads no more|no whole pass|does not answer",
    "nothing is written",
    "goes on|lost content",
    "transaction refused",
)


def find_running(cloud: Cloud, *without: str) -> dict[str, Any]:
    """Returns what is there of what runs, in the databases that are not 'without'."""
    found: dict[str, Any] = {}
    if "sb" not in without:
        rows = cloud.sb.rows("Container_Binding", columns=("container", "chassis", "role"))
        found["bindings"] = sorted(map(str, rows))
        found["alive"] = [row["alive"] for row in cloud.sb.rows("Chassis_Weight")]
    if "ovn" not in without:
        policies = cloud.ovn.rows("Logical_Router_Policy", columns=("match", "action"))
        found["policies"] = sorted(map(str, policies))
        found["switches"] = sorted(row["name"] for row in cloud.ovn.rows("Logical_Switch"))
    if "nb" not in without:
        rows = cloud.nb.rows("Service_Container", columns=("name", "chassis"))
        found["containers"] = sorted(map(str, rows))
    return found


def run_long(cloud: Cloud, run_chassis: Callable[[], Any]) -> None:
    """Lets time pass, and svc-northd and the chassis run."""
    for _ in range(3 * LONG_S):
        loop.warp(1000 // 3)
        run_chassis()
        cloud.run_northd()


def find_chassis_work(cloud: Cloud, without: str) -> Callable[[], Any]:
    """Returns what chassis do while a database is away."""
    if without == "sb":
        return lambda: None
    if without == "ovn":
        return lambda: fakechassis.beat(cloud.databases, cloud.chassis.values())
    return cloud.step_chassis


def run_until(cloud: Cloud, condition: Any, what: str) -> None:
    """Runs svc-northd alone."""
    deadline = loop.monotonic_ms() + 20_000
    while not condition():
        assert loop.monotonic_ms() < deadline, what
        cloud.run_northd()


@pytest.fixture
def cloud_of_two(served_cloud: Cloud) -> Cloud:
    """A cloud with a VPN of yesterday, 'mercury'; see add_todays()."""
    for words in EXPECTED:
        served_cloud.logs.allow(words)
    return served_cloud


def add_todays(cloud: Cloud) -> None:
    """Adds the VPN 'second' on a router of its own."""
    cloud.add_router("another", gateway="2.0.0.2/24", inside="192.168.7.1/24")
    vpn = cloud.add_vpn("second", "another", external_ips="2.0.0.100")
    cloud.add_connection(vpn, "to-mars")
    cloud.settle()


def is_back(cloud: Cloud, name: str) -> bool:
    session = cloud.northd.sessions[name]
    return session.connected and session.synced


@pytest.mark.parametrize("name", NAMES)
def test_a_database_is_removed_and_added_again(cloud_of_two: Cloud, name: str) -> None:
    cloud, database = cloud_of_two, getattr(cloud_of_two, name)
    before = find_running(cloud)
    database.detach()
    run_until(cloud, lambda: not is_back(cloud, name), "the end of the connection")
    run_long(cloud, find_chassis_work(cloud, name))
    there = find_running(cloud, name)
    assert there == {key: before[key] for key in there}
    database.attach()
    run_until(cloud, lambda: is_back(cloud, name), "the content again")
    cloud.settle()
    assert find_running(cloud) == before
    cloud.laws()


def make_other(database: Database) -> bytes:
    """Returns a database of the same schema that is somebody else's."""
    mine = database.read_file()
    database.replace(database.make_empty_file())
    root = {
        "SVC_Northbound": "SVC_Global",
        "SVC_Southbound": "SB_Global",
        "OVN_Northbound": "NB_Global",
    }[database.name]
    database.insert(root)
    if database.name == "OVN_Northbound":
        database.insert("Logical_Router", name="of-others")
    other = database.read_file()
    database.replace(mine)
    return other


@pytest.mark.parametrize("kind", ["empty", "other", "yesterday"])
@pytest.mark.parametrize("name", NAMES)
def test_other_content_takes_nothing_away(cloud_of_two: Cloud, name: str, kind: str) -> None:
    """A server with another file takes the place for a while; then the right one is back."""
    cloud, database = cloud_of_two, getattr(cloud_of_two, name)
    content = {
        "empty": database.make_empty_file,
        "other": lambda: make_other(database),
        "yesterday": database.read_file,
    }[kind]()
    run_until(cloud, lambda: is_back(cloud, name), "the first content")
    add_todays(cloud)
    before = find_running(cloud)
    right = database.read_file()
    session = cloud.northd.sessions[name]
    connection = session.connection
    database.replace(content)
    run_until(cloud, lambda: is_back(cloud, name) and session.connection != connection, "the other")
    if name == "sb" and kind != "yesterday":
        cloud.sb.transact(*(each for one in cloud.chassis.values() for each in one.register()))
    run_long(cloud, cloud.step_chassis)
    there = find_running(cloud, "" if name == "sb" else name)
    assert there == {key: before[key] for key in there}
    connection = session.connection
    database.replace(right)
    run_until(cloud, lambda: is_back(cloud, name) and session.connection != connection, "ours")
    cloud.settle()
    assert find_running(cloud) == before
    cloud.laws()


@pytest.mark.parametrize("has_root", [False, True])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_new_southbound_is_waited_for_until_chassis_can_reach_it(
    cloud_of_two: Cloud, has_root: bool, goes_on: bool
) -> None:
    """Where it listens, by which role, was in the file that is gone."""
    cloud, before = cloud_of_two, find_running(cloud_of_two)
    role, permissions = (cloud.sb.rows(table) for table in ("RBAC_Role", "RBAC_Permission"))
    if goes_on:
        replace(cloud, "sb", cloud.sb.make_empty_file())
    else:
        cloud.northd.close()
        cloud.sb.replace(cloud.sb.make_empty_file())
    if has_root:
        # As 'svc-sbctl set-connection' makes it.
        cloud.sb.insert("SB_Global")
    if not goes_on:
        cloud.northd = cloud.start_northd()
    run_until(cloud, lambda: cloud.sb.rows("RBAC_Role"), "the role")
    run_long(cloud, lambda: None)
    there = find_running(cloud, "sb")
    assert there == {key: before[key] for key in there}
    assert not cloud.sb.rows("Container_Binding")
    assert len(cloud.sb.rows("RBAC_Role")) == len(role) == 1
    assert len(cloud.sb.rows("RBAC_Permission")) == len(permissions)
    assert cloud.logs.count("no chassis has registered yet") == 1
    # One after the other.
    for one in cloud.chassis.values():
        cloud.sb.transact(*one.register())
        run_until(cloud, lambda: one.name in find_registered(cloud), "the chassis")  # noqa: B023
    cloud.settle()
    assert find_running(cloud) == before
    cloud.laws()


def test_a_new_southbound_is_waited_for_no_longer_than_an_operator_wants(
    cloud_of_two: Cloud,
) -> None:
    cloud = cloud_of_two
    cloud.chassis.clear()
    replace(cloud, "sb", cloud.sb.make_empty_file())
    run_until(cloud, lambda: cloud.logs.count("if none will, run 'content/accept'"), "the advice")
    assert not cloud.sb.rows("SB_Global")
    cloud.northd.accept_content()
    cloud.settle()
    (root,) = cloud.sb.rows("SB_Global")
    assert dict(root["options"][1])["heartbeat-interval"]
    assert cloud.nb.rows("Service_Container")[0]["chassis"] == ["set", []]


def find_registered(cloud: Cloud) -> set[str]:
    """Returns the chassis that svc-northd knows."""
    return {row.name for row in cloud.northd.sb.rows(sb.Chassis).values()}


# -- what is said and done of it ------------------------------------------------


def replace(cloud: Cloud, name: str, content: bytes) -> None:
    """Puts another file in the place of a database and runs until svc-northd has read it."""
    session = cloud.northd.sessions[name]
    connection = session.connection
    getattr(cloud, name).replace(content)
    run_until(
        cloud, lambda: is_back(cloud, name) and session.connection != connection, "the content"
    )


def find_containers(cloud: Cloud) -> set[str]:
    return {row["container"] for row in cloud.sb.rows("Container_Binding")}


def read_problem(cloud: Cloud) -> str:
    problem: str = cloud.sb.rows("Northd")[0]["problem"]
    return problem


def has_policy(cloud: Cloud, subnet: str) -> bool:
    rows = cloud.ovn.rows("Logical_Router_Policy", columns=("match",))
    return any(subnet in row["match"] for row in rows)


def test_what_is_lost_is_told_and_ends_when_that_is_meant(cloud_of_two: Cloud) -> None:
    cloud = cloud_of_two
    yesterday, old = cloud.nb.read_file(), find_containers(cloud)
    add_todays(cloud)
    (new,) = find_containers(cloud) - old
    replace(cloud, "nb", yesterday)
    sentence = (
        "SVC_Northbound lost content: IPsec_Connection to-mars (and 1 more) goes on as it was"
    )
    cloud.wait_for(lambda: sentence in read_problem(cloud), "the sentence")
    # Everything else goes on.
    cloud.nb.update("IPsec_Connection", [], peer_subnets="192.168.66.0/24")
    cloud.wait_for(lambda: has_policy(cloud, "192.168.66.0/24"), "the change")
    assert find_containers(cloud) == old | {new}
    cloud.northd.accept_content()
    cloud.wait_for(lambda: find_containers(cloud) == old, "the end of what was lost")
    cloud.wait_for(lambda: read_problem(cloud) == "", "no sentence")
    cloud.laws()


def test_what_is_added_again_by_its_name_takes_the_place_of_what_is_lost(
    cloud_of_two: Cloud,
) -> None:
    cloud = cloud_of_two
    yesterday = cloud.nb.read_file()
    add_todays(cloud)
    before = find_running(cloud, "nb")
    replace(cloud, "nb", yesterday)
    run_long(cloud, cloud.step_chassis)
    vpn = cloud.add_vpn("second", "another", external_ips="2.0.0.100")
    cloud.settle()
    assert find_running(cloud, "nb") == before
    assert "IPsec_Connection to-mars (and 1 more)" in read_problem(cloud)
    cloud.add_connection(vpn, "to-mars")
    cloud.settle()
    assert find_running(cloud, "nb") == before
    cloud.wait_for(lambda: read_problem(cloud) == "", "no sentence")
    cloud.nb.delete("VPN_Service", [["name", "==", "second"]])
    cloud.settle()
    assert len(find_containers(cloud)) == 1
    cloud.laws()


def test_what_is_restored_with_other_uuids_is_known_by_its_names(cloud_of_two: Cloud) -> None:
    """As 'ovsdb-client restore' does it: all is another row, and one connection is lost."""
    cloud = cloud_of_two
    snapshot = cloud.nb.directory / "snapshot"
    snapshot.write_bytes(cloud.nb.run_client("backup"))
    (vpn,) = (row["_uuid"][1] for row in cloud.nb.rows("VPN_Service"))
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.9", peer_subnets="192.168.9.0/24")
    cloud.settle()
    before = find_running(cloud, "sb")
    cloud.nb.run_client("restore", snapshot)
    words = "lost content: IPsec_Connection to-mars (and 1 more)"
    cloud.wait_for(lambda: words in read_problem(cloud), "the sentence")
    assert [row["name"] for row in cloud.nb.rows("IPsec_Connection")] == ["to-venus"]
    assert cloud.nb.rows("VPN_Service")[0]["_uuid"][1] != vpn
    cloud.settle()
    assert find_running(cloud, "sb") == before
    cloud.nb.update("VPN_Service", [], enabled=False)
    cloud.settle()
    assert cloud.find(cloud.nb, "IPsec_Connection")["status"] == "disabled"
    cloud.nb.delete("VPN_Service")
    cloud.settle()
    assert find_containers(cloud) == set()
    cloud.wait_for(lambda: read_problem(cloud) == "", "no sentence")
    cloud.laws()


def test_what_is_meant_is_heard_by_those_that_stand_by(cloud_of_two: Cloud) -> None:
    cloud = cloud_of_two
    yesterday, old = cloud.nb.read_file(), find_containers(cloud)
    add_todays(cloud)
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    replace(cloud, "nb", yesterday)
    cloud.settle(cloud.northd, second)
    assert "lost content" in second.writers.content.sentences[0]
    cloud.northd.accept_content()
    cloud.settle(cloud.northd, second)
    assert find_containers(cloud) == old
    cloud.northd.close()
    cloud.northd = second
    cloud.settle()
    assert find_containers(cloud) == old
    cloud.laws()


def test_one_that_reconnects_later_keeps_what_the_others_keep(cloud_of_two: Cloud) -> None:
    cloud = cloud_of_two
    yesterday, old = cloud.nb.read_file(), find_containers(cloud)
    add_todays(cloud)
    second = cloud.start_northd()
    cloud.settle(cloud.northd, second)
    both = find_containers(cloud)
    # The second does not run while the first keeps, counts and serves.
    replace(cloud, "nb", yesterday)
    for subnet in ("192.168.66.0/24", "192.168.67.0/24"):
        cloud.nb.update("IPsec_Connection", [], peer_subnets=subnet)
        cloud.settle()
    cloud.settle(cloud.northd, second)
    cloud.northd.close()
    cloud.northd = second
    cloud.settle()
    assert find_containers(cloud) == both != old
    cloud.laws()


def test_a_connection_that_is_lost_is_guarded_as_before(cloud_of_two: Cloud) -> None:
    """Its service is there, without it; what is said since then of the service counts."""
    cloud = cloud_of_two
    yesterday = cloud.nb.read_file()
    (vpn,) = (row["_uuid"][1] for row in cloud.nb.rows("VPN_Service"))
    cloud.add_connection(vpn, "to-mars", peer_address="1.0.0.9", peer_subnets="192.168.9.0/24")
    cloud.settle()
    today, before = cloud.nb.read_file(), find_running(cloud)
    replace(cloud, "nb", yesterday)
    run_long(cloud, cloud.step_chassis)
    assert find_running(cloud) == before
    assert "lost content: IPsec_Connection to-mars (and 1 more)" in read_problem(cloud)
    cloud.add_connection(vpn, "to-luna", peer_address="1.0.0.8", peer_subnets="192.168.8.0/24")
    cloud.nb.update("VPN_Service", [], local_subnets="192.168.1.0/25")
    cloud.wait_for(lambda: has_policy(cloud, "192.168.8.0/24"), "what came since")
    cloud.wait_for(lambda: has_policy(cloud, "192.168.1.0/25"), "what was changed since")
    assert has_policy(cloud, "192.168.9.0/24")
    replace(cloud, "nb", today)
    cloud.wait_for(lambda: "IPsec_Connection to-luna (and 1 more)" in read_problem(cloud), "words")
    assert has_policy(cloud, "192.168.8.0/24")
    cloud.northd.accept_content()
    cloud.settle()
    assert find_running(cloud) == before
    cloud.wait_for(lambda: read_problem(cloud) == "", "no sentence")
    cloud.laws()


@pytest.mark.parametrize("way", ["file", "client"])
def test_a_connection_that_was_deleted_since_then_is_served_again(
    cloud_of_two: Cloud, way: str
) -> None:
    """What its row says is of this moment, and what is for it is guarded."""
    cloud = cloud_of_two
    (vpn,) = (row["_uuid"][1] for row in cloud.nb.rows("VPN_Service"))
    mars = cloud.add_connection(
        vpn, "to-mars", peer_address="1.0.0.9", peer_subnets="192.168.9.0/24"
    )
    cloud.settle()
    before, yesterday = find_running(cloud, "sb"), cloud.nb.read_file()
    snapshot = cloud.nb.directory / "snapshot"
    snapshot.write_bytes(cloud.nb.run_client("backup"))
    mutation = ["connections", "delete", ["set", [["uuid", mars]]]]
    cloud.nb.transact(
        {"op": "mutate", "table": "VPN_Service", "where": [], "mutations": [mutation]}
    )
    cloud.wait_for(lambda: not has_policy(cloud, "192.168.9.0/24"), "its end")
    cloud.settle()
    if way == "file":
        replace(cloud, "nb", yesterday)
    else:
        cloud.nb.run_client("restore", snapshot)
    cloud.wait_for(lambda: has_policy(cloud, "192.168.9.0/24"), "its guard")
    cloud.settle()
    assert {row["status"] for row in cloud.nb.rows("IPsec_Connection")} == {"down"}
    if way == "file":
        assert find_running(cloud, "sb") == before
    cloud.laws()


def test_what_was_changed_since_the_file_was_saved_stays_changed(cloud_of_two: Cloud) -> None:
    cloud = cloud_of_two
    yesterday = cloud.nb.read_file()
    cloud.nb.update("IPsec_Connection", [], peer_subnets=["set", ["192.168.9.0/24", "10.9.0.0/16"]])
    cloud.settle()
    before = find_running(cloud)
    replace(cloud, "nb", yesterday)
    run_long(cloud, cloud.step_chassis)
    assert find_running(cloud) == before
    cloud.nb.update("IPsec_Connection", [], psk="another-secret-of-today")
    cloud.settle()
    assert find_running(cloud) == before
    cloud.northd.accept_content()
    cloud.wait_for(lambda: not has_policy(cloud, "10.9.0.0/16"), "what is there")
    cloud.laws()


@pytest.mark.parametrize(
    ("name", "table", "row"),
    [("nb", "VPN_Service", "second"), ("ovn", "Logical_Router", "another")],
)
def test_what_somebody_deletes_during_an_outage_takes_its_container(
    cloud_of_two: Cloud, name: str, table: str, row: str
) -> None:
    cloud = cloud_of_two
    add_todays(cloud)
    session, database = cloud.northd.sessions[name], getattr(cloud, name)
    connection = session.connection
    database.stop()
    run_until(cloud, lambda: not session.connected, "the end of the connection")
    database.start()
    database.delete(table, [["name", "==", row]])
    run_until(
        cloud, lambda: is_back(cloud, name) and session.connection != connection, "the content"
    )
    cloud.settle()
    assert len(find_containers(cloud)) == 1


# -- OVN_Southbound, where the ports of groups are -------------------------------
