"""Keeps the characters of a stream whole, which python-ovs does not.

ovs.jsonrpc.Connection.recv() decodes what has arrived with a decoder of its own for each call.
Where the last byte that is there is not the last one of a character, the next call finds the rest
of it, takes that for no UTF-8, and drops the connection (3.1 and 4.0).  So whoever writes long
texts that are not ASCII would end the connection of everybody who monitors them, for as long as
they stand there.  'install' makes each stream give whole characters only.
"""

from __future__ import annotations

import errno
from typing import Any

import ovs.stream

_receive = ovs.stream.Stream._recv
_HELD = "_bytes_of_a_character"


def install() -> None:
    """Makes the streams of python-ovs give whole characters; may be called again."""
    ovs.stream.Stream._recv = _receive_whole


def count_cut(data: bytes) -> int:
    """Returns how many bytes at the end of 'data' are the beginning of a character in UTF-8."""
    for count, byte in enumerate(reversed(data[-3:]), 1):
        if byte >= 0xC0:
            return count if count < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4) else 0
        if byte < 0x80:
            break
    return 0


def _receive_whole(stream: Any, most: int) -> tuple[int, Any]:
    error, data = _receive(stream, most)
    if error or not data:
        return error, data
    whole = getattr(stream, _HELD, b"") + data
    end = len(whole) - count_cut(whole)
    setattr(stream, _HELD, whole[end:])
    return (0, whole[:end]) if end else (errno.EAGAIN, "")
