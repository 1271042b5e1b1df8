"""Logs of programs that outlive their container: where they are, and how many.

They are in a directory beside the logs in use, so that none is taken for the mark of a
container that is to be removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import time

import ovs.vlog

from ...lib.log_files import DIRECTORY_MODE, prepare_directory

vlog = ovs.vlog.Vlog("past_logs")

MOST_FILES = 200
MOST_BYTES = 64 << 20
_NAME = "past"
_LOG = ".log"
# What logrotate adds to a name; a container may be called as another one's log is.
_OLDER = re.compile(r"(\.\d{1,3}|-\d{8}(-\d+)?)?(\.gz)?")


def find_root(log_root: str) -> str:
    """Returns the directory of the logs of containers that are gone."""
    return os.path.join(log_root, _NAME)


def keep(log_path: str) -> None:
    """Moves a log, and what logrotate made of it before, to where it stays.

    What cannot be moved is removed: nothing of a container is to be left in its place.
    """
    log_root, name = os.path.split(log_path)
    moved = []
    for path in _find_files(log_root, name):
        # A second of the same name in one second takes the place of the first.
        container, rest = name.removesuffix(_LOG), path[len(log_path) :]
        try:
            if os.path.getsize(path):
                stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(os.path.getmtime(path)))
                target = os.path.join(_prepare(log_root), f"{container}-{stamp}{_LOG}{rest}")
                os.rename(path, target)
                moved.append(target)
                continue
        except OSError as error:
            vlog.warn(f"{path} cannot be kept: {error}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    if moved:
        vlog.info(f"{name.removesuffix(_LOG)}: the log of its programs is kept as {moved[0]}")
        bound(log_root)


def empty(log_path: str) -> None:
    """Empties a log that is in use, and keeps what was in it."""
    log_root, name = os.path.split(log_path)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        target = os.path.join(_prepare(log_root), f"{name.removesuffix(_LOG)}-{stamp}{_LOG}")
        shutil.copyfile(log_path, target, follow_symlinks=False)
        os.chmod(target, stat.S_IMODE(os.stat(log_path).st_mode))
    except OSError as error:
        vlog.warn(f"{log_path} is emptied, and what was in it cannot be kept: {error}")
    os.truncate(log_path, 0)
    bound(log_root)


def bound(log_root: str) -> None:
    """Removes the oldest of the logs that are kept, where they are too many or too large."""
    found = []
    with contextlib.suppress(OSError), os.scandir(find_root(log_root)) as entries:
        for each in entries:
            if each.is_file(follow_symlinks=False):
                found.append((each.stat(follow_symlinks=False), each.path))
    total = 0
    found.sort(key=lambda pair: (-pair[0].st_mtime_ns, pair[1]))
    for number, (status, path) in enumerate(found):
        total += status.st_size
        # The last one stays whatever its size, which is bounded while it is in use.
        if number and (number >= MOST_FILES or total > MOST_BYTES):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _prepare(log_root: str) -> str:
    """Makes the directory; raises OSError if something else is in its place."""
    path = find_root(log_root)
    prepare_directory(path)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(20, "no directory", path)
    if stat.S_IMODE(os.stat(path).st_mode) & ~DIRECTORY_MODE:
        os.chmod(path, DIRECTORY_MODE)
    return path


def _find_files(log_root: str, name: str) -> list[str]:
    """Returns the log of this name and its older parts (NAME.1, NAME.2.gz, NAME-20261127)."""
    found = []
    with contextlib.suppress(OSError), os.scandir(log_root) as entries:
        for each in entries:
            rest = each.name[len(name) :]
            mine = each.name.startswith(name) and _OLDER.fullmatch(rest) is not None
            if mine and each.is_file(follow_symlinks=False):
                found.append(each.path)
    return sorted(found)
