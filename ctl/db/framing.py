"""Where JSON messages end in what a connection brings, found in time that grows with it alone.

To try to parse whenever a piece has come would read a long reply over and over.
"""

from __future__ import annotations

import json
from typing import Any


class Framing:
    """The messages of one connection, from the pieces in which they come."""

    __slots__ = ("_depth", "_escape", "_is_quoted", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._depth = 0
        self._is_quoted = False
        self._escape = b""

    def feed(self, piece: bytes) -> list[Any]:
        """Returns the messages that are whole with 'piece'; raises ValueError if it is no JSON."""
        self._pieces.append(piece)
        self._count(piece)
        if self._depth > 0 or self._is_quoted:
            return []
        text = b"".join(self._pieces).decode()
        self._pieces.clear()
        messages = []
        decode = json.JSONDecoder().raw_decode
        while text := text.lstrip():
            message, end = decode(text)
            messages.append(message)
            text = text[end:]
        return messages

    def _count(self, piece: bytes) -> None:
        """Counts the braces that are open, those within strings left out."""
        whole = self._escape + piece
        ends = len(whole) - len(whole.rstrip(b"\\"))
        # A backslash whose character is still to come.
        self._escape = b"\\" if ends % 2 else b""
        if self._escape:
            whole = whole[:-1]
        parts = whole.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[1 if self._is_quoted else 0 :: 2])
        self._is_quoted ^= len(parts) % 2 == 0
        self._depth += outside.count(b"{") - outside.count(b"}")
