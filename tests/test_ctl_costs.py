"""What a list costs: so much a row, however many rows there are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from ..ctl.db.rpc import Client
from .ovsdb import Databases
from .svcctl import WHEN_MS, Svcctl

SIZES = (20, 40, 60)
STEP = 20
FIRST = 101  # so that all numbers are of one length

# A list that looks at each row for each row takes some instructions for each pair of rows.
MOST_A_PAIR = 0.5

LISTS = [
    "chassis-list",
    "chassis-group-list",
    "port-group-list",
    "container-list",
    "container-list to-hq",
    "container-list shared-router",
    "group-list",
    "vpn-list",
    "vpn-list to-hq",
    "vpn-list shared-router",
    "conn-list",
    "conn-list to-hq",
    "conn-list 203.0.113.9",
    "ike-policy-list",
    "ipsec-policy-list",
    "show",
    "show to-hq",
    "status",
    "status --all",
    "events",
    "events --last=1000",
]


def insert(table: str, row: dict[str, Any], label: str | None = None) -> dict[str, Any]:
    operation = {"op": "insert", "table": table, "row": row}
    return operation if label is None else {**operation, "uuid-name": label}


def make_site(number: int) -> Iterator[dict[str, Any]]:
    """Returns a service with a connection that is down, its group and policies."""
    for table in ("IKE_Policy", "IPsec_Policy", "Chassis_Group", "Port_Group"):
        yield insert(table, {"name": f"{table}-{number}"}, f"{table}{number}")
    reference = {"chassis_group": ["named-uuid", f"Chassis_Group{number}"]}
    yield insert("Container_Group", {"name": f"g{number}", **reference}, f"group{number}")
    down = {"status": "down", "status_message": f"no answer in {number}"}
    connection = {
        "name": "to-hq",
        "peer_address": "203.0.113.9",
        "psk": "x",
        "ike_policy": ["named-uuid", f"IKE_Policy{number}"],
        **down,
    }
    yield insert("IPsec_Connection", connection, f"connection{number}")
    service = {
        "name": f"vpn{number}",
        "router": "shared-router",
        "connections": ["named-uuid", f"connection{number}"],
        "group": ["named-uuid", f"group{number}"],
        **down,
    }
    yield insert("VPN_Service", service, f"service{number}")


def make_container(number: int, service: str) -> Iterator[dict[str, Any]]:
    name = f"c{number}"
    container = {"service_type": "ipsec", "chassis": f"hv{number}", "serves": service}
    yield insert("Service_Container", {"name": name, "status_code": "error", **container})
    yield insert("Container_Wish", {"name": name, "requested_chassis": f"hv{number}"})
    yield insert("Chassis", {"name": f"hv{number}", "drain": True})
    event = {"table": "Service_Container", "name": name, "state": "error", "time": WHEN_MS}
    yield insert("Event", {"number": number, **event})


def make_place(number: int) -> Iterator[dict[str, Any]]:
    container, chassis = f"c{number}", f"hv{number}"
    yield insert("Chassis", {"name": chassis, "hostname": f"host{number}"})
    yield insert("Chassis_Private", {"name": chassis, "warnings": "full"})
    yield insert("Chassis_Weight", {"chassis": chassis, "alive": False, "since": WHEN_MS})
    where = {"container": container, "chassis": chassis}
    yield insert("Container_Binding", {**where, "role": "active", "service_type": "ipsec"})
    yield insert("Placement", {**where, "number": number})
    yield insert("Avoided_Chassis", where)


def fill(databases: Databases, numbers: range) -> None:
    made = databases.nb.transact(*(each for n in numbers for each in make_site(n)))
    services = [result["uuid"][1] for result in made[6::7]]
    rows = (make_container(n, uuid) for n, uuid in zip(numbers, services, strict=True))
    databases.nb.transact(*(each for site in rows for each in site))
    databases.sb.transact(*(each for n in numbers for each in make_place(n)))


def count_instructions(function: Callable[[], Any]) -> int:
    """Returns how many instructions of Python a call takes."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def test_a_list_costs_the_same_for_each_row(svcctl: Svcctl, databases: Databases) -> None:
    databases.nb.insert("SVC_Global")
    fill(databases, range(FIRST - 1, FIRST))
    for line in LISTS:
        svcctl(*line.split())  # which imports what it needs
    costs: dict[str, list[int]] = {line: [] for line in LISTS}
    for size in SIZES:
        fill(databases, range(FIRST + size - STEP, FIRST + size))
        for line in LISTS:
            costs[line].append(count_instructions(partial(svcctl, *line.split())))
    found = {
        line: round((few - 2 * more + most) / 2 / STEP**2, 2)
        for line, (few, more, most) in costs.items()
    }
    assert {line: each for line, each in found.items() if each > MOST_A_PAIR} == {}


def test_a_list_asks_as_often_however_many_rows_there_are(
    svcctl: Svcctl, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases.nb.insert("SVC_Global")
    asked: dict[str, list[int]] = {line: [] for line in LISTS}
    sizes: list[int] = []
    transact = Client.transact

    def count(client: Client, operations: Any) -> list[Any]:
        sizes.append(1)
        return transact(client, operations)

    monkeypatch.setattr(Client, "transact", count)
    for size in (3, 6):
        fill(databases, range(FIRST + size - 3, FIRST + size))
        for line in LISTS:
            sizes.clear()
            svcctl(*line.split())
            asked[line].append(len(sizes))
    assert {line: each for line, each in asked.items() if each[0] != each[1]} == {}
