"""get-, del-, set-connection and -ssl: where the database's server listens, and its keys."""

from __future__ import annotations

from ...lib.errors import UsageError
from ...lib.remotes import find_target_problem
from ..context import Context
from ..db.notation import parse_atom
from ..db.records import get_root


def get_connection(context: Context) -> None:
    """get-connection: prints where the database's server listens."""
    rows = context.replica.rows("Connection").values()
    context.lines.extend(sorted(row.text("target") for row in rows))


def delete_connection(context: Context) -> None:
    """del-connection: makes the database's server listen nowhere but at its own socket."""
    for row in list(context.replica.rows("Connection").values()):
        context.replica.delete(row)
    get_root(context.replica).set("connections", ())


def set_connection(context: Context) -> None:
    """set-connection TARGET..: sets where the database's server listens, as pssl:6651."""
    probe = context.options.get("inactivity-probe")
    base = context.replica.schema.tables["Connection"].columns["inactivity_probe"].key
    delete_connection(context)
    rows = []
    for target in dict.fromkeys(context.arguments):
        problem = find_target_problem(target)
        if problem is not None:
            raise UsageError(f"{target}: {problem}")
        row = context.replica.insert("Connection")
        row.set_atom("target", target)
        if probe is not None:
            number = parse_atom(probe, base, context.names.resolve)
            row.set_atom("inactivity_probe", number)
        rows.append(row.uuid)
    get_root(context.replica).set("connections", tuple(sorted(rows)))


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
