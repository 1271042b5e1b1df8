"""The commands half."""

from __future__ import annotations

from ovnsvc.services.api.commands import Command, Commands


class EchoCommands(Commands):
    """A services.api Commands."""

    package = "ovnsvc_echo"
    sections = (
        ("Echo servers", (Command("echo-list", "", "listing.list_servers", "Service_Container"),)),
    )


COMMANDS = EchoCommands()
