"""The commands half."""

from __future__ import annotations

from collections.abc import Sequence

from ovnsvc.services.api.commands import Command, Commands, Run, StatusLines

from . import fail_at


class BrokenCommands(Commands):
    """A services.api Commands."""

    package = "ovnsvc_broken"
    sections = (("Broken", (Command("broken-list", "", "listing.list_broken", ""),)),)

    def show(self, run: Run, name: str | None) -> Sequence[str]:
        fail_at("commands.show")
        return ()

    def tell_status(self, run: Run) -> StatusLines:
        fail_at("commands.tell_status")
        return StatusLines()


COMMANDS = BrokenCommands()
