"""The service type 'echo': a TCP echo server on an OVN router, as a package of its own.

It shows what a type outside the tree needs: this object, found by an entry
point, and three halves that are imported when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ovnsvc.services.api import API

if TYPE_CHECKING:
    from ovnsvc.services.api.commands import Commands
    from ovnsvc.services.api.compile import CompileHalf
    from ovnsvc.services.api.host import HostHalf


class EchoType:
    """A services.api ServiceType."""

    api = API

    def compile_half(self) -> CompileHalf:
        from .compile import HALF

        return HALF

    def host_half(self) -> HostHalf:
        from .host import HALF

        return HALF

    def commands(self) -> Commands:
        from .commands import COMMANDS

        return COMMANDS


TYPE = EchoType()
