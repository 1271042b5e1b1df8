"""get-, del-, set-connection and -ssl: where the database's server listens, and its keys."""

from __future__ import annotations

from collections.abc import Sequence

from ...lib.errors import UsageError
from ...lib.exposure import describe_reader, find_exposures
from ...lib.remotes import find_target_problem
from ...lib.schema import SOUTHBOUND
from ..context import Context
from ..db.notation import parse_atom
from ..db.records import get_root
from ..db.row import Row
from ..db.values import Atom


def get_connection(context: Context) -> None:
    """get-connection: prints where the database's server listens."""
    rows = context.replica.rows("Connection").values()
    has_roles = context.replica.schema.name == SOUTHBOUND
    context.lines.extend(sorted(_describe(row, has_roles) for row in rows))


def _describe(row: Row, has_roles: bool) -> str:
    """Returns a row as ovn-sbctl prints it, or as ovn-nbctl, which knows none, without a role."""
    target, role = row.text("target"), row.text("role") if row.has("role") else ""
    access = "read-only" if row.has("read_only") and row.find("read_only") else "read-write"
    if role or has_roles:
        return f'{access} role="{role}" {target}'
    return target if access == "read-write" else f"{access} {target}"


def delete_connection(context: Context) -> None:
    """del-connection: makes the database's server listen nowhere but at its own socket."""
    for row in list(context.replica.rows("Connection").values()):
        context.replica.delete(row)
    get_root(context.replica).set("connections", ())


def set_connection(context: Context) -> None:
    """set-connection TARGET..: sets where the database's server listens, as pssl:6651.

    The words read-only, read-write and role=ROLE, as ovn-sbctl has them, are of the
    targets that follow.
    """
    probe = context.options.get("inactivity-probe")
    base = context.replica.schema.tables["Connection"].columns["inactivity_probe"].key
    delete_connection(context)
    rows = {}
    for target, words in _parse_targets(context.arguments).items():
        row = context.replica.insert("Connection")
        row.set_atom("target", target)
        for column, value in words.items():
            if column == "role" and not row.has(column):
                raise UsageError(f"{target}: {context.replica.schema.name} has no roles")
            row.set_atom(column, value)
        if words.get("read_only") and row.has("role") and not words.get("role"):
            context.warnings.append(describe_reader(context.replica.schema.name, target))
        if probe is not None:
            number = parse_atom(probe, base, context.names.resolve)
            row.set_atom("inactivity_probe", number)
        rows[target] = row
    get_root(context.replica).set("connections", tuple(sorted(row.uuid for row in rows.values())))
    set_now = [
        (target, row.text("role") if row.has("role") else "") for target, row in rows.items()
    ]
    context.warnings.extend(find_exposures(context.replica.schema.name, set_now))


def _parse_targets(words: Sequence[str]) -> dict[str, dict[str, Atom]]:
    """Returns each target with the columns that stand before it."""
    found: dict[str, dict[str, Atom]] = {}
    columns: dict[str, Atom] = {}
    for word in words:
        if word in ("read-only", "read-write"):
            columns = {**columns, "read_only": word == "read-only"}
        elif word.startswith("role="):
            columns = {**columns, "role": word.removeprefix("role=")}
        else:
            problem = find_target_problem(word)
            if problem is not None:
                raise UsageError(f"{word}: {problem}")
            found[word] = columns
    if not found or words[-1] not in found:
        raise UsageError(f"{words[-1]}: a target must follow")
    return found


def get_ssl(context: Context) -> None:
    """get-ssl: prints the files of the database's server for TLS."""
    for row in context.replica.rows("SSL").values():
        context.lines += [
            f"Private key: {row.text('private_key')}",
            f"Certificate: {row.text('certificate')}",
            f"CA Certificate: {row.text('ca_cert')}",
            f"Bootstrap: {'true' if row.find('bootstrap_ca_cert') else 'false'}",
        ]


def delete_ssl(context: Context) -> None:
    """del-ssl: removes the configuration of TLS."""
    for row in list(context.replica.rows("SSL").values()):
        context.replica.delete(row)
    get_root(context.replica).set("ssl", ())


def set_ssl(context: Context) -> None:
    """set-ssl PRIVATE-KEY CERTIFICATE CA-CERT [SSL-PROTOS] [SSL-CIPHERS]: sets TLS up.

    The files are the server's.  With --bootstrap it makes CA-CERT of what the first
    client sends.
    """
    delete_ssl(context)
    row = context.replica.insert("SSL")
    columns = ("private_key", "certificate", "ca_cert", "ssl_protocols", "ssl_ciphers")
    for column, text in zip(columns, context.arguments, strict=False):
        row.set_atom(column, text)
    row.set_atom("bootstrap_ca_cert", context.has("bootstrap"))
    get_root(context.replica).set("ssl", (row.uuid,))
