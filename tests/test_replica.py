"""The replica of a session, on real ovsdb-servers: what changed, whatever the server tells."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID

import pytest

from ..lib import nb, sb
from ..lib.columns import MOST_SHARED, Shared
from ..lib.delta import Change, Delete, Insert, Parent
from ..lib.idl import Session
from ..lib.transaction import make_operations
from ..northd.ovn import rows as ovn
from ..services.ipsec.rows import VPNService
from .logs import Logs
from .ovsdb import Database, Databases
from .sessions import OUTAGE, Sessions

Names = dict[str, list[tuple[str, str]]]


def _settle(sessions: Sessions, session: Session) -> None:
    """Returns when the session knows what had happened when this was called."""
    session.probe()
    sessions.wait_for(lambda: session.answered, "the answer")


def _take(session: Session) -> Names:
    """Returns the names of the changed rows, as they were and as they are."""
    return {
        table: sorted((old.name if old else "", new.name if new else "") for old, new in pairs)
        for table, pairs in (
            (table, rows.values()) for table, rows in session.take_changed_rows().items()
        )
    }


def test_each_changed_row_is_told_once_as_it_was_and_as_it_is(
    databases: Databases, sessions: Sessions
) -> None:
    databases.sb.insert("Chassis", name="hv1")
    session = sessions.open(databases.sb, sb.Chassis, sb.ChassisPrivate)
    assert _take(session) == {"Chassis": [("", "hv1")]}
    assert _take(session) == {}
    databases.sb.insert("Chassis", name="hv2")
    databases.sb.insert("Chassis_Private", name="hv2")
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="a")
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="b")
    _settle(sessions, session)
    changed = session.take_changed_rows()
    assert set(changed) == {"Chassis", "Chassis_Private"}
    [old, new] = next(pair for pair in changed["Chassis"].values() if pair[0] is not None)
    assert (old.hostname, new.hostname) == ("", "b")
    databases.sb.delete("Chassis", [["name", "==", "hv2"]])
    _settle(sessions, session)
    assert _take(session) == {"Chassis": [("hv2", "")]}


def test_what_is_as_it_was_is_not_told(databases: Databases, sessions: Sessions) -> None:
    databases.sb.insert("Chassis", name="hv1")
    session = sessions.open(databases.sb, sb.Chassis)
    session.take_changed_rows()
    databases.sb.insert("Chassis", name="hv2")
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="a")
    _settle(sessions, session)
    databases.sb.delete("Chassis", [["name", "==", "hv2"]])
    databases.sb.update("Chassis", [["name", "==", "hv1"]], hostname="")
    _settle(sessions, session)
    assert session.take_changed_rows() == {}


def test_a_column_that_rows_are_not_compared_by_is_told(
    databases: Databases, sessions: Sessions
) -> None:
    databases.nb.insert("VPN_Service", name="mercury")
    session = sessions.open(databases.nb, VPNService)
    session.take_changed_rows()
    databases.nb.update("VPN_Service", [], status_message="a reason")
    _settle(sessions, session)
    [(old, new)] = session.take_changed_rows()["VPN_Service"].values()
    assert old == new, "this is what makes it a test"
    assert (old.status_message, new.status_message) == ("", "a reason")


def test_after_an_outage_only_what_differs_is_told(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(OUTAGE)
    for name in ("one", "two", "three"):
        databases.nb.insert("Container_Group", name=name)
    session = sessions.open(databases.nb, nb.ContainerGroup)
    session.take_changed_rows()
    [three] = (row for row in session.rows(nb.ContainerGroup).values() if row.name == "three")
    databases.nb.stop()
    sessions.wait_for(lambda: not session.connected, "the end of the connection")
    databases.nb.start()
    databases.nb.delete("Container_Group", [["name", "==", "one"]])
    databases.nb.update("Container_Group", [["name", "==", "two"]], policy="random")
    databases.nb.insert("Container_Group", name="four")
    sessions.wait_for(lambda: session.connected and session.synced, "the reconnection")
    assert _take(session) == {"Container_Group": [("", "four"), ("one", ""), ("two", "two")]}
    assert session.rows(nb.ContainerGroup)[three.uuid] is three, "what is equal is kept once"


def test_readers_of_one_table_do_not_disturb_each_other(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    session.take_rows(sb.Chassis)
    session.take_changed_rows()
    databases.sb.insert("Chassis", name="hv1")
    _settle(sessions, session)
    assert [new.name for _, new in session.take_rows(sb.Chassis) if new] == ["hv1"]
    assert _take(session) == {"Chassis": [("", "hv1")]}


def test_nothing_is_kept_of_rows_that_came_and_went_while_nobody_asked(
    databases: Databases, sessions: Sessions
) -> None:
    session = sessions.open(databases.sb, sb.Chassis)
    session.take_changed_rows()
    follower = session._changed_rows
    assert follower is not None
    for number in range(20):
        databases.sb.insert("Chassis", name=f"hv{number}")
        _settle(sessions, session)
        databases.sb.delete("Chassis")
        _settle(sessions, session)
    assert follower._before == {"Chassis": {}}


# -- any content -----------------------------------------------------------

SAMPLES: dict[str, list[Any]] = {
    "addresses": [["set", []], "a", ["set", ["b", "a"]], ["set", ["ä\n", "c", "d" * 100]]],
    "options": [
        ["map", []],
        ["map", [["a", "1"]]],
        ["map", [["a", "2"], ["b", ""]]],
        ["map", [["b", "1"], ["a", "1"]]],
    ],
    "type": ["", "router", '"\\', "𝔘"],
}


class Ports:
    """Ports on one switch, changed at random by somebody else."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._chance = random.Random(seed)
        self._ports: dict[str, str] = {}
        database.insert("Logical_Switch", name="s")

    def change(self) -> None:
        """Adds, removes or changes one."""
        name = f"p{self._chance.randrange(60)}"
        row = {column: self._chance.choice(values) for column, values in SAMPLES.items()}
        if name not in self._ports:
            add = {"op": "insert", "table": "Logical_Switch_Port", "uuid-name": "new"}
            holding = self._hold("insert", ["named-uuid", "new"])
            results = self._database.transact({**add, "row": {**row, "name": name}}, holding)
            self._ports[name] = results[0]["uuid"][1]
        elif self._chance.random() < 0.2:
            self._database.transact(self._hold("delete", ["uuid", self._ports.pop(name)]))
        else:
            self._database.update("Logical_Switch_Port", [["name", "==", name]], **row)

    def _hold(self, mutator: str, port: list[str]) -> dict[str, Any]:
        mutations = [["ports", mutator, ["set", [port]]]]
        return {"op": "mutate", "table": "Logical_Switch", "where": [], "mutations": mutations}


