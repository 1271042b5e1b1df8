"""Logging, for the rare run that asks for it: python-ovs' vlog is loaded only then.

A change is told to syslog in any case, as ovn-nbctl does.  Nothing that is
logged holds a secret: callers pass what Context.format_words() returns.
"""

from __future__ import annotations

import argparse
from typing import Any

from ..lib import dirs
from ..lib.errors import UsageError
from .options import Settings

_state: dict[str, Any] = {}


def start(settings: Settings) -> None:
    """Sets up what -v and --log-file ask for; raises UsageError if that is wrong."""
    if not settings.log_levels and not settings.has("log-file"):
        return
    import ovs.vlog

    arguments = [
        "--verbose" if each is None else f"--verbose={each}" for each in settings.log_levels
    ]
    if settings.has("log-file"):
        path = settings.values["log-file"] or f"{dirs.LOGDIR}/svcctl.log"
        _check_writable(path)
        arguments.append(f"--log-file={path}")
    parser = argparse.ArgumentParser(prog="svcctl", add_help=False)
    ovs.vlog.add_args(parser)
    _state["vlog"] = ovs.vlog.Vlog("svcctl")
    ovs.vlog.handle_args(parser.parse_args(arguments))


def debug(message: str) -> None:
    """Logs 'message' if somebody asked for it."""
    if "vlog" in _state:
        _state["vlog"].dbg(message)


def tell_syslog(message: str) -> None:
    """Tells syslog that the database was changed."""
    import syslog

    syslog.openlog("svcctl", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_INFO, message)


def _check_writable(path: str) -> None:
    try:
        with open(path, "a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UsageError(f"--log-file={path}: {error.strerror}") from None
