"""What the key of one chassis can do at the southbound: each line of SECURITY.rst, really tried."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from ..lib import schema
from ..lib.items import MOST_ITEMS
from ..lib.northd_lock import SOUTHBOUND_LOCK
from .cloud import Cloud, make_vpn_cloud
from .logs import Logs
from .ovsdb import Databases, exchange
from .rig import to_map
from .secured import KeyHolder, Operation, Pki, Secured
from .svcctl import Svcctl

# Whose key was stolen; the container of the VPN serves from another one.
THIEF, VICTIM = "hv2", "hv1"
SCHEMA = schema.load(schema.SOUTHBOUND)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def secured(databases: Databases, pki: Pki) -> Secured:
    return Secured(databases.sb, pki)


@pytest.fixture
def cloud(secured: Secured, databases: Databases, logs: Logs) -> Iterator[Cloud]:
    """A cloud with a VPN on VICTIM, whose chassis reach the southbound by TLS; laws at the end."""
    made = make_vpn_cloud(databases, logs)
    made.nb.insert("Chassis", name="hv3", container_weight=0)
    made.nb.insert("Chassis", name=THIEF, container_weight=0)
    made.settle()
    assert made.find(made.sb, "Container_Binding")["chassis"] == VICTIM
    (connection,) = made.nb.rows("IPsec_Connection")
    made.chassis[VICTIM].report_tunnel(connection["_uuid"][1])
    made.settle()
    secured.listen()
    yield made
    made.laws()
    made.northd.close()


@pytest.fixture
def thief(secured: Secured, cloud: Cloud) -> Iterator[KeyHolder]:
    holder = secured.enter("chassis", THIEF)
    yield holder
    holder.close()


def where(column: str, value: str) -> list[Any]:
    return [[column, "==", value]]


def insert(table: str, **columns: Any) -> Operation:
    return {"op": "insert", "table": table, "row": columns}


def update(table: str, condition: list[Any], **columns: Any) -> Operation:
    return {"op": "update", "table": table, "where": condition, "row": columns}


def mutate(table: str, condition: list[Any], *mutations: Any) -> Operation:
    return {"op": "mutate", "table": table, "where": condition, "mutations": list(mutations)}


def delete(table: str, condition: list[Any]) -> Operation:
    return {"op": "delete", "table": table, "where": condition}


# -- what is refused -----------------------------------------------------------------

OF_VICTIM, AT_VICTIM = where("name", VICTIM), where("chassis", VICTIM)
OF_THIEF = where("name", THIEF)
REFUSED: dict[str, Operation] = {
    "its heartbeat": update("Chassis_Private", OF_VICTIM, heartbeat=1),
    "its heartbeat, counted up": mutate("Chassis_Private", OF_VICTIM, ["heartbeat", "+=", 1]),
    "all heartbeats": update("Chassis_Private", [], heartbeat=1),
    "that it stops": update("Chassis_Private", OF_VICTIM, stopping=True),
    "its row of heartbeats gone": delete("Chassis_Private", OF_VICTIM),
    "its registration gone": delete("Chassis", OF_VICTIM),
    "its public key": update("Chassis", OF_VICTIM, public_key="thief"),
    "its service types": mutate("Chassis", OF_VICTIM, ["service_types", "insert", "x"]),
    "all registrations": update("Chassis", [], public_key="thief"),
    "a status": update("Container_Binding", AT_VICTIM, status_code="error"),
    "all statuses": update("Container_Binding", [], status_code="error"),
    "a port up": update("Port_Binding", AT_VICTIM, up=False),
    "an item": insert("Container_Item", container="x", chassis=VICTIM, kind="k", name="n"),
    "items gone": delete("Container_Item", AT_VICTIM),
    "all items gone": delete("Container_Item", []),
    "another name": insert("Chassis", name="hv9", public_key="thief"),
    "another heart": insert("Chassis_Private", name="hv9"),
    "its own name changed": update("Chassis", OF_THIEF, name=VICTIM),
    "its own heart's name changed": update("Chassis_Private", OF_THIEF, name=VICTIM),
    "a binding for itself": insert(
        "Container_Binding", container="x", chassis=THIEF, role="active", generation=1
    ),
    "a port for itself": insert(
        "Port_Binding", logical_port="x", container="x", chassis=THIEF, kind="transit", mtu=1500
    ),
    "a container for itself": update("Container_Binding", [], chassis=THIEF),
    "a port moved to itself": update("Port_Binding", [], chassis=THIEF),
    "a secret in its place": mutate("Container_Binding", [], ["secrets", "delete", "x"]),
    "a role": update("Container_Binding", [], role="active"),
    "the number that is asked": update("SB_Global", [], nb_cfg=9),
    "how long chassis live": update("SB_Global", [], options=to_map({"chassis-dead-after": "1"})),
    "a remote": insert("Connection", target="ptcp:1:127.0.0.1"),
    "its role": update("Connection", [], role=""),
    "no remotes": update("SB_Global", [], connections=["set", []]),
    "other keys": insert("SSL", private_key="x"),
    "who is active": update("Northd", [], incarnation="thief"),
    "nobody active": delete("Northd", []),
    "what it may": update("RBAC_Permission", [], authorization=""),
    "may more": mutate("RBAC_Permission", [], ["update", "insert", "name"]),
    "nothing forbidden": delete("RBAC_Permission", []),
    "another role": update("RBAC_Role", [], name="x"),
    "no role": delete("RBAC_Role", []),
    "who is dead": update("Chassis_Weight", [], alive=False),
    "its own weight": update("Chassis_Weight", where("chassis", THIEF), weight=100),
    "traffic": update("Redirect_Flow", [], next_hop="1.2.3.4"),
    "no traffic": delete("Redirect_Flow", []),
    "a flow": insert("Redirect_Flow", name="x", ip_version=4, action="drop"),
    "where it was": delete("Placement", []),
    "a place": insert("Placement", container="x", number=1, chassis=THIEF),
    "where it is avoided": insert("Avoided_Chassis", container="x", chassis=VICTIM),
    "forgiven": delete("Avoided_Chassis", []),
}


def test_it_writes_nothing_that_is_not_its_own(cloud: Cloud, thief: KeyHolder) -> None:
    before = cloud.dump()["sb"]
    for what, operation in REFUSED.items():
        refusal = thief.find_refusal(operation)
        assert refusal.startswith("permission error: RBAC rules"), f"{what}: {refusal}"
        assert cloud.dump()["sb"] == before, what
    # All of it is refused if one of it is, though the rest is its own.
    assert thief.find_refusal(update("Chassis", OF_THIEF, hostname="x"), REFUSED["its heartbeat"])
    assert cloud.dump()["sb"] == before


def test_each_table_is_tried() -> None:
    tried = {operation["table"] for operation in REFUSED.values()}
    assert tried == SCHEMA["tables"].keys()


def test_it_converts_nothing(cloud: Cloud, thief: KeyHolder) -> None:
    with pytest.raises(AssertionError, match="only the root role may convert databases"):
        thief.request("convert", schema.SOUTHBOUND, SCHEMA)


def test_another_certificate_than_a_chassis_writes_nothing(cloud: Cloud, secured: Secured) -> None:
    client = secured.enter("client", "ann")
    for operation in REFUSED.values():
        assert client.find_refusal(operation)
    client.close()


def test_nobody_comes_in_without_a_certificate(cloud: Cloud, secured: Secured) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", secured.port)) as plain:
        connection = context.wrap_socket(plain)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            exchange(connection, "list_dbs", [])


def test_locks_are_of_no_use_to_it(cloud: Cloud, thief: KeyHolder) -> None:
    cloud.logs.allow("somebody stole|lock")
    for lock in (SOUTHBOUND_LOCK, f"svc_chassis_{VICTIM}"):
        assert thief.request("steal", lock) == {"locked": True}
    number = cloud.find(cloud.nb, "SVC_Global")["nb_cfg"] + 1
    cloud.nb.update("SVC_Global", [], nb_cfg=number)
    cloud.settle()
    assert cloud.northd.active
    assert cloud.find(cloud.nb, "SVC_Global")["hv_cfg"] == number


# -- what is left to it --------------------------------------------------------------


def test_it_writes_its_own_rows(cloud: Cloud, thief: KeyHolder) -> None:
    for operation in (
        mutate("Chassis_Private", OF_THIEF, ["heartbeat", "+=", 1]),
        update("Chassis", OF_THIEF, hostname="x"),
        insert("Container_Item", container="x", chassis=THIEF, kind="k", name="n"),
        delete("Container_Item", where("chassis", THIEF)),
    ):
        (result,) = thief.transact(operation)
        assert result.get("count", 1) == 1, result
        assert "error" not in result


MUCH = "x" * 5_000_000
TOO_MUCH: dict[str, Operation] = {
    "load": update("Chassis_Private", OF_THIEF, load=to_map({"cpu": MUCH})),
    "warnings": update("Chassis_Private", OF_THIEF, warnings=MUCH),
    "ovn_problem": update("Chassis_Private", OF_THIEF, ovn_problem=MUCH),
    "incarnation": update("Chassis_Private", OF_THIEF, incarnation=MUCH),
    "other_config": update("Chassis", OF_THIEF, other_config=to_map({"rack": MUCH})),
    "service_problems": update("Chassis", OF_THIEF, service_problems=to_map({"a": MUCH})),
    "bridge_mappings": update("Chassis", OF_THIEF, bridge_mappings=MUCH),
    "public_key": update("Chassis", OF_THIEF, public_key=MUCH),
    "hostname": update("Chassis", OF_THIEF, hostname=MUCH),
    "many warnings": update(
        "Chassis_Private", OF_THIEF, warnings=["set", [str(number) for number in range(10_000)]]
    ),
    "a message": insert(
        "Container_Item", container="c", chassis=THIEF, kind="k", name="n", message=MUCH
    ),
}


def test_its_own_rows_are_bounded(cloud: Cloud, thief: KeyHolder) -> None:
    before = cloud.dump()["sb"]
    for what, operation in TOO_MUCH.items():
        kind = thief.find_refusal(operation).partition(":")[0]
        assert kind in ("constraint violation", "syntax error"), what
    for table in ("Chassis", "Chassis_Private"):
        assert thief.find_refusal(update(table, OF_THIEF, external_ids=to_map({})))
        # A row that it makes anew may have any columns.
        anew = insert(table, name=THIEF, external_ids=to_map({"a": MUCH}))
        refusal = thief.find_refusal(delete(table, OF_THIEF), anew)
        assert refusal.startswith("constraint violation"), table
    assert cloud.dump()["sb"] == before


def test_countless_items_go_and_are_told_by_name(
    cloud: Cloud, thief: KeyHolder, svcctl: Svcctl
) -> None:
    container = cloud.find(cloud.sb, "Container_Binding")["container"]
    cloud.logs.allow(f"chassis {THIEF} writes what it is not to")
    before = _read_told(cloud)
    names = [container, *(f"vpn-{number}" for number in range(9))]
    assert not thief.find_refusal(
        *(_make_item(names[number % 10], number) for number in range(4000)),
        # What it says of a container that serves elsewhere counts for nothing.
        *(_make_item(container, row["name"], row["subject"]) for row in _read_tunnels(cloud)),
    )
    cloud.settle()
    assert not cloud.sb.rows("Container_Item", where("chassis", THIEF))
    assert len(_read_tunnels(cloud)) == 1
    assert _read_told(cloud) == before
    said = cloud.wait_for(lambda: cloud.find(cloud.sb, "Northd")["problem"], "the problem")
    assert said.startswith(f"chassis {THIEF} writes what it is not to: since ")
    assert " rows of Container_Item were removed, the last of container " in said
    assert f"chassis {THIEF} writes what it is not to" in svcctl("status").stdout
    (event,) = cloud.nb.rows("Event", [["name", "==", THIEF], ["state", "==", "mended"]])
    assert event["message"].startswith(f"chassis {THIEF} writes what it is not to")


def test_items_of_its_own_containers_are_bounded(cloud: Cloud, thief: KeyHolder) -> None:
    cloud.logs.allow(f"chassis {THIEF} writes what it is not to")
    cloud.nb.update("Chassis", where("name", THIEF), container_weight=1)
    cloud.nb.insert("Chassis", name=VICTIM, drain=True)
    cloud.settle()
    binding = cloud.find(cloud.sb, "Container_Binding")
    assert binding["chassis"] == THIEF
    for number in range(2):
        items = range(number * MOST_ITEMS, (number + 1) * MOST_ITEMS)
        assert not thief.find_refusal(*(_make_item(binding["container"], each) for each in items))
        cloud.settle()
        # As many may be there; of more none stays, and a svc-controller writes what is true.
        rows = cloud.sb.rows("Container_Item", where("chassis", THIEF))
        assert len(rows) == (0 if number else MOST_ITEMS)


def _make_item(container: str, name: Any, subject: str = "") -> Operation:
    key = {"container": container, "chassis": THIEF, "kind": "tunnel", "name": str(name)}
    return insert("Container_Item", subject=subject, state="down", message="a lie", **key)


def _read_tunnels(cloud: Cloud) -> list[dict[str, Any]]:
    return cloud.sb.rows("Container_Item", AT_VICTIM)


def _read_told(cloud: Cloud) -> list[Any]:
    """Returns what operators are told of services, connections and containers."""
    columns = ("name", "status_code", "status_message", "chassis")
    tables = ("VPN_Service", "IPsec_Connection", "Service_Container")
    return [[row.get(each) for each in columns] for table in tables for row in cloud.nb.rows(table)]
