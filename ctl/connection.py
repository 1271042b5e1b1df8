"""conn-add, conn-del, conn-list."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from ..lib import nb, vpn
from ..lib.addresses import parse_subnet, quote
from ..lib.errors import UsageError
from .command import Context
from .records import find_row, get_named
from .replica import Row
from .table import Table
from .values import Atom, Datum, parse_atom
from .vpn import make_last, make_service

TABLE = "IPsec_Connection"

_LONGEST_PSK_BYTES = 4096
_COLUMN_OPTIONS = ("initiator", "mtu", "dpd-action", "dpd-interval", "dpd-timeout")


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
    _check(context, service, row, columns)
    columns["peer_subnets"] = tuple(sorted(str(parse_subnet(s)) for s in peer_subnets.split(",")))
    if row is not None:
        _check_same(row, columns)
        return
    row = context.replica.insert(TABLE)
    for column, datum in columns.items():
        row.set(column, datum)
    # Two that add connections at the same time would each find the name unused.
    service.verify("connections")
    service.insert("connections", (row.uuid,))


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
    for row in sorted(_members(context, service), key=lambda each: each.text("name")):
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


def _members(context: Context, service: Row) -> Iterable[Row]:
    rows = context.replica.rows(TABLE)
    return [rows[uuid] for uuid in service.strings("connections") if uuid in rows]


def _find(context: Context, service: Row, name: str) -> Row | None:
    return next((row for row in _members(context, service) if row.text("name") == name), None)


def _parse_authentication(context: Context, name: str) -> dict[str, Datum]:
    given = [option for option in ("psk-file", "psk", "cert") if context.has(option)]
    if len(given) > 1:
        raise UsageError(f"{name}: --{given[0]} and --{given[1]} exclude each other")
    columns: dict[str, Datum] = {}
    if context.has("cert"):
        columns = {"auth": ("certificate",), "certificate": (context.options["cert"] or "",)}
    elif context.has("psk-file"):
        columns = {"psk": (_read_psk(context, context.options["psk-file"] or ""),)}
    elif context.has("psk"):
        columns = {"psk": (context.options["psk"] or "",)}
        context.warnings.append("--psk shows the key in the list of processes; use --psk-file")
    for option, column in (("peer-id", "peer_id"), ("local-id", "local_id")):
        if context.has(option):
            columns[column] = (context.options[option] or "",)
    return columns


def _read_psk(context: Context, path: str) -> str:
    """Returns the key in a file, or on standard input for "-", without its newline."""
    if "psk-file" not in context.memory:
        try:
            if path == "-":
                content = sys.stdin.buffer.read(_LONGEST_PSK_BYTES + 1)
            else:
                with open(path, "rb") as file:
                    content = file.read(_LONGEST_PSK_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"--psk-file={quote(path)}: {reason}") from None
        context.memory["psk-file"] = _decode_psk(path, content)
    return context.memory["psk-file"]


def _decode_psk(path: str, content: bytes) -> str:
    subject = f"--psk-file={quote(path)}"
    if len(content) > _LONGEST_PSK_BYTES:
        raise UsageError(f"{subject}: longer than {_LONGEST_PSK_BYTES} bytes")
    try:
        psk = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(f"{subject}: not UTF-8 text") from None
    if not psk:
        raise UsageError(f"{subject}: the pre-shared key is empty")
    if "\0" in psk or "\n" in psk:
        raise UsageError(f"{subject}: more than one line; a pre-shared key is one")
    return psk


def _find_policies(context: Context) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    for option, table, column in (
        ("ike-policy", "IKE_Policy", "ike_policy"),
        ("ipsec-policy", "IPsec_Policy", "ipsec_policy"),
    ):
        name = context.options.get(option)
        if name is not None:
            noun = option.replace("-", " ")
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
        try:
            atom = parse_atom(text, schema.columns[column].key, context.symbols.resolve)
        except UsageError as error:
            raise UsageError(f"{name}: --{option}: {error}") from None
        columns[column] = (atom,)
    return columns


def _check(context: Context, service: Row, row: Row | None, columns: dict[str, Datum]) -> None:
    home = make_service(service)
    connection = _make_connection(row.uuid if row else "0" * 32, columns)
    problem = vpn.connection_problem(connection, home)
    if problem is None:
        members = _find_siblings(context, service, connection)
        last = replace(connection, name=make_last(connection.name))
        problem = vpn.sibling_problems([*members, (home, last)]).get(connection.uuid)
    if problem is not None:
        raise UsageError(f"{quote(connection.name)}: {problem}")


def _find_siblings(
    context: Context, service: Row, connection: nb.IPsecConnection
) -> list[tuple[nb.VPNService, nb.IPsecConnection]]:
    """Returns the other good connections that the same container serves."""
    members = []
    for other in context.replica.rows("VPN_Service").values():
        if other.text("router") != service.text("router"):
            continue
        home = make_service(other)
        for row in _members(context, other):
            sibling = _read_connection(row)
            if sibling.uuid != connection.uuid and not vpn.connection_problem(sibling, home):
                members.append((home, sibling))
    return members


def _read_connection(row: Row) -> nb.IPsecConnection:
    columns = {name: row.datum(name) for name in row.table.columns if name != "_uuid"}
    return _make_connection(row.uuid, columns)


def _make_connection(uuid: str, columns: dict[str, Datum]) -> nb.IPsecConnection:
    def find(column: str) -> Atom | None:
        datum = columns.get(column)
        return datum[0] if isinstance(datum, tuple) and datum else None

    def find_text(column: str) -> str | None:
        atom = find(column)
        return None if atom is None else str(atom)

    def find_number(column: str) -> int | None:
        atom = find(column)
        return atom if isinstance(atom, int) else None

    return nb.IPsecConnection(
        uuid=UUID(uuid),
        name=find_text("name") or "",
        peer_address=find_text("peer_address") or "",
        peer_id=find_text("peer_id"),
        local_id=find_text("local_id"),
        peer_subnets=tuple(str(each) for each in columns.get("peer_subnets", ())),
        auth=find_text("auth"),
        psk=find_text("psk"),
        certificate=find_text("certificate"),
        ike_policy=None,
        ipsec_policy=None,
        initiator=find_text("initiator"),
        dpd_action=find_text("dpd_action"),
        dpd_interval=find_number("dpd_interval"),
        dpd_timeout=find_number("dpd_timeout"),
        mtu=find_number("mtu"),
        enabled=find("enabled") is not False,
        status=None,
        status_message="",
    )


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
