"""The runtime commands of svc-northd, named as ovn-northd's (ovs-appctl -t svc-northd ...)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import ovs.unixctl

from ..lib.idl import Session
from .engine import format_graph
from .northd import Northd
from .ovn_sb import PortReplica


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
            f"Node: {name}\n- recompute: {each.compute}\n- changed:   {each.changed}\n"
            f"- last:      {each.last_ms:.1f} ms\n- longest:   {each.longest_ms:.1f} ms"
            for name, each in northd.engine.stats().items()
        ]
        lines += [f"Rows compared: {name} {count}" for name, count in northd.compared.items()]
        connection.reply("\n".join(lines) + "\n")

    def show_graph(connection: Any, _argv: Sequence[str], _aux: Any) -> None:
        connection.reply(format_graph(northd.engine.nodes) + "\n")

    def connection_status(
        connection: Any, _argv: Sequence[str], session: Session | PortReplica
    ) -> None:
        connection.reply("connected\n" if session.connected else "not connected\n")

    register = ovs.unixctl.command_register
    register("status", "", 0, 0, status, None)
    register("pause", "", 0, 0, set_paused, True)
    register("resume", "", 0, 0, set_paused, False)
    register("is-paused", "", 0, 0, is_paused, None)
    register("inc-engine/recompute", "", 0, 0, recompute, None)
    register("inc-engine/show-stats", "", 0, 0, show_stats, None)
    register("inc-engine/show-graph", "", 0, 0, show_graph, None)
    for name, session in {**northd.sessions, "ovnsb": northd.ports}.items():
        register(f"{name}-connection-status", "", 0, 0, connection_status, session)


def _format_active(northd: Northd) -> str:
    """Returns lines on the svc-northd that was last seen active, and on what is in our way."""
    trouble = northd.leadership.trouble
    told = f"Trouble: {trouble}\n" if trouble else ""
    row = northd.leadership.find_leader()
    if row is None or not row.since:
        return told
    since = datetime.fromtimestamp(row.since / 1000, timezone.utc).isoformat(timespec="seconds")
    who = f"{row.hostname}, pid {row.pid}, incarnation {row.incarnation}"
    return f"Active: {who}, since {since}\n{told}"
