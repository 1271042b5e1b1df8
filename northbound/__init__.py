"""An API of SVC_Northbound for programs, as ovsdbapp has one of OVN_Northbound.

A cloud management system installs the extra "api", which brings nothing that
only a chassis or central needs.  connect() returns a NorthboundApi.
"""

from __future__ import annotations

from typing import Any

from .api import NorthboundApi
from .connection import NorthboundIdl, open_connection
from .errors import NotFound, Refused, WaitTimeout
from .events import RowEvent, StatusEvent, WaitEvent

__all__ = [
    "NorthboundApi",
    "NorthboundIdl",
    "NotFound",
    "Refused",
    "RowEvent",
    "StatusEvent",
    "WaitEvent",
    "WaitTimeout",
    "connect",
]


def connect(
    remote: str | None = None,
    timeout: float = 60.0,
    tls: tuple[str, str, str] | None = None,
    **options: Any,
) -> NorthboundApi:
    """Returns an API with a connection of its own, once the rows have been read.

    'remote' is that of svcctl's --db, by default $SVC_NB_DB or the socket on this
    machine; 'tls' is (private key, certificate, CA certificate) as files, which
    python-ovs keeps for the whole process; 'timeout' is in seconds and holds for each
    transaction too; 'options' are those of ovs.db.idl.Idl, such as leader_only.
    Raises ovsdbapp's OvsdbConnectionUnavailable.
    """
    return NorthboundApi(open_connection(remote, timeout, tls, **options))
