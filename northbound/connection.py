"""A connection to SVC_Northbound, of one API object, and its events."""

from __future__ import annotations

import os
import time
from typing import Any

import ovs.poller
import ovs.stream
from ovs.db import idl
from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import connection, idlutils
from ovsdbapp.backend.ovs_idl import event as ovsdbapp_event

from ..lib import characters, dirs, schema
from ..lib.remotes import find_remote_problem
from ..lib.schema_request import SchemaRequest
from . import hiding
from .index import Index

ROW_DELETE = ovsdbapp_event.RowEvent.ROW_DELETE
_PROBE_MS = 5000


class NorthboundIdl(connection.OvsdbIdl):
    """python-ovs's replica, which tells 'notify_handler' of each change of a row.

    The rows that are there at the start are told as created, before the constructor
    of an API on it returns.
    """

    def __init__(self, remote: str, helper: Any, **options: Any) -> None:
        hiding.install()
        characters.install()
        super().__init__(remote, helper, **options)
        self.index = Index()
        self.notify_handler = ovsdbapp_event.RowEventHandler()

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        """Takes a change into the index, and hands it on."""
        self.index.note(row, updates, gone=event == ROW_DELETE)
        self.notify_handler.notify(event, row, updates)


def open_connection(
    remote: str | None,
    timeout: float,
    tls: tuple[str, str, str] | None,
    **options: Any,
) -> connection.Connection:
    """Returns a connection that is not started; raises OvsdbConnectionUnavailable in time."""
    remote = remote or os.environ.get("SVC_NB_DB") or dirs.NB_REMOTE
    problem = find_remote_problem(remote, has_keys=True)
    if problem is not None:
        raise _make_unavailable(problem)
    if tls is None and "ssl:" in remote:
        raise _make_unavailable(f"{remote}: a key and certificates are needed ('tls')")
    if tls is not None:
        _check_readable(tls)
        ovs.stream.Stream.ssl_set_private_key_file(tls[0])
        ovs.stream.Stream.ssl_set_certificate_file(tls[1])
        ovs.stream.Stream.ssl_set_ca_cert_file(tls[2])
    helper = idl.SchemaHelper(schema_json=_fetch_schema(remote, timeout))
    helper.register_all()
    # python-ovs asks no server at a unix socket for a sign of life, unless it is told to.
    options.setdefault("probe_interval", _PROBE_MS)
    return connection.Connection(NorthboundIdl(remote, helper, **options), timeout)


def _fetch_schema(remote: str, timeout: float) -> dict[str, Any]:
    """Returns the schema that the server has, which may be older or newer than ours."""
    deadline = time.monotonic() + timeout
    request = SchemaRequest(idlutils.parse_connection(remote), schema.NORTHBOUND, _PROBE_MS)
    while time.monotonic() < deadline:
        found = request.run()
        if found is not None:
            return found
        poller = ovs.poller.Poller()
        request.wait(poller)
        poller.timer_wait(max(1, int((deadline - time.monotonic()) * 1000)))
        poller.block()
    raise _make_unavailable(f"{remote} did not tell its schema within {timeout:g} s")


def _check_readable(files: tuple[str, ...]) -> None:
    """Raises OvsdbConnectionUnavailable for a file that cannot be read: nobody else says so."""
    for file in files:
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            raise _make_unavailable(f"{file}: {error.strerror}") from None


def _make_unavailable(reason: str) -> exceptions.OvsdbConnectionUnavailable:
    return exceptions.OvsdbConnectionUnavailable(db_schema=schema.NORTHBOUND, error=reason)
