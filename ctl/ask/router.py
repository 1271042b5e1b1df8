"""The routers of OVN_Northbound, as the rules of a service type want them; read only.

With --no-check nothing is read and everything is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ...lib import router as routers
from ...lib.addresses import parse_network, quote
from ...lib.router import GatewayPort, Route, Router
from ..context import Context
from ..db.rpc import Client
from ..db.values import is_uuid
from .lookup import ask, find_atom, members, open_ovn, select


def find_routers(context: Context, text: str) -> Sequence[Router]:
    """Returns the logical router whose UUID is 'text', or else those of that name.

    Each text is asked for once in an attempt to run the commands.
    """
    shared = context.attempt.shared
    key = ("router", text)
    if key not in shared:
        shared[key] = _find(context, text)
    found: Sequence[Router] = shared[key]
    return found


def _find(context: Context, text: str) -> Sequence[Router]:
    subject = f"router {quote(text)}"
    conditions: list[Any] = [["name", "==", text]]
    if is_uuid(text):
        # A UUID means the router that has it, whatever else is called so.
        conditions.insert(0, ["_uuid", "==", ["uuid", text.lower()]])
    client = open_ovn(context, subject)
    try:
        for condition in conditions:
            rows = ask(client, [select("Logical_Router", [condition])], subject)
            if rows:
                return [read_router(client, row, subject) for row in rows]
        return []
    finally:
        client.close()


def read_router(client: Client, row: dict[str, Any], subject: str) -> Router:
    """Returns the router in a row, without what svc-northd itself has put on it."""
    ports = _read_parts(client, "Logical_Router_Port", row["ports"], subject)
    nats = _read_parts(client, "NAT", row["nat"], subject)
    routes = _read_parts(client, "Logical_Router_Static_Route", row["static_routes"], subject)
    networks = [text for port in ports for text in members(port["networks"])]
    return Router(
        uuid=UUID(row["_uuid"][1]),
        name=row["name"],
        networks=routers.parse_networks(networks),
        addresses=routers.parse_hosts(networks),
        routes=tuple(
            Route(prefix, by_source=find_atom(route["policy"]) == "src-ip")
            for route in routes
            if route["nexthop"] != "discard"
            and (prefix := parse_network(route["ip_prefix"])) is not None
        ),
        nat_addresses=routers.parse_hosts(nat["external_ip"] for nat in nats),
        gateway_ports=tuple(
            GatewayPort(
                UUID(port["_uuid"][1]),
                port["name"],
                routers.parse_networks(members(port["networks"])),
            )
            for port in ports
            if members(port["gateway_chassis"]) or members(port["ha_chassis_group"])
        ),
        is_gateway="chassis" in dict(row["options"][1]),
        next_hops=routers.parse_hosts(route["nexthop"] for route in routes),
    )


def _read_parts(client: Client, table: str, uuids: Any, subject: str) -> list[dict[str, Any]]:
    """Returns the rows of 'table' that a router refers to and that are not our own."""
    selects = [select(table, [["_uuid", "==", ["uuid", uuid]]]) for uuid in members(uuids)]
    rows = ask(client, selects, subject) if selects else []
    return [row for row in rows if not routers.is_ours(dict(row["external_ids"][1]))]
