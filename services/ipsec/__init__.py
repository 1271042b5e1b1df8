"""The service type 'ipsec': a site-to-site VPN gateway on an OVN router, by strongSwan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..api import API

if TYPE_CHECKING:
    from ..api.commands import Commands
    from ..api.compile import CompileHalf
    from ..api.host import HostHalf


class IpsecType:
    """A services.api ServiceType; each half is imported when it is asked for."""

    api = API

    def compile_half(self) -> CompileHalf:
        from .compile.half import HALF

        return HALF

    def host_half(self) -> HostHalf:
        from .host import IpsecHost

        return IpsecHost()

    def commands(self) -> Commands:
        from .commands import COMMANDS

        return COMMANDS


TYPE = IpsecType()
