"""Groups, chassis and containers: where they are to run, where they do, and what is said of it."""

from __future__ import annotations

import re
import time

import pytest

from .ovsdb import Databases
from .svcctl import (
    WHEN,
    WHEN_MS,
    Svcctl,
    add_container,
    add_router,
    bind,
    find_wish,
    update,
    wish,
)

DISTANT_MS = 4_000_000_000_000
PAST = f"{WHEN} (3 min)"


@pytest.fixture
def cloud(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """Three chassis that are alive, and container vpn-1 of group g on hv1."""
    add_container(databases)
    return svcctl


# -- groups ----------------------------------------------------------------


def test_a_group_with_everything(cloud: Svcctl, databases: Databases) -> None:
    databases.ovn_nb.insert("Logical_Switch", name="s")
    add_ports(databases, "p1", "p2")
    cloud.good("port-group-add", "pg", "p2", "p1", "p2", "--", "chassis-group-add", "cg", "hv1")
    cloud.good("group-add", "h", "load", "--spread=rack", "--standby=2")
    cloud.good("group-set-port-group", "h", "pg", "--", "group-set-chassis-group", "h", "cg")
    assert cloud.good("-f", "csv", "--no-headings", "group-list") == (
        "g,least,,,,0,,1\nh,load,cg,pg,rack,2,,0\n"
    )
    assert cloud.good("-f", "csv", "port-group-list") == 'name,ports\npg,"p1, p2"\n'
    assert cloud.bad("port-group-del", "pg") == "pg: used by group h"
    cloud.good("group-set", "h", "--policy=", "--spread=", "--standby=")
    cloud.good("group-set-port-group", "h", "--", "port-group-del", "pg")
    cloud.good("--if-exists", "port-group-del", "pg")
    [row] = databases.nb.rows("Container_Group", [["name", "==", "h"]])
    assert (row["policy"], row["spread"], row["port_group"]) == ((["set", []],) * 3)
    assert row["options"] == ["map", []]


def add_ports(databases: Databases, *names: str) -> None:
    """Adds ports to switch s of OVN."""
    for name in names:
        port = {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": "port"}
        databases.ovn_nb.transact(
            {**port, "row": {"name": name}},
            {
                "op": "mutate",
                "table": "Logical_Switch",
                "where": [["name", "==", "s"]],
                "mutations": [["ports", "insert", ["named-uuid", "port"]]],
            },
        )


def test_a_group_that_may_exist(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("group-add", "h", "random", "--spread=rack", "--standby=1")
    before = databases.nb.dump()
    cloud.good("--may-exist", "group-add", "h", "--standby=1", "--spread=rack")
    cloud.good("--may-exist", "group-add", "h", "random")
    cloud.good("--may-exist", "group-add", "g", "least", "--standby=0")
    assert databases.nb.dump() == before
    for words, reason in (
        (["--standby=2"], "another number of standbys"),
        (["--spread=row"], "another spread"),
        (["least"], "another policy"),
    ):
        said = cloud.bad("--may-exist", "group-add", "h", *words)
        assert said == f"h: a group with this name already exists, with {reason}"


def test_other_options_of_a_group_stay(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("set", "Container_Group", "g", "options:other=x")
    cloud.good("group-set", "g", "--standby=3")
    cloud.good("group-set", "g", "--standby=1", "--policy=random")
    [row] = databases.nb.rows("Container_Group")
    assert row["options"] == ["map", [["other", "x"], ["standby", "1"]]]
    cloud.good("group-set", "g", "--standby=0")
    [row] = databases.nb.rows("Container_Group")
    assert (row["options"], row["policy"]) == (["map", [["other", "x"]]], "random")


def test_a_number_of_standbys_that_cannot_be_read(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("set", "Container_Group", "g", "options:standby=one")
    assert cloud.good("-f", "csv", "--no-headings", "group-list") == "g,least,,,,one?,,1\n"
    bind(databases, "vpn-1", "hv2", "standby")
    update(databases, standby=1)
    assert find_moves(cloud) == ("", "hv2")
    said = cloud.bad("--may-exist", "group-add", "g", "--standby=0")
    assert said.endswith("with another number of standbys")
    assert "group g: options:standby is 'one', not 0 to 8; each" in cloud("status").stdout
    cloud.good("group-set", "g", "--standby=0")
    assert cloud.good("-f", "csv", "--no-headings", "group-list") == "g,least,,,,0,,1\n"
    cloud.good("set", "Container_Group", "g", "options:stanby=1")
    assert cloud.good("-f", "csv", "--no-headings", "group-list") == "g,least,,,,?,,1\n"
    assert "group g: options:stanby is no option, but standby is" in cloud("status").stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("group-add h --standby=9", "h: --standby: 9 is not a number from 0 to 8"),
        ("group-add h --standby=-1", "h: --standby: -1 is not a number from 0 to 8"),
        ("group-set g --standby=many", "g: --standby: many is not a number from 0 to 8"),
        ("group-set g --policy=x", "g: policy x is not served; use least, load, random or"),
        ("group-set g", "g: nothing to change is given"),
        ("group-set x --standby=1", "x: group not found"),
        ("group-set-port-group g x", "x: port group not found"),
        (
            "port-group-add pg",
            "'port-group-add' command requires at least 2 arguments: port-group-add"
            " PORT_GROUP PORT..",
        ),
        ("port-group-add pg nono", "nono: port not found in OVN_Northbound"),
        ("port-group-del pg", "pg: port group not found"),
        ("chassis-group-add cg hv1 hv9", "hv9: chassis not found in the southbound"),
    ],
)
def test_bad_groups(cloud: Svcctl, words: str, reason: str) -> None:
    assert cloud.bad(*words.split()).startswith(reason)


def test_bad_names_and_members_of_groups(cloud: Svcctl, databases: Databases) -> None:
    assert cloud.bad("port-group-add", "", "p").startswith('"": not a name')
    assert cloud.bad("port-group-add", "pg", "") == '"": not the name of a port'
    assert cloud.bad("chassis-group-add", "cg", "") == '"": not the name of a chassis'
    assert "is not a key" in cloud.bad("group-add", "h", "--spread= rack")
    cloud.good("--no-check", "port-group-add", "pg", "later")
    cloud.good("--no-check", "chassis-group-add", "cg", "hv9")
    cloud.good("--may-exist", "port-group-add", "pg", "later")
    said = cloud.bad("--may-exist", "port-group-add", "pg", "other")
    assert said == "pg: a port group with this name already exists, with other ports"
    databases.ovn_nb.stop()
    said = cloud.bad("port-group-add", "pg2", "p1")
    assert said.startswith("port p1 cannot be looked up (--no-check omits that): ")


# -- chassis ---------------------------------------------------------------


def test_the_list_of_chassis(cloud: Svcctl, databases: Databases) -> None:
    databases.sb.insert("Chassis", name="hv0")
    databases.sb.update(
        "Chassis",
        [["name", "==", "hv3"]],
        service_types=["set", []],
        service_problems=["map", [["ipsec", "charon-systemd is not installed"]]],
    )
    databases.sb.update(
        "Chassis_Weight", [["chassis", "==", "hv2"]], alive=False, problem="dead", overloaded=True
    )
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv1"]], overloaded=True)
    for name, cpu in (("hv1", "93"), ("hv2", "7")):
        databases.sb.insert("Chassis_Private", name=name, load=["map", [["cpu", cpu]]])
    bind(databases, "vpn-1", "hv2", "standby")
    bind(databases, "vpn-2", "hv2", "standby")
    cloud.good("chassis-set-weight", "hv1", "5", "--", "chassis-set-limit", "hv1", "7")
    cloud.good("chassis-drain", "hv2")
    hv1 = f"hv1,hv1.cloud,alive,{WHEN},5,7,no,1,0,93%"
    assert f"{hv1},ipsec,," in cloud.good("-f", "csv", "chassis-list").splitlines()
    databases.nb.update("Container_Group", [["name", "==", "g"]], policy="load")
    assert cloud.good("-f", "csv", "chassis-list").splitlines() == [
        "name,hostname,state,since,weight,limit,drain,active,standby,load,types,problem,"
        "service-problems",
        "hv0,,not yet judged,,1,none,no,0,0,,,,",
        f"{hv1} (too high),ipsec,,",
        f"hv2,hv2.cloud,dead,{WHEN},1,none,yes,0,2,,ipsec,dead,",
        f"hv3,hv3.cloud,alive,{WHEN},1,none,no,0,0,,,,ipsec: charon-systemd is not installed",
    ]
    databases.sb.delete("Chassis", [["name", "==", "hv2"]])
    gone = "hv2,,unknown,,1,none,yes,0,2,,,not registered in the southbound,"
    assert gone in cloud.good("-f", "csv", "chassis-list").splitlines()


def test_weight_and_limit(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("chassis-set-limit", "hv1", "4", "--", "chassis-set-limit", "hv1", "none")
    cloud.good("chassis-set-weight", "hv2", "0", "--", "chassis-set-limit", "hv2", "-1")
    lines = cloud.good("--no-headings", "chassis-list").splitlines()
    words = [[*line.split()[:4], *line.split()[6:9]] for line in lines[:2]]
    assert words == [
        ["hv1", "hv1.cloud", "alive", WHEN, "1", "none", "no"],
        ["hv2", "hv2.cloud", "alive", WHEN, "0", "none", "no"],
    ]


# -- containers ------------------------------------------------------------


def test_the_list_of_containers(cloud: Svcctl, databases: Databases) -> None:
    add_router(databases, "r")
    cloud.good("vpn-add", "mercury", "r", "1.0.0.100", "10.0.0.0/24")
    cloud.good("vpn-add", "venus", "r", "1.0.0.100", "10.1.0.0/24")
    uuids = [row["_uuid"][1] for row in databases.nb.rows("VPN_Service")]
    gone = "00000000-0000-4000-8000-000000000000"
    serves = ["set", sorted([*uuids, gone])]
    update(databases, serves=serves, since=WHEN_MS, status_message="fine")
    databases.nb.insert("Service_Container", name="vpn-2", service_type="x", serves="a row")
    databases.nb.insert("Container_Wish", name="vpn-3", requested_chassis="hv2")
    databases.nb.insert("Container_Wish", name="vpn-4")
    wish(databases, requested_chassis="hv2")
    headings = "name,type,serves,group,chassis,pinned-to,status,since,moving-to,standby,reason"
    assert cloud.good("-f", "csv", "container-list").splitlines() == [
        headings,
        f'vpn-1,ipsec,"{gone}, mercury, venus",g,hv1,hv2,running,{WHEN},,,fine',
        "vpn-2,x,a row,,,,,,,,",
        "vpn-3,,,,,hv2,,,,,no container has this name; it is pinned to hv2",
    ]


def find_moves(svcctl: Svcctl) -> tuple[str, str]:
    """Returns where container-list says that vpn-1 is moving to, and its standbys."""
    line = svcctl.good("-f", "html", "--no-headings", "container-list")
    cells = re.findall("<td>(.*)</td>", line)
    return cells[8], cells[9]


def test_a_standby_or_a_move(cloud: Svcctl, databases: Databases) -> None:
    bind(databases, "vpn-1", "hv2", "standby")
    assert find_moves(cloud) == ("hv2", "")
    cloud.good("group-set", "g", "--standby=1")
    assert find_moves(cloud) == ("", "hv2")
    wish(databases, requested_chassis="hv2")
    assert find_moves(cloud) == ("hv2", "")
    wish(databases, requested_chassis=["set", []], migrate_chassis="hv3", migrate_cfg=1)
    assert find_moves(cloud) == ("hv3", "hv2")
    wish(databases, migrated_cfg=1)
    bind(databases, "vpn-1", "hv3", "standby")
    assert find_moves(cloud) == ("", "hv2, hv3")
    # The place that it comes from.
    cloud.good("group-set", "g", "--standby=0")
    databases.sb.delete("Container_Binding", [["chassis", "==", "hv3"]])
    for number, chassis in ((1, "hv3"), (2, "hv2"), (3, "hv1")):
        databases.sb.insert("Placement", container="vpn-1", number=number, chassis=chassis)
    assert find_moves(cloud) == ("", "hv2")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is 3 min after WHEN."""
    monkeypatch.setattr(time, "time", lambda: WHEN_MS / 1000 + 180)


@pytest.mark.usefixtures("later")
def test_one_container(cloud: Svcctl, databases: Databases) -> None:
    over = {"migrated_cfg": 2, "migrate_cfg": 2, "migrate_status": "migrated to hv1"}
    update(databases, since=WHEN_MS)
    wish(databases, **over)
    bind(databases, "vpn-1", "hv2", "standby")
    failed = {"status_code": "error", "status_message": "no memory", "reached_generation": 1}
    databases.sb.update(
        "Container_Binding",
        [["chassis", "==", "hv2"]],
        **failed,
        restarts=3,
        since=WHEN_MS,
        unwell_since=WHEN_MS,
    )
    databases.sb.update("Container_Binding", [["chassis", "==", "hv1"]], reached_generation=2)
    assert cloud.good("container-show", "vpn-1") == (
        "container vpn-1\n"
        "    type: ipsec\n"
        "    group: g\n"
        "    status: running\n"
        f"    since: {PAST}\n"
        "    chassis: hv1\n"
        "    moving to: hv2\n"
        "    migration: request 2: migrated to hv1\n"
        "    active on hv1\n"
        "        status: running\n"
        "        generation: 2\n"
        "    standby on hv2\n"
        "        status: error\n"
        "        message: no memory\n"
        f"        since: {PAST}\n"
        f"        unwell since: {PAST}\n"
        "        generation: 1 of 2\n"
        "        restarts: 3\n"
    )


@pytest.mark.usefixtures("later")
def test_what_became_of_a_container(cloud: Svcctl, databases: Databases) -> None:
    avoided = {"container": "vpn-1", "reason": "no memory", "failures": 2, "since": WHEN_MS}
    for chassis, retry_at in (("hv2", WHEN_MS), ("hv3", DISTANT_MS)):
        databases.sb.insert("Avoided_Chassis", chassis=chassis, retry_at=retry_at, **avoided)
    for number, reason in ((9, ""), (10, ""), (11, "hv0 is dead")):
        placement = {"container": "vpn-1", "number": number, "chassis": f"hv{number}"}
        databases.sb.insert("Placement", since=WHEN_MS, reason=reason, **placement)
    shown = re.sub(r"in \d+ s", "in N s", cloud.good("container-show", "vpn-1"))
    assert shown.endswith(
        "    avoids hv2\n"
        "        reason: no memory\n"
        f"        failures: 2, the last at {PAST}\n"
        f"        tried again: from {WHEN} on\n"
        "    avoids hv3\n"
        "        reason: no memory\n"
        f"        failures: 2, the last at {PAST}\n"
        "        tried again: in N s, at 2096-10-02T07:06:40Z\n"
        "    placements\n"
        f"        11: {PAST} hv11 (hv0 is dead)\n"
        f"        10: {PAST} hv10\n"
        f"        9: {PAST} hv9\n"
    )


def test_containers_without_the_southbound(cloud: Svcctl, databases: Databases) -> None:
    update(databases, status_message="fine")
    databases.sb.stop()
    for words in (["container-list"], ["container-show", "vpn-1"]):
        result = cloud(*words)
        assert (result.status, "fine" in result.stdout) == (0, True)
        assert result.stderr.startswith(
            "svcctl: warning: what only the southbound knows is left out: unix:"
        )


def test_pin_and_unpin(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-pin", "vpn-1", "hv2")
    assert find_wish(databases)["requested_chassis"] == "hv2"
    assert "    pinned to: hv2\n" in cloud.good("container-show", "vpn-1")
    assert "    pinned to: hv2\n" in cloud.good("show", "vpn-1")
    cloud.good("container-unpin", "vpn-1")
    assert find_wish(databases) == {}
    cloud.good("container-unpin", "vpn-1")
    assert cloud.bad("container-unpin", "vpn-9") == "vpn-9: container not found"


def test_a_pin_outlives_its_container(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-pin", "vpn-1", "hv2")
    databases.nb.delete("Service_Container")
    assert find_wish(databases)["requested_chassis"] == "hv2"
    assert cloud.good("container-show", "vpn-1") == (
        "container vpn-1\n"
        "    no container has this name; only what is wished for it is there\n"
        "    pinned to: hv2\n"
        "    active on hv1\n        status: running\n        generation: 0 of 2\n"
    )
    assert cloud.bad("container-pin", "vpn-1", "hv3") == "vpn-1: container not found"
    cloud.good("--no-check", "container-pin", "vpn-1", "hv3")
    assert find_wish(databases)["requested_chassis"] == "hv3"
    cloud.good("container-unpin", "vpn-1")
    assert find_wish(databases) == {}


def test_a_wish_that_was_counted_stays(cloud: Svcctl, databases: Databases) -> None:
    cloud.good("container-migrate", "vpn-1", "hv2", "--", "container-pin", "vpn-1", "hv2")
    cloud.good("container-unpin", "vpn-1")
    row = find_wish(databases)
    assert (row["requested_chassis"], row["migrate_cfg"]) == (["set", []], 1)


@pytest.mark.usefixtures("later")
def test_items_and_metrics(cloud: Svcctl, databases: Databases) -> None:
    item = {"container": "vpn-1", "chassis": "hv1", "kind": "tunnel"}
    detail, counters = ["map", [["ip", "1.0.0.3"]]], ["map", [["bytes_in", 7]]]
    databases.sb.insert("Container_Item", name="b", state="up", detail=detail, **item)
    failed = {"state": "down", "message": "no answer", "since": WHEN_MS, "counters": counters}
    databases.sb.insert("Container_Item", name="a", **failed, **item)
    databases.sb.insert("Container_Item", name="c", **{**item, "container": "vpn-2"})
    metrics = ["map", [["cpu", 1.5], ["restarts", 2.0]]]
    databases.sb.update("Container_Binding", [], metrics=metrics)
    assert cloud.good("container-show", "vpn-1").endswith(
        "    active on hv1\n"
        "        status: running\n"
        "        generation: 0 of 2\n"
        "        metric cpu: 1.5\n"
        "        metric restarts: 2\n"
        "    tunnel a on hv1\n"
        "        state: down\n"
        "        message: no answer\n"
        f"        since: {PAST}\n"
        "        counter bytes_in: 7\n"
        "    tunnel b on hv1\n"
        "        state: up\n"
        "        detail ip: 1.0.0.3\n"
    )


def spoil(databases: Databases, svcctl: Svcctl, what: str) -> None:
    """Makes hv2 a chassis that cannot take vpn-1."""
    hv2 = [["chassis", "==", "hv2"]]
    if what == "gone":
        databases.sb.delete("Chassis", [["name", "==", "hv2"]])
    elif what == "dead":
        databases.sb.update("Chassis_Weight", hv2, alive=False, problem="dead")
    elif what == "unfit":
        databases.sb.update("Chassis_Weight", hv2, problem="unfit (no ovn-controller)")
    elif what == "type":
        reason = ["map", [["ipsec", "no charon"]]]
        databases.sb.update("Chassis", [], service_types=["set", []], service_problems=reason)
    elif what == "group":
        svcctl.good("chassis-group-add", "cg", "hv1", "--", "group-set-chassis-group", "g", "cg")
    elif what == "drained":
        svcctl.good("chassis-drain", "hv2")
    elif what == "load":
        svcctl.good("group-set", "g", "--policy=load")
        databases.sb.update("Chassis_Weight", hv2, overloaded=True)
    else:
        svcctl.good("chassis-set-weight", "hv2", "0")


@pytest.mark.parametrize("command", ["container-pin", "container-migrate"])
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("gone", "hv2: chassis not found in the southbound"),
        ("dead", "hv2: cannot take container vpn-1: it is dead"),
        ("unfit", "hv2: cannot take container vpn-1: it is unfit (no ovn-controller)"),
        (
            "type",
            "hv2: cannot take container vpn-1: it is without service type ipsec (no charon)",
        ),
        ("group", "hv2: cannot take container vpn-1: it is not in chassis group cg"),
        ("drained", "hv2: cannot take container vpn-1: it is drained"),
        ("load", "hv2: cannot take container vpn-1: it is under too much load"),
        ("weightless", "hv2: cannot take container vpn-1: it is of weight 0"),
    ],
)
def test_a_chassis_that_cannot(
    cloud: Svcctl, databases: Databases, command: str, what: str, reason: str
) -> None:
    spoil(databases, cloud, what)
    assert cloud.bad(command, "vpn-1", "hv2") == reason
    cloud.good("--no-check", command, "vpn-1", "hv2")


@pytest.mark.parametrize("command", ["container-pin", "container-migrate"])
def test_what_nobody_can_look_up(cloud: Svcctl, databases: Databases, command: str) -> None:
    assert cloud.bad(command, "nono", "hv2") == "nono: container not found"
    assert cloud.bad(command, "vpn-1", "") == '"": not the name of a chassis'
    assert cloud.bad("--no-check", command, "vpn-1", "") == '"": not the name of a chassis'
    databases.sb.stop()
    said = cloud.bad(command, "vpn-1", "hv2")
    assert said.startswith("chassis hv2 cannot be looked up (--no-check omits that): ")
    cloud.good("--no-check", command, "vpn-1", "hv2")


def test_where_there_is_no_room_a_pin_waits(cloud: Svcctl, databases: Databases) -> None:
    hv2 = [["chassis", "==", "hv2"]]
    databases.sb.update("Chassis_Weight", hv2, limit=1, scheduled=1, problem="full (limit 1)")
    cloud.good("chassis-set-limit", "hv2", "1")
    bind(databases, "vpn-2", "hv2")
    assert cloud.bad("container-migrate", "vpn-1", "hv2").endswith(": it is full (limit 1)")
    result = cloud("container-pin", "vpn-1", "hv2")
    assert (result.status, find_wish(databases)["requested_chassis"]) == (0, "hv2")
    assert result.stderr == (
        "svcctl: warning: hv2 is full (limit 1); vpn-1 moves there once there is room\n"
    )
    # A standby of another one gives way.
    databases.sb.update("Container_Binding", hv2, role="standby")
    cloud.good("container-migrate", "vpn-1", "hv2", "--", "container-pin", "vpn-1", "hv2")


def test_a_standby_needs_no_further_room(cloud: Svcctl, databases: Databases) -> None:
    hv2 = [["chassis", "==", "hv2"]]
    databases.sb.update("Chassis_Weight", hv2, limit=1, scheduled=1, problem="full (limit 1)")
    cloud.good("chassis-set-limit", "hv2", "1")
    said = cloud.bad("container-migrate", "vpn-1", "hv2")
    assert said == "hv2: cannot take container vpn-1: it is full (limit 1)"
    bind(databases, "vpn-1", "hv2", "standby")
    cloud.good("container-migrate", "vpn-1", "hv2", "--", "container-pin", "vpn-1", "hv2")
    databases.sb.update("Chassis_Weight", hv2, problem="stopping")
    assert cloud.bad("container-migrate", "vpn-1", "hv2").endswith(": it is stopping")


def test_the_operators_last_word_counts(cloud: Svcctl, databases: Databases) -> None:
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], drain=True, problem="drained")
    cloud.good("chassis-drain", "hv2")
    cloud.good("chassis-undrain", "hv2", "--", "container-migrate", "vpn-1", "hv2")
    databases.sb.update("Chassis_Weight", [["chassis", "==", "hv2"]], drain=False)
    assert cloud.bad("container-migrate", "vpn-1", "hv2").endswith(": it is drained")
    databases.sb.delete("Chassis_Weight")
    cloud.good("container-pin", "vpn-1", "hv2")
