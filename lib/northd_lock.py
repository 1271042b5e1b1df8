"""The locks of the active svc-northd, and the mark of the southbound that it works for.

Who is active stands in table Northd of the southbound (northd/leader/claim.py).
"""

from __future__ import annotations

# Asked for in the southbound by every svc-northd; any client may steal it, so it decides nothing.
SOUTHBOUND_LOCK = "svc_northd"

# On the root row of a northbound: the UUID of the row in table Northd of the southbound
# that whoever holds, or held, the lock of that northbound works for.
SOUTHBOUND_KEY = "ovnsvc-southbound"


def make_northbound_lock(database: str) -> str:
    """Returns the lock of a northbound; a server has one name space for all of its databases."""
    return f"{SOUTHBOUND_LOCK}_{database}"
