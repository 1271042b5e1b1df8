"""Exceptions, by who must act on them.

Whoever catches one knows from its class where the message belongs: at the
command line, on a row, nowhere (retry), or with the owner of the host.
"""

from __future__ import annotations


class UsageError(Exception):
    """The person at the command line must act: one line on stderr, exit 1."""


class ConfigError(Exception):
    """The owner of a database row must act: the message goes onto the row."""


class TransientError(Exception):
    """Nobody must act: the operation is retried after 'delay_ms'."""

    def __init__(self, message: str, delay_ms: int = 1000) -> None:
        super().__init__(message)
        self.delay_ms = delay_ms


class HostError(Exception):
    """The owner of the host must act: a program, a module or a right is missing."""
