"""Options: those of svcctl itself, and those of a command, as getopt_long() takes them.

A long option may be shortened to a unique prefix, its argument may follow "="
or be the next word.  The first command's own options may stand among the
global ones, as with ovn-nbctl; a command's options may also follow its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..lib import dirs
from ..lib.errors import UsageError
from ..lib.schema import SOUTHBOUND
from .db.replica import Places
from .db.table import DATA_FORMATS, FORMATS
from .tool import Tool

# '=' after a name: an argument is required; '[=' : it may be given.
GLOBAL = (
    ("db=", "", "DATABASE", "connect to DATABASE (default: $SVC_NB_DB, or the local socket)"),
    ("sb-db=", "", "DATABASE", "the southbound (default: $SVC_SB_DB, or the local socket)"),
    ("ovn-db=", "", "DATABASE", "OVN's northbound (default: $OVN_NB_DB, or the local socket)"),
    ("no-check", "", "", "take routers, chassis and ports at their word, do not look them up"),
    ("no-wait", "", "", "do not wait (the default)"),
    ("wait=", "", "none|sb|hv", "wait for the southbound, or for all chassis, to have the change"),
    ("print-wait-time", "", "", "print how long that took"),
    ("timeout=", "t", "SECS", "end after SECS seconds, with exit status 142"),
    ("dry-run", "", "", "do everything but change the database"),
    ("oneline", "", "", "print one line of output for each command"),
    ("leader-only", "", "", "use only the leader of a cluster (the default)"),
    ("no-leader-only", "", "", "use any member of a cluster"),
    ("shuffle-remotes", "", "", "try the servers in random order (the default)"),
    ("no-shuffle-remotes", "", "", "try the servers in the given order"),
    ("show-secrets", "", "", "show secrets, as in list, find and get"),
    ("format=", "f", "|".join(FORMATS), "how tables are printed"),
    ("data=", "d", "|".join(DATA_FORMATS), "how the cells of tables are printed"),
    ("no-headings", "", "", "leave out the headings of tables"),
    ("wide", "", "", "print each row of a table on one line, however wide"),
    ("max-column-width=", "", "N", "cut the columns of tables to N characters"),
    ("pretty", "", "", "break JSON into lines"),
    ("bare", "", "", 'as "--format=list --data=bare --no-headings"'),
    ("private-key=", "p", "FILE", "private key, for ssl:"),
    ("certificate=", "c", "FILE", "certificate of the private key"),
    ("ca-cert=", "C", "FILE|none", "certificate of the peer's CA; none: believe any peer"),
    ("bootstrap-ca-cert=", "", "FILE", "as --ca-cert; made from what the server sends, if need be"),
    ("ssl-protocols=", "", "LIST", "versions of TLS to speak, as TLSv1.2,TLSv1.3"),
    ("ssl-ciphers=", "", "LIST", "ciphers to allow"),
    ("verbose[=", "v[", "SPEC", "log to the console, as every OVS program"),
    ("log-file[=", "", "FILE", "log to FILE (default: svcctl.log among the logs)"),
    ("no-syslog", "", "", "do not tell syslog about changes"),
    ("syslog-method=", "", "libc|null|unix:FILE|udp:IP:PORT", "how syslog is told"),
    ("syslog-target=", "", "IP:PORT", "tell the syslog server there as well, by UDP"),
    ("detach", "", "", "run commands for others, in the background; tells $SVC_NB_DAEMON"),
    ("unixctl=", "u", "SOCKET", "where a daemon listens, or is asked (default: $SVC_NB_DAEMON)"),
    ("pidfile[=", "", "FILE", "of the daemon (default: svcctl.pid among those of ovnsvc)"),
    ("overwrite-pidfile", "", "", "start the daemon though the pid file is in use"),
    ("no-chdir", "", "", "let the daemon stay in this directory"),
    ("monitor", "", "", "start the daemon again if it dies"),
    ("commands", "", "", "list the commands, for completion"),
    ("options", "", "", "list the options, for completion"),
    ("help", "h", "", "print this help"),
    ("version", "V", "", "print the version"),
)


DAEMON_OPTIONS = (*("detach", "unixctl", "pidfile", "overwrite-pidfile", "no-chdir", "monitor"),)
_WAIT_PROBLEM = 'argument to --wait must be "none", "sb", or "hv"'


class GlobalOptions:
    """What the global options say; 'stage' is what the run is at, for when its time is up.

    'places' are what a daemon knows of where rows are that its command is about.
    """

    def __init__(self) -> None:
        environment = os.environ.get
        self.db = environment("SVC_NB_DB") or dirs.NB_REMOTE
        self.sb_db = environment("SVC_SB_DB") or dirs.SB_REMOTE
        self.ovn_db = environment("OVN_NB_DB") or dirs.OVN_NB_REMOTE
        self.values: dict[str, str | None] = {}
        self.wait = "none"
        self.timeout_s = 0
        self.format: str | None = None
        self.data = "string"
        self.headings = True
        self.widest_column: int | None = None
        self.log_levels: list[str | None] = []
        self.stage = "reaching the database"
        self.program = "svcctl"
        self.places: Places = {}

    def serve(self, tool: Tool) -> None:
        """Makes them those of 'tool'; raises UsageError if one makes no sense with that."""
        for name in tool.refused:
            if self.has(name):
                raise UsageError(f"unrecognized option '--{name}'")
        self.program = tool.name
        if tool.database == SOUTHBOUND and not self.has("db"):
            self.db = self.sb_db

    def has(self, name: str) -> bool:
        """Returns whether option 'name' was given."""
        return name in self.values

    def apply(self, name: str, value: str | None) -> None:
        """Takes note of one option; raises UsageError if its argument is wrong."""
        text = value or ""
        if name in ("db", "sb-db", "ovn-db"):
            setattr(self, name.replace("-", "_"), text)
        elif name == "wait":
            self.wait = _choose(text, ("none", "sb", "hv"), _WAIT_PROBLEM)
        elif name == "no-wait":
            self.wait = "none"
        elif name == "timeout":
            self.timeout_s = _parse_timeout(text)
        elif name == "verbose":
            self.log_levels.append(value)
        else:
            self._apply_style(name, text)
        self.values.pop(name[3:] if name.startswith("no-") else f"no-{name}", None)
        self.values[name] = value

    def _apply_style(self, name: str, text: str) -> None:
        if name == "format":
            self.format = _choose(text, FORMATS, f'unknown output format "{text}"')
        elif name == "data":
            self.data = _choose(text, DATA_FORMATS, f'unknown data format "{text}"')
        elif name == "bare":
            self.format, self.data, self.headings = "list", "bare", False
        elif name == "no-headings":
            self.headings = False
        elif name == "max-column-width":
            self.widest_column = _parse_width(text)


def parse(
    argv: Sequence[str], find_options: Callable[[str], Iterable[str]]
) -> tuple[GlobalOptions, list[str], list[str]]:
    """Returns the settings, the first command's options, and the words from its name on.

    'find_options' returns the options of commands that a word may stand for;
    whether the first command takes what it was given is found out by
    parse_commands().
    """
    settings = GlobalOptions()
    own = [name for name, *_ in GLOBAL]
    shorts = {short[0]: name for name, short, *_ in GLOBAL if short}
    taken = {name.rstrip("[=") for name in own}
    early: list[str] = []
    position = 0
    while position < len(argv):
        word = argv[position]
        if word == "--":
            position += 1
            break
        if not word.startswith("-") or word == "-":
            break
        if word.startswith("--"):
            others: Iterable[str] = ()
            if word[2:].partition("=")[0] not in taken:
                others = (name for name in find_options(word) if name.rstrip("=") not in taken)
            spec, value, position = take_long(argv, position, [*own, *others])
            if spec in own:
                settings.apply(spec.rstrip("[="), value)
            else:
                early.append(f"--{spec.rstrip('=')}" + ("" if value is None else f"={value}"))
        else:
            position = _take_short(argv, position, shorts, settings)
    return settings, early, list(argv[position:])


def is_global(word: str) -> bool:
    """Returns whether 'word' is an option of svcctl itself, "-f" or "--format"."""
    return any(
        word == f"--{name.rstrip('[=')}" or (short and word == f"-{short[0]}")
        for name, short, *_ in GLOBAL
    )


def take_long(
    words: Sequence[str], position: int, specs: Iterable[str]
) -> tuple[str, str | None, int]:
    """Returns the option at 'position', its argument if it has one, and the next position."""
    given, equals, value = words[position][2:].partition("=")
    found = [spec for spec in specs if spec.rstrip("[=") == given]
    if not found:
        found = [spec for spec in specs if given and spec.startswith(given)]
    if not found:
        raise UsageError(f"unrecognized option '--{given}'")
    if len(found) > 1:
        possible = " ".join(f"'--{spec.rstrip('[=')}'" for spec in found)
        raise UsageError(f"option '--{given}' is ambiguous; possibilities: {possible}")
    spec = found[0]
    if not spec.endswith("="):
        if equals:
            raise UsageError(f"option '{words[position]}' doesn't allow an argument")
        return spec, None, position + 1
    if equals:
        return spec, value, position + 1
    if spec.endswith("[="):
        return spec, None, position + 1
    if position + 1 == len(words):
        raise UsageError(f"option '--{spec.rstrip('=')}' requires an argument")
    return spec, words[position + 1], position + 2


def _take_short(
    argv: Sequence[str], position: int, shorts: Mapping[str, str], settings: GlobalOptions
) -> int:
    letters = argv[position][1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in shorts:
            raise UsageError(f"unrecognized option '{letter}'")
        spec = shorts[letter]
        name = spec.rstrip("[=")
        if not spec.endswith("="):
            settings.apply(name, None)
        elif letters or spec.endswith("[="):
            settings.apply(name, letters or None)
            letters = ""
        elif position + 1 == len(argv):
            raise UsageError(f"option requires an argument -- '{letter}'")
        else:
            settings.apply(name, argv[position + 1])
            return position + 2
    return position + 1


def _choose(value: str, choices: Iterable[str], problem: str) -> str:
    if value not in choices:
        raise UsageError(problem)
    return value


def _parse_width(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise UsageError(f"value {text} on --max-column-width is invalid")
    return int(text) or None


def _parse_timeout(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise UsageError(f"value {text} on -t or --timeout is invalid")
    return int(text)
