"""The runtime commands of svc-controller (ovs-appctl -t svc-controller ...)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ovs.unixctl

from . import status
from .controller import Controller


def register(program: Controller) -> None:
    """Registers the commands; 'exit' is lib/loop.py's."""

    def offer(name: str, answer: Callable[[Controller], str]) -> None:
        def run(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
            connection.reply(answer(program))

        ovs.unixctl.command_register(name, "", 0, 0, run, None)

    offer("reconcile", _reconcile)
    offer("connection-status", _connection_status)
    offer("container/list", _list_containers)


def _reconcile(program: Controller) -> str:
    program.check_all()
    return ""


def _connection_status(program: Controller) -> str:
    if program.sb is not None and program.sb.synced and program.sb.connected:
        return "connected"
    return "not connected"


def _list_containers(program: Controller) -> str:
    return "\n".join(
        _format(name, report) for name, report in sorted(program.make_reports().items())
    )


def _format(name: str, report: status.Report) -> str:
    row = status.make_container_row(report, 0).columns
    port = "port up" if report.installed else "port down"
    return f"{name}: {row['status_code']}, {port} {row['status_message']}".rstrip()
