"""conn-export: the configuration of the gateway at the other end of a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....lib.addresses import quote
from ....lib.container import KEPT
from ....lib.errors import UsageError
from ....lib.options import find_numbers
from ...api.commands import Run, TableRow
from ...api.make_row import make_row
from .. import rules
from ..entry import make_entry
from ..export import ipsec_conf, swanctl, vyos, words
from ..export.remote_side import RemoteSide, make_remote_side
from ..identity import parse
from ..ike_settings import make_ike_entry
from ..rows import IPsecConnection
from .meaning import get_connection
from .overview import SERVICE, members_of
from .policy import find_policies
from .siblings import make_home

Entry = Mapping[str, Any]
"""A connection as its container has it."""

FORMATS: dict[str, Callable[[RemoteSide], list[str]]] = {
    "swanctl": swanctl.format_side,
    "ipsec.conf": ipsec_conf.format_side,
    "vyos": vyos.format_side,
    "text": words.format_text,
    "json": words.format_json,
}


def export(run: Run) -> None:
    """conn-export [VPN] CONN: what the gateway at the other end must have.

    --format is swanctl (the default), ipsec.conf, vyos, text or json.  The pre-shared
    key is left out unless --show-secrets is given.
    """
    name = run.options.get("format") or run.table_format or "swanctl"
    if name not in FORMATS:
        raise UsageError(f'format "{name}" is none of {", ".join(FORMATS)}')
    service, row = get_connection(run, run.arguments)
    psk = row.text("psk") if run.shows_secrets else None
    message = row.text("status_message")
    if row.text("status") == "error" or message.startswith(KEPT):
        run.warnings.append(f"{quote(_name(service, row))}: {message}")
    run.lines += FORMATS[name](make_side(run, service, row, psk))


def make_side(run: Run, service: TableRow, row: TableRow, psk: str | None = None) -> RemoteSide:
    """Returns the other side of a connection; raises UsageError if there can be none."""
    problem = find_problem(run, service, row)
    if problem is not None:
        raise UsageError(f"{quote(_name(service, row))}: {problem}")
    entries = [_make_entry(run, service, row), *_find_siblings(run, service, row)]
    return make_remote_side(entries, _find_port_mtu(run), psk)


def find_problem(run: Run, service: TableRow, row: TableRow) -> str | None:
    """Returns what is wrong with a connection, its service or its policies by themselves."""
    home = make_home(service)
    problem = rules.service_problem(home)
    if problem is not None:
        return f"its VPN service has a problem: {problem}"
    connection = make_row(IPsecConnection, row.columns(), row.uuid)
    policies = find_policies(run, row.columns())
    return rules.connection_problem(connection, home) or rules.policies_problem(*policies)


def _find_port_mtu(run: Run) -> int:
    """Returns what SVC_Global:options:container-mtu comes to."""
    found = (row.datum("options") for row in run.rows("SVC_Global").values())
    options = next((each for each in found if isinstance(each, Mapping)), {})
    return find_numbers({str(key): str(each) for key, each in options.items()})["container-mtu"]


def _name(service: TableRow, row: TableRow) -> str:
    return f"{service.text('name')}/{row.text('name')}"


def _make_entry(run: Run, service: TableRow, row: TableRow) -> Entry:
    home = make_home(service)
    connection = make_row(IPsecConnection, row.columns(), row.uuid)
    ike, ipsec = find_policies(run, row.columns())
    sides = _format(home.local_subnets), _format(connection.peer_subnets)
    return make_entry(home, connection, make_ike_entry(home, connection, ike), ipsec, sides)


def _find_siblings(run: Run, service: TableRow, row: TableRow) -> Iterator[Entry]:
    """Yields the entries of the connections that share the IKE SA of one."""
    wanted = _find_ends(_make_entry(run, service, row))
    addresses = service.strings("external_ips")
    for home in run.find_all(SERVICE, "external_ips", *addresses):
        for each in sorted(members_of(run, home), key=lambda one: one.text("name")):
            is_on = home.find("enabled") is not False and each.find("enabled") is not False
            if each.uuid == row.uuid or not is_on or find_problem(run, home, each) is not None:
                continue
            entry = _make_entry(run, home, each)
            if _find_ends(entry) == wanted:
                yield entry


def _find_ends(entry: Entry) -> tuple[object, ...]:
    ids = parse(entry["local_id"]), parse(entry["peer_id"])
    return entry["local_address"], entry["peer_address"], *ids


def _format(subnets: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(map(str, rules.parse_subnets(subnets))))
