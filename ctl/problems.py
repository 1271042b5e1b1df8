"""What would be wrong with a connection that is to be written, as svc-northd would say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from ..lib import nb, vpn
from ..lib import router as routers
from ..lib.router import Router
from .command import Context
from .replica import Row
from .router import find_routers, make_resolver
from .values import Atom, Datum
from .vpn import make_last, make_service

Member = tuple[nb.VPNService, nb.IPsecConnection]

_NO_ROW = "0" * 32


def find_own_problem(service: Row, columns: Mapping[str, Datum]) -> str | None:
    """Returns what is wrong with a connection of 'service' by itself."""
    return vpn.connection_problem(_make_connection(_NO_ROW, columns), make_service(service))


def find_problem(
    context: Context, service: Row, row: Row | None, columns: Mapping[str, Datum]
) -> str | None:
    """Returns what is wrong with a connection beside what else is on its router.

    'row' is the one that is about to change, None for a new one.
    """
    connection = _make_connection(row.uuid if row else _NO_ROW, columns)
    router = _find_router(context, service.text("router"))
    problem = routers.connection_problem(connection, router) if router else None
    if problem is None:
        members = _find_siblings(context, service, connection, make_resolver(router))
        last = replace(connection, name=make_last(connection.name))
        problem = vpn.sibling_problems([*members, (make_service(service), last)]).get(last.uuid)
    return problem


def members_of(context: Context, service: Row) -> Iterable[Row]:
    """Returns the connections of 'service'."""
    rows = context.replica.rows("IPsec_Connection")
    return [rows[uuid] for uuid in service.strings("connections") if uuid in rows]


def _find_router(context: Context, text: str) -> Router | None:
    """Returns the router of a service; where it is not clear the service's own row says so."""
    if context.settings.has("no-check"):
        return None
    found = find_routers(context, text)
    return found[0] if len(found) == 1 else None


def _find_siblings(
    context: Context,
    service: Row,
    connection: nb.IPsecConnection,
    find_router: Callable[[str], str],
) -> list[Member]:
    """Returns the other good connections that the same container serves."""
    members: list[Member] = []
    router = find_router(service.text("router"))
    for other in context.replica.rows("VPN_Service").values():
        if find_router(other.text("router")) == router:
            home = make_service(other)
            rows = map(_read_connection, members_of(context, other))
            members += [(home, each) for each in rows if not vpn.connection_problem(each, home)]
    # What does not work now is in nobody's way.
    bad = vpn.sibling_problems(members)
    return [each for each in members if each[1].uuid not in (connection.uuid, *bad)]


def _read_connection(row: Row) -> nb.IPsecConnection:
    return _make_connection(row.uuid, read_columns(row))


def read_columns(row: Row) -> dict[str, Datum]:
    """Returns the columns of a row, by name."""
    return {name: row.datum(name) for name in row.table.columns if name != "_uuid"}


def _make_connection(uuid: str, columns: Mapping[str, Datum]) -> nb.IPsecConnection:
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
