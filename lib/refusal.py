"""Why a server of OVSDB refused an operation, in words (RFC 7047, 3.1 and 5.2).

Without dataclasses, which take svcctl a good part of its start to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What ovsdb-server says when its file cannot be written; the cause stands in its own log only.
_UNWRITTEN = "I/O error"
# What it says to a client whose role does not permit an operation (ovsdb-server(7), 4.1).
_FORBIDDEN = "permission error"


def describe_refusal(error: Mapping[str, Any]) -> str:
    """Returns what stands in place of the result of an operation, for people."""
    kind, details = str(error.get("error", "")), error.get("details")
    words = f"{kind}: {details}" if details else kind
    if kind == _UNWRITTEN:
        return f"{words}; the file system of the database may be full, its server's log says more"
    return words


def is_forbidden(words: str) -> bool:
    """Returns whether 'words', of describe_refusal(), say that the client may not write that."""
    return words.startswith(_FORBIDDEN)


class Refusals:
    """What was refused last, by the kind of what was sent; the same is news only once."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def note(self, kind: str, words: str) -> bool:
        """Takes why something was refused, "" if it was not; returns whether that is to be told."""
        before, self.words[kind] = self.words.get(kind, ""), words
        return bool(words) and words != before
