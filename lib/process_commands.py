"""The runtime commands that each daemon has, whatever it does: those of every daemon of OVS.

loop.py registers them.  What python-ovs has of its own is replaced where it
answers otherwise than Open vSwitch's daemons: vlog/set with a mistake in its
argument succeeded, and a pattern lost its colons.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ovs.util
import ovs.vlog

from . import coverage, stopwatch
from .unixctl import list_commands, register_command
from .version import VERSION

Count = Callable[[], Mapping[str, int]]

_COUNTS: list[Count] = []
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def register_first() -> None:
    """Registers what python-ovs would register otherwise; before it does."""
    register_command("version", _tell_version)
    register_command("list-commands", list_commands)


def register() -> None:
    """Registers the others."""
    register_command("vlog/set", _set_levels, arguments="{spec | PATTERN:destination:pattern}..")
    register_command("vlog/list-pattern", _list_patterns)
    register_command("vlog/reopen", _reopen_log)
    register_command("memory/show", _show_memory)
    register_command("coverage/show", _show_coverage)
    register_command("coverage/read-counter", _read_counter, arguments="COUNTER")
    register_command("stopwatch/show", _show_stopwatches, arguments="[NAME]")
    register_command("stopwatch/reset", _reset_stopwatches, arguments="[NAME]")


def report_memory(count: Count) -> None:
    """Has memory/show tell what 'count' returns: how many there are of what takes memory."""
    _COUNTS.append(count)


def find_resident_kb(pid: int | None = None) -> int:
    """Returns how much memory of the machine this process has, or the one of 'pid'."""
    with open(f"/proc/{pid or 'self'}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_KB


def set_levels(text: str) -> str | None:
    """Does what an argument of vlog/set asks for; returns what is wrong with it."""
    first, _, rest = text.partition(":")
    if first.lower() != "pattern":
        words = text.replace(":", " ").split()
        if not words or ("FACILITY" in words[:1] and len(words) != 2):
            return f'"{text}" says no destination, level or module'
        problem: str | None = ovs.vlog.Vlog.set_levels_from_string(text)
        return problem
    destination, _, pattern = rest.partition(":")
    if destination.lower() not in ovs.vlog.DESTINATIONS:
        return f"destination {destination} does not exist"
    if not pattern:
        return "missing pattern"
    ovs.vlog.Vlog.set_pattern(destination, pattern)
    return None


def _tell_version(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
    connection.reply(f"{ovs.util.PROGRAM_NAME} (ovnsvc) {VERSION}")


def _set_levels(connection: Any, argv: Sequence[str], _aux: Any) -> None:
    for each in argv:
        problem = set_levels(each)
        if problem is not None:
            connection.reply_error(problem)
            return
    connection.reply(None)


def _list_patterns(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
    lines = ["         format", "         ------"]
    lines += [f"{name.upper():<8} {text}" for name, text in sorted(ovs.vlog.PATTERNS.items())]
    connection.reply("\n".join(lines))


def _reopen_log(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
    if ovs.vlog.Vlog._Vlog__log_file:
        ovs.vlog.Vlog.reopen_log_file()
        connection.reply(None)
    else:
        connection.reply_error("Logging to file not configured")


def _show_memory(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
    counts = {"resident-kB": find_resident_kb()}
    for count in _COUNTS:
        counts |= count()
    connection.reply(" ".join(f"{name}:{number}" for name, number in sorted(counts.items())))


def _show_coverage(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
    connection.reply(coverage.format_events())


def _read_counter(connection: Any, argv: Sequence[str], _aux: Any) -> None:
    total = coverage.find_total(argv[0])
    if total is None:
        connection.reply_error("No such counter")
    else:
        connection.reply(str(total))


def _show_stopwatches(connection: Any, argv: Sequence[str], _aux: Any) -> None:
    text = stopwatch.format_statistics(*argv)
    if text is None:
        connection.reply_error("No such stopwatch")
    else:
        connection.reply(text)


def _reset_stopwatches(connection: Any, argv: Sequence[str], _aux: Any) -> None:
    if stopwatch.reset(*argv):
        connection.reply(None)
    else:
        connection.reply_error("No such stopwatch")
