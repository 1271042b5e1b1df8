"""Log files that nobody but their owner and their group may read.

A file that is there already with other rights is tightened.  loop.py calls
this for the daemons before a log file is opened, ctl/log.py for svcctl.
"""

from __future__ import annotations

import contextlib
import os
import stat

import ovs.vlog

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


def prepare_file(path: str) -> None:
    """Makes the log file 'path', or tightens the one that is there; raises OSError.

    What is no regular file, as /dev/stderr, keeps its rights.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
    try:
        status = os.fstat(descriptor)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISREG(status.st_mode) and mode & ~FILE_MODE:
            # A file of somebody else is that one's to tighten.
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, mode & FILE_MODE)
    finally:
        os.close(descriptor)


def prepare_directory(path: str) -> None:
    """Makes the directory 'path' if it is not there; raises OSError.

    One that is there is used for other things too, and stays as it is.
    """
    os.makedirs(path, mode=DIRECTORY_MODE, exist_ok=True)


def follow_reopening() -> None:
    """Makes 'vlog/reopen', which logrotate calls, prepare the new file as well."""
    ovs.vlog.Vlog.reopen_log_file = staticmethod(_reopen)


_reopen_unprepared = ovs.vlog.Vlog.reopen_log_file


def _reopen() -> None:
    path = ovs.vlog.Vlog._Vlog__log_file
    if path:
        prepare_file(path)
    _reopen_unprepared()
