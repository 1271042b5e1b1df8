"""Finds the router that somebody named."""

from __future__ import annotations

from uuid import UUID

from .compile import ROUTER, ROUTERS_BY_NAME
from .node import Read


def find_routers(read: Read, name: str) -> list[UUID]:
    """Returns the routers that 'name' stands for: the one with that UUID, or those named so."""
    try:
        uuid = UUID(name)
    except ValueError:
        return sorted(read(ROUTERS_BY_NAME, name) or ())
    if str(uuid) == name and read(ROUTER, uuid) is not None:
        return [uuid]
    return sorted(read(ROUTERS_BY_NAME, name) or ())
