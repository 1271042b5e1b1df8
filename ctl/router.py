"""The router of a VPN service, as OVN_Northbound has it; read only.

A command that puts a VPN or a connection on a router reads it first and asks
lib/router.py, as svc-northd does, whether that can work.  With --no-check
nothing is read and everything is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ..lib import router as routers
from ..lib.addresses import quote
from ..lib.router import GatewayPort, Router
from .command import Context
from .lookup import ask, open_ovn
from .rpc import Client
from .values import is_uuid


def find_routers(context: Context, text: str) -> list[Router]:
    """Returns the logical routers whose name or UUID is 'text'."""
    subject = f"router {quote(text)}"
    conditions: list[Any] = [["name", "==", text]]
    if is_uuid(text):
        conditions.append(["_uuid", "==", ["uuid", text.lower()]])
    client = open_ovn(context, subject)
    try:
        rows = ask(client, [_select("Logical_Router", each) for each in conditions], subject)
        return [_read(client, row, subject) for row in rows]
    finally:
        client.close()


def make_resolver(router: Router | None) -> Callable[[str], str]:
    """Returns what tells, of texts that name a router, which ones mean 'router'."""
    if router is None:
        return str
    uuid, name = str(router.uuid), router.name
    return lambda text: uuid if text == name or text.lower() == uuid else text


def _read(client: Client, row: dict[str, Any], subject: str) -> Router:
    """Returns the router in 'row', without what svc-northd itself has put on it."""
    ports = _read_parts(client, "Logical_Router_Port", row["ports"], subject)
    nats = _read_parts(client, "NAT", row["nat"], subject)
    networks = [text for port in ports for text in _members(port["networks"])]
    return Router(
        uuid=UUID(row["_uuid"][1]),
        name=row["name"],
        networks=routers.parse_networks(networks),
        addresses=routers.parse_hosts(networks),
        routes=(),
        nat_addresses=frozenset(nat["external_ip"] for nat in nats),
        gateway_ports=tuple(
            GatewayPort(
                UUID(port["_uuid"][1]),
                port["name"],
                routers.parse_networks(_members(port["networks"])),
            )
            for port in ports
            if _members(port["gateway_chassis"]) or _members(port["ha_chassis_group"])
        ),
        is_gateway="chassis" in dict(row["options"][1]),
    )


def _read_parts(client: Client, table: str, uuids: Any, subject: str) -> list[dict[str, Any]]:
    """Returns the rows of 'table' that a router refers to and that are not our own."""
    selects = [_select(table, ["_uuid", "==", ["uuid", uuid]]) for uuid in _members(uuids)]
    rows = ask(client, selects, subject) if selects else []
    return [row for row in rows if not routers.is_ours(dict(row["external_ids"][1]))]


def _select(table: str, condition: list[Any]) -> dict[str, Any]:
    return {"op": "select", "table": table, "where": [condition]}


def _members(value: Any) -> list[str]:
    """Returns the strings or UUIDs in a set, in OVSDB's JSON (RFC 7047, section 5.1)."""
    if not isinstance(value, list):
        return [value]
    members = value[1] if value[0] == "set" else [value]
    return [each[1] if isinstance(each, list) else each for each in members]
