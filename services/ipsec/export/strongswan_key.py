"""A pre-shared key as strongSwan's files take it: any bytes, in base64.  Pure."""

from __future__ import annotations

import base64


def format_key(psk: str) -> str:
    """Returns the key behind strongSwan's mark for base64."""
    return f"0s{base64.b64encode(psk.encode()).decode()}"
