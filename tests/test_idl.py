"""The session with a database, on real ovsdb-servers: replica, lock, transactions, failures."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import ovs.poller
import pytest

from ..lib import idl, nb, sb, schema
from ..lib.delta import Delete, Insert, Parent, Ref, SetKeys, Update, Verify
from ..lib.idl import Session
from ..lib.rows import Row
from ..northd.ovn import rows as ovn
from ..services.ipsec.rows import VPNService
from .logs import Logs
from .ovsdb import Databases, find_schema
from .sessions import OUTAGE, Sessions


@dataclass(frozen=True, slots=True)
class NewRouter(Row):
    """A router as a later OVN may have it."""

    TABLE: ClassVar[str] = "Logical_Router"
    name: str
    column_of_the_future: str | None


@dataclass(frozen=True, slots=True)
class Copp(Row):
    TABLE: ClassVar[str] = "Copp"
    name: str


def _names(session: Session, row_class: Any) -> list[str]:
    return sorted(row.name for row in session.rows(row_class).values())


# -- the replica -----------------------------------------------------------


def test_rows_are_plain_python(databases: Databases, sessions: Sessions) -> None:
    group = databases.nb.insert("Container_Group", name="vpns")
    databases.nb.insert(
        "VPN_Service",
        name="mercury",
        external_ips=["set", ["1.0.0.101", "1.0.0.100"]],
        group=["uuid", group],
        enabled=False,
    )
    databases.nb.insert("SVC_Global", options=["map", [["a", "1"], ["b", "2"]]])
    session = sessions.open(databases.nb, VPNService, nb.SVCGlobal)
    [(uuid, row)] = session.rows(VPNService).items()
    assert (row.uuid, row.name, row.enabled, row.status) == (uuid, "mercury", False, None)
    assert row.external_ips == ("1.0.0.100", "1.0.0.101")
    assert row.local_subnets == ()
    assert row.group == UUID(group)
    [root] = session.rows(nb.SVCGlobal).values()
    assert root.options == {"a": "1", "b": "2"}


def test_changes_are_told_by_table(databases: Databases, sessions: Sessions) -> None:
    session = sessions.open(databases.nb, nb.ContainerGroup, nb.Chassis)
    assert session.take_changed_rows() == {}
    databases.nb.insert("Container_Group", name="vpns")
    sessions.wait_for(lambda: session.rows(nb.ContainerGroup), "the row")
    assert set(session.take_changed_rows()) == {"Container_Group"}
    databases.nb.update("Container_Group", [], policy="least")
    sessions.wait_for(session.take_changed_rows, "the change")
    assert [row.policy for row in session.rows(nb.ContainerGroup).values()] == ["least"]
    # A column that nobody reads is not monitored.
    databases.nb.update("Container_Group", [], spread="rack")
    databases.nb.delete("Container_Group")
    sessions.wait_for(lambda: not session.rows(nb.ContainerGroup), "the deletion")
    assert set(session.take_changed_rows()) == {"Container_Group"}


def test_conditions_restrict_what_is_seen(databases: Databases, sessions: Sessions) -> None:
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name)
    own = {"Chassis": [["name", "==", "hv1"]]}
    session = sessions.open(databases.sb, sb.Chassis, conditions=own)
    assert _names(session, sb.Chassis) == ["hv1"]
    # A row that ceases to meet the condition goes as if it were deleted.
    databases.sb.update("Chassis", [["name", "==", "hv1"]], name="hv9")
    sessions.wait_for(lambda: _names(session, sb.Chassis) == [], "the row to go")
    databases.sb.update("Chassis", [["name", "==", "hv2"]], name="hv1")
    sessions.wait_for(lambda: _names(session, sb.Chassis) == ["hv1"], "the other row")


def test_schema_is_asked_from_the_server(databases: Databases, sessions: Sessions) -> None:
    databases.ovn_nb.insert("Logical_Router", name="tenant-router")
    session = sessions.open(databases.ovn_nb, NewRouter)
    [row] = session.rows(NewRouter).values()
    assert (row.name, row.column_of_the_future) == ("tenant-router", None)


# -- failures of the server ------------------------------------------------


def test_rows_that_went_during_an_outage_are_gone_after(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    for name in ("one", "two", "three"):
        databases.nb.insert("Container_Group", name=name)
    session = sessions.open(databases.nb, nb.ContainerGroup, nb.Chassis)
    databases.nb.stop()
    sessions.wait_for(lambda: not session.connected, "the end of the connection")
    assert session.synced, "a replica outlives its connection"
    assert len(session.rows(nb.ContainerGroup)) == 3
    databases.nb.start()
    databases.nb.delete("Container_Group", [["name", "==", "one"]])
    databases.nb.update("Container_Group", [["name", "==", "two"]], policy="random")
    databases.nb.insert("Container_Group", name="four")
    sessions.wait_for(lambda: session.connected and session.synced, "the reconnection")
    assert _names(session, nb.ContainerGroup) == ["four", "three", "two"]
    policies = {row.name: row.policy for row in session.rows(nb.ContainerGroup).values()}
    assert policies["two"] == "random"


@pytest.mark.parametrize("change", ["nothing", "more", "less"])
def test_a_database_that_is_converted_is_followed(
    databases: Databases, sessions: Sessions, logs: Logs, change: str
) -> None:
    """As with 'ovsdb-client convert', on a server that goes on."""
    logs.allow(OUTAGE)
    databases.ovn_nb.insert("Logical_Router", name="before")
    session = sessions.open(databases.ovn_nb, NewRouter)
    other = json.loads(Path(find_schema(databases.ovn_nb.name)).read_text(encoding="utf-8"))
    router = other["tables"]["Logical_Router"]["columns"]
    if change == "more":
        router["column_of_the_future"] = {"type": {"key": "string", "min": 0, "max": 1}}
    elif change == "less":
        del router["name"]
    connection = session.connection
    databases.ovn_nb.convert(other)
    sessions.wait_for(lambda: not session.synced or session.connection != connection, "the end")
    sessions.wait_for(lambda: session.connected and session.synced, "the content anew")
    names = ["after", "before"]
    if change == "less":
        databases.ovn_nb.insert("Logical_Router")
        names = ["None", "None"]
    else:
        databases.ovn_nb.insert("Logical_Router", name="after")
    sessions.wait_for(lambda: len(session.rows(NewRouter)) == 2, "the row")
    assert sorted(str(row.name) for row in session.rows(NewRouter).values()) == names
    if change == "more":
        databases.ovn_nb.update("Logical_Router", [], column_of_the_future="is here")
        sessions.wait_for(
            lambda: (
                {row.column_of_the_future for row in session.rows(NewRouter).values()}
                == {"is here"}
            ),
            "the column",
        )


def read_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(find_schema(name)).read_text(encoding="utf-8"))
    return schema


def test_a_table_that_goes_and_comes_again_is_followed(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    name = databases.ovn_nb.name
    databases.ovn_nb.insert("Copp", name="before")
    session = sessions.open(databases.ovn_nb, NewRouter, Copp, conditions={"Copp": [True]})
    assert len(session.rows(Copp)) == 1
    without = read_schema(name)
    del without["tables"]["Copp"]
    for table in without["tables"].values():
        table["columns"].pop("copp", None)
    databases.ovn_nb.convert(without)
    sessions.wait_for(lambda: not session.rows(Copp) and session.synced, "the end of the table")
    logs.allow("transaction refused")
    session.commit([Insert("Copp", "x", {"name": "in vain"}, None)], "a test")
    sessions.wait_for(lambda: session.take_outcome() is not None, "the refusal")
    databases.ovn_nb.convert(read_schema(name))
    databases.ovn_nb.insert("Copp", name="after")
    sessions.wait_for(lambda: _names(session, Copp) == ["after"], "the table again")


@pytest.mark.parametrize("change", ["more", "less"])
def test_a_database_that_is_converted_before_it_was_read(
    databases: Databases, sessions: Sessions, logs: Logs, change: str
) -> None:
    """Between the schema that a session asks for and its first content."""
    logs.allow(OUTAGE)
    databases.ovn_nb.insert("Logical_Router", name="before")
    session = Session(databases.ovn_nb.remote, databases.ovn_nb.name, (NewRouter,))
    sessions.opened.append(session)
    other = read_schema(databases.ovn_nb.name)
    router = other["tables"]["Logical_Router"]["columns"]
    if change == "more":
        router["column_of_the_future"] = {"type": {"key": "string", "min": 0, "max": 1}}
    else:
        del router["name"]
    sessions.wait_for(lambda: session._connection is not None, "the schema")
    assert not session.synced
    databases.ovn_nb.convert(other)
    sessions.wait_for(lambda: session.synced and session.connected, "the content")
    if change == "more":
        databases.ovn_nb.update("Logical_Router", [], column_of_the_future="is here")
    future = "is here" if change == "more" else None
    sessions.wait_for(
        lambda: [row.column_of_the_future for row in session.rows(NewRouter).values()] == [future],
        "the row",
    )


def test_a_database_of_ours_with_an_older_schema_is_told_and_waited_for(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    logs.allow("the server's schema has no Container_Group:policy")
    session = sessions.open(databases.nb, nb.ContainerGroup)
    older = read_schema(databases.nb.name)
    del older["tables"]["Container_Group"]["columns"]["policy"]
    databases.nb.convert(older)
    sessions.wait_for(
        lambda: logs.count("has no Container_Group:policy"),
        "the word of it",
    )
    assert not session.synced
    databases.nb.convert(read_schema(databases.nb.name))
    sessions.wait_for(lambda: session.synced and session.connected, "the content anew")


@pytest.mark.parametrize("own_schema", [True, False])
def test_a_server_that_is_not_there_costs_no_time(logs: Logs, own_schema: bool) -> None:
    logs.allow("connection attempt failed|waiting .* seconds before reconnect")
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        remote = f"tcp:127.0.0.1:{refusing.getsockname()[1]}"
        known = schema.load(schema.SOUTHBOUND) if own_schema else None
        own = {"Chassis": [["name", "==", "hv1"]]}
        session = Session(
            remote, schema.SOUTHBOUND, [sb.Chassis], schema=known, conditions=own, lock="x"
        )
        deadline, wakeups = time.monotonic() + 0.5, 0
        while (left_ms := int((deadline - time.monotonic()) * 1000)) > 0:
            poller = ovs.poller.Poller()
            session.run()
            session.wait(poller)
            poller.timer_wait(left_ms)
            poller.block()
            wakeups += 1
        session.close()
    assert wakeups < 20


@pytest.mark.parametrize("own_schema", [True, False])
def test_a_server_that_starts_later_is_found(
    databases: Databases, sessions: Sessions, logs: Logs, own_schema: bool
) -> None:
    logs.allow(OUTAGE)
    databases.nb.insert("Container_Group", name="vpns")
    databases.nb.stop()
    known = schema.load(schema.NORTHBOUND) if own_schema else None
    session = Session(databases.nb.remote, schema.NORTHBOUND, [nb.ContainerGroup], schema=known)
    sessions.opened.append(session)
    session.run()
    assert not session.synced
    databases.nb.start()
    sessions.wait_for(lambda: session.synced, "the server")
    assert _names(session, nb.ContainerGroup) == ["vpns"]


def test_a_transaction_that_the_outage_took_is_over_and_told(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    session = sessions.open(databases.nb, nb.ContainerGroup)
    databases.nb.stop()
    session.commit([Insert("Container_Group", "vpns", {"name": "vpns"}, None)], "a test")
    databases.nb.start()
    sessions.wait_for(
        lambda: session.connected and session.synced and not session.committing, "the end"
    )
    assert session.take_outcome() is None, "it must be computed again"
    sessions.commit(session, Insert("Container_Group", "vpns", {"name": "vpns"}, None))
    sessions.wait_for(lambda: _names(session, nb.ContainerGroup) == ["vpns"], "the row")


# -- transactions ----------------------------------------------------------


def test_a_transaction_beside_another_waits_for_nobody(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    session = sessions.open(databases.sb, sb.Chassis, sb.Northd)
    many = [Insert("Chassis", f"hv{n}", {"name": f"hv{n}"}, None) for n in range(100)]
    session.commit(many, "a large one")
    session.commit_beside([Insert("Northd", "", {"pid": 7}, None)], "a beat")
    assert (session.committing, session.committing_beside) == (True, True)
    assert session.take_beside() is None
    sessions.wait_for(lambda: not session.committing_beside, "the end of the small one")
    assert (session.take_beside(), session.take_beside()) == (True, None)
    sessions.wait_for(lambda: not session.committing, "the end of the large one")
    assert len(databases.sb.rows("Chassis")) == 100
    logs.allow("SVC_Southbound: transaction refused: .*constraint violation")
    session.commit_beside([Insert("Chassis", "", {"name": "hv1"}, None)], "a bad one")
    sessions.wait_for(lambda: not session.committing_beside, "the refusal")
    assert (session.take_beside(), session.committing) == (False, False), "it holds up nobody"
    assert session.take_outcome() == "", "that of the large one"


def test_rows_refer_to_rows_inserted_beside_them(databases: Databases, sessions: Sessions) -> None:
    session = sessions.open(databases.ovn_nb, *ovn.ROW_CLASSES)
    router = UUID(databases.ovn_nb.insert("Logical_Router", name="tenant-router"))
    sessions.wait_for(lambda: session.rows(ovn.LogicalRouter), "the router")
    switch = Ref("Logical_Switch", "s")
    sessions.commit(
        session,
        Insert(
            "Logical_Switch_Port", "p", {"name": "p"}, Parent("Logical_Switch", switch, "ports")
        ),
        Insert("Logical_Switch", "s", {"name": "s", "external_ids": ovn.make_mark("s")}, None),
        Insert(
            "NAT",
            "n",
            {"type": "snat", "external_ip": "1.0.0.1", "logical_ip": "10.0.0.0/8"},
            Parent("Logical_Router", router, "nat"),
        ),
    )
    sessions.wait_for(lambda: session.rows(ovn.NAT), "the rows")
    [row] = session.rows(ovn.LogicalSwitch).values()
    assert row.ports == tuple(session.rows(ovn.LogicalSwitchPort))
    assert row.external_ids == ovn.make_mark("s")
    assert session.rows(ovn.LogicalRouter)[router].nat == tuple(session.rows(ovn.NAT))
    [nat] = session.rows(ovn.NAT)
    sessions.commit(
        session,
        Delete("NAT", nat, Parent("Logical_Router", router, "nat")),
        Delete("Logical_Switch", row.uuid, None),
        Delete("Logical_Switch_Port", row.ports[0], Parent("Logical_Switch", row.uuid, "ports")),
    )
    sessions.wait_for(lambda: not session.rows(ovn.NAT), "the deletion")
    assert not session.rows(ovn.LogicalSwitch)
    assert not session.rows(ovn.LogicalSwitchPort)
    assert _names(session, ovn.LogicalRouter) == ["tenant-router"]


def test_keys_of_others_are_left_alone(databases: Databases, sessions: Sessions) -> None:
    databases.ovn_nb.insert("NB_Global", external_ids=["map", [["theirs", "1"], ["ours", "1"]]])
    session = sessions.open(databases.ovn_nb, ovn.NBGlobal)
    [uuid] = session.rows(ovn.NBGlobal)
    # Written by somebody else after this session last looked.
    databases.ovn_nb.transact(
        {
            "op": "mutate",
            "table": "NB_Global",
            "where": [],
            "mutations": [["external_ids", "insert", ["map", [["later", "1"]]]]],
        }
    )
    sessions.commit(session, SetKeys("NB_Global", uuid, "external_ids", {"ours": "2"}))
    [row] = databases.ovn_nb.rows("NB_Global")
    assert dict(row["external_ids"][1]) == {"theirs": "1", "ours": "2", "later": "1"}


def test_a_refused_transaction_backs_off(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow("SVC_Northbound: transaction refused: .*constraint violation")
    databases.nb.insert("Container_Group", name="vpns")
    session = sessions.open(databases.nb, nb.ContainerGroup)
    again = Insert("Container_Group", "vpns", {"name": "vpns"}, None)
    started = time.monotonic()
    sessions.commit(session, again)
    assert 0.9 <= (time.monotonic() - started) * 1000 / idl.REFUSED_BACKOFF_MS <= 3
    assert len(databases.nb.rows("Container_Group")) == 1
    assert "constraint violation" in str(session.take_outcome())
    [warning] = [text for level, _, text in logs.messages if level == "warn"]
    assert "constraint violation" in warning
    sessions.commit(session, Insert("Container_Group", "gold", {"name": "gold"}, None))
    sessions.wait_for(lambda: len(session.rows(nb.ContainerGroup)) == 2, "the good one")


def test_a_lost_race_is_computed_again(databases: Databases, sessions: Sessions) -> None:
    databases.ovn_nb.insert("NB_Global", nb_cfg=5)
    session = sessions.open(databases.ovn_nb, ovn.NBGlobal)
    [uuid] = session.rows(ovn.NBGlobal)
    databases.ovn_nb.update("NB_Global", [], nb_cfg=6)

    def raise_nb_cfg() -> None:
        nb_cfg = session.rows(ovn.NBGlobal)[uuid].nb_cfg + 1
        sessions.commit(
            session,
            Verify("NB_Global", uuid, "nb_cfg"),
            Update("NB_Global", uuid, {"nb_cfg": nb_cfg}),
        )

    assert session.rows(ovn.NBGlobal)[uuid].nb_cfg == 5, "this session has not looked yet"
    raise_nb_cfg()
    assert databases.ovn_nb.rows("NB_Global")[0]["nb_cfg"] == 6, "nothing of it was written"
    assert session.take_outcome() is None, "it must be computed again"
    sessions.wait_for(lambda: session.rows(ovn.NBGlobal)[uuid].nb_cfg == 6, "the news")
    raise_nb_cfg()
    assert databases.ovn_nb.rows("NB_Global")[0]["nb_cfg"] == 7


def test_without_the_lock_nothing_is_written(databases: Databases, sessions: Sessions) -> None:
    first = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: first.has_lock, "the lock")
    second = sessions.open(databases.sb, sb.Chassis, lock="svc_northd")
    sessions.wait_for(lambda: second.contended, "the answer")
    sessions.commit(second, Insert("Chassis", "hv1", {"name": "hv1"}, None))
    assert databases.sb.rows("Chassis") == []
    sessions.commit(first, Insert("Chassis", "hv1", {"name": "hv1"}, None))
    assert len(databases.sb.rows("Chassis")) == 1


def test_changes_of_rows_that_are_gone_are_skipped(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.nb, nb.ContainerGroup)
    gone = UUID(int=7)
    sessions.commit(
        session,
        Update("Container_Group", gone, {"policy": "least"}),
        Delete("Container_Group", gone, None),
        Verify("Container_Group", gone, "policy"),
        Insert("Container_Group", "vpns", {"name": "vpns"}, None),
    )
    assert [row["name"] for row in databases.nb.rows("Container_Group")] == ["vpns"]


def test_no_changes_are_no_transaction(databases: Databases, sessions: Sessions) -> None:
    session = sessions.open(databases.nb, nb.ContainerGroup)
    session.commit([], "a test")
    assert not session.committing


def test_an_optional_column_can_be_emptied(databases: Databases, sessions: Sessions) -> None:
    databases.nb.insert("Container_Group", name="vpns", policy="least")
    session = sessions.open(databases.nb, nb.ContainerGroup)
    [uuid] = session.rows(nb.ContainerGroup)
    sessions.commit(session, Update("Container_Group", uuid, {"policy": None}))
    assert databases.nb.rows("Container_Group")[0]["policy"] == ["set", []]


def test_schema_is_asked_for_again_until_the_server_has_it(
    sessions: Sessions, databases: Databases, logs: Logs
) -> None:
    logs.allow("the server has no schema of it")
    session = Session(databases.sb.remote, schema.NORTHBOUND, [nb.SVCGlobal])
    sessions.opened.append(session)
    sessions.wait_for(lambda: any("no schema" in each[2] for each in logs.messages), "a warning")
    path = databases.directory / "later.db"
    subprocess.run(["ovsdb-tool", "create", path, schema.find_path(schema.NORTHBOUND)], check=True)
    control = f"{databases.directory}/{schema.SOUTHBOUND}.ctl"
    subprocess.run(["ovs-appctl", "-t", control, "ovsdb-server/add-db", path], check=True)
    sessions.wait_for(lambda: session.synced, "the sync")
