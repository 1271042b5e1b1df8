"""Keeps the characters of a stream whole, which python-ovs does not.

ovs.jsonrpc.Connection.recv() decodes what has arrived with a decoder of its own for each call.
Where the last byte that is there is not the last one of a character, the next call finds the rest
of it, takes that for no UTF-8, and drops the connection (3.1 and 4.0).  So whoever writes long
texts that are not ASCII would end the connection of everybody who monitors them, for as long as
they stand there.  'install' makes each stream give whole characters only; that of
TLS does by itself (tls_stream.py).
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


def find_end(text: bytes) -> int:
    """Returns where the last whole character of UTF-8 ends."""
    for back in range(1, min(4, len(text) + 1)):
        byte = text[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(text) - back if needed > back else len(text)
        if byte < 0x80:
            break
    return len(text)


def _receive_whole(stream: Any, most: int) -> tuple[int, Any]:
    error, data = _receive(stream, most)
    if error or not data:
        return error, data
    whole = getattr(stream, _HELD, b"") + data
    end = find_end(whole)
    setattr(stream, _HELD, whole[end:])
    return (0, whole[:end]) if end else (errno.EAGAIN, "")
