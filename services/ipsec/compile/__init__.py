"""The compile half of 'ipsec': VPN services and connections to the containers of routers.

    VPN_Service ──> home (its router) ──> units: a router is one container
         │            │
         v            v
    IPsec_Connection: checked by itself and with its router
                      │
                      v
    gateway.py   all of a router: who contends, what runs on as it was, the container
                      │
                      v
    status.py    the status of services and connections

A row with a problem harms only itself: what runs goes on with its last good
configuration, and the row says so.  Of two rows that cannot stand beside each
other the one that is served keeps, and else the first by name.
"""

from .half import HALF

__all__ = ["HALF"]
