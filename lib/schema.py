"""The schemas of the two databases, in a checkout and in a wheel, and what an older one lacks."""

from __future__ import annotations

import json
import os
from typing import Any

NORTHBOUND = "SVC_Northbound"
SOUTHBOUND = "SVC_Southbound"

_FILES = {NORTHBOUND: "svc-nb.ovsschema", SOUTHBOUND: "svc-sb.ovsschema"}
# Not importlib.resources: its imports would be a tenth of a command's time.
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "schemas")


def find_path(database: str) -> str:
    """Returns the path of the schema file of 'database'."""
    return os.path.join(_FOLDER, _FILES[database])


def load(database: str) -> dict[str, Any]:
    """Returns the schema of 'database' as JSON (RFC 7047, section 3.2)."""
    with open(find_path(database), encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content


def describe_lack(database: str, remote: str, what: str) -> str:
    """Returns that 'what' ("COLUMN in TABLE") is not in the schema of a server, and what to do."""
    advice = ": convert it (svc-ctl restart_northd)" if database in _FILES else ""
    return f"the schema of {database} at {remote} has no {what}{advice}"
