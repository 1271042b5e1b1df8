"""svcctl, and svc-sbctl: the options, the run, the output, one line for whatever is wrong.

The import of a module is a good part of a short program's time, so this file
imports little, and each command's file is imported only when it is called.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from ..lib.errors import ConfigError, UsageError
from .command_line import parse_commands
from .command_table import CommandTable
from .context import Context
from .db.replica import Places
from .options import GlobalOptions, parse
from .tool import SVCCTL, Tool


def main(argv: Sequence[str] | None = None, tool: Tool = SVCCTL) -> int:
    """Runs 'tool' with the words in 'argv' and returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    return _guard(tool, lambda: _run([*_find_options(tool), *words], CommandTable(tool)))


def serve(words: Sequence[str], table: CommandTable, places: Places) -> int:
    """As main(), for one command line that a daemon was given; 'places' are as Replica has them."""
    return _guard(table.tool, lambda: _run(words, table, places))


def prepare(words: Sequence[str], table: CommandTable) -> None:
    """Connects to the database for a command that comes later, as the options in 'words' say."""
    from . import context

    settings, _, _ = parse(words, table.find_options)
    settings.serve(table.tool)
    context.prepare(settings, settings.db, table.tool.database)


def _guard(tool: Tool, run: Callable[[], int]) -> int:
    try:
        return run()
    except (UsageError, ConfigError) as error:
        return _fail(tool, str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has enough of it; Python must not say so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(words: Sequence[str], table: CommandTable, places: Places | None = None) -> int:
    """Runs a command line here, or has the daemon do it that the options or SVC_NB_DAEMON name.

    A daemon is who has 'places'.
    """
    is_served = places is not None
    check_words(words)
    tool = table.tool
    settings, early, rest = parse(words, table.find_options)
    settings.serve(tool)
    if settings.has("detach"):
        return _detach(settings, table, [*early, *rest], is_served)
    named = settings.values.get("unixctl")
    daemon = named or (tool.typed and os.environ.get("SVC_NB_DAEMON"))
    if daemon and not is_served:
        from .client import ask

        return ask(daemon, words, "" if named else "; unset SVC_NB_DAEMON")
    text = _find_text(settings, table, rest)
    if text is not None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return 0
    contexts = parse_commands(table, early, rest)
    settings.places = places or {}
    from . import log

    log.start(settings)
    from .run import run

    _start_timer(tool, settings)
    try:
        wait_time = run(settings, table, contexts, tool.database)
    finally:
        if settings.timeout_s:
            signal.alarm(0)
    _print(tool, settings, contexts, wait_time)
    return max(context.exit_status for context in contexts)


def check_words(words: Sequence[str]) -> None:
    """Raises UsageError if a word is none that a database could have."""
    for word in words:
        if "\0" in word or any("\ud800" <= character <= "\udfff" for character in word):
            raise UsageError(f"argument {word!a} is not valid UTF-8")


def _detach(
    settings: GlobalOptions, table: CommandTable, words: Sequence[str], is_served: bool
) -> int:
    if is_served:
        raise UsageError("--detach is not for a daemon to do; unset SVC_NB_DAEMON")
    if words:
        raise UsageError("non-option arguments not supported with --detach (use --help for help)")
    from .site_packages import find_packages

    find_packages()
    try:
        from .daemon import detach
    except ModuleNotFoundError as error:
        raise UsageError(f"--detach needs the package {error.name}, which is not here") from None

    return detach(settings, table)


def _find_options(tool: Tool) -> list[str]:
    """Returns the words in SVCCTL_OPTIONS, or svc-sbctl's own, as a shell splits them."""
    name = f"{tool.name.upper().replace('-', '_')}_OPTIONS"
    text = os.environ.get(name, "")
    if not text.strip():
        return []
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _find_text(settings: GlobalOptions, table: CommandTable, words: Sequence[str]) -> str | None:
    """Returns what an option asks for that needs no database."""
    asked = [name for name in ("help", "version", "commands", "options") if settings.has(name)]
    of_command = words[:1] if words[1:2] in (["--help"], ["-h"]) else []
    if words[:1] == ["help"] and len(words) < 3:
        asked, of_command = asked or ["help"], of_command or words[1:]
    if not asked and not of_command:
        return None
    from . import help as texts

    if of_command:
        told = texts.format_command(table, of_command[0])
        if told is None:
            raise UsageError(f"unknown command '{of_command[0]}'; use --help for help")
        return told
    text: str = getattr(texts, f"format_{asked[0]}")(table)
    for problem in table.types.problems:
        _say(table.tool, f"warning: {problem}")
    return text


def _start_timer(tool: Tool, settings: GlobalOptions) -> None:
    """Ends the process by SIGALRM, as OVS does, when the time of --timeout is up."""
    if not settings.timeout_s:
        return

    def expire(number: int, _frame: object) -> None:
        text = f"timed out after {settings.timeout_s} s while {settings.stage}"
        os.write(2, _make_line(tool, text).encode())
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGALRM, expire)
    signal.alarm(settings.timeout_s)


def _print(
    tool: Tool, settings: GlobalOptions, contexts: Sequence[Context], wait_time: str
) -> None:
    text = format_output(settings, contexts)
    for context in contexts:
        for warning in context.warnings:
            _say(tool, f"warning: {warning}")
    sys.stdout.write(text + wait_time)
    sys.stdout.flush()


def format_output(settings: GlobalOptions, contexts: Sequence[Context]) -> str:
    """Returns what commands that ran print."""
    from .db.table import Style, format_table
    from .db.values import escape

    parts = []
    is_first = True
    for context in contexts:
        if context.table is not None:
            table_format = settings.format or context.table.format
            pretty = settings.has("pretty")
            style = Style(
                table_format, settings.data, settings.headings, pretty, settings.widest_column
            )
            text = format_table(context.table, style)
            parts.append(text if is_first or table_format == "json" else f"\n{text}")
            is_first = False
        elif settings.has("oneline"):
            text = "\n".join(map(escape, context.lines))
            parts.append(text.replace("\\", "\\\\").replace("\n", "\\n") + "\n")
        else:
            parts += [f"{escape(line)}\n" for line in context.lines]
    return "".join(parts)


def _fail(tool: Tool, message: str) -> int:
    _say(tool, message)
    return 1


def _say(tool: Tool, message: str) -> None:
    sys.stderr.write(_make_line(tool, message))


def _make_line(tool: Tool, message: str) -> str:
    """Returns one line, whatever characters are in 'message'."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in message)
    return f"{tool.name}: {line}\n"


if __name__ == "__main__":
    sys.exit(main())
