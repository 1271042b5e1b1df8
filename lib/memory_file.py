"""Bytes under a name of a file, for libraries that read files only; no disk has them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def name_bytes(content: bytes) -> Iterator[str]:
    """Returns the path of a file that has 'content', within "with" and for this process only."""
    with open(os.memfd_create("ovnsvc", os.MFD_CLOEXEC), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
