"""Files in which a daemon keeps what it has to know after a restart.

They lie in directories that are ours, so that whatever else stands in the place
of one gives way to it; and nothing in them is taken on trust.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from typing import Any

# Nothing is there, or a link, or a socket, or the path leads through a file.
_NOT_THERE = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR)


def read(path: str) -> bytes | None:
    """Returns what a plain file holds, None for everything else; raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def read_text(path: str) -> str | None:
    """Returns what a text in UTF-8 says, None for everything else; raises OSError."""
    content = read(path)
    try:
        return content.decode() if content is not None else None
    except UnicodeDecodeError:
        return None


def read_json(path: str) -> Any:
    """Returns the value of JSON text, None for everything else; raises OSError."""
    try:
        return json.loads(read_text(path) or "null", parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def write(path: str, content: bytes, mode: int = 0o600, owner: tuple[int, int] = (-1, -1)) -> None:
    """Puts a file with 'content' in place of what is there, at once; raises OSError.

    'owner' are uid and gid, -1 for our own.
    """
    new = f"{path}.new"
    _remove_directory(new)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)
    _remove_directory(path)
    os.replace(new, path)


def write_json(path: str, value: Any) -> None:
    """Puts 'value' in place of what is there, as write()."""
    write(path, json.dumps(value).encode())


def _remove_directory(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
