"""Logging, for the rare run that asks for it: python-ovs' vlog is loaded only then.

A change is told to syslog in any case, as ovn-nbctl does.  Nothing that is
logged holds a secret: callers pass what telling.format_words() returns.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from ..lib import dirs
from ..lib.errors import UsageError
from .options import GlobalOptions
from .site_packages import find_packages

_state: dict[str, Any] = {}

_DESTINATIONS = ("console", "syslog", "file")
# LOG_DAEMON | LOG_INFO of RFC 5424.
_PRIORITY = 30


def start(settings: GlobalOptions) -> None:
    """Sets up what -v and --log-file ask for; raises UsageError if that, or syslog's, is wrong."""
    _find_syslog_targets(settings)
    if not settings.log_levels and not settings.has("log-file"):
        return
    find_packages()
    import ovs.vlog

    from ..lib import log_files, log_pattern

    log_pattern.install()
    _state["vlog"] = ovs.vlog.Vlog("svcctl")
    for level in settings.log_levels:
        problem = _set_level(ovs.vlog.Vlog, level or "any:any:dbg")
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


def tell_syslog(settings: GlobalOptions, message: str) -> None:
    """Tells syslog that the database was changed; that it cannot be told stops nobody."""
    if settings.has("no-syslog"):
        return
    if settings.values.get("syslog-method") in (None, "libc"):
        import syslog

        syslog.openlog(settings.program, syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(syslog.LOG_INFO, message)
    targets = _find_syslog_targets(settings)
    for family, address, form in targets:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            try:
                sender.sendto(form(settings.program, message).encode(), address)
            except OSError as error:
                debug(f"syslog at {address}: {error}")


def _set_level(vlog: Any, level: str) -> str | None:
    """Does what one -v says, PATTERN as in the daemons of Open vSwitch; returns what is wrong."""
    kind, _, rest = level.partition(":")
    destination, _, pattern = rest.partition(":")
    if kind.lower() != "pattern":
        problem: str | None = vlog.set_levels_from_string(level)
        return problem
    if destination.lower() not in (*_DESTINATIONS, "any") or not pattern:
        return "not PATTERN:DESTINATION:PATTERN"
    for each in _DESTINATIONS if destination.lower() == "any" else (destination,):
        vlog.set_pattern(each, pattern)
    return None


def _find_syslog_targets(settings: GlobalOptions) -> list[Any]:
    """Returns whom to tell beside libc: family, address, and what makes a line."""
    method = settings.values.get("syslog-method") or "libc"
    server = settings.values.get("syslog-target")
    kind, _, rest = method.partition(":")
    found: list[Any] = []
    if kind == "unix" and rest:
        found.append((socket.AF_UNIX, rest, _format_local))
    elif kind == "udp" and rest:
        found.append((*_parse_address("--syslog-method", method, rest), _format_local))
    elif method not in ("libc", "null"):
        raise UsageError(f"--syslog-method={method}: not libc, null, unix:FILE or udp:IP:PORT")
    if server is not None:
        found.append((*_parse_address("--syslog-target", server, server), _format_remote))
    return found


def _parse_address(option: str, given: str, text: str) -> tuple[int, Any]:
    host, _, port = text.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )
    except (OSError, ValueError, UnicodeError):
        raise UsageError(f"{option}={given}: not IP:PORT") from None
    return found[0][0], found[0][4]


def _format_local(program: str, message: str) -> str:
    return f"<{_PRIORITY}>{program}[{os.getpid()}]: {message}"


def _format_remote(program: str, message: str) -> str:
    """Returns a line as RFC 5424 has it."""
    import time

    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return f"<{_PRIORITY}>1 {now} {socket.gethostname()} {program} {os.getpid()} - - {message}"
