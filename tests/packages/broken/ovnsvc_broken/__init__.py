"""The service type 'broken': it fails in the methods that a file names, one a line.

The file is 'methods' beside this one, and is read at each call.  A method is
HALF.NAME, such as host.plan or service.run; of the type itself only NAME.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ovnsvc.services.api import API

METHODS = Path(__file__).with_name("methods")


def fail_at(method: str) -> None:
    """Raises if 'method' is one of those that are to fail."""
    try:
        named = METHODS.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return
    if method in named:
        raise RuntimeError(f"{method} fails")


class BrokenType:
    """A services.api ServiceType."""

    @property
    def api(self) -> int:
        fail_at("api")
        return API

    def compile_half(self) -> Any:
        fail_at("compile_half")
        from .compile import HALF

        return HALF

    def host_half(self) -> Any:
        fail_at("host_half")
        from .host import HALF

        return HALF

    def commands(self) -> Any:
        fail_at("commands")
        from .commands import COMMANDS

        return COMMANDS


TYPE = BrokenType()
