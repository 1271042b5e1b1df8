"""conn-add, conn-set, conn-del, conn-list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....lib.addresses import parse_subnet, quote
from ....lib.errors import UsageError
from ...api.commands import Datum, Moment, Run, TableRow
from ...api.make_row import make_row
from .. import rules
from ..rows import IPsecConnection
from .meaning import Meant, find_meant, find_named, is_place
from .overview import CONNECTION, SERVICE, find_since, members_of, sort_by_name
from .policy import find_policies
from .siblings import find_connection_problem, make_home

_COLUMN_OPTIONS = (
    *("initiator", "mtu", "dpd-action", "dpd-interval", "dpd-timeout"),
    *("force-udp-encapsulation", "enabled"),
)
_STATUS = ("status", "since", "reason")
_POLICIES = {"ike_policy": "IKE_Policy", "ipsec_policy": "IPsec_Policy"}
_CLEARED_WHEN_EMPTY = ("peer_id", "local_id")


def add(run: Run) -> None:
    """conn-add VPN CONN PEER_ADDRESS PEER_SUBNET[,..]: adds a remote site to a VPN service.

    PEER_ADDRESS is the site's gateway, PEER_SUBNET what is behind it.  --psk-file has the
    pre-shared key in one line, '-' being standard input; --ike-policy and --ipsec-policy
    name policies; the other options are columns of IPsec_Connection (schemas/svc-nb.rst).
    """
    service = run.get_row(SERVICE, run.arguments[0])
    name, peer_address, peer_subnets = run.arguments[1:4]
    row = _find(run, service, name)
    if row is not None and not run.has("may-exist"):
        raise UsageError(f"{name}: a connection with this name already exists")
    columns: dict[str, Datum] = {
        "name": (name,),
        "peer_address": (peer_address,),
        "peer_subnets": tuple(peer_subnets.split(",")),
        **_parse_authentication(run, name),
        **_find_policies(run),
        **_parse_columns(run, name),
    }
    _check(_find_own_problem(run, service, columns), name)
    columns["peer_subnets"] = _parse_subnets(peer_subnets)
    if row is not None:
        _check_same(row, columns)
        return
    _check(find_connection_problem(run, service, None, columns), name)
    row = run.insert(CONNECTION)
    for column, datum in columns.items():
        row.set(column, datum)
    # Two that add connections at the same time would each find the name unused.
    service.verify("connections")
    service.insert("connections", (row.uuid,))


def set_columns(run: Run) -> None:
    """conn-set [VPN] CONN: changes what its options name; an empty argument means the default.

    CONN alone is the name of a connection, or VPN/CONN, or its UUID.
    """
    service, row = _find_target(run)
    if service is None or row is None:
        raise _make_missing(run, service)
    name = row.text("name")
    columns: dict[str, Datum] = {
        **_parse_peer(run),
        **_parse_authentication(run, name),
        **_find_policies(run),
        **_parse_columns(run, name),
    }
    if not columns:
        raise UsageError(f"{name}: nothing to change is given")
    if "psk" in columns:
        columns["auth"] = ()
    for column in _CLEARED_WHEN_EMPTY:
        if columns.get(column) == ("",):
            columns[column] = ()
    wanted = {**row.columns(), **columns}
    # To disable is possible whatever else is wrong.
    if columns != {"enabled": (False,)}:
        _check(_find_own_problem(run, service, wanted), name)
        _check(find_connection_problem(run, service, row, wanted), name)
    if "peer_subnets" in columns:
        columns["peer_subnets"] = _parse_subnets(run.options["peer-subnets"] or "")
    for column, datum in columns.items():
        row.set(column, datum)


def delete(run: Run) -> None:
    """conn-del [VPN] CONN: removes a connection; its subnets are no longer guarded.

    CONN alone is the name of a connection, or VPN/CONN, or its UUID.
    """
    service, row = _find_target(run)
    if service is not None and row is not None:
        service.remove("connections", [row.uuid])
        run.delete_member(row)
    elif not run.has("if-exists"):
        raise _make_missing(run, service)


def list_all(run: Run) -> None:
    """conn-list [NAME]: lists all connections, those of a service, or what NAME means.

    NAME may also be that of a connection (CONN, or VPN/CONN), a router, a container or a
    chassis, a UUID, or an address: an external one of a service, or that of a peer.
    """
    text = run.argument(0)
    service = run.find_row(SERVICE, text) if text is not None else None
    rows = _list_rows(run, text)
    first = ["name"] if service is not None else ["vpn", "name"]
    headings = [*first, "peer", "subnets", "ike-policy", "ipsec-policy", *_STATUS]
    table = run.start_table(headings, ["reason"])
    run.warn_if_stale()
    policies = {column: _name_policies(run, rows, column) for column in _POLICIES}
    for home, row in rows:
        table.add(
            *([] if service is not None else [home.text("name")]),
            row.text("name"),
            row.text("peer_address"),
            row.strings("peer_subnets"),
            *(policies[column].get(row.text(column), "") for column in _POLICIES),
            row.text("status"),
            Moment(find_since(row)),
            row.text("status_message"),
        )


# -- pieces ----------------------------------------------------------------


def _find_target(run: Run) -> tuple[TableRow | None, TableRow | None]:
    """Returns the service and the connection that is to be changed, None for what is not there."""
    if len(run.arguments) == 1:
        return find_named(run, run.arguments[0]) or (None, None)
    service = run.find_row(SERVICE, run.arguments[0])
    return service, _find(run, service, run.arguments[1]) if service is not None else None


def _make_missing(run: Run, service: TableRow | None) -> UsageError:
    home, name = run.arguments[0], run.arguments[-1]
    if len(run.arguments) == 1:
        return UsageError(f"{name}: connection not found")
    if service is None:
        return UsageError(f"{home}: VPN service not found")
    return UsageError(f"{name}: connection not found in VPN service {home}")


def _list_rows(run: Run, text: str | None) -> list[tuple[TableRow, TableRow]]:
    """Returns the connections that 'text' means, each with its service, in the order of names."""
    meant: list[Meant]
    if text is None:
        meant = [(service, None) for service in sort_by_name(run, SERVICE)]
    else:
        meant = find_meant(run, text)
    if text is not None and not meant:
        if not is_place(run, text):
            raise UsageError(f"{text}: VPN service not found")
        run.warnings.append(f"nothing of {quote(text)} has a connection")
    # All at once, since each question costs a round trip.
    run.get_all(CONNECTION, [each for home, _ in meant for each in home.strings("connections")])
    return [(service, row) for service, one in meant for row in _list_members(run, service, one)]


def _list_members(run: Run, service: TableRow, one: TableRow | None) -> list[TableRow]:
    if one is not None:
        return [one]
    return sorted(members_of(run, service), key=lambda each: each.text("name"))


def _find(run: Run, service: TableRow, name: str) -> TableRow | None:
    return next((row for row in members_of(run, service) if row.text("name") == name), None)


def _find_own_problem(run: Run, service: TableRow, columns: Mapping[str, Datum]) -> str | None:
    """Returns what is wrong with a connection of 'service' by itself, or with its policies."""
    connection = make_row(IPsecConnection, columns)
    return rules.connection_problem(connection, make_home(service)) or rules.policies_problem(
        *find_policies(run, columns)
    )


def _read_psk(run: Run) -> str:
    return run.read_secret("psk-file", run.options["psk-file"] or "", "pre-shared key")


def _check(problem: str | None, name: str) -> None:
    if problem is not None:
        raise UsageError(f"{quote(name)}: {problem}")


def _parse_peer(run: Run) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    if run.has("peer-address"):
        columns["peer_address"] = (run.options["peer-address"] or "",)
    if run.has("peer-subnets"):
        columns["peer_subnets"] = tuple((run.options["peer-subnets"] or "").split(","))
    return columns


def _parse_subnets(text: str) -> Datum:
    return tuple(sorted({str(parse_subnet(each)) for each in text.split(",")}))


def _parse_authentication(run: Run, name: str) -> dict[str, Datum]:
    given = [option for option in ("psk-file", "psk", "cert") if run.has(option)]
    if len(given) > 1:
        raise UsageError(f"{name}: --{given[0]} and --{given[1]} exclude each other")
    columns: dict[str, Datum] = {}
    if run.has("cert"):
        columns = {"auth": ("certificate",), "certificate": (run.options["cert"] or "",)}
    elif run.has("psk-file"):
        columns = {"psk": (_read_psk(run),)}
    elif run.has("psk"):
        columns = {"psk": (run.options["psk"] or "",)}
        run.warnings.append("--psk shows the key in the list of processes; use --psk-file")
    for option, column in (("peer-id", "peer_id"), ("local-id", "local_id")):
        if run.has(option):
            columns[column] = (run.options[option] or "",)
    return columns


def _find_policies(run: Run) -> dict[str, Datum]:
    columns: dict[str, Datum] = {}
    for option, table, column in (
        ("ike-policy", "IKE_Policy", "ike_policy"),
        ("ipsec-policy", "IPsec_Policy", "ipsec_policy"),
    ):
        name = run.options.get(option)
        if name == "" and run.name == "conn-set":
            columns[column] = ()
        elif name is not None:
            columns[column] = (run.get_row(table, name).uuid,)
    return columns


def _parse_columns(run: Run, name: str) -> dict[str, Datum]:
    """Returns the columns that an option of the same name sets."""
    columns: dict[str, Datum] = {}
    for option in _COLUMN_OPTIONS:
        text = run.options.get(option)
        if text is None:
            continue
        column = option.replace("-", "_")
        if not text and run.name == "conn-set":
            columns[column] = ()
            continue
        try:
            columns[column] = (run.parse_atom(CONNECTION, column, text),)
        except UsageError as error:
            raise UsageError(f"{name}: --{option}: {error}") from None
    return columns


def _check_same(row: TableRow, columns: dict[str, Datum]) -> None:
    """Raises UsageError if the connection that may exist is not what was asked for."""
    for column, datum in columns.items():
        if row.datum(column) != datum:
            raise UsageError(
                f"{row.text('name')}: a connection with this name already exists, "
                f"with another {column}"
            )


def _name_policies(
    run: Run, rows: Iterable[tuple[TableRow, TableRow]], column: str
) -> dict[str, str]:
    """Returns the names of the policies that connections have in 'column', by their UUIDs.

    All at once, since each question costs a round trip.
    """
    uuids = {row.text(column) for _, row in rows} - {""}
    return {each.uuid: each.text("name") for each in run.get_all(_POLICIES[column], sorted(uuids))}
