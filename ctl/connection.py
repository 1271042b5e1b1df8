"""conn-add, conn-set, conn-del, conn-list."""

from __future__ import annotations

from ..lib.addresses import parse_subnet, quote
from ..lib.errors import UsageError
from .command import Context
from .problems import find_own_problem, find_problem, members_of, read_columns
from .psk import read_psk
from .records import find_row, get_named
from .replica import Row
from .table import Table
from .values import Datum, make_complaint, parse_atom

TABLE = "IPsec_Connection"

_COLUMN_OPTIONS = ("initiator", "mtu", "dpd-action", "dpd-interval", "dpd-timeout", "enabled")
_CLEARED_WHEN_EMPTY = ("peer_id", "local_id")


def add(context: Context) -> None:
    """conn-add VPN CONN PEER_ADDRESS PEER_SUBNET[,..]"""
    service = get_named(context.replica, "VPN_Service", context.arguments[0], "VPN service")
    name, peer_address, peer_subnets = context.arguments[1:4]
    row = _find(context, service, name)
    if row is not None and not context.has("may-exist"):
        raise UsageError(f"{name}: a connection with this name already exists")
    columns: dict[str, Datum] = {
        "name": (name,),
        "peer_address": (peer_address,),
        "peer_subnets": tuple(peer_subnets.split(",")),
        **_parse_authentication(context, name),
        **_find_policies(context),
        **_parse_columns(context, name),
    }
    _check(find_own_problem(service, columns), name)
    columns["peer_subnets"] = _parse_subnets(peer_subnets)
    if row is not None:
        _check_same(row, columns)
        return
    _check(find_problem(context, service, None, columns), name)
    row = context.replica.insert(TABLE)
    for column, datum in columns.items():
        row.set(column, datum)
    # Two that add connections at the same time would each find the name unused.
    service.verify("connections")
    service.insert("connections", (row.uuid,))


def set_columns(context: Context) -> None:
    """conn-set VPN CONN: changes what its options name; an empty argument means the default."""
    service_name, name = context.arguments
    service = get_named(context.replica, "VPN_Service", service_name, "VPN service")
    row = _find(context, service, name)
    if row is None:
        raise UsageError(f"{name}: connection not found in VPN service {service_name}")
    columns: dict[str, Datum] = {
        **_parse_peer(context),
        **_parse_authentication(context, name),
        **_find_policies(context),
        **_parse_columns(context, name),
    }
    if not columns:
        raise UsageError(f"{name}: nothing to change is given")
    if "psk" in columns:
        columns["auth"] = ()
    for column in _CLEARED_WHEN_EMPTY:
        if columns.get(column) == ("",):
            columns[column] = ()
    wanted = {**read_columns(row), **columns}
    # To disable is possible whatever else is wrong.
    if columns != {"enabled": (False,)}:
        _check(find_own_problem(service, wanted), name)
        _check(find_problem(context, service, row, wanted), name)
    if "peer_subnets" in columns:
        columns["peer_subnets"] = _parse_subnets(context.options["peer-subnets"] or "")
    for column, datum in columns.items():
        row.set(column, datum)


def delete(context: Context) -> None:
    """conn-del VPN CONN"""
    service_name, name = context.arguments
    service = find_row(context.replica, "VPN_Service", service_name)
    row = _find(context, service, name) if service else None
    if service is not None and row is not None:
        service.remove("connections", [row.uuid])
        context.replica.delete_member(row)
    elif not context.has("if-exists"):
        missing = f"{name}: connection not found in VPN service {service_name}"
        raise UsageError(missing if service else f"{service_name}: VPN service not found")


def list_all(context: Context) -> None:
    """conn-list VPN"""
    service = get_named(context.replica, "VPN_Service", context.arguments[0], "VPN service")
    headings = ["name", "peer", "subnets", "ike-policy", "ipsec-policy", "status", "reason"]
    context.table = Table(headings, "table")
    for row in sorted(members_of(context, service), key=lambda each: each.text("name")):
        context.table.add(
            row.text("name"),
            row.text("peer_address"),
            row.strings("peer_subnets"),
            _find_policy_name(context, row, "IKE_Policy", "ike_policy"),
            _find_policy_name(context, row, "IPsec_Policy", "ipsec_policy"),
            row.text("status"),
            row.text("status_message"),
        )


# -- pieces ----------------------------------------------------------------


def _find(context: Context, service: Row, name: str) -> Row | None:
    return next((row for row in members_of(context, service) if row.text("name") == name), None)


def _check(problem: str | None, name: str) -> None:
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")


def _parse_peer(context: Context) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    if context.has("peer-address"):
        columns["peer_address"] = (context.options["peer-address"] or "",)
    if context.has("peer-subnets"):
        columns["peer_subnets"] = tuple((context.options["peer-subnets"] or "").split(","))
    return columns


def _parse_subnets(text: str) -> Datum:
    return tuple(sorted({str(parse_subnet(each)) for each in text.split(",")}))


def _parse_authentication(context: Context, name: str) -> dict[str, Datum]:
    given = [option for option in ("psk-file", "psk", "cert") if context.has(option)]
    if len(given) > 1:
        raise UsageError(f"{name}: --{given[0]} and --{given[1]} exclude each other")
    columns: dict[str, Datum] = {}
    if context.has("cert"):
        columns = {"auth": ("certificate",), "certificate": (context.options["cert"] or "",)}
    elif context.has("psk-file"):
        columns = {"psk": (read_psk(context, context.options["psk-file"] or ""),)}
    elif context.has("psk"):
        columns = {"psk": (context.options["psk"] or "",)}
        context.warnings.append("--psk shows the key in the list of processes; use --psk-file")
    for option, column in (("peer-id", "peer_id"), ("local-id", "local_id")):
        if context.has(option):
            columns[column] = (context.options[option] or "",)
    return columns


def _find_policies(context: Context) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    for option, table, column, noun in (
        ("ike-policy", "IKE_Policy", "ike_policy", "IKE policy"),
        ("ipsec-policy", "IPsec_Policy", "ipsec_policy", "IPsec policy"),
    ):
        name = context.options.get(option)
        if name == "" and context.command.name == "conn-set":
            columns[column] = ()
        elif name is not None:
            columns[column] = (get_named(context.replica, table, name, noun).uuid,)
    return columns


def _parse_columns(context: Context, name: str) -> dict[str, Datum]:
    """Returns the columns that an option of the same name sets."""
    schema = context.replica.schema.tables[TABLE]
    columns: dict[str, Datum] = {}
    for option in _COLUMN_OPTIONS:
        text = context.options.get(option)
        if text is None:
            continue
        column = option.replace("-", "_")
        if not text and context.command.name == "conn-set":
            columns[column] = ()
            continue
        try:
            atom = parse_atom(text, schema.columns[column].key, context.symbols.resolve)
        except UsageError as error:
            raise make_complaint(f"{name}: --{option}", error) from None
        columns[column] = (atom,)
    return columns


def _check_same(row: Row, columns: dict[str, Datum]) -> None:
    """Raises UsageError if the connection that may exist is not what was asked for."""
    for column, datum in columns.items():
        if row.datum(column) != datum:
            raise UsageError(
                f"{row.text('name')}: a connection with this name already exists, "
                f"with another {column}"
            )


def _find_policy_name(context: Context, row: Row, table: str, column: str) -> str:
    policy = context.replica.rows(table).get(row.text(column))
    return policy.text("name") if policy else ""
