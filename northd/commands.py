"""The runtime commands of svc-northd, named as ovn-northd's (ovs-appctl -t svc-northd ...)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..lib import sb
from ..lib.idl import Session
from ..lib.moment import format_time
from ..lib.unixctl import register_command
from .engine.engine import format_graph
from .northd import Northd
from .ovn.southbound import PortReplica


def register_commands(northd: Northd) -> None:
    """Registers the runtime commands, named as ovn-northd's."""

    def status(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        state = "paused" if northd.paused else "active" if northd.active else "standby"
        connection.reply(f"Status: {state}\n{_format_active(northd)}")

    def set_paused(connection: Any, _argv: Sequence[str], paused: bool) -> None:
        northd.set_paused(paused)
        connection.reply(None)

    def is_paused(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        connection.reply("true\n" if northd.paused else "false\n")

    def recompute(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        northd.recover()
        connection.reply(None)

    def show_stats(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        lines = [
            f"Node: {name}\n- compute: {each.compute}\n- changed: {each.changed}\n"
            f"- failed:  {each.failed}\n- total:   {each.total_ms:.1f} ms\n"
            f"- longest: {each.longest_ms:.1f} ms"
            for name, each in northd.engine.stats().items()
        ]
        connection.reply("\n".join(lines) + "\n")

    def show_graph(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        connection.reply(format_graph(northd.engine.nodes) + "\n")

    def check(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        differences = northd.engine.find_differences()
        if differences:
            connection.reply_error("computed otherwise from nothing: " + "; ".join(differences))
        else:
            connection.reply("the same\n")

    def connection_status(
        connection: Any, _argv: Sequence[str], session: Session | PortReplica
    ) -> None:
        connection.reply("connected\n" if session.connected else "not connected\n")

    register_command("status", status)
    register_command("pause", set_paused, True)
    register_command("resume", set_paused, False)
    register_command("is-paused", is_paused)
    register_command("inc-engine/recompute", recompute)
    register_command("inc-engine/show-stats", show_stats)
    register_command("inc-engine/show-graph", show_graph)
    register_command("inc-engine/check", check)
    for name, session in {**northd.sessions, "ovnsb": northd.ports}.items():
        register_command(f"{name}-connection-status", connection_status, session)


def _format_active(northd: Northd) -> str:
    """Returns lines on the svc-northd that was last seen active, and on what is in our way."""
    problem = northd.leadership.problem
    own = [f"Problem: {problem}"] if problem else []
    row = northd.leadership.find_leader()
    return "".join(f"{line}\n" for line in [*(_format_row(row) if row else []), *own])


def _format_row(row: sb.Northd) -> list[str]:
    lines = []
    if row.since:
        who = f"{row.hostname}, pid {row.pid}, incarnation {row.incarnation}"
        lines.append(f"Active: {who}, since {format_time(row.since)}")
    worked = format_time(row.worked_at) if row.worked_at else "never"
    lines.append(f"Last whole pass: {worked}")
    if row.problem:
        lines.append(f"Problem of the active one: {row.problem}")
    return lines
