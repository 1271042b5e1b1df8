"""Commands on VPN services, connections and policies: those of the ipsec type, and what it has not.

What they check and write is services/ipsec/commands; here are changes of a
service that is there, which svcctl makes by 'set'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..lib.addresses import parse_subnet, quote
from ..lib.errors import UsageError
from ..services.api.make_row import make_row
from ..services.ipsec import rules
from ..services.ipsec.commands import connection, policy, service
from ..services.ipsec.commands.siblings import make_home
from ..services.ipsec.rows import IPsecConnection, VPNService
from .row import Row
from .run import Run

SERVICE = "VPN_Service"
CONNECTION = "IPsec_Connection"

add_service = service.add
delete_service = service.delete
delete_connection = connection.delete

POLICIES: Mapping[str, tuple[str, Any, Any]] = {
    "ike-policy": ("IKE_Policy", policy.add_ike, policy.delete_ike),
    "ipsec-policy": ("IPsec_Policy", policy.add_ipsec, policy.delete_ipsec),
}


def set_service(run: Run) -> Row | None:
    """Changes group, local subnets and whether a service is enabled."""
    name = run.arguments[0]
    row = run.find_row(SERVICE, name)
    if row is None:
        if run.values["if_exists"]:
            return None
        raise UsageError(f"{quote(name)}: VPN service not found")
    if run.has("group"):
        group = run.options["group"]
        row.set_atom("group", run.get_row("Container_Group", group).uuid if group else None)
    if "local_subnets" in run.values:
        _set_subnets(run, row, run.values["local_subnets"])
    if run.has("enabled"):
        text = run.options["enabled"]
        row.set_atom("enabled", run.parse_atom(SERVICE, "enabled", text) if text else None)
    return row


def add_connection(run: Run) -> Row | None:
    """Adds a connection, or finds that it is there as it was asked for."""
    connection.add(run)
    return find_connection(run)


def set_connection(run: Run) -> Row | None:
    """Changes what the options name."""
    row = find_connection(run)
    if row is None and run.values["if_exists"]:
        return None
    # What is only marked is not judged.
    if run.options or row is None or not run.request.columns:
        connection.set_columns(run)
    return find_connection(run)


def find_service(run: Run) -> Row | None:
    """Returns the service that a command is about."""
    return run.find_row(SERVICE, run.arguments[0])


def find_connection(run: Run) -> Row | None:
    """Returns the connection that a command is about."""
    home = find_service(run)
    members = run.get_all(CONNECTION, home.strings("connections")) if home else ()
    return next((row for row in members if row.text("name") == run.arguments[1]), None)


def _set_subnets(run: Run, row: Row, texts: tuple[str, ...]) -> None:
    """Changes the local subnets, which must suit the connections that are there."""
    wanted = make_row(VPNService, {**row.columns(), "local_subnets": texts, "connections": ()})
    problem = rules.service_problem(wanted)
    if problem is not None:
        raise UsageError(f"{quote(wanted.name)}: {problem}")
    row.set("local_subnets", tuple(sorted(str(parse_subnet(text)) for text in texts)))
    home = make_home(row)
    for member in run.get_all(CONNECTION, row.strings("connections")):
        problem = rules.connection_problem(make_row(IPsecConnection, member.columns()), home)
        if problem is not None:
            raise UsageError(f"{quote(wanted.name)}: connection {member.text('name')}: {problem}")
