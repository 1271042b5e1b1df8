"""A remote for who is only to look: what the server takes there."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ..lib import schema
from ..lib.exposure import READER_ROLE
from .ovsdb import Databases, exchange, wait_until
from .svcctl import Svcctl
from .tls import find_free_port, is_listening


def open_reader_port(databases: Databases, svcctl: Svcctl) -> int:
    """Has the northbound listen for who is only to look; returns the port."""
    northbound, port = databases.nb, find_free_port()
    northbound.stop()
    northbound.options = (f"--remote=db:{northbound.name},SVC_Global,connections",)
    northbound.start()
    target = f"ptcp:{port}:127.0.0.1"
    svcctl.good("set-connection", "read-only", f"role={READER_ROLE}", target)
    assert svcctl.good("get-connection") == f'read-only role="{READER_ROLE}" {target}\n'
    wait_until(lambda: is_listening(port), "the remote")
    return port


@pytest.fixture
def reader(databases: Databases, svcctl: Svcctl) -> Iterator[socket.socket]:
    """A connection to the northbound on such a remote."""
    address = ("127.0.0.1", open_reader_port(databases, svcctl))
    with socket.create_connection(address, timeout=10) as connection:
        yield connection


def test_it_reads_everything_and_writes_nothing(
    databases: Databases, reader: socket.socket
) -> None:
    databases.nb.insert("Chassis", name="hv1")
    before = databases.nb.dump()["Chassis"]
    select = {"op": "select", "table": "Chassis", "where": []}
    (result,) = exchange(reader, "transact", [databases.nb.name, select])
    assert [row["name"] for row in result["rows"]] == ["hv1"]
    where = {"table": "Chassis", "where": []}
    for operation in (
        {"op": "insert", "table": "Chassis", "row": {"name": "hv2"}},
        {"op": "update", **where, "row": {"drain": True}},
        {"op": "mutate", **where, "mutations": [["delete_cfg", "+=", 1]]},
        {"op": "delete", **where},
    ):
        (refused,) = exchange(reader, "transact", [databases.nb.name, operation])
        assert refused["error"] == "permission error", operation
    assert databases.nb.dump()["Chassis"] == before


@pytest.mark.parametrize("method", ["lock", "steal", "unlock"])
def test_it_takes_no_lock(reader: socket.socket, method: str) -> None:
    with pytest.raises(AssertionError, match="lock and unlock methods not allowed"):
        exchange(reader, method, ["svc_northd"])


def test_reading_only_converts_nothing(reader: socket.socket) -> None:
    """With a role; read-only alone lets it (ovsdb-server 3.1)."""
    with pytest.raises(AssertionError, match="only the root role may convert databases"):
        exchange(reader, "convert", [schema.NORTHBOUND, schema.load(schema.NORTHBOUND)])
