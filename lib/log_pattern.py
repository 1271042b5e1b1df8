"""Lines of the log as Open vSwitch's daemons write them, by the same patterns (vlog_format()).

python-ovs puts spaces around each field, pads numbers with spaces, and writes 20 ms
as ``20.``, so that nothing that reads the lines of ovs-vswitchd reads them.
'install' has its vlog build them here.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import ovs.util
import ovs.vlog

# A conversion as lib/vlog.c reads it: flags, width, what it is and the format of a time.
_CONVERSION = re.compile(r"%(-?)(0?)([0-9]*)(?:([dD])\{([^}]*)\}|(.))", re.DOTALL)
_DEFAULT_TIME = "%Y-%m-%d %H:%M:%S.###"
_STARTED_NS = time.monotonic_ns()
# Severities of RFC 5424, of facility 'daemon'.
_FACILITY = 3 * 8
_SEVERITIES = {"EMER": 1, "ERR": 3, "WARN": 4, "INFO": 6, "DBG": 7}


def install() -> None:
    """Makes python-ovs build its lines so; may be called again."""

    def build(module: Any, message: str, destination: str, level: str, number: int) -> str:
        pattern = ovs.vlog.Vlog._Vlog__log_patterns[destination]
        return format_line(pattern, message, module.name, level.upper(), number, time.time_ns())

    ovs.vlog.Vlog._build_message = build


def format_line(
    pattern: str, message: str, module: str, level: str, number: int, now_ns: int
) -> str:
    """Returns the line by 'pattern'; 'now_ns' is the wall clock, 'number' counts messages."""
    fields: dict[str, Callable[[], str]] = {
        "A": lambda: str(ovs.util.PROGRAM_NAME),
        "B": lambda: str(_FACILITY + _SEVERITIES.get(level, 7)),
        "c": lambda: module,
        "E": socket.gethostname,
        "m": lambda: _fit(message),
        "N": lambda: str(number),
        "n": lambda: "\n",
        "p": lambda: level,
        "P": lambda: str(os.getpid()),
        "r": lambda: str((time.monotonic_ns() - _STARTED_NS) // 1_000_000),
        "t": lambda: _find_thread() or "main",
        "T": lambda: f"({thread})" if (thread := _find_thread()) else "",
        "d": lambda: format_time(_DEFAULT_TIME, now_ns, utc=False),
        "D": lambda: format_time(_DEFAULT_TIME, now_ns, utc=True),
        "%": lambda: "%",
    }

    def convert(found: re.Match[str]) -> str:
        left, zero, width, clock, form, letter = found.groups()
        if clock:
            text = format_time(form or _DEFAULT_TIME, now_ns, utc=clock == "D")
        else:
            text = fields[letter]() if letter in fields else letter
        if left:
            return text.ljust(int(width or 0))
        return text.rjust(int(width or 0), zero or " ")

    return _CONVERSION.sub(convert, pattern)


def escape(text: str) -> str:
    """Returns 'text', which others may have written, as it can stand in one line of a log."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _fit(message: str) -> str:
    """Returns a message, parts of which others may have written, as none can pass for another one.

    Lines after the first, such as a trace, are indented.
    """
    return "\n    ".join(map(escape, message.split("\n")))


def format_time(form: str, now_ns: int, *, utc: bool) -> str:
    """Returns a time by strftime()'s 'form', in which '#' stand for digits of the ms."""
    moment = time.gmtime(now_ns // 10**9) if utc else time.localtime(now_ns // 10**9)
    digits = f"{now_ns // 10**6 % 1000:03d}"
    return re.sub("#+", lambda found: digits[: len(found[0])], time.strftime(form, moment))


def _find_thread() -> str:
    """Returns the name of this thread, "" for the main one."""
    thread = threading.current_thread()
    return "" if thread is threading.main_thread() else thread.name
