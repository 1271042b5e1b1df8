"""Reads a file that somebody else named, such as one of keys: whatever the name is of.

No name can make it wait, as that of a FIFO would, read without end, or do what opening
a device does.
"""

from __future__ import annotations

import os
import stat

MOST_BYTES = 1 << 20


def read_small_file(path: str, most: int = MOST_BYTES) -> bytes:
    """Returns what a plain file has; raises OSError with the reason as its 'strerror'."""
    try:
        # This opens nothing but the name.
        name = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (ValueError, UnicodeError):
        raise OSError(0, "no file can have that name") from None
    try:
        if not stat.S_ISREG(os.fstat(name).st_mode):
            raise OSError(0, "it is not a plain file")
        with open(f"/proc/self/fd/{name}", "rb", buffering=0) as file:
            return _read(file.fileno(), most)
    finally:
        os.close(name)


def _read(file: int, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := os.read(file, most + 1 - size):
        parts.append(part)
        size += len(part)
        if size > most:
            raise OSError(0, f"it has more than {most} bytes")
    return b"".join(parts)