def test_a_thousand_changes_leave_what_the_server_has(
    databases: Databases, sessions: Sessions
) -> None:
    classes = (ovn.LogicalSwitch, ovn.LogicalSwitchPort)
    session = sessions.open(databases.ovn_nb, *classes)
    ports = Ports(databases.ovn_nb, 7)
    known: dict[str, dict[UUID, Any]] = {table: {} for table in session.tables}
    for _ in range(50):
        for _ in range(20):
            ports.change()
        _settle(sessions, session)
        for table, pairs in session.take_changed_rows().items():
            for row_uuid, (old, new) in pairs.items():
                assert known[table].pop(row_uuid, None) == old
                if new is not None:
                    known[table][row_uuid] = new
    other = sessions.open(databases.ovn_nb, *classes)
    assert len(session.rows(ovn.LogicalSwitchPort)) > 20
    assert session.tables == other.tables == known
    [switch] = session.rows(ovn.LogicalSwitch).values()
    assert switch.ports == tuple(sorted(session.rows(ovn.LogicalSwitchPort)))
    kept = {id(row.uuid) for row in session.rows(ovn.LogicalSwitchPort).values()}
    assert {id(port) for port in switch.ports} == kept, "each UUID is kept once"


def test_an_update_that_does_not_fit_makes_everything_be_fetched_again(
    databases: Databases, sessions: Sessions, logs: Logs
) -> None:
    logs.allow(f"an update does not fit the replica .KeyError|{OUTAGE}")
    databases.nb.insert("Container_Group", name="vpns")
    session = sessions.open(databases.nb, nb.ContainerGroup)
    session.take_changed_rows()
    assert session._connection is not None
    change = {"Container_Group": {str(UUID(int=7)): {"modify": {"policy": "least"}}}}
    session._connection._Idl__parse_update(change, None)
    assert not session.synced, "nobody may take it for what the server has"
    databases.nb.insert("Container_Group", name="gold")
    sessions.wait_for(lambda: session.synced, "the content")
    assert _take(session) == {"Container_Group": [("", "gold")]}


