"""ike-policy-* and ipsec-policy-*: algorithms and lifetimes."""

from __future__ import annotations

from collections.abc import Mapping

from ....lib.addresses import quote
from ....lib.errors import UsageError
from ...api.commands import Datum, Run, TableRow
from ...api.make_row import make_row
from .. import proposals, rules
from ..rows import IKEPolicy, IPsecPolicy
from .overview import CONNECTION, sort_by_name

_IKE = ("IKE_Policy", "IKE policy", "ike_policy")
_IPSEC = ("IPsec_Policy", "IPsec policy", "ipsec_policy")
_SHARED_DEFAULTS = {
    "encryption_algorithm": proposals.DEFAULT_ENCRYPTION,
    "auth_algorithm": proposals.DEFAULT_INTEGRITY,
}
_DEFAULTS = {
    "IKE_Policy": {
        **_SHARED_DEFAULTS,
        "pfs": proposals.DEFAULT_GROUP,
        "ike_version": proposals.DEFAULT_IKE_VERSION,
        "lifetime": str(rules.DEFAULT_IKE_LIFETIME_S),
    },
    "IPsec_Policy": {
        **_SHARED_DEFAULTS,
        "pfs": f"[{', '.join(proposals.DEFAULT_PFS)}]",
        "transform_protocol": "esp",
        "encapsulation_mode": "tunnel",
        "esn": "false",
        "lifetime": str(rules.DEFAULT_IPSEC_LIFETIME_S),
    },
}


def add_ike(run: Run) -> None:
    """ike-policy-add NAME [COLUMN=VALUE]..: adds a policy of IKE: algorithms, version, lifetime.

    COLUMN is one of these.  Of several values, as in pfs=group19,group14, those are offered that
    the peer may choose from; the default stands first.

      encryption_algorithm  aes-256, aes-192, aes-128, aes-256-gcm-16, aes-192-gcm-16,
                            aes-128-gcm-16, aes-256-ccm-16, aes-192-ccm-16, aes-128-ccm-16,
                            chacha20-poly1305
      auth_algorithm        sha256, sha384, sha512, aes-xcbc, aes-cmac
      pfs                   group14 to group21, group31, group32: of the key exchange
      ike_version           v2, v1
      lifetime              in seconds, 14400 if not set
    """
    row = _add(run, *_IKE[:2])
    if row is not None:
        _check(make_row(IKEPolicy, row.columns()))


def add_ipsec(run: Run) -> None:
    """ipsec-policy-add NAME [COLUMN=VALUE]..: adds a policy of ESP: algorithms, lifetimes.

    COLUMN is one of these.  Of several values, as in pfs=group19,none, those are offered that
    the peer may choose from; the default stands first.

      encryption_algorithm  aes-256, aes-192, aes-128, aes-256-gcm-16, aes-192-gcm-16,
                            aes-128-gcm-16, aes-256-ccm-16, aes-192-ccm-16, aes-128-ccm-16,
                            chacha20-poly1305
      auth_algorithm        sha256, sha384, sha512, aes-xcbc, aes-cmac
      pfs                   group14 to group21, group31, group32, none (default: group14,none)
      esn                   false, true: extended sequence numbers
      lifetime              in seconds, 3600 if not set
      lifetime_bytes        in bytes, no limit if not set
      transform_protocol    esp
      encapsulation_mode    tunnel
    """
    row = _add(run, *_IPSEC[:2])
    if row is not None:
        _check(make_row(IPsecPolicy, row.columns()))


def delete_ike(run: Run) -> None:
    """ike-policy-del NAME: removes a policy that no connection uses."""
    _delete(run, *_IKE)


def delete_ipsec(run: Run) -> None:
    """ipsec-policy-del NAME: removes a policy that no connection uses."""
    _delete(run, *_IPSEC)


def list_ike(run: Run) -> None:
    """ike-policy-list: lists the policies of IKE, with what unset columns stand for."""
    _list(run, _IKE[0])


def list_ipsec(run: Run) -> None:
    """ipsec-policy-list: lists the policies of ESP, with what unset columns stand for."""
    _list(run, _IPSEC[0])


def find_policies(
    run: Run, connection: Mapping[str, Datum]
) -> tuple[IKEPolicy | None, IPsecPolicy | None]:
    """Returns the policies that the columns of a connection name."""
    ike, ipsec = find_policy_rows(run, connection)
    return (
        make_row(IKEPolicy, ike.columns(), ike.uuid) if ike else None,
        make_row(IPsecPolicy, ipsec.columns(), ipsec.uuid) if ipsec else None,
    )


def find_policy_rows(run: Run, connection: Mapping[str, Datum]) -> tuple[TableRow | None, ...]:
    """Returns the rows of the policies that the columns of a connection name."""
    found = []
    for table, _, column in (_IKE, _IPSEC):
        name = "".join(map(str, connection.get(column, ())))
        found.append(run.get(table, name))
    return tuple(found)


def _add(run: Run, table: str, noun: str) -> TableRow | None:
    """Returns the new row, or None if it may exist and does as asked for."""
    name = run.arguments[0]
    columns: dict[str, Datum] = {}
    for text in run.arguments[1:]:
        try:
            column, datum = run.parse_assignment(table, text)
        except UsageError as error:
            raise UsageError(f"{quote(name)}: {error}") from None
        if column == "name":
            raise UsageError(f"{quote(name)}: {text}: not a column that can be set here")
        columns[column] = datum
    row = run.find(table, "name", name)
    if row is None:
        row = run.insert(table)
        row.set_atom("name", name)
        for column, datum in columns.items():
            row.set(column, datum)
        return row
    if not run.has("may-exist"):
        raise UsageError(f"{name}: an {noun} with this name already exists")
    for column, datum in columns.items():
        if row.datum(column) != datum:
            raise UsageError(
                f"{name}: an {noun} with this name already exists, with another {column}"
            )
    return None


def _delete(run: Run, table: str, noun: str, column: str) -> None:
    name = run.arguments[0]
    row = run.find_row(table, name)
    if row is None:
        if run.has("if-exists"):
            return
        raise UsageError(f"{name}: {noun} not found")
    for connection in run.find_all(CONNECTION, column, row.uuid):
        raise UsageError(f"{name}: used by connection {quote(connection.text('name'))}")
    run.delete(row)


def _list(run: Run, table: str) -> None:
    columns = run.list_columns(table)
    names = ["name", *(each for each in columns if each not in ("name", "external_ids"))]
    output = run.start_table(names)
    for row in sort_by_name(run, table):
        output.add_columns(row, names, _find_defaults(table, row))


def _find_defaults(table: str, row: TableRow) -> dict[str, str]:
    """Returns what unset columns stand for; a cipher that authenticates has no algorithm."""
    defaults = dict(_DEFAULTS[table])
    if table == _IPSEC[0] and proposals.has_only_aead(row.strings("encryption_algorithm")):
        del defaults["auth_algorithm"]
    return defaults


def _check(policy: IKEPolicy | IPsecPolicy) -> None:
    problem = rules.policy_problem(policy)
    if problem is not None:
        raise UsageError(f"{quote(policy.name)}: {problem}")
