"""The router of a VPN service, as OVN_Northbound has it; read only.

A command that puts a VPN or a connection on a router reads it first and asks
lib/router.py, as svc-northd does, whether that can work.  With --no-check
nothing is read and everything is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from ..lib import router as routers
from ..lib.addresses import quote
from ..lib.errors import UsageError
from ..lib.router import GatewayPort, Router
from .command import Context
from .lookup import ask, members, open_ovn, select
from .replica import Row
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
        rows = ask(client, [select("Logical_Router", [each]) for each in conditions], subject)
        return [_read(client, row, subject) for row in rows]
    finally:
        client.close()


def make_resolver(router: Router | None) -> Callable[[str], str]:
    """Returns what tells, of texts that name a router, which ones mean 'router'."""
    if router is None:
        return str
    uuid, name = str(router.uuid), router.name
    return lambda text: uuid if text == name or text.lower() == uuid else text


def find_services(context: Context, containers: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Returns the VPN services that each container serves, by the UUID of its row.

    That is known by the router that both name.  Where OVN cannot be asked which
    name a router has, its UUID stands for the services.
    """
    uuids = {row.uuid: str(_find_configured(row)) for row in containers if _find_configured(row)}
    names = _read_names(context) if uuids else {}
    users: dict[str, list[str]] = {}
    for service in context.replica.rows("VPN_Service").values():
        if service.find("enabled") is not False:
            users.setdefault(service.text("router"), []).append(service.text("name"))
    found = {}
    for container, router in uuids.items():
        served = {*users.get(router, ()), *users.get(names.get(router, ""), ())}
        found[container] = tuple(sorted(served)) or (f"router {router}",)
    return found


def _find_configured(row: Row) -> str | None:
    configuration = row.datum("configuration")
    assert isinstance(configuration, dict)
    router = configuration.get("router")
    return None if router is None else str(router)


def _read_names(context: Context) -> dict[str, str]:
    """Returns the names of OVN's routers by UUID; none if OVN cannot be asked."""
    try:
        client = open_ovn(context, "routers")
    except UsageError:
        return {}
    try:
        rows = ask(client, [select("Logical_Router", (), ("_uuid", "name"))], "routers")
    except UsageError:
        return {}
    finally:
        client.close()
    return {row["_uuid"][1]: row["name"] for row in rows}


def _read(client: Client, row: dict[str, Any], subject: str) -> Router:
    """Returns the router in 'row', without what svc-northd itself has put on it."""
    ports = _read_parts(client, "Logical_Router_Port", row["ports"], subject)
    nats = _read_parts(client, "NAT", row["nat"], subject)
    networks = [text for port in ports for text in members(port["networks"])]
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
                routers.parse_networks(members(port["networks"])),
            )
            for port in ports
            if members(port["gateway_chassis"]) or members(port["ha_chassis_group"])
        ),
        is_gateway="chassis" in dict(row["options"][1]),
    )


def _read_parts(client: Client, table: str, uuids: Any, subject: str) -> list[dict[str, Any]]:
    """Returns the rows of 'table' that a router refers to and that are not our own."""
    selects = [select(table, [["_uuid", "==", ["uuid", uuid]]]) for uuid in members(uuids)]
    rows = ask(client, selects, subject) if selects else []
    return [row for row in rows if not routers.is_ours(dict(row["external_ids"][1]))]
