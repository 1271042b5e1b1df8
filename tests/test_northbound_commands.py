"""The API of SVC_Northbound does what svcctl does: each case is run by both, on databases alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..ctl.command_table import CommandTable
from ..lib import schema
from ..lib.router import OWNER, OWNER_KEY
from ..lib.sequence import MOST
from ..northbound import NorthboundApi, NotFound, Refused, connect
from .command_pairs import BAD, BELIEVED, DIFFERENT, STEPS
from .ovsdb import Database, Databases, wait_until
from .svcctl import Svcctl


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NorthboundApi]:
    """An API on a northbound of its own."""
    server = Database(tmp_path_factory.mktemp("nb"), schema.NORTHBOUND)
    made = connect(server.remote, timeout=10)
    made.server = server
    yield made
    made.close()
    server.stop()


def read_content(database: Database) -> dict[str, list[Any]]:
    """Returns what is in a northbound, with names for UUIDs."""
    content = database.dump()
    names = {
        row["_uuid"][1]: f"{table}/{row.get('name', '')}"
        for table, rows in content.items()
        for row in rows
    }

    def rename(value: Any) -> Any:
        if isinstance(value, list) and value[:1] == ["uuid"]:
            return names[value[1]]
        if isinstance(value, list) and value[:1] == ["set"]:
            return ["set", sorted((rename(each) for each in value[1]), key=str)]
        return [rename(each) for each in value] if isinstance(value, list) else value

    plain = {
        table: [
            {key: rename(value) for key, value in row.items() if key not in ("_uuid", "_version")}
            for row in rows
        ]
        for table, rows in content.items()
    }
    return {table: sorted(rows, key=str) for table, rows in plain.items() if rows}


def fill(database: Database) -> None:
    """Adds what bad cases collide with."""
    group = database.insert("Container_Group", name="vpns", policy="least")
    chassis_group = database.insert("Chassis_Group", name="racks", chassis="hv1")
    database.insert("Port_Group", name="ports", ports="vm1")
    database.update("Container_Group", [], chassis_group=["uuid", chassis_group])
    policy = database.insert("IKE_Policy", name="strong")
    connection = {
        "name": "to-venus",
        "peer_address": "1.0.0.3",
        "peer_subnets": "192.168.2.0/24",
        "psk": "secret",
        "ike_policy": ["uuid", policy],
    }
    service = {
        "name": "mercury",
        "router": "tenant-router",
        "external_ips": "1.0.0.100",
        "local_subnets": "192.168.1.0/24",
        "group": ["uuid", group],
        "connections": ["named-uuid", "connection"],
        "external_ids": ["map", [["a", "b"]]],
    }
    database.transact(
        {"op": "insert", "table": "IPsec_Connection", "row": connection, "uuid-name": "connection"},
        {"op": "insert", "table": "VPN_Service", "row": service},
    )
    ours = ["map", [[OWNER_KEY, OWNER]]]
    database.insert("Service_Container", name="vpn-1", service_type="ipsec", external_ids=ours)
    database.insert("Container_Wish", name="vpn-1", requested_chassis="hv1")


def list_commands(pairs: list[tuple[str, Any]]) -> set[str]:
    return {next(word for word in line.split() if word[:1] != "-") for line, _ in pairs}


def test_each_command_that_both_have_is_tried() -> None:
    changing = {each.name for each in CommandTable().list_all() if each.changes}
    both = changing & {name.replace("_", "-") for name in dir(NorthboundApi)}
    assert both - list_commands(STEPS) == set()
    assert both - list_commands(BAD) == BELIEVED


def test_each_step_leaves_what_svcctl_leaves(
    api: Any, svcctl: Svcctl, databases: Databases
) -> None:
    svcctl.good("init")
    api.db_create("SVC_Global").execute()
    for words, call in STEPS:
        assert svcctl("--no-check", *words.split()).status == 0, words
        call(api).execute()
        expected, found = read_content(databases.nb), read_content(api.server)
        assert found == expected, words
    assert set(read_content(api.server)) == {"SVC_Global", "Chassis"}


def test_what_svcctl_refuses_is_refused_with_its_words(
    api: Any, svcctl: Svcctl, databases: Databases
) -> None:
    for database in (databases.nb, api.server):
        fill(database)
    before = api.server.dump()
    wrong = []
    for words, call in BAD:
        reason = svcctl.bad("--no-check", *words.split())
        with pytest.raises(Refused) as caught:
            call(api).execute(log_errors=False)
        if str(caught.value) != reason:
            wrong.append((words, reason, str(caught.value)))
    assert not wrong
    assert api.server.dump() == before


def test_what_is_refused_writes_nothing(api: Any) -> None:
    fill(api.server)
    before = api.server.dump()
    for call, reason in DIFFERENT:
        commands = [api.group_add("another"), call(api)]
        with pytest.raises(Refused) as caught, api.transaction(log_errors=False) as change:
            change.extend(commands)
        assert reason in str(caught.value)
    assert api.server.dump() == before
    with pytest.raises(TypeError, match="unexpected keyword argument 'pks'"):
        api.conn_set("mercury", "to-venus", pks="x")


def test_a_number_at_the_end_of_its_range_starts_over(api: Any) -> None:
    assert api.nb_cfg_increment().execute() == 1
    api.server.update("SVC_Global", [], nb_cfg=MOST)
    rows = api.tables["SVC_Global"].rows
    wait_until(lambda: [row.nb_cfg for row in rows.values()] == [MOST], "the API to see it")
    with api.transaction() as change:
        numbers = [change.add(api.nb_cfg_increment()) for _ in range(2)]
    assert [each.result for each in numbers] == [1, 1]
    assert api.nb_cfg_increment().execute() == 2


def test_all_of_a_transaction_or_none(api: Any) -> None:
    with api.transaction() as change:
        service = change.add(api.vpn_add("mercury", "r", ["1.0.0.100"], ["192.168.1.0/24"]))
        added = change.add(
            api.conn_add("mercury", "to-venus", "1.0.0.3", ["192.168.2.0/24"], psk="x")
        )
        number = change.add(api.nb_cfg_increment())
    assert api.nb_cfg_increment().execute() == 2
    with api.transaction() as change:
        numbers = [change.add(api.nb_cfg_increment()) for _ in range(2)]
    assert [each.result for each in numbers] == [3, 3]
    assert api.lookup("SVC_Global", ".").external_ids == {}
    assert service.result.connections == [added.result._row]
    assert (service.result.name, added.result.peer_address) == ("mercury", "1.0.0.3")
    assert number.result == 1
    again = api.vpn_add("mercury", "r", "1.0.0.100", "192.168.1.0/24", may_exist=True).execute()
    assert again.uuid == service.result.uuid
    with api.transaction() as change:
        gone = change.add(api.group_add("short"))
        change.add(api.group_del("short"))
        kept = change.add(api.group_add("kept"))
    assert gone.result is None
    assert api.group_list().execute() == [kept.result]


def test_marks_of_a_program(api: Any) -> None:
    marked = {"external_ids": {"neutron:id": "4711"}, "enabled": False}
    api.vpn_add("mercury", "r", ["1.0.0.100"], ["192.168.1.0/24"], **marked).execute()
    api.vpn_set("mercury", external_ids={"more": "x", "neutron:id": None}, enabled=True).execute()
    api.vpn_set("mercury", local_subnets=["192.168.7.0/24"], options={"a": "b"}).execute()
    row = api.vpn_get("mercury").execute()
    assert (row.external_ids, row.enabled, row.options) == ({"more": "x"}, [True], {"a": "b"})
    assert row.local_subnets == ["192.168.7.0/24"]
    api.conn_add(
        "mercury", "c", "1.0.0.3", "10.0.0.0/8", psk="x", external_ids={"a": "b"}
    ).execute()
    api.conn_set("mercury", "c", external_ids={"c": "d"}).execute()
    [member] = api.conn_list("mercury").execute()
    assert member.external_ids == {"a": "b", "c": "d"}
    assert api.conn_set("mercury", "d", if_exists=True, mtu=1300).execute() is None
    assert api.vpn_set("venus", if_exists=True, enabled=False).execute() is None
    assert [each.name for each in api.vpn_list().execute()] == ["mercury"]
    api.chassis_group_add("racks", ["hv1"]).execute()
    api.chassis_group_set("racks", ["hv3", "hv2"]).execute()
    api.port_group_add("guests", ["vm1"]).execute()
    api.port_group_set("guests", ["vm2"]).execute()
    assert api.db_get("Chassis_Group", "racks", "chassis").execute() == ["hv2", "hv3"]
    assert api.db_get("Port_Group", "guests", "ports").execute() == "vm2"


def test_a_container_with_a_secret(api: Any) -> None:
    api.container_add("echo-1", "echo", {"port": "7"}, {"token": "sesame"}).execute()
    api.container_add("echo-1", "echo", {"port": "7"}, {"token": "sesame"}, True).execute()
    with pytest.raises(Refused, match="with another secret"):
        api.container_add("echo-1", "echo", {"port": "7"}, {"token": "x"}, True).execute(
            True, False
        )
    api.container_set("echo-1", secret={"token": None, "other": "sesame"}).execute()
    [row] = api.container_list().execute()
    assert (row.configuration, row.secret) == ({"port": "7"}, {"other": "sesame"})


def test_rows_by_name(api: Any) -> None:
    for vpn, subnet in (("mercury", "10.1.0.0/16"), ("mars", "10.2.0.0/16")):
        api.vpn_add(vpn, "r", ["1.0.0.100"], ["192.168.1.0/24"]).execute()
        api.conn_add(vpn, "to-venus", "1.0.0.3", subnet, psk="x").execute()
    api.conn_add("mars", "alone", "1.0.0.3", "10.3.0.0/16", psk="x").execute()
    row = api.conn_get("mars", "to-venus").execute()
    assert row.peer_subnets == ["10.2.0.0/16"]
    assert api.lookup("IPsec_Connection", "alone").name == "alone"
    assert api.lookup("IPsec_Connection", ("mars", "to-venus")).uuid == row.uuid
    assert api.lookup("IPsec_Connection", str(row.uuid)).uuid == row.uuid
    with pytest.raises(NotFound, match="2 connections are named to-venus; name the service too"):
        api.lookup("IPsec_Connection", "to-venus")
    for record in ("x", "", ("x", "y"), ("mars", "y")):
        with pytest.raises(NotFound):
            api.lookup("IPsec_Connection", record)
    assert api.lookup("VPN_Service", "x", default=None) is None


def test_the_generic_commands(api: Any) -> None:
    with api.transaction() as change:
        new = change.add(api.db_create("IPsec_Connection", name="c", peer_address="1.0.0.3"))
        change.add(api.db_create_row("VPN_Service", name="mercury", router="r"))
        change.add(api.db_add("VPN_Service", "mercury", "connections", new))
    api.db_set("VPN_Service", "mercury", ("external_ids", {"a": "b"}), ("enabled", False)).execute()
    api.db_add("VPN_Service", "mercury", "external_ids", {"c": "d"}).execute()
    api.db_remove("VPN_Service", "mercury", "external_ids", "a").execute()
    assert api.db_get("VPN_Service", "mercury", "external_ids").execute() == {"c": "d"}
    assert api.db_get("IPsec_Connection", ("mercury", "c"), "peer_address").execute() == "1.0.0.3"
    [found] = api.db_find("VPN_Service", ("enabled", "=", False)).execute()
    assert (found["name"], found["connections"]) == ("mercury", [new.result])
    [row] = api.db_find_rows("VPN_Service", ("name", "=", "mercury")).execute()
    assert row.router == "r"
    assert len(api.db_list("VPN_Service", ["mercury"]).execute()) == 1
    pairs = api.db_list("IPsec_Connection", [("mercury", "c")], ["name", "_uuid"]).execute()
    assert pairs == [{"name": "c", "_uuid": new.result}]
    assert api.db_list("VPN_Service", ["venus"], if_exists=True).execute() == []
    assert len(api.db_list_rows("VPN_Service").execute()) == 1
    api.db_clear("VPN_Service", "mercury", "connections").execute()
    assert api.db_list("IPsec_Connection").execute() == []
    api.db_destroy("VPN_Service", "mercury").execute()
    # As with ovsdbapp's own.
    assert api.db_set("VPN_Service", "mercury", enabled=True).execute() is None
