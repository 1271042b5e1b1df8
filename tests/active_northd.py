"""Something that has the row and the lock of an active svc-northd and says that it works."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from ..lib import schema
from ..lib.idl import Session
from ..lib.northd_lock import SOUTHBOUND_KEY, make_northbound_lock
from ..services.ipsec.rows import VPNService
from .ovsdb import Databases, wait_until
from .svcctl import WHEN_MS, Svcctl, add_router

PSK = "--psk=secret"
MINUTE_MS = 60_000


def now_ms() -> int:
    return int(time.time() * 1000)


def make_vpn(databases: Databases, svcctl: Svcctl) -> Svcctl:
    """A VPN service that is up, with a connection, and two chassis that are alive."""
    add_router(databases, "tenant-router")
    for name in ("hv1", "hv2"):
        databases.sb.insert("Chassis", name=name, hostname=f"{name}.cloud", service_types="ipsec")
        databases.sb.insert("Chassis_Weight", chassis=name, alive=True, since=WHEN_MS)
    svcctl.good("init")
    svcctl.good("vpn-add", "mercury", "tenant-router", "1.0.0.100", "192.168.1.0/24")
    assert svcctl("conn-add", "mercury", "to-venus", "1.0.0.3", "10.2.0.0/16", PSK).status == 0
    for table in ("VPN_Service", "IPsec_Connection"):
        databases.nb.update(table, [], status="up", status_message="1 of 1 tunnels up")
    return svcctl


class Active:
    """Something that leads as a svc-northd does, and has said that it works."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._session = self._hold()
        row = {"incarnation": "1", "hostname": "c1", "pid": 7, "since": WHEN_MS, "patience": 2000}
        uuid = databases.sb.insert("Northd", **row)
        databases.nb.update("SVC_Global", [], external_ids=["map", [[SOUTHBOUND_KEY, uuid]]])
        wait_until(partial(_has_lock, self._session), "the lock")
        self.work()

    def work(self, **columns: Any) -> None:
        """Says that a pass ended at this moment, or what 'columns' say."""
        self._databases.sb.update("Northd", [], **{"worked_at": now_ms(), **columns})

    def lead_again(self) -> None:
        """Takes the lock again, which went with the northbound."""
        self._session.close()
        self._session = self._hold()
        wait_until(partial(_has_lock, self._session), "the lock again")
        self.work()

    def _hold(self) -> Session:
        name = schema.NORTHBOUND
        lock = make_northbound_lock(name)
        known = schema.load(name)
        return Session(self._databases.nb.remote, name, (VPNService,), schema=known, lock=lock)

    def end(self) -> None:
        """Ends as one that is killed: the row stays as it is."""
        self._session.close()


def _has_lock(session: Session) -> bool:
    session.run()
    return session.has_lock
