"""Which file systems that ovnsvc writes to are full."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

# Less than that is none: a log, a record and a database want to be written.  How much it is would
# be another sentence at each look.
_LEAST_BYTES = 1 << 20
_INTERVAL_MS = 10_000


class Disks:
    """Looks at the file systems of some directories, now and then."""

    def __init__(self, directories: Iterable[str]) -> None:
        self._directories = tuple(directories)
        self._look_at_ms = 0
        self._found: tuple[str, ...] = ()

    def find_full(self, now_ms: int) -> tuple[str, ...]:
        """Returns a sentence on each file system that is full, as seen within the last 10 s."""
        if now_ms >= self._look_at_ms:
            self._look_at_ms = now_ms + _INTERVAL_MS
            self._found = tuple(sorted(set(_look(self._directories))))
        return self._found


def _look(directories: Iterable[str]) -> Iterator[str]:
    for directory in directories:
        with contextlib.suppress(OSError):  # it is not there yet
            found = os.statvfs(directory)
            free = found.f_bavail * found.f_frsize
            if free < _LEAST_BYTES:
                yield f"file system {_find_mount(directory)} is full (less than 1 MB left)"
            elif found.f_files and not found.f_favail:
                yield f"file system {_find_mount(directory)} has no inodes left"


def _find_mount(path: str) -> str:
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path
