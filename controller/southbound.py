"""The session of a chassis with the southbound: its own rows."""

from __future__ import annotations

from ..lib import sb, schema
from ..lib.idl import Session
from .host import bindings
from .identity import Identity

# As ovn-controller's ovn-remote-probe-interval: a connection that is dead is found out within
# 10 s, and after that the southbound is tried every 2 s at least.
PROBE_INTERVAL_MS = 5000
MAX_BACKOFF_MS = 2000


def open_session(identity: Identity) -> Session:
    """Returns the session."""
    by_chassis = [["chassis", "==", identity.chassis]]
    conditions = {
        sb.Chassis.TABLE: [["name", "==", identity.chassis]],
        **{row_class.TABLE: by_chassis for row_class in bindings.ROW_CLASSES},
    }
    return Session(
        identity.remote,
        schema.SOUTHBOUND,
        (sb.SBGlobal, sb.Chassis, *bindings.ROW_CLASSES),
        schema=schema.load(schema.SOUTHBOUND),
        conditions=conditions,
        probe_interval_ms=PROBE_INTERVAL_MS,
        max_backoff_ms=MAX_BACKOFF_MS,
        # Who is refused is found by halves, and has a pause of its own.
        refused_backoff_ms=0,
    )
