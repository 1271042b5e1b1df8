"""What a command asks of the server, and what it sees: of one moment, its own changes included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from ..ctl import context
from ..ctl.db.records import find_row
from ..ctl.db.replica import Replica, TryAgain
from ..ctl.db.rpc import Client
from ..ctl.db.tls import Tls
from .ovsdb import Databases
from .svcctl import Svcctl, add_router

GROUPS = 30


class Counting(Client):
    """A connection that counts the rows that come over it."""

    rows = 0

    def transact(self, operations: Iterable[Any]) -> list[Any]:
        results = super().transact(operations)
        Counting.rows += sum(len((result or {}).get("rows", ())) for result in results)
        return results


def words(line: str) -> list[str]:
    return line.split()


@pytest.fixture
def groups(databases: Databases) -> list[str]:
    """UUIDs of groups g0, g1, ..."""
    return [databases.nb.insert("Container_Group", name=f"g{n}") for n in range(GROUPS)]


@pytest.fixture
def replica(databases: Databases, groups: list[str]) -> Iterator[Replica]:
    client = Client([databases.nb.remote], databases.nb.name, Tls())
    yield Replica(client)
    client.close()


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize(
    ("line", "most"),
    [
        ("get Container_Group g7 name", 1),
        ("list Container_Group g7 g8", 2),
        ("set Container_Group g7 policy=random", 1),
        ("find Container_Group name=g7", 1),
        ("find Container_Group policy=least name=g7", 1),
        ("wait-until Container_Group g7 name=g7", 1),
        ("destroy Container_Group g7", 1),
        ("set Service_Container c external_ids:a=b", 1),
        ("group-set g7 --policy=random", 1),
        ("group-del g7", 1),
        ("group-add g7 --may-exist", 1),
        ("vpn-add other other-router 1.0.0.101 192.168.1.0/24 --group=g7", 1),
        ("conn-add mercury c2 1.0.0.9 10.2.0.0/24 --psk=x", 3),
        ("conn-set mercury c1 --peer-address=1.0.0.8", 3),
        ("conn-del mercury c1", 2),
        ("vpn-del mercury", 2),
        ("ike-policy-del p0", 1),
        ("conn-list mercury", 2),
        ("container-pin c hv1", 1),
    ],
)
def test_a_command_reads_what_it_is_about(
    svcctl: Svcctl, databases: Databases, monkeypatch: pytest.MonkeyPatch, line: str, most: int
) -> None:
    for name in ("tenant-router", "other-router"):
        databases.nb.insert("IKE_Policy", name="p0" if name == "tenant-router" else "p1")
        add_router(databases, name)
    svcctl("--no-check", *words("vpn-add mercury tenant-router 1.0.0.100 192.168.1.0/24"))
    svcctl("--no-check", *words("conn-add mercury c1 1.0.0.3 10.1.0.0/24 --psk=x"))
    for number in range(9):
        databases.nb.insert("VPN_Service", name=f"v{number}", router=f"r{number}")
        databases.nb.insert("Service_Container", name=f"c{number}" if number else "c")
    monkeypatch.setattr(context, "Client", Counting)
    Counting.rows = 0
    assert svcctl("--no-check", *line.split()).status == 0
    assert Counting.rows <= most


def test_the_changes_of_a_run_are_seen(svcctl: Svcctl, groups: list[str]) -> None:
    out = svcctl.good(
        *words("set Container_Group g1 name=h1 -- get Container_Group h1 name"),
        *words("-- --if-exists get Container_Group g1 name"),
        *words("-- --if-exists list Container_Group g2"),
        *words("-- destroy Container_Group g2 -- --if-exists list Container_Group g2"),
        *words(f"-- --if-exists list Container_Group {groups[2]} {groups[2][:8]}"),
        *words("-- create Container_Group name=n -- set Container_Group n policy=load"),
        *words("-- --columns=name find Container_Group policy=load"),
    )
    assert out.startswith("h1\n")
    assert out.count("_uuid") == 1
    assert out.rstrip().endswith(": n")
    assert "no row" in svcctl.bad(
        *words("destroy Container_Group g3 -- set Container_Group g3 name=x")
    )


def test_two_rows_of_one_name_are_told(svcctl: Svcctl, databases: Databases) -> None:
    for name in ("v1", "v2"):
        connection = {"op": "insert", "table": "IPsec_Connection", "row": {"name": "twin"}}
        service = {"name": name, "connections": ["named-uuid", "twin"]}
        databases.nb.transact(
            {**connection, "uuid-name": "twin"},
            {"op": "insert", "table": "VPN_Service", "row": service},
        )
    said = svcctl.bad("get", "IPsec_Connection", "twin", "name")
    assert said == 'multiple rows in IPsec_Connection match "twin"'


def test_what_was_read_is_of_one_moment(databases: Databases, replica: Replica) -> None:
    assert find_row(replica, "Container_Group", "g1") is not None
    databases.nb.update("Container_Group", [["name", "==", "g2"]], policy="random")
    assert find_row(replica, "Container_Group", "g3") is not None, "g2 was not read"
    databases.nb.update("Container_Group", [["name", "==", "g1"]], policy="random")
    with pytest.raises(TryAgain):
        find_row(replica, "Container_Group", "g4")
    replica.load([])
    row = find_row(replica, "Container_Group", "g1")
    assert row is not None
    assert row.text("policy") == "random"


def test_that_nothing_was_found_is_of_the_same_moment(
    databases: Databases, replica: Replica
) -> None:
    assert replica.find("Container_Group", "name", "h") is None
    databases.nb.insert("Container_Group", name="h")
    with pytest.raises(TryAgain):
        replica.rows("Chassis_Group")


def test_what_was_read_is_not_asked_again(replica: Replica) -> None:
    for _ in range(2):
        assert replica.find("Container_Group", "name", "g1") is not None
        assert replica.find("Container_Group", "name", "nono") is None
        replica.client.close()
