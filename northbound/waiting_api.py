"""The API's methods that wait for svc-northd, and that watch rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..lib.sequence import has_reached
from .errors import NotFound
from .events import wait_for_rows

_CFG = {"sb": "sb_cfg", "hv": "hv_cfg"}


class WaitingApi:
    """A part of NorthboundApi; needs a NorthboundIdl, or another one with a 'notify_handler'."""

    tables: Any
    idl: Any
    ovsdb_connection: Any
    lookup: Any

    def watch_event(self, event: Any) -> None:
        """Has an ovsdbapp RowEvent told from this moment on."""
        self._get_handler().watch_event(event)

    def unwatch_event(self, event: Any) -> None:
        """Ends watch_event()."""
        self._get_handler().unwatch_event(event)

    def _get_handler(self) -> Any:
        handler = getattr(self.idl, "notify_handler", None)
        if handler is None:
            raise TypeError("the connection tells no events; connect() makes one that does")
        return handler

    def wait_for_cfg(self, number: int, wait: str = "hv", timeout: float = 60.0) -> None:
        """Waits until what was asked with 'number' (see nb_cfg_increment) is done.

        'wait' is "sb": svc-northd has compiled it; "hv": every chassis that is alive has
        realised it.  Raises WaitTimeout after 'timeout' seconds.
        """
        column = _CFG[wait]

        def read() -> int:
            rows = list(self.tables["SVC_Global"].rows.values())
            return max((getattr(row, column) for row in rows), default=0)

        wait_for_rows(
            self,
            "SVC_Global",
            lambda: True if has_reached(read(), number) else None,
            timeout,
            lambda: f"{column} is {read()}, not {number}",
        )

    def wait_for_status(
        self,
        vpn_name: str,
        conn_name: str | None = None,
        status: str | Iterable[str] = "up",
        timeout: float = 60.0,
    ) -> str:
        """Returns the status of a service, or of a connection of it, once it is one of 'status'.

        Raises WaitTimeout, with the status and its reason, after 'timeout' seconds.
        """
        wanted = {status} if isinstance(status, str) else set(status)
        table = "VPN_Service" if conn_name is None else "IPsec_Connection"
        record = vpn_name if conn_name is None else (vpn_name, conn_name)

        def read() -> tuple[str, str]:
            try:
                row = self.lookup(table, record)
            except NotFound as error:
                return "", str(error)
            return "".join(row.status), row.status_message

        def check() -> str | None:
            found = read()[0]
            return found if found in wanted else None

        def tell() -> str:
            name = vpn_name if conn_name is None else f"{vpn_name}/{conn_name}"
            found, reason = read()
            why = f" ({reason})" if reason else ""
            return (
                f"{name} is {found or 'without a status'}{why}, not {' or '.join(sorted(wanted))}"
            )

        return wait_for_rows(self, table, check, timeout, tell)
