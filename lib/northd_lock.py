"""By which locks the active svc-northd is known, to those that stand by and to svcctl alike."""

from __future__ import annotations

# Held in the southbound by the svc-northd that is active.
SOUTHBOUND_LOCK = "svc_northd"

# On the root row of a northbound: the UUID of the row in table Northd of the southbound
# that whoever holds, or held, the lock of that northbound works for.
SOUTHBOUND_KEY = "ovnsvc-southbound"


def make_northbound_lock(database: str) -> str:
    """Returns the lock of a northbound; a server has one name space for all of its databases."""
    return f"{SOUTHBOUND_LOCK}_{database}"