def test_keys_of_a_map_that_nobody_reads_are_neither_kept_nor_a_change(
    databases: Databases, sessions: Sessions
) -> None:
    theirs = [["neutron:revision_number", "1"]]
    mark = ["map", [["ovnsvc", "svc-northd"], ["ovnsvc-key", "k"], *theirs]]
    databases.ovn_nb.insert("Logical_Switch", name="s", external_ids=mark)
    session = sessions.open(databases.ovn_nb, ovn.LogicalSwitch)
    [row] = session.rows(ovn.LogicalSwitch).values()
    assert row.external_ids == ovn.make_mark("k")
    session.take_changed_rows()
    theirs[0][1] = "2"
    databases.ovn_nb.update("Logical_Switch", [], external_ids=["map", theirs])
    _settle(sessions, session)
    [(_, row)] = session.take_changed_rows()["Logical_Switch"].values()
    assert row.external_ids == {}
    databases.ovn_nb.update("Logical_Switch", [], external_ids=["map", [["a", "b"]]])
    _settle(sessions, session)
    assert session.take_changed_rows() == {}


def test_equal_values_are_kept_once(databases: Databases, sessions: Sessions) -> None:
    mark = ["map", [["ovnsvc", "svc-northd"]]]
    for name in ("one", "two"):
        databases.ovn_nb.insert("Logical_Switch", name=name, external_ids=mark)
    session = sessions.open(databases.ovn_nb, ovn.LogicalSwitch)
    one, two = session.rows(ovn.LogicalSwitch).values()
    assert one.external_ids is two.external_ids


def test_what_is_remembered_for_sharing_is_bounded() -> None:
    shared = Shared()
    for number in range(5 * MOST_SHARED):
        shared.find(str(number), str(number))
        assert shared.find("often", "".join(("of", "ten"))) == "often"
    assert len(shared._recent) + len(shared._older) <= 2 * MOST_SHARED
    assert "often" in {**shared._older, **shared._recent}


# -- what is written -------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [("a\0b", "null character"), ("\udc80", "not Unicode"), (float("nan"), "no number")],
)
def test_what_no_server_can_read_is_refused_and_the_connection_stays(
    databases: Databases, sessions: Sessions, logs: Logs, value: Any, words: str
) -> None:
    logs.allow("transaction refused: ")
    session = sessions.open(databases.nb, nb.ContainerGroup)
    session.commit([Insert("Container_Group", "x", {"name": value}, None)], "a test")
    assert words in str(session.take_outcome())
    sessions.wait_for(lambda: not session.committing, "the end of the pause")
    sessions.commit(session, Insert("Container_Group", "x", {"name": "x"}, None))
    assert session.take_outcome() == ""
    assert session.connected


def test_a_policy_on_a_router_with_many_is_one_mutation(
    databases: Databases, sessions: Sessions
) -> None:
    router = UUID(databases.ovn_nb.insert("Logical_Router", name="r"))
    session = sessions.open(databases.ovn_nb, ovn.LogicalRouter, ovn.RouterPolicy)
    home = Parent("Logical_Router", router, "policies")

    def add(number: int) -> Insert:
        columns = {"priority": number, "match": "1", "action": "drop"}
        return Insert("Logical_Router_Policy", number, columns, home)

    def measure(change: Change) -> int:
        operations = make_operations([change], session.tables, lambda _: False, "")
        return len(json.dumps(operations))

    few = measure(add(2000))
    sessions.commit(session, *(add(number) for number in range(2000)))
    # Somebody else's member, of which this session does not know yet, stays.
    theirs = {"priority": 9, "match": "0", "action": "allow"}
    databases.ovn_nb.transact(
        {"op": "insert", "table": "Logical_Router_Policy", "uuid-name": "n", "row": theirs},
        {
            "op": "mutate",
            "table": "Logical_Router",
            "where": [],
            "mutations": [["policies", "insert", ["set", [["named-uuid", "n"]]]]],
        },
    )
    first = next(iter(session.rows(ovn.RouterPolicy)))
    assert measure(add(2000)) == few
    assert measure(Delete("Logical_Router_Policy", first, home)) < few
    sessions.commit(session, add(2000), Delete("Logical_Router_Policy", first, home))
    _settle(sessions, session)
    assert len(session.rows(ovn.LogicalRouter)[router].policies) == 2001
    assert set(session.rows(ovn.LogicalRouter)[router].policies) == {
        *session.rows(ovn.RouterPolicy)
    }
