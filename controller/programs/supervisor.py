"""Keeps the programs of a container running, for a type that only says what they are."""

from __future__ import annotations

from ...services.api.host import Sandbox, Service


class Supervisor(Service):
    """The service of a type that is no ServiceMaker."""

    def __init__(self, sandbox: Sandbox, restarts: int) -> None:
        self._sandbox = sandbox
