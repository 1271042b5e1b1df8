"""ike-policy-* and ipsec-policy-*: algorithms and lifetimes."""

from __future__ import annotations

from uuid import UUID

from ..lib import nb, vpn
from ..lib.addresses import quote
from ..lib.errors import UsageError
from .command import Context
from .conditions import parse_assignment
from .records import find_row
from .replica import Row
from .table import DefaultCell, Table
from .values import make_complaint, parse_datum

_IKE = ("IKE_Policy", "IKE policy", "ike_policy")
_IPSEC = ("IPsec_Policy", "IPsec policy", "ipsec_policy")
_SHARED_DEFAULTS = {
    "encryption_algorithm": vpn.DEFAULT_ENCRYPTION,
    "auth_algorithm": vpn.DEFAULT_INTEGRITY,
    "pfs": vpn.DEFAULT_PFS,
}
_DEFAULTS = {
    "IKE_Policy": {
        **_SHARED_DEFAULTS,
        "ike_version": vpn.DEFAULT_IKE_VERSION,
        "lifetime": str(vpn.DEFAULT_IKE_LIFETIME_S),
    },
    "IPsec_Policy": {
        **_SHARED_DEFAULTS,
        "transform_protocol": "esp",
        "encapsulation_mode": "tunnel",
        "esn": "false",
        "lifetime": str(vpn.DEFAULT_IPSEC_LIFETIME_S),
    },
}


def add_ike(context: Context) -> None:
    """ike-policy-add NAME [COLUMN=VALUE].."""
    row = _add(context, *_IKE[:2])
    if row is not None:
        _check(_make_ike(row))


def add_ipsec(context: Context) -> None:
    """ipsec-policy-add NAME [COLUMN=VALUE].."""
    row = _add(context, *_IPSEC[:2])
    if row is not None:
        _check(_make_ipsec(row))


def delete_ike(context: Context) -> None:
    """ike-policy-del NAME"""
    _delete(context, *_IKE)


def delete_ipsec(context: Context) -> None:
    """ipsec-policy-del NAME"""
    _delete(context, *_IPSEC)


def list_ike(context: Context) -> None:
    """ike-policy-list"""
    _list(context, _IKE[0])


def list_ipsec(context: Context) -> None:
    """ipsec-policy-list"""
    _list(context, _IPSEC[0])


def _add(context: Context, table: str, noun: str) -> Row | None:
    """Returns the new row, or None if it may exist and does as asked for."""
    name = context.arguments[0]
    schema = context.replica.schema.tables[table]
    columns = {}
    for text in context.arguments[1:]:
        place, value = parse_assignment(text, schema)
        if place.key is not None or place.column.name in ("name", "_uuid"):
            raise UsageError(f"{quote(name)}: {text}: not a column that can be set here")
        try:
            columns[place.column.name] = parse_datum(value, place.column, context.symbols.resolve)
        except UsageError as error:
            raise make_complaint(f"{quote(name)}: {place.column.name}", error) from None
    row = context.replica.find(table, "name", name)
    if row is None:
        row = context.replica.insert(table)
        row.set_atom("name", name)
        for column, datum in columns.items():
            row.set(column, datum)
        return row
    if not context.has("may-exist"):
        raise UsageError(f"{name}: an {noun} with this name already exists")
    for column, datum in columns.items():
        if row.datum(column) != datum:
            raise UsageError(
                f"{name}: an {noun} with this name already exists, with another {column}"
            )
    return None


def _delete(context: Context, table: str, noun: str, column: str) -> None:
    name = context.arguments[0]
    row = find_row(context.replica, table, name)
    if row is None:
        if context.has("if-exists"):
            return
        raise UsageError(f"{name}: {noun} not found")
    for connection in context.replica.rows("IPsec_Connection").values():
        if connection.find(column) == row.uuid:
            raise UsageError(f"{name}: used by connection {quote(connection.text('name'))}")
    context.replica.delete(row)


def _list(context: Context, table: str) -> None:
    columns = context.replica.schema.tables[table].columns
    names = ["name", *(each for each in columns if each not in ("name", "_uuid", "external_ids"))]
    context.table = Table(names, "table")
    rows = context.replica.rows(table).values()
    for row in sorted(rows, key=lambda each: each.text("name")):
        cells = ((row.datum(name), columns[name], _find_default(row, name)) for name in names)
        context.table.rows.append([DefaultCell(*cell) for cell in cells])


def _find_default(row: Row, column: str) -> str:
    """Returns what an unset column stands for; a cipher that authenticates has no algorithm."""
    encryption = row.text("encryption_algorithm") or vpn.DEFAULT_ENCRYPTION
    if column == "auth_algorithm" and row.table.name == _IPSEC[0] and vpn.is_aead(encryption):
        return ""
    return _DEFAULTS[row.table.name].get(column, "")


def _check(policy: nb.IKEPolicy | nb.IPsecPolicy) -> None:
    problem = vpn.policy_problem(policy)
    if problem is not None:
        raise UsageError(f"{quote(policy.name)}: {problem}")


def _make_ike(row: Row) -> nb.IKEPolicy:
    return nb.IKEPolicy(
        uuid=UUID(row.uuid),
        name=row.text("name"),
        ike_version=row.find("ike_version"),
        encryption_algorithm=row.find("encryption_algorithm"),
        auth_algorithm=row.find("auth_algorithm"),
        pfs=row.find("pfs"),
        lifetime=row.find("lifetime"),
    )


def _make_ipsec(row: Row) -> nb.IPsecPolicy:
    return nb.IPsecPolicy(
        uuid=UUID(row.uuid),
        name=row.text("name"),
        transform_protocol=row.find("transform_protocol"),
        encapsulation_mode=row.find("encapsulation_mode"),
        encryption_algorithm=row.find("encryption_algorithm"),
        auth_algorithm=row.find("auth_algorithm"),
        pfs=row.find("pfs"),
        esn=row.find("esn"),
        lifetime=row.find("lifetime"),
    )
