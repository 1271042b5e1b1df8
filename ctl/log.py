"""Logging, for the rare run that asks for it: python-ovs' vlog is loaded only then.

A change is told to syslog in any case, as ovn-nbctl does.  Nothing that is
logged holds a secret: callers pass what telling.format_words() returns.
"""

from __future__ import annotations

from typing import Any

from ..lib import dirs
from ..lib.errors import UsageError
from .options import GlobalOptions

_state: dict[str, Any] = {}


def start(settings: GlobalOptions) -> None:
    """Sets up what -v and --log-file ask for; raises UsageError if that is wrong."""
    if not settings.log_levels and not settings.has("log-file"):
        return
    import ovs.vlog

    from ..lib import log_files

    _state["vlog"] = ovs.vlog.Vlog("svcctl")
    for level in settings.log_levels:
        problem = ovs.vlog.Vlog.set_levels_from_string(level or "any:any:dbg")
        if problem:
            raise UsageError(f"--verbose={level}: {problem}")
    path = None
    if settings.has("log-file"):
        path = settings.values["log-file"] or f"{dirs.LOGDIR}/svcctl.log"
        try:
            log_files.prepare_file(path)
        except OSError as error:
            raise UsageError(f"--log-file={path}: {error.strerror}") from None
    ovs.vlog.Vlog.init(path)


def debug(message: str) -> None:
    """Logs 'message' if somebody asked for it."""
    if "vlog" in _state:
        _state["vlog"].dbg(message)


def tell_syslog(program: str, message: str) -> None:
    """Tells syslog that the database was changed."""
    import syslog

    syslog.openlog(program, syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_INFO, message)
