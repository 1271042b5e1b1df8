"""What a chassis says of a tunnel while nothing is known of it but what is waited for.

A chassis writes it, svc-northd tells it from a cause.
"""

from __future__ import annotations

INSTALLATION = "waiting for OVN to install the port on this chassis"
_CONNECTING = "connecting to "
_PASSING = (_CONNECTING, "waiting for ")


def format_connecting(peer: str) -> str:
    """Returns that a tunnel was begun and nothing was heard yet."""
    return f"{_CONNECTING}{peer}"


def format_initiation(peer: str) -> str:
    """Returns that a tunnel is begun by the peer only."""
    return f"waiting for {peer} to initiate"


def is_passing(message: str) -> bool:
    """Returns whether a message on a tunnel says no cause, of whichever release."""
    return message == "" or (message.startswith(_PASSING) and "; " not in message)
