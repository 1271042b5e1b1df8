"""What programs that use the API have to expect."""

from __future__ import annotations

from typing import Any

from ovsdbapp import exceptions
from ovsdbapp.backend.ovs_idl import idlutils

from ..lib.schema import NORTHBOUND, describe_lack


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


def make_lack(idl: Any, what: str) -> Refused:
    """Returns that 'what' ("COLUMN in TABLE") is not in the schema of the server of an Idl."""
    return Refused(describe_lack(NORTHBOUND, idl._session.get_name(), what))
