"""vpn-add, vpn-del, vpn-list; and the rows as lib/vpn.py wants them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

from ..lib import nb, vpn
from ..lib import router as routers
from ..lib.addresses import parse_address, parse_subnet, quote
from ..lib.errors import UsageError
from .command import Context
from .records import find_row, get_named
from .replica import Row
from .router import find_routers, make_resolver
from .table import Table
from .values import Datum

TABLE = "VPN_Service"

# A new row comes last among its siblings, whatever it is called, so that it and
# not the one that was there first is the one that has the problem.
_LAST = chr(0x10FFFF)


def add(context: Context) -> None:
    """vpn-add VPN ROUTER EXTERNAL_IP[,..] LOCAL_SUBNET[,..]"""
    name, router, external_ips, local_subnets = context.arguments
    mode = _parse_mode(name, context.options.get("mode"))
    group = _find_group(context)
    row = context.replica.find(TABLE, "name", name)
    if row is not None and not context.has("may-exist"):
        raise UsageError(f"{name}: a VPN service with this name already exists")
    service = nb.VPNService(
        uuid=UUID(row.uuid if row else "0" * 32),
        name=name,
        router=router,
        address_mode=mode,
        external_ips=tuple(external_ips.split(",")),
        local_subnets=tuple(local_subnets.split(",")),
        connections=(),
        group=None,
        enabled=None,
        status=None,
        status_message="",
    )
    problem = vpn.service_problem(service)
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")
    columns = {
        "name": (name,),
        "router": (router,),
        "address_mode": (mode,) if mode else (),
        "external_ips": tuple(str(parse_address(text)) for text in service.external_ips),
        "local_subnets": tuple(sorted(str(parse_subnet(text)) for text in service.local_subnets)),
        "group": (group.uuid,) if group else (),
    }
    if row is not None:
        _check_same(context, row, columns)
        return
    problem = _find_problem(context, service)
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")
    row = context.replica.insert(TABLE)
    for column, datum in columns.items():
        row.set(column, datum)


def delete(context: Context) -> None:
    """vpn-del VPN"""
    name = context.arguments[0]
    row = find_row(context.replica, TABLE, name)
    if row is None:
        if context.has("if-exists"):
            return
        raise UsageError(f"{name}: VPN service not found")
    for uuid in row.strings("connections"):
        connection = context.replica.rows("IPsec_Connection").get(uuid)
        if connection is not None:
            context.replica.delete_member(connection)
    context.replica.delete(row)


def list_all(context: Context) -> None:
    """vpn-list"""
    headings = ["name", "router", "external", "local", "group", "connections", "status", "reason"]
    context.table = Table(headings, "table")
    groups = context.replica.rows("Container_Group")
    rows = context.replica.rows(TABLE).values()
    for row in sorted(rows, key=lambda each: each.text("name")):
        group = groups.get(row.text("group"))
        context.table.add(
            row.text("name"),
            row.text("router"),
            row.strings("external_ips"),
            row.strings("local_subnets"),
            group.text("name") if group else "",
            len(row.strings("connections")),
            row.text("status"),
            row.text("status_message"),
        )


def make_service(row: Row) -> nb.VPNService:
    """Returns what lib/vpn.py checks of a VPN service."""
    return nb.VPNService(
        uuid=UUID(row.uuid),
        name=row.text("name"),
        router=row.text("router"),
        address_mode=row.find("address_mode"),
        external_ips=row.strings("external_ips"),
        local_subnets=row.strings("local_subnets"),
        connections=tuple(UUID(uuid) for uuid in row.strings("connections")),
        group=None,
        enabled=row.find("enabled"),
        status=None,
        status_message="",
    )


def make_last(name: str) -> str:
    """Returns a name that comes after all others, for a row that is about to be added."""
    return _LAST + name


def _parse_mode(name: str, text: str | None) -> str | None:
    if text is not None and text not in ("routed", "shared", "dedicated"):
        raise UsageError(f'{name}: mode "{text}" is none of routed, shared, dedicated')
    return text


def _find_group(context: Context) -> Row | None:
    name = context.options.get("group")
    if name is None:
        return None
    return get_named(context.replica, "Container_Group", name, "group")


def _find_problem(context: Context, service: nb.VPNService) -> str | None:
    """Returns what is wrong between a new service and its router, or other services."""
    router = None
    if not context.settings.has("no-check"):
        found = find_routers(context, service.router)
        problem = routers.name_problem(service.router, len(found))
        if problem is not None:
            return problem
        router = found[0]
        problem = routers.service_problem(service, router)
        if problem is not None:
            return problem
    others = map(make_service, context.replica.rows(TABLE).values())
    good = [each for each in others if vpn.service_problem(each) is None]
    last = replace(service, name=make_last(service.name))
    return vpn.service_sibling_problems([*good, last], make_resolver(router)).get(service.uuid)


def _check_same(context: Context, row: Row, columns: Mapping[str, Datum]) -> None:
    """Raises UsageError if the row that may exist is not what was asked for."""
    optional = {"address_mode": "mode", "group": "group"}
    for column, datum in columns.items():
        option = optional.get(column)
        if row.datum(column) != datum and (option is None or context.has(option)):
            raise UsageError(
                f"{row.text('name')}: a VPN service with this name already exists, "
                f"with another {column}"
            )
