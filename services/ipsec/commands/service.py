"""vpn-add, vpn-del, vpn-list."""

from __future__ import annotations

from collections.abc import Mapping

from ....lib.addresses import parse_address, parse_subnet, quote
from ....lib.errors import UsageError
from ...api.commands import Datum, Moment, Run, TableRow
from ...api.make_row import make_row
from .. import rules
from ..rows import VPNService
from .meaning import find_services, is_place
from .overview import SERVICE, find_since, members_of, sort_by_name
from .siblings import find_service_problem

_HEADINGS = (
    *("name", "router", "external", "local", "group", "connections"),
    *("status", "since", "reason"),
)


def add(run: Run) -> None:
    """vpn-add VPN ROUTER EXTERNAL_IP[,..] LOCAL_SUBNET[,..]: adds a service to a router.

    EXTERNAL_IP is an address of its own, from a network of the router's gateway port, and
    LOCAL_SUBNET what the remote site is to reach behind the router.  --mode is routed;
    --group says how the chassis is chosen.  With --may-exist one that is there as asked
    for is no mistake.
    """
    name, router, external_ips, local_subnets = run.arguments
    mode = _parse_mode(name, run.options.get("mode"))
    group = _find_group(run)
    row = run.find(SERVICE, "name", name)
    if row is not None and not run.has("may-exist"):
        raise UsageError(f"{name}: a VPN service with this name already exists")
    given: dict[str, Datum] = {
        "name": (name,),
        "router": (router,),
        "address_mode": (mode,) if mode else (),
        "external_ips": tuple(external_ips.split(",")),
        "local_subnets": tuple(local_subnets.split(",")),
    }
    service = make_row(VPNService, given)
    problem = rules.service_problem(service)
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")
    columns: dict[str, Datum] = {
        **given,
        "external_ips": tuple(str(parse_address(text)) for text in service.external_ips),
        "local_subnets": tuple(sorted(str(parse_subnet(text)) for text in service.local_subnets)),
        "group": (group.uuid,) if group else (),
    }
    if row is not None:
        _check_same(run, row, columns)
        return
    problem = find_service_problem(run, columns)
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")
    row = run.insert(SERVICE)
    for column, datum in columns.items():
        row.set(column, datum)


def delete(run: Run) -> None:
    """vpn-del VPN: removes a VPN service with its connections.

    Its traffic is no longer guarded: to stop it and let nothing pass, disable it.
    """
    name = run.arguments[0]
    row = run.find_row(SERVICE, name)
    if row is None:
        if run.has("if-exists"):
            return
        raise UsageError(f"{name}: VPN service not found")
    for connection in members_of(run, row):
        run.delete_member(connection)
    run.delete(row)


def list_all(run: Run) -> None:
    """vpn-list [NAME]: lists all services, or those that NAME means.

    NAME may be that of a service, a connection, a router, a container or a chassis, a UUID,
    or an address: an external one of a service, or that of a peer.
    """
    text = run.argument(0)
    rows = sort_by_name(run, SERVICE) if text is None else find_services(run, text)
    if text is not None and not rows:
        if not is_place(run, text):
            raise UsageError(f"{text}: VPN service not found")
        run.warnings.append(f"no VPN service is on {quote(text)}")
    table = run.start_table(_HEADINGS, ["reason"])
    run.warn_if_stale()
    uuids = {row.text("group") for row in rows} - {""}
    # All at once, since each question costs a round trip.
    groups = {group.uuid: group for group in run.get_all("Container_Group", sorted(uuids))}
    for row in rows:
        group = groups.get(row.text("group"))
        table.add(
            row.text("name"),
            row.text("router"),
            row.strings("external_ips"),
            row.strings("local_subnets"),
            group.text("name") if group else "",
            len(row.strings("connections")),
            row.text("status"),
            Moment(find_since(row)),
            row.text("status_message"),
        )


# -- pieces ----------------------------------------------------------------


def _parse_mode(name: str, text: str | None) -> str | None:
    if text is not None and text not in ("routed", "shared", "dedicated"):
        raise UsageError(f'{name}: mode "{text}" is none of routed, shared, dedicated')
    return text


def _find_group(run: Run) -> TableRow | None:
    name = run.options.get("group")
    if name is None:
        return None
    return run.get_row("Container_Group", name)


def _check_same(run: Run, row: TableRow, columns: Mapping[str, Datum]) -> None:
    """Raises UsageError if the row that may exist is not what was asked for."""
    optional = {"address_mode": "mode", "group": "group"}
    for column, datum in columns.items():
        option = optional.get(column)
        if row.datum(column) != datum and (option is None or run.has(option)):
            raise UsageError(
                f"{row.text('name')}: a VPN service with this name already exists, "
                f"with another {column}"
            )
