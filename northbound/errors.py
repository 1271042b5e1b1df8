"""What programs that use the API have to expect."""

from __future__ import annotations

from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import idlutils


class Refused(RuntimeError):
    """What was asked for cannot be, for the reason in the text; nothing was written."""


class NotFound(Refused, idlutils.RowNotFound):
    """There is no such row, or there are several of the name; an idlutils.RowNotFound too."""

    def __init__(self, reason: str) -> None:
        RuntimeError.__init__(self, reason)
        self.msg = reason


class WaitTimeout(exceptions.TimeoutException):
    """What was waited for did not come in time; the text says how it stands."""

    def __init__(self, reason: str) -> None:
        RuntimeError.__init__(self, reason)
        self.msg = reason
