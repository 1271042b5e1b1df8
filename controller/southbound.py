"""The session of a chassis with the southbound: its own rows, and the lock on its name."""

from __future__ import annotations

from collections.abc import Iterable

from ..lib import sb, schema
from ..lib.idl import Session
from ..lib.rows import Row
from . import status
from .identity import Identity

# As ovn-controller's ovn-remote-probe-interval: a connection that is dead is found out within
# 10 s, and after that the southbound is tried every 2 s at least.
PROBE_INTERVAL_MS = 5000
MAX_BACKOFF_MS = 2000


def open_session(identity: Identity, owned: Iterable[type[Row]]) -> Session:
    """Returns the session; 'owned' are the tables that service types write."""
    owned = tuple(owned)
    by_name = [["name", "==", identity.chassis]]
    by_chassis = [["chassis", "==", identity.chassis]]
    conditions = {
        sb.Chassis.TABLE: by_name,
        sb.ChassisPrivate.TABLE: by_name,
        sb.PortBinding.TABLE: by_chassis,
        sb.ContainerBinding.TABLE: by_chassis,
        **{row_class.TABLE: by_chassis for row_class in owned},
    }
    return Session(
        identity.remote,
        schema.SOUTHBOUND,
        (sb.SBGlobal, *status.KEYS, *owned),
        schema=schema.load(schema.SOUTHBOUND),
        conditions=conditions,
        lock=f"svc_chassis_{identity.chassis}",
        probe_interval_ms=PROBE_INTERVAL_MS,
        max_backoff_ms=MAX_BACKOFF_MS,
    )
