"""Measures what a row of a replica (lib/replica.py) costs: memory, and time to load it.

Rows like those of a VPN service come from a real ovsdb-server of their own; a
child process loads them, so that what another measurement left is not counted.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ovs.poller

from ...lib import sb, schema
from ...lib.idl import Session
from ...lib.rows import Row
from ...northd.ovn import rows as ovn
from ...tests.ovsdb import Database

ROWS = 30_000
_AT_ONCE = 1000
_PAGE = os.sysconf("SC_PAGE_SIZE")

Operations = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rows: how the one with a number is inserted, and what is read."""

    name: str
    database: str
    row_classes: tuple[type[Row], ...]
    insert: Callable[[int], Operations]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one row costs."""

    bytes: float
    load_us: float


def measure(kind: Kind) -> Cost:
    """Returns what a row of 'kind' costs a process that loads ROWS of them."""
    with tempfile.TemporaryDirectory(prefix="ovnsvc-bench") as directory:
        database = Database(Path(directory), kind.database)
        try:
            for start in range(0, ROWS, _AT_ONCE):
                numbers = range(start, start + _AT_ONCE)
                database.transact(*(each for number in numbers for each in kind.insert(number)))
            return _measure_in_child(database.remote, kind)
        finally:
            database.stop()


def _measure_in_child(remote: str, kind: Kind) -> Cost:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(_load(remote, kind)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        found = json.loads(answer.read())
    os.waitpid(child, 0)
    return Cost(*found)


def _load(remote: str, kind: Kind) -> tuple[float, float]:
    gc.collect()
    memory, started = _read_memory(), time.process_time()
    session = Session(remote, kind.database, kind.row_classes)
    while not session.synced:
        poller = ovs.poller.Poller()
        session.wait(poller)
        poller.block()
        session.run()
    taken = time.process_time() - started
    rows = sum(len(each) for each in session.tables.values())
    return (_read_memory() - memory) / rows, taken / rows * 1e6


def _read_memory() -> int:
    """Returns the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _mark(key: str) -> list[Any]:
    return ["map", list(ovn.make_mark(key).items())]


def _insert_policy(number: int) -> Operations:
    """Five policies to a router."""
    row = {
        "priority": 30_000 + number % 5,
        "match": f'inport != "lrp-{number}" && ip4.dst == 192.168.{number % 250}.0/24',
        "action": "reroute" if number % 2 else "drop",
        "nexthops": ["set", ["169.254.0.2"] if number % 2 else []],
        "external_ids": _mark(f"redirect {uuid.uuid4()}"),
    }
    table = ovn.RouterPolicy.TABLE
    yield {"op": "insert", "table": table, "uuid-name": f"row{number}", "row": row}
    if number % 5 == 4:
        policies = ["set", [["named-uuid", f"row{each}"] for each in range(number - 4, number + 1)]]
        router = {"name": f"router-{number}", "policies": policies}
        yield {"op": "insert", "table": ovn.LogicalRouter.TABLE, "row": router}


def _insert_port(number: int) -> Operations:
    """A port to a switch."""
    row = {
        "name": f"svc-vpn-{uuid.uuid4()}",
        "addresses": f"0a:00:00:00:{number // 256 % 256:02x}:{number % 256:02x} 169.254.0.2",
        "options": ["map", [["requested-chassis", f"hv{number % 1000}"]]],
        "external_ids": _mark(f"port {uuid.uuid4()}"),
    }
    table = ovn.LogicalSwitchPort.TABLE
    yield {"op": "insert", "table": table, "uuid-name": f"row{number}", "row": row}
    switch = {"name": f"svc-vpn-{number}", "ports": ["named-uuid", f"row{number}"]}
    yield {"op": "insert", "table": ovn.LogicalSwitch.TABLE, "row": switch}


def _insert_binding(number: int) -> Operations:
    row = {
        "container": f"vpn-{uuid.uuid4()}",
        "chassis": f"hv{number % 1000}",
        "service_type": "ipsec",
        "role": "active",
        "configuration": json.dumps({"connections": ["x" * 350], "number": number}),
        "secrets": ["map", [[str(uuid.uuid4()), "x" * 180]]],
        "status_code": "running",
        "namespace_name": f"vpn-{uuid.uuid4()}",
        "since": 1_700_000_000_000 + number,
        "incarnation": str(uuid.UUID(int=number % 1000)),
    }
    yield {"op": "insert", "table": sb.ContainerBinding.TABLE, "row": row}


KINDS = (
    Kind("policy", ovn.DATABASE, (ovn.RouterPolicy, ovn.LogicalRouter), _insert_policy),
    Kind("port", ovn.DATABASE, (ovn.LogicalSwitchPort, ovn.LogicalSwitch), _insert_port),
    Kind("binding", schema.SOUTHBOUND, (sb.ContainerBinding,), _insert_binding),
)
