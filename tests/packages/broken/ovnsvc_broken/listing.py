"""The command broken-list."""

from __future__ import annotations

from ovnsvc.services.api.commands import Run

from . import fail_at


def list_broken(run: Run) -> None:
    """List nothing."""
    fail_at("commands.list_broken")
