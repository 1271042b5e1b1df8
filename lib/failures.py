"""Unexpected failures of a daemon's passes, told without flooding the log; for loop.py."""

from __future__ import annotations

import traceback

import ovs.vlog

vlog = ovs.vlog.Vlog("failures")

# What they say was written by somebody, or names kinds of objects and files.
_WITHOUT_VALUES = (AssertionError, OSError, RuntimeError, TypeError)


def describe(error: BaseException) -> str:
    """Returns what kind an unexpected error is, and its text or else where it happened.

    The text of most errors quotes the value that it happened with, which may be a secret.
    """
    if isinstance(error, _WITHOUT_VALUES):
        return repr(error)
    where = _find_place(error)
    return f"{type(error).__name__} in {where}" if where else type(error).__name__


def format_trace(error: BaseException) -> str:
    """Returns the traceback of an unexpected error, what describe() says, and its notes."""
    notes: list[str] = getattr(error, "__notes__", [])
    told = "".join(traceback.format_tb(error.__traceback__)) + describe(error)
    return "\n".join((told, *notes))


def _find_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


class Failures:
    """Tells an unexpected failure with its traceback once, and then how often it came again."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0

    def note(self, error: Exception) -> None:
        """Logs 'error', which is being handled."""
        trace = format_trace(error)
        last, self._last = self._last, trace
        self._count = self._count + 1 if self._last == last else 1
        if self._count == 1:
            vlog.err(f"unexpected failure; computing everything again\n{trace}")
        elif self._count & (self._count - 1) == 0:
            vlog.err(f"the same failure {self._count} times: {describe(error)}")
