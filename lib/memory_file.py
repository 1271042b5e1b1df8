"""Bytes under a name of a file, for libraries that read files only; no disk has them."""

from __future__ import annotations

import os
from types import TracebackType


class MemoryFile:
    """A file that is there within "with"; 'path' names it in this process only."""

    __slots__ = ("_file", "path")

    def __init__(self, content: bytes) -> None:
        self._file = os.memfd_create("ovnsvc", os.MFD_CLOEXEC)
        self.path = f"/proc/self/fd/{self._file}"
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.close(self._file)
            raise

    def __enter__(self) -> MemoryFile:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        os.close(self._file)
