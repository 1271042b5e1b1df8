"""Runtime commands of a daemon (ovs-appctl -t DAEMON COMMAND) that cannot end it.

Each daemon registers its commands here and not at python-ovs, which lets an
exception of a command through to the daemon's loop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import ovs.unixctl
import ovs.vlog

from . import coverage

vlog = ovs.vlog.Vlog("unixctl")

# Called with the connection to be answered, the arguments, and what was registered with it.
Command = Callable[[Any, Sequence[str], Any], None]


def register_command(name: str, run: Command, aux: Any = None, *, arguments: str = "") -> None:
    """Registers the command 'name'; 'arguments' says in usage syntax which it may have.

    Each argument is a word; one in brackets may be missing, and ".." at the end
    stands for any number.  What 'run' raises is logged and is the answer.  It
    takes the place of a command of this name that python-ovs has.
    """
    words = arguments.replace(" | ", "|").split()
    least = sum(not word.startswith("[") for word in words)
    most = sys.maxsize if arguments.endswith("..") else len(words)
    ovs.unixctl.commands.pop(name, None)
    ovs.unixctl.command_register(name, arguments, least, most, _Guarded(name, run), aux)


def list_commands(connection: Any, argv: Sequence[str], aux: Any) -> None:
    """Answers with all commands, by the name that this has in Open vSwitch's own daemons."""
    ovs.unixctl.commands["help"].callback(connection, argv, aux)


def guard_registered() -> None:
    """Guards the commands that python-ovs registered by itself, as vlog/set."""
    for name, command in ovs.unixctl.commands.items():
        if not isinstance(command.callback, _Guarded):
            command.callback = _Guarded(name, command.callback)


class _Guarded:
    """A command whose exceptions are answers."""

    def __init__(self, name: str, run: Command) -> None:
        self._name = name
        self._run = run

    def __call__(self, connection: Any, argv: Sequence[str], aux: Any) -> None:
        coverage.count("unixctl_received")
        try:
            self._run(connection, argv, aux)
        except Exception as error:  # a command must not end the daemon that it asks
            vlog.exception(f"the command {self._name} failed")
            # One that was answered before it failed waits for no answer.
            if connection._request_id is not None:
                connection.reply_error(f"{self._name}: {error!r}")
